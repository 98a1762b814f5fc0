//! Messages that are taken back while they wait or are worked on.

use crate::rig::{Rig, WORK, read};

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
    assert!(!story.contains("\"step\":\"handled\""), "nobody did it: {story}");
}

/// What lives again waits for the task in hand, also when what waits behind that is taken back.
#[tokio::test]
async fn what_is_retried_waits_for_the_task_in_hand_whatever_is_taken_back_behind_it() {
    let mut rig = Rig::new(&format!("{WORK}retry = {{ attempts = 1 }}\n")).await;
    rig.script(
        "work",
        r#"in=$(cat); word() { echo "$1" >> steps; }
case $in in
*'"text":"first"'*) word "first begins"; [ -e fixed ] || exit 3; word "first ends";;
*'"text":"second"'*) word "second begins"; until [ -e go ]; do sleep 0.05; done; word "second ends";;
esac
echo done"#,
    );
    rig.run(&[]).await;
    rig.ready().await;
    let first = rig.say(&rig.guest, "first");
    rig.answered(&first).await;
    std::fs::write(rig.path("fixed"), "").unwrap();
    let second = rig.say(&rig.guest, "second");
    rig.until("its begin", async || read(&rig.path("steps")).contains("second begins")).await;
    let third = rig.say(&rig.guest, "third");
    rig.until("two waiting", async || {
        rig.status().await.is_some_and(|s| s["depths"]["tasks"] == 2)
    })
    .await;
    assert!(rig.cli(&["dead", "retry", "t1"]).await.status.success());
    rig.sim.platform().recall(&third.message_id).unwrap();
    rig.logged("why=\"recalled\"").await;
    // The worker has looked since: it has begun what came after.
    let other = rig.say(&rig.owner, "other");
    assert_eq!(rig.answered(&other).await, ["done"]);
    std::fs::write(rig.path("go"), "").unwrap();
    rig.ledger("both answers", |l| {
        l.replies_to(&first.message_id).count() == 2
            && l.replies_to(&second.message_id).count() == 1
    })
    .await;
    let steps = read(&rig.path("steps"));
    let order = ["first begins", "second begins", "second ends", "first begins", "first ends"];
    assert_eq!(steps.lines().collect::<Vec<_>>(), order);
}
