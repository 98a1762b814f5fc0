//! Messages that come while a turn runs: none is dropped, and each policy does what it says.

use larkline_sim::Said;

use super::{answered, growing, prompts, rows, start, start_watched};
use crate::rig::{Rig, read};

/// Has the agent work until the file `release` is there.
fn work(rig: &Rig) -> String {
    let dir = rig.dir.path().display();
    let command = format!("touch {dir}/begun; until [ -e {dir}/release ]; do sleep 0.05; done");
    format!("[[tool Bash {{\"command\":\"{command}\"}}]]")
}

async fn begun(rig: &Rig) {
    rig.until("the work", async || rig.path("begun").exists()).await;
}

fn release(rig: &Rig) {
    std::fs::write(rig.path("release"), "").unwrap();
}

/// Waits until the platform is rid of a message.
async fn acked(rig: &Rig, said: &Said) {
    let id = said.event_id.clone();
    rig.ledger("an ack", |l| l.event(&id).is_some_and(|event| event.done)).await;
}

#[tokio::test]
async fn by_default_each_message_waits_and_becomes_a_turn_of_its_own_in_order() {
    let rig = start_watched("", "permission = \"allow\"\n").await;
    let busy = rig.say(&rig.owner, &work(&rig));
    begun(&rig).await;
    let mut later = Vec::new();
    for n in 1..=3 {
        later.push(rig.say(&rig.owner, &format!("[[say number {n}]]")));
        acked(&rig, &later[n - 1]).await;
    }
    assert!(later.iter().all(|said| rig.answers(&said.message_id).is_empty()));
    release(&rig);
    answered(&rig, &busy, "tool said").await;
    for (n, said) in (1..).zip(&later) {
        assert_eq!(answered(&rig, said, &format!("number {n}")).await.len(), 1);
    }
    let told: Vec<bool> =
        (1..=3).map(|n| prompts(&rig)[n].contains(&format!("number {n}"))).collect();
    assert_eq!(told, [true; 3], "{:?}", prompts(&rig));
    assert_eq!(rig.verdicts().await["replied"], 4);
}

#[tokio::test]
async fn merged_messages_become_one_turn_and_a_command_keeps_its_place_between_them() {
    let rig = start_watched("", "permission = \"allow\"\nbusy = \"merge\"\n").await;
    let busy = rig.say(&rig.owner, &work(&rig));
    begun(&rig).await;
    let mut later = Vec::new();
    for words in ["one", "two", "three", "/model", "four", "five"] {
        later.push(rig.say(&rig.owner, words));
        acked(&rig, &later[later.len() - 1]).await;
    }
    release(&rig);
    answered(&rig, &busy, "tool said").await;
    answered(&rig, &later[3], "Model: `default`").await;
    answered(&rig, &later[4], "I heard").await;
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["replied"], 7, "{verdicts:?}");
    assert!(verdicts.keys().all(|verdict| !verdict.starts_with("failed")), "{verdicts:?}");
    let told = prompts(&rig);
    assert_eq!(told.len(), 3, "{told:?}");
    for (turn, words) in [(1, &["one", "two", "three"][..]), (2, &["four", "five"])] {
        let prompt = &told[turn];
        assert_eq!(prompt.matches("<message ").count(), words.len(), "{prompt}");
        assert!(words.iter().all(|word| prompt.contains(&format!("\n{word}\n"))), "{prompt}");
        assert!(prompt.contains("Answer the messages above, together."), "{prompt}");
    }
    let answers: Vec<usize> = later.iter().map(|said| rows(&rig, &said.message_id).len()).collect();
    assert_eq!(answers, [1, 0, 0, 1, 1, 0]);
    let story = rig.cli(&["explain", later[1].message_id.as_str()]).await;
    assert!(crate::rig::text(&story.stdout).contains("merged"), "{story:?}");
    for _ in 0..2 {
        let again = rig.say(&rig.owner, "/retry");
        answered(&rig, &again, "I heard").await;
        let told = prompts(&rig).pop().unwrap();
        assert!(told.contains("\nfour\n") && told.contains("\nfive\n"), "{told}");
    }
}

