//! `explain` tells the whole story of one message, whatever happened to it.

use larkline_sim::{Answer, Fault};
use serde_json::Value;

use crate::delivery::reply_fault;
use crate::rig::{ECHO, Rig, WORK, text};
use crate::waiting::running;

/// The story of what `key` means.
pub(crate) async fn story(rig: &Rig, key: &str) -> Value {
    rig.json(&["explain", key]).await
}

/// Its steps, by their stable words, in order.
pub(crate) fn steps(story: &Value) -> Vec<&str> {
    story["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect()
}

/// The first step of this kind.
pub(crate) fn step<'s>(story: &'s Value, word: &str) -> &'s Value {
    let steps = story["steps"].as_array().unwrap();
    steps.iter().find(|s| s["step"] == word).unwrap_or_else(|| panic!("no {word} in {story}"))
}

#[tokio::test]
async fn a_message_that_met_a_duplicate_a_throttle_and_a_kill_is_explained_step_by_step() {
    let mut rig = Rig::new(WORK).await;
    rig.script("work", "while [ ! -e go ]; do sleep 0.1; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "please answer me one time");
    running(&rig, 1).await;
    rig.fault(Fault::Duplicate { event_id: said.event_id.clone(), new_event_id: true });
    let key = said.event_id.as_str();
    rig.until("the duplicate", async || steps(&story(&rig, key).await).contains(&"redelivered"))
        .await;
    rig.kill9().await;
    let limit = Answer::Code {
        status: 400,
        code: 230_020,
        msg: "This operation triggers the frequency limit.".to_owned(),
        reset_s: Some(1),
    };
    rig.fault(reply_fault(limit, 1));
    std::fs::write(rig.path("go"), "").unwrap();
    rig.run(&[]).await;
    rig.ready().await;
    assert_eq!(rig.answered(&said).await, ["done"]);
    let verdicts = [("filtered/duplicate".to_owned(), 1), ("replied".to_owned(), 1)];
    assert_eq!(rig.verdicts().await, verdicts.into());

    let story = story(&rig, key).await;
    let expected = [
        "received",
        "routed",
        "journaled",
        "acked",
        "attempt",
        "redelivered",
        "attempt_cut_off",
        "attempt",
        "handled",
        "queued",
        "send",
        "send_failed",
        "send",
        "delivered",
        "verdict",
    ];
    assert_eq!(steps(&story), expected, "{story}");
    let times: Vec<i64> =
        story["steps"].as_array().unwrap().iter().map(|s| s["at_ms"].as_i64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 0, "{times:?}");
    assert_eq!(
        (&story["verdict"], &story["message_id"]),
        (&"replied".into(), &said.message_id.as_str().into())
    );
    assert_eq!(story["chat_id"], said.chat_id.as_str());
    let refused = step(&story, "send_failed");
    assert_eq!((&refused["code"], &refused["item"]), (&"230020".into(), &"o1".into()));
    let (answer, log_ids) = rig.sim.platform().read(|l| {
        let sent = l.replies_to(&said.message_id).next().unwrap().message_id.clone();
        (sent, l.calls.iter().map(|c| c.log_id.to_string()).collect::<Vec<_>>())
    });
    let delivered = step(&story, "delivered");
    assert_eq!(delivered["message_id"], answer.as_str());
    for step in [refused, delivered] {
        let log_id = step["log_id"].as_str().unwrap_or_default().to_owned();
        assert!(log_ids.contains(&log_id), "{step} has a log id of the platform's");
    }
    // The same story by every id, also when no gateway runs.
    assert!(rig.stop().await.success());
    for key in [said.message_id.as_str(), answer.as_str(), "answer me one", "done"] {
        assert_eq!(self::story(&rig, key).await, story, "by {key}");
    }
    let human = text(&rig.cli(&["explain", key]).await.stdout);
    let told = expected.iter().zip(human.lines().skip(3));
    told.for_each(|(word, line)| assert!(line.contains(word), "{word} is not in {line}"));
}

#[tokio::test]
async fn words_that_several_messages_have_list_them_newest_first() {
    let rig = Rig::start(ECHO).await;
    for n in 0..3 {
        let said = rig.say(&rig.guest, &format!("the same words {n}"));
        rig.answered(&said).await;
    }
    let story = story(&rig, "same words").await;
    assert_eq!(story["preview"], "the same words 2");
    let others: Vec<_> = story["others"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["preview"].as_str().unwrap())
        .collect();
    assert_eq!(others, ["the same words 1", "the same words 0"]);
    let human = text(&rig.cli(&["explain", "same words"]).await.stdout);
    assert!(human.contains("newest of 3") && human.contains("the same words 0"), "{human}");
    let none = rig.cli(&["explain", "never said"]).await;
    assert!(text(&none.stderr).contains("larkline messages"), "{none:?}");
}
