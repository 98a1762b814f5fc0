//! A gateway that cannot start tells so before it ends, one time however often it is started.

use std::time::Duration;

use larkline_sim::{AppSpec, Fault, SimOptions};

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

/// How many notices of any type about a failed start came. Others may fire too, on a slow machine.
fn of_it(service: &Receiver) -> usize {
    service.got().iter().filter(|got| got.json()["data"]["rule"] == RULE).count()
}

/// How often the program was told that one was raised.
fn raised_to_program(rig: &Rig) -> usize {
    let told = read(&rig.path("told"));
    told.lines().filter(|line| line.contains("alert.raised") && line.contains(RULE)).count()
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
        (&"credentials/main".into(), &"critical".into())
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
    let log = rig.log();
    let noise = ["vital worker ended", "starting over"].iter().any(|noise| log.contains(noise));
    assert!(!noise, "what was told is the cause: {log}");
    for _ in 0..3 {
        ends_with(&mut rig, 3).await;
    }
    assert_eq!((of_it(&service), raised_to_program(&rig)), (1, 1), "not again at each start");
    jump(&rig, 13 * HOUR);
    ends_with(&mut rig, 3).await;
    assert_eq!(service.count("alert.reminder", RULE), 1, "{}", rig.log());
    ends_with(&mut rig, 3).await;
    assert_eq!(of_it(&service), 2, "one reminder");

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
    assert_eq!(raised["data"]["subject"], format!("listen/{address}"));
    drop(taken);
    // Whatever the link does: the gateway runs.
    rig.fault(Fault::Offline);
    rig.run(&[]).await;
    told(&rig, &service, "alert.cleared", RULE).await;
    assert!(rig.status().await.is_some_and(|status| status["ready"] == false), "{}", rig.log());
    let log = rig.log();
    assert!(!log.contains("previous_end=\"without a word"), "its end is on record: {log}");
}

#[tokio::test]
async fn a_refused_secret_and_a_link_that_was_not_verified_are_two_alerts_until_the_link_is() {
    let service = Receiver::start().await;
    // The run that waits ends long before the link is down for long enough.
    let link = "startup_deadline = \"1s\"\nrecovery_target = \"3s\"";
    let quick = QUICK.replace("recovery_target = \"1s\"", link);
    let mut rig = Rig::new(&format!("{ECHO}{quick}{}", hook("service", &service))).await;
    rig.env.insert("TEST_APP_SECRET", "a wrong secret".to_owned());
    ends_with(&mut rig, 3).await;
    rig.env.remove("TEST_APP_SECRET");
    rig.fault(Fault::Offline);
    rig.run(&["--wait"]).await;
    assert!(!rig.exit().await.success());
    let subjects = || {
        let of_it = service.got().into_iter().map(|got| got.json()["data"].clone());
        let of_it = of_it.filter(|data| data["rule"] == RULE && data["ended_ms"].is_null());
        of_it.map(|data| data["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(subjects(), ["credentials/main", "not_verified"], "{}", rig.log());

    // It runs, and whether it would be refused again is not known.
    rig.run(&[]).await;
    // By then the others would have been good for longer, and told before: they are older.
    told(&rig, &service, "alert.raised", "link_down").await;
    assert_eq!(service.count("alert.cleared", RULE), 0, "{}", rig.log());
    rig.fault(Fault::Clear);
    rig.until("their ends", async || service.count("alert.cleared", RULE) == 2).await;
}
