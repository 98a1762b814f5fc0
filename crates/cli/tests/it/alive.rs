//! Whether it is well, and what is not: the signs of life, late messages, recoveries, leaks.

use larkline_sim::{Fault, SimOptions};
use serde_json::Value;

use crate::rig::{ECHO, Rig, WORK, figure, text};

/// `larkline status` as people read it.
async fn shown(rig: &Rig) -> String {
    text(&rig.cli(&["status"]).await.stdout)
}

#[tokio::test]
async fn a_message_without_an_end_is_an_alert_with_chat_message_and_stage_until_it_has_one() {
    let config = WORK.replace("senders", "answer_within = \"1s\"\nsenders");
    let mut rig = Rig::new(&config).await;
    rig.script("work", "until [ -e go ]; do sleep 0.05; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "hello?");
    rig.logged("a message is unanswered beyond `answer_within`").await;
    let log = rig.log();
    let alert = log.lines().find(|l| l.contains("a message is unanswered")).unwrap();
    for part in
        ["ERROR", said.message_id.as_str(), said.chat_id.as_str(), "handler work is at work"]
    {
        assert!(alert.contains(part), "{part} is not in {alert}");
    }
    let status = rig.status().await.unwrap();
    assert_eq!(status["unanswered"][0]["message_id"], said.message_id.as_str());
    assert_eq!(figure(&rig.metrics().await, "larkline_unanswered_messages"), Some(1.0));
    let late = shown(&rig).await;
    assert!(late.contains(&format!("LATE      {} in {}", said.message_id, said.chat_id)), "{late}");

    // It is late for whoever comes next, too.
    rig.kill9().await;
    rig.run(&[]).await;
    rig.until("the second alert", async || {
        rig.log().matches("a message is unanswered beyond").count() == 2
    })
    .await;
    std::fs::write(rig.path("go"), "").unwrap();
    rig.answered(&said).await;
    rig.logged("the late message has its end").await;
    let status = rig.status().await.unwrap();
    assert_eq!(status["unanswered"], Value::Array(Vec::new()));
    assert_eq!(figure(&rig.metrics().await, "larkline_unanswered_messages"), Some(0.0));
}

#[tokio::test]
async fn a_recovery_is_timed_and_one_that_takes_longer_than_its_target_is_a_warning() {
    let quick = "[link]\nrecovery_target = \"1s\"\nbackoff_quick = \"100ms\"\nbackoff_first = \"100ms\"\nbackoff_max = \"200ms\"\n";
    let rig = Rig::start(&format!("{ECHO}{quick}")).await;
    let counted = async || figure(&rig.metrics().await, "larkline_link_recovery_seconds_count");
    assert_eq!(counted().await, Some(0.0), "the start is no recovery");
    rig.fault(Fault::Offline);
    rig.fault(Fault::Rst);
    rig.logged("the link is down for longer than `link.recovery_target`").await;
    rig.fault(Fault::Clear);
    rig.logged("the link recovered, later than it should").await;
    rig.ready().await;
    assert_eq!(counted().await, Some(1.0));
    let page = rig.metrics().await;
    assert_eq!(figure(&page, "larkline_link_recovery_target_seconds"), Some(1.0));
    assert!(figure(&page, "larkline_link_recovery_seconds_sum").is_some_and(|s| s >= 1.0));
    let status = rig.status().await.unwrap();
    let link = &status["apps"][0]["link"];
    assert!(link["recovery_ms"].as_u64().is_some_and(|ms| ms >= 1000), "{link}");
    assert!(shown(&rig).await.contains("recovery  the last one took"));
}

#[tokio::test]
async fn descriptors_and_sockets_are_shown_and_do_not_grow_over_reconnects() {
    const RECONNECTS: u64 = 25;
    let quick =
        "[link]\nbackoff_quick = \"100ms\"\nbackoff_first = \"100ms\"\nbackoff_max = \"100ms\"\n";
    let mut rig = Rig::with(SimOptions::default(), &format!("{ECHO}{quick}")).await;
    rig.run(&[]).await;
    rig.ready().await;
    let open = async || {
        let status = rig.status().await.unwrap();
        let of = |key: &str| status["descriptors"][key].as_u64().unwrap();
        (of("open"), of("sockets"))
    };
    rig.answered(&rig.say(&rig.guest, "warm")).await;
    let (before, sockets) = open().await;
    assert!(sockets >= 2 && before > sockets, "{before} {sockets}: the link and the admin socket");
    assert!(shown(&rig).await.contains(" file descriptors, "));
    for n in 1..=RECONNECTS {
        rig.fault(Fault::Rst);
        rig.until("a new link", async || {
            let status = rig.status().await.unwrap();
            let link = &status["apps"][0]["link"];
            link["connects"].as_u64() > Some(n) && link["verified"] == true
        })
        .await;
    }
    rig.answered(&rig.say(&rig.guest, "still there")).await;
    // Some come and go: pooled connections of the calls, the one that asks.
    rig.until("no more than before", async || {
        let (now, now_sockets) = open().await;
        now <= before + 4 && now_sockets <= sockets + 4
    })
    .await;
}

#[tokio::test]
async fn status_answers_link_last_message_and_process_at_once() {
    let mut rig = Rig::start(ECHO).await;
    let line = async || {
        let shown = shown(&rig).await;
        shown.lines().find(|l| l.starts_with("alive ")).unwrap_or_default().to_owned()
    };
    let quiet = line().await;
    for part in ["link of main verified for ", "no message handled lately", "process up "] {
        assert!(quiet.contains(part), "{part} is not in {quiet}");
    }
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    rig.verdicts().await;
    assert!(line().await.contains("last message replied "), "{}", line().await);
    let status = rig.status().await.unwrap();
    assert_eq!(status["last_handled"]["event_id"], said.event_id.as_str());
    rig.fault(Fault::Offline);
    rig.fault(Fault::Rst);
    rig.until("the loss", async || !line().await.contains("main verified")).await;
    // What was handled last is known after a restart.
    rig.fault(Fault::Clear);
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    assert!(shown(&rig).await.contains("last message replied "));
}
