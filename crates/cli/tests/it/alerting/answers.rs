//! What those who are told answer: when that is a success, and what of it is shown to whom.

use larkline_sim::Fault;

use crate::alerting::receivers::Receiver;
use crate::alerting::{QUICK, cut, hook, quiet_now, started, told};
use crate::rig::{ECHO, Rig, read, text};

const SCRIPT: &str = "\n[destination.script]\nkind = \"command\"\nargv = [\"{dir}/tell\"]\n";

/// What `larkline alerts` says of a destination.
async fn line_of(rig: &Rig, name: &str) -> String {
    let shown = text(&rig.cli(&["alerts"]).await.stdout);
    let begin = format!("destination {name} ");
    shown.lines().find(|line| line.starts_with(&begin)).expect(&shown).to_owned()
}

#[tokio::test]
async fn a_notice_that_is_refused_holds_up_no_other_of_its_destination() {
    let service = Receiver::start().await;
    service.refuses("link_down");
    let rig = started(&hook("service", &service)).await;
    cut(&rig);
    told(&rig, &service, "alert.raised", "link_down").await;
    told(&rig, &service, "alert.raised", "reconnects_failing").await;
    let firing = rig.json(&["alerts"]).await["firing"].clone();
    let of = |rule: &str| firing.as_array().unwrap().iter().find(|a| a["rule"] == rule).cloned();
    assert_eq!(of("link_down").unwrap()["told"], serde_json::json!([]), "{firing}");
}

#[tokio::test]
async fn a_success_is_one_although_its_body_never_ends() {
    let service = Receiver::start().await;
    service.stalls();
    let rig = started(&format!("{}timeout = \"1s\"\n", hook("service", &service))).await;
    cut(&rig);
    told(&rig, &service, "alert.raised", "link_down").await;
    rig.fault(Fault::Clear);
    told(&rig, &service, "alert.cleared", "link_down").await;
    assert_eq!(service.count("alert.raised", "link_down"), 1, "one time");
    let test = rig.cli(&["alerts", "test"]).await;
    assert!(test.status.success(), "{test:?}");
}

#[tokio::test]
async fn a_program_may_write_much_and_one_that_withstands_its_end_is_said_to_run_on() {
    let mut rig = Rig::new(&format!("{ECHO}{QUICK}{SCRIPT}timeout = \"1s\"\n")).await;
    rig.env.insert("LARKLINE__LIMITS__KILL_GRACE", "1s".to_owned());
    rig.script("tell", "cat >/dev/null; head -c 1000000 /dev/zero; echo well >>\"$HOME/told\"");
    rig.run(&[]).await;
    rig.ready().await;
    let test = rig.cli(&["alerts", "test"]).await;
    assert!(test.status.success() && read(&rig.path("told")) == "well\n", "{test:?}");
    rig.script("tell", "trap '' TERM; cat >/dev/null; while :; do sleep 1; done");
    let test = rig.cli(&["alerts", "test"]).await;
    let words = text(&test.stdout);
    assert!(words.contains("script: still running after 1s"), "{words}");
}

#[tokio::test]
async fn what_a_service_says_is_one_line_without_its_own_address_wherever_it_goes() {
    let (other, service) = (Receiver::start().await, Receiver::start().await);
    let path = "/services/T0001/SECRETTOKEN123";
    let forged = "forged: an ERROR of larkline";
    service.answers(404, &format!("Cannot POST {path}\r\n{forged}\n\u{1b}[31mred"));
    let bad = hook("bad", &service).replace("/hook", path);
    let rule = "rule.destination_failed = { threshold = 1 }\n";
    let rig = started(&format!("{rule}{}{bad}", hook("other", &other))).await;
    cut(&rig);
    let failed = told(&rig, &other, "alert.raised", "destination_failed").await;
    let line = line_of(&rig, "bad").await;
    let test = text(&rig.cli(&["alerts", "test", "bad"]).await.stdout);
    let (log, notice) = (rig.log(), failed["data"]["text"].as_str().unwrap().to_owned());
    for words in [&line, &test, &log, &notice] {
        assert!(words.contains("Cannot POST <redacted> forged"), "{words}");
        assert!(!words.contains("SECRETTOKEN") && !words.contains('\u{1b}'), "{words}");
        assert!(!words.lines().any(|line| line.starts_with("forged")), "{words}");
    }
}

#[tokio::test]
async fn a_critical_alert_that_cannot_be_told_does_not_wait_for_the_end_of_quiet_hours() {
    let service = Receiver::start().await;
    service.answers(503, "not now");
    let config = format!("{ECHO}{QUICK}{}{}", quiet_now(), hook("service", &service));
    let mut rig = Rig::new(&config).await;
    rig.env.insert("TZ", "UTC".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    cut(&rig);
    rig.logged("could not be told: the service answered 503").await;
    let line = line_of(&rig, "service").await;
    assert!(line.contains("FAILED") && line.contains("something waits to be told"), "{line}");
}

#[tokio::test]
async fn a_heartbeat_that_does_not_get_out_says_why() {
    let closed = crate::listener::free_port();
    let heart = format!("heartbeat = {{ url = \"http://127.0.0.1:{closed}/\", every = \"1s\" }}\n");
    let rig = started(&heart).await;
    rig.logged("the heartbeat did not get out").await;
    let shown = text(&rig.cli(&["alerts"]).await.stdout).to_lowercase();
    assert!(shown.contains("connection refused"), "{shown}");
}

#[tokio::test]
async fn a_destination_that_fails_over_a_restart_is_told_one_time_and_so_is_its_end() {
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    bad.answers(503, "not now");
    let rule = "rule.destination_failed = { threshold = 2 }\n";
    let mut rig = started(&format!("{rule}{}{}", hook("good", &good), hook("bad", &bad))).await;
    cut(&rig);
    let raised = told(&rig, &good, "alert.raised", "destination_failed").await;
    let firing = async |rig: &Rig| {
        let all = rig.json(&["alerts"]).await["firing"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|alert| alert["rule"] == "destination_failed")
    };
    rig.until("it is written down", async || {
        firing(&rig).await.is_some_and(|alert| alert["told"][0] == "good")
    })
    .await;
    rig.kill9().await;
    let before = bad.got().len();
    rig.run(&[]).await;
    rig.until("more failures", async || bad.got().len() > before + 2).await;
    assert_eq!(firing(&rig).await.unwrap()["since_ms"], raised["data"]["since_ms"]);
    bad.answers(200, "");
    let cleared = told(&rig, &good, "alert.cleared", "destination_failed").await;
    assert_eq!(cleared["data"]["since_ms"], raised["data"]["since_ms"]);
    assert_eq!(good.count("alert.raised", "destination_failed"), 1, "one time");
}
