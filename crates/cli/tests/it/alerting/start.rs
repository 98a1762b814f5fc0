//! A gateway that cannot start tells so before it ends, one time however often it is started.

use std::time::Duration;

use larkline_sim::{AppSpec, SimOptions};

use crate::alerting::receivers::Receiver;
use crate::alerting::{QUICK, hook, jump, told};
use crate::rig::{ECHO, Rig, read};

const HOUR: Duration = Duration::from_secs(3600);
const RULE: &str = "start_failed";

/// A start that ends by itself with this code.
async fn ends_with(rig: &mut Rig, code: i32) {
    rig.run(&[]).await;
    assert_eq!(rig.exit().await.code(), Some(code), "{}", rig.log());
}

#[tokio::test]
async fn a_refused_secret_is_told_before_the_end_one_time_over_many_starts_and_so_is_its_mending() {
    let service = Receiver::start().await;
    let app = AppSpec { app_secret: "another secret".to_owned(), ..AppSpec::default() };
    let ways = format!(
        "{}\n[destination.script]\nkind = \"command\"\nargv = [\"{{dir}}/tell\"]\n\n[destination.chat]\nkind = \"app\"\napp = \"main\"\nchat = \"{{group}}\"\n",
        hook("service", &service)
    );
    let options = SimOptions { apps: vec![app], ..SimOptions::default() };
    let mut rig = Rig::with(options, &format!("{ECHO}{QUICK}{ways}")).await;
    rig.script("tell", "cat >>\"$HOME/told\"");
    rig.env.insert("LARKLINE_CLOCK", rig.path("clock").display().to_string());
    ends_with(&mut rig, 3).await;
    assert_eq!(service.count("alert.raised", RULE), 1, "told before the end: {}", rig.log());
    let raised = service.first("alert.raised", RULE);
    assert_eq!(
        (&raised["data"]["subject"], &raised["data"]["severity"]),
        (&"main".into(), &"critical".into())
    );
    for part in [
        "the platform refuses app main",
        "check app_id and app_secret",
        "next: larkline doctor",
        "does not run",
    ] {
        assert!(raised["data"]["text"].as_str().unwrap().contains(part), "{part}: {raised}");
    }
    assert!(read(&rig.path("told")).contains(RULE), "{}", rig.log());
    for _ in 0..3 {
        ends_with(&mut rig, 3).await;
    }
    let told_of_it = |rig: &Rig| read(&rig.path("told")).matches("alert.raised").count();
    assert_eq!((service.got().len(), told_of_it(&rig)), (1, 1), "not again at each start");
    jump(&rig, 13 * HOUR);
    ends_with(&mut rig, 3).await;
    assert_eq!(service.count("alert.reminder", RULE), 1, "{}", rig.log());
    ends_with(&mut rig, 3).await;
    assert_eq!(service.got().len(), 2, "one reminder");

    rig.env.insert("TEST_APP_SECRET", "another secret".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    let cleared = told(&rig, &service, "alert.cleared", RULE).await;
    assert_eq!(cleared["data"]["since_ms"], raised["data"]["since_ms"]);
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_although_no_worker_has_begun() {
    let service = Receiver::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let server = format!("\n[server]\nhttp = \"{address}\"\n");
    let config = format!("{ECHO}{server}{QUICK}{}", hook("service", &service));
    let mut rig = Rig::new(&config).await;
    for _ in 0..2 {
        rig.run(&[]).await;
        assert!(!rig.exit().await.success());
        assert_eq!(service.count("alert.raised", RULE), 1, "{}", rig.log());
    }
    let raised = service.first("alert.raised", RULE);
    assert_eq!(raised["data"]["subject"], address.to_string());
    drop(taken);
    rig.run(&[]).await;
    rig.ready().await;
    told(&rig, &service, "alert.cleared", RULE).await;
    let log = rig.log();
    assert!(!log.contains("previous_end=\"without a word"), "its end is on record: {log}");
}
