//! The line itself: a message in, its answer out, and what became of both.

use larkline_sim::Fault;

use crate::rig::{ECHO, Rig};

#[tokio::test]
async fn a_message_is_answered_as_a_reply_to_it() {
    let rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.guest, "hello 你好");
    assert_eq!(rig.answered(&said).await, ["hello 你好"]);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_redelivery_is_answered_once_also_under_a_new_event_id_and_after_a_restart() {
    let mut rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.guest, "once");
    rig.answered(&said).await;
    for new_event_id in [false, true] {
        rig.fault(Fault::Duplicate { event_id: said.event_id.clone(), new_event_id });
    }
    rig.ledger("acks of the duplicates", |l| l.events.iter().all(|e| e.done)).await;
    assert!(rig.stop().await.success());
    rig.run(&[]).await;
    rig.ready().await;
    rig.fault(Fault::Duplicate { event_id: said.event_id.clone(), new_event_id: true });
    rig.until("three duplicates", async || {
        rig.verdicts().await.get("filtered/duplicate") == Some(&3)
    })
    .await;
    assert_eq!(rig.answers(&said.message_id), ["once"]);
}
