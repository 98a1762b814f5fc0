//! A good setup, and what the doctor's own link does to events.

use larkline_sim::{Fault, Say};

use super::{Diagnosis, is};
use crate::rig::{ECHO, Rig};

#[tokio::test]
async fn a_good_setup_is_healthy_line_by_line_and_leaves_nothing_behind() {
    let rig = Rig::new(ECHO).await;
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("healthy", is("healthy", "pong", "verified"));
    let passed = [
        "build",
        "configuration",
        "state",
        "disk",
        "instance",
        "children",
        "descriptors",
        "roots",
        "tcp",
        "http",
        "clock",
        "credentials",
        "bot",
        "endpoint",
        "connections",
        "upgrade",
        "pong",
        "scopes",
        "app",
        "version",
        "events",
    ];
    for name in passed {
        assert_eq!(diagnosis.outcome(name), "pass", "{name}: {:#}", diagnosis.report);
    }
    for name in ["tcp", "http", "credentials", "endpoint", "upgrade", "pong"] {
        assert!(diagnosis.line(name).contains("\"ms\":"), "{name} has no latency");
    }
    assert!(!rig.path("state").exists(), "a diagnosis makes no state");
    rig.ledger("the end of the doctor's own link", |l| {
        l.connections.len() == 1 && l.open_connections() == 0
    })
    .await;
}

#[tokio::test]
async fn the_human_report_ends_in_one_verdict() {
    let rig = Rig::new(ECHO).await;
    let output = rig.cli(&["doctor"]).await;
    let page = crate::rig::text(&output.stdout);
    assert_eq!(page.lines().last(), Some("verdict: healthy"), "{page}");
    assert!(page.lines().any(|l| l.starts_with("  pass  upgrade")), "{page}");
    let output = rig.command().arg("doctor").env("TEST_APP_SECRET", "no").output().await.unwrap();
    let page = crate::rig::text(&output.stdout);
    let last = page.lines().last().unwrap();
    assert!(last.starts_with("verdict: credentials: token failed"), "{page}");
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn an_event_that_the_doctor_was_given_reaches_the_gateway_later() {
    let mut rig = Rig::new(ECHO).await;
    let said = rig.write(Say { user: rig.guest.clone(), text: "later".into(), ..Say::default() });
    rig.fault(Fault::PushWithUpgrade { times: 1 });
    Diagnosis::of(&rig, &[]).await.expect("pushed", is("healthy", "pong", "verified"));
    rig.run(&[]).await;
    assert_eq!(rig.answered(&said).await, ["later"]);
}
