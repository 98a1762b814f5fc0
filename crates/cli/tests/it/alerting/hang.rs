//! A disk that hangs: nothing fails, nothing is answered, and somebody is told all the same.

use rustix::process::Signal;

use crate::alerting::receivers::Receiver;
use crate::alerting::{QUICK, hook, silent};
use crate::rig::{ECHO, Rig, text};

/// The writer's thread stands still at this commit, which a start without messages does not reach soon.
const STALL: &str = "commit_begins:150";

#[tokio::test]
async fn a_disk_that_hangs_is_told_and_ends_readiness_and_the_heartbeat() {
    let (service, outside) = (Receiver::start().await, Receiver::start().await);
    let heart = format!("heartbeat = {{ url = \"{}\", every = \"1s\" }}\n", outside.url());
    let limits = "[limits]\ndrain = \"1s\"\nkill_grace = \"1s\"\n";
    let config = format!("{ECHO}{QUICK}{heart}{}{limits}", hook("service", &service));
    let mut rig = Rig::new(&config).await;
    rig.env.insert("LARKLINE_STALL", STALL.to_owned());
    rig.run(&[]).await;
    rig.until("a heartbeat", async || !outside.got().is_empty()).await;
    let first = rig.say(&rig.owner, "the first");
    rig.answered(&first).await;
    // Each is some commits more, until one stands still and so is not acked.
    let mut last = first.event_id.clone();
    rig.until("the alert", async || {
        if rig.sim.platform().read(|l| l.event(&last).unwrap().done) {
            last = rig.say(&rig.owner, "hello").event_id;
        }
        service.count("alert.raised", "store_refuses") > 0
    })
    .await;
    let raised = service.first("alert.raised", "store_refuses");
    let words = raised["data"]["text"].as_str().unwrap();
    assert!(words.contains("has not answered for"), "{raised}");
    // It is told although it cannot be written down, and one time.
    rig.logged("alerts are not written down yet").await;
    rig.until("told", async || {
        rig.json(&["alerts"]).await["firing"].as_array().is_some_and(|firing| {
            firing
                .iter()
                .any(|alert| alert["rule"] == "store_refuses" && alert["told"][0] == "service")
        })
    })
    .await;
    let ready = rig.get("/ready").await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("does not answer"), "{ready}");
    let shown = text(&rig.cli(&["status"]).await.stdout);
    assert!(shown.contains("REFUSES WRITES"), "{shown}");
    let story = rig.cli(&["explain", first.event_id.as_ref()]).await;
    let told = text(&story.stdout) + &text(&story.stderr);
    assert!(story.status.success() && told.contains("journaled"), "{told}");
    silent(&rig).await;
    let told = service.count("alert.raised", "store_refuses");
    assert_eq!(told, 1, "one time, although that cannot be written down");
    // A stop writes down that it ended, and does not wait for the disk either.
    rig.signal(Signal::TERM);
    assert_eq!(rig.exit().await.code(), Some(0));
    assert!(rig.log().contains("the end is not on record"), "{}", rig.log());
}