#[tokio::test]
async fn what_was_merged_before_a_kill_is_still_answered_together_and_once() {
    let mut rig = start_watched("", "permission = \"allow\"\nbusy = \"merge\"\n").await;
    let busy = rig.say(&rig.owner, &work(&rig));
    begun(&rig).await;
    let one = rig.say(&rig.owner, "[[tell one]][[stall]]");
    acked(&rig, &one).await;
    let two = rig.say(&rig.owner, "two");
    acked(&rig, &two).await;
    release(&rig);
    answered(&rig, &busy, "tool said").await;
    growing(&rig, &one, "one").await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.until("the second run", async || prompts(&rig).len() == 3).await;
    let told = prompts(&rig).pop().unwrap();
    assert!(told.contains("[[tell one]]") && told.contains("\ntwo\n"), "{told}");
    let stop = rig.say(&rig.owner, "/stop");
    answered(&rig, &one, "Stopped by").await;
    acked(&rig, &stop).await;
    assert_eq!(rows(&rig, &one.message_id).len(), 1);
    assert!(rows(&rig, &two.message_id).is_empty());
    assert_eq!(rig.verdicts().await["replied"], 4);
}

#[tokio::test]
async fn a_message_that_steers_ends_the_turn_and_goes_on_in_its_conversation() {
    let rig = start("busy = \"steer\"\n").await;
    let old = rig.say(&rig.owner, "[[remember blue]][[tell as far as it came]][[stall]]");
    growing(&rig, &old, "as far as it came").await;
    // Looking at something ends nothing.
    let model = rig.say(&rig.owner, "/model");
    acked(&rig, &model).await;
    let status = rig.say(&rig.owner, "/status");
    answered(&rig, &status, "Running for").await;
    let new = rig.say(&rig.owner, "[[recall]]");
    let answers = answered(&rig, &old, "going on with that").await;
    assert!(answers[0].starts_with("as far as it came"), "{answers:?}");
    assert_eq!(super::outcome(&rig, &old).as_deref(), Some("steered"));
    answered(&rig, &model, "Model: `default`").await;
    answered(&rig, &new, "blue").await;
    assert_eq!(rig.verdicts().await["replied"], 4);
}

#[tokio::test]
async fn a_chat_that_waits_for_a_place_is_told_which_it_has() {
    let keys =
        "permission = \"allow\"\nconcurrency = 1\n\n[limits]\ntell_position_after = \"1s\"\n";
    let rig = start(keys).await;
    let busy = rig.say(&rig.owner, &work(&rig));
    begun(&rig).await;
    let waits = rig.say(&rig.guest, "[[say at last]]");
    let told = rig.answered(&waits).await;
    assert_eq!(told, ["⏳ Received; it is number 1 in the queue."]);
    // When it was to be told, and not when some worker's period had passed.
    let late_ms = rig.sim.platform().read(|l| {
        let told = l.replies_to(&waits.message_id).next().unwrap().at_ms;
        told.saturating_sub(l.event(&waits.event_id).unwrap().at_ms)
    });
    assert!((1_000..4_000).contains(&late_ms), "{late_ms} ms after the event");
    release(&rig);
    answered(&rig, &busy, "tool said").await;
    answered(&rig, &waits, "at last").await;
    assert_eq!(rig.verdicts().await["replied"], 2);
}

#[tokio::test]
async fn no_more_agents_run_at_once_than_there_are_places_and_none_is_refused() {
    let count = "echo in >> {dir}/places; trap 'echo out >> {dir}/places' EXIT";
    let rig = start_watched(count, "concurrency = 2\n").await;
    let people: Vec<_> =
        (0..6).map(|n| rig.sim.platform().add_user(&format!("person {n}"))).collect();
    let said: Vec<Said> = people.iter().map(|who| rig.say(who, "[[say served]]")).collect();
    for said in &said {
        answered(&rig, said, "served").await;
    }
    let (mut inside, mut most) = (0_usize, 0);
    for line in read(&rig.path("places")).lines() {
        inside = if line == "in" { inside + 1 } else { inside - 1 };
        most = most.max(inside);
    }
    assert_eq!((inside, most), (0, 2), "{}", read(&rig.path("places")));
}
