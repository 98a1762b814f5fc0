//! Messages that are taken back while they wait or are worked on.

use crate::rig::{Rig, WORK};

#[tokio::test]
async fn a_message_taken_back_in_the_queue_is_not_handled_and_one_in_hand_is_told_of() {
    let mut rig = Rig::new(WORK).await;
    rig.script("work", "echo ran >> ran; until [ -e go ]; do sleep 0.05; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let running = rig.say(&rig.guest, "in hand");
    rig.until("the first run", async || rig.path("ran").exists()).await;
    let queued = rig.say(&rig.guest, "behind it");
    let last = rig.say(&rig.guest, "last");
    rig.until("three waiting", async || {
        rig.status().await.is_some_and(|s| s["depths"]["tasks"] == 3)
    })
    .await;
    rig.sim.platform().recall(&queued.message_id).unwrap();
    rig.until("the verdict", async || rig.log().contains("why=\"recalled\"")).await;
    rig.sim.platform().recall(&running.message_id).unwrap();
    rig.logged("a message was taken back while its handler works on it").await;
    std::fs::write(rig.path("go"), "").unwrap();
    rig.answered(&last).await;
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts.get("filtered/recalled"), Some(&1), "{verdicts:?}");
    assert_eq!(verdicts.get("replied"), Some(&2), "{verdicts:?}");
    assert_eq!(std::fs::read_to_string(rig.path("ran")).unwrap().lines().count(), 2);
    assert!(rig.answers(&queued.message_id).is_empty());
    assert!(rig.answers(&running.message_id).is_empty(), "it would quote what is gone");
    assert_eq!(rig.said_in(&running.chat_id).iter().filter(|text| *text == "done").count(), 2);
    let story = rig.json(&["explain", queued.message_id.as_str()]).await.to_string();
    assert!(story.contains("\"step\":\"recalled\""), "{story}");
}
