//! A send that ended unclear and could not be repeated while the platform knew its `uuid`: looked
//! for in the chat first, sent again only if it is not there.

use std::time::Duration;

use larkline_sim::{Answer, Fault, Ledger, Said, SimOptions};
use serde_json::Value;

use crate::delivery::reply_fault;
use crate::rig::{ECHO, Rig};
use crate::story::{step, steps, story};

/// What both sides call an hour here.
const WINDOW: Duration = Duration::from_secs(1);

async fn rig(more: &str) -> Rig {
    let options = SimOptions {
        redelivery: vec![Duration::from_millis(500); 60],
        uuid_window: WINDOW,
        ..SimOptions::default()
    };
    let mut rig =
        Rig::with(options, &format!("{ECHO}\n[limits]\nuuid_window = \"1s\"\n{more}\n")).await;
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// Waits until the platform has forgotten what was sent when the message was said.
async fn window_over(rig: &Rig, said_ms: u64) {
    let over_ms = said_ms + 2 * u64::try_from(WINDOW.as_millis()).unwrap();
    rig.until("the end of the window", async || rig.sim.platform().now_ms() > over_ms).await;
}

/// Sends that the platform refuses without doing them.
fn unavailable() -> Fault {
    reply_fault(Answer::Html { status: 503 }, u32::MAX)
}

/// The history is closed to an app without the scope.
fn no_scope() -> Fault {
    let msg = "Access denied. required: [im:message.group_msg]".to_owned();
    Fault::Api {
        path: "/im/v1/messages".to_owned(),
        method: "GET".to_owned(),
        answer: Answer::Code { status: 400, code: 99_991_672, msg, reset_s: None },
        times: u32::MAX,
    }
}

fn calls_of(rig: &Rig, method: &str, path: &str) -> usize {
    let is = |c: &larkline_sim::CallRow| c.method == method && c.path.ends_with(path);
    rig.sim.platform().read(|l| l.calls.iter().filter(|c| is(c)).count())
}

#[tokio::test]
async fn a_send_that_arrived_before_its_uuid_was_forgotten_is_found_and_not_repeated() {
    let mut rig = rig("").await;
    rig.fault(Fault::LoseAnswer { path: "/reply".to_owned(), times: u32::MAX });
    let said = rig.say(&rig.guest, "say it one time");
    let said_ms = rig.sim.platform().now_ms();
    let answered = rig.answered(&said).await;
    // It is there, the gateway does not know, and dies; the time of the first attempt does not.
    rig.kill9().await;
    window_over(&rig, said_ms).await;
    rig.fault(Fault::Clear);
    let sends = calls_of(&rig, "POST", "/reply");
    rig.run(&[]).await;
    rig.ready().await;
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    assert_eq!(rig.answers(&said.message_id), answered, "one answer");
    assert_eq!(calls_of(&rig, "POST", "/reply"), sends, "nothing was sent again");
    let story = story(&rig, said.message_id.as_str()).await;
    let look = step(&story, "looked");
    assert_eq!(look["code"], "found", "{story}");
    assert!(look["log_id"].as_str().is_some_and(|id| !id.is_empty()), "{look}");
    let told = steps(&story);
    let place = |word| told.iter().position(|s| *s == word).unwrap();
    assert!(place("send") < place("looked") && place("looked") < place("delivered"), "{told:?}");
    let answer = rig
        .sim
        .platform()
        .read(|l| l.replies_to(&said.message_id).next().unwrap().message_id.to_string());
    assert_eq!(step(&story, "delivered")["message_id"], answer);
}

#[tokio::test]
async fn what_is_not_in_the_chat_is_sent_again_under_a_new_uuid() {
    let rig = rig("").await;
    // The same words were said before, and are another row's.
    let earlier = rig.say(&rig.guest, "same words");
    rig.answered(&earlier).await;
    rig.fault(unavailable());
    let said = rig.say(&rig.guest, "same words");
    rig.until("a look", async || {
        steps(&story(&rig, said.event_id.as_str()).await).contains(&"looked")
    })
    .await;
    rig.fault(Fault::Clear);
    assert_eq!(rig.answered(&said).await, ["same words"]);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 2)].into());
    assert_eq!(rig.answers(&said.message_id).len(), 1);
    let story = story(&rig, said.event_id.as_str()).await;
    assert_eq!(step(&story, "looked")["code"], "absent", "{story}");
}

async fn unreadable(rig: &Rig) -> (Said, Value) {
    rig.fault(no_scope());
    // Two: the attempt after them comes when the window is over, whatever the waits are.
    rig.fault(reply_fault(Answer::Html { status: 503 }, 2));
    let said = rig.say(&rig.guest, "who can tell?");
    let is_acked = |l: &Ledger| l.event(&said.event_id).is_some_and(|event| event.done);
    rig.ledger("the ack", is_acked).await;
    rig.verdicts().await;
    let story = story(rig, said.event_id.as_str()).await;
    (said, story)
}

#[tokio::test]
async fn where_nobody_can_look_it_is_sent_again() {
    let rig = rig("").await;
    let (said, story) = unreadable(&rig).await;
    assert_eq!(story["verdict"], "replied", "{story}");
    assert_eq!(rig.answers(&said.message_id).len(), 1);
    assert_eq!(step(&story, "looked")["code"], "99991672", "{story}");
}

#[tokio::test]
async fn or_it_is_held_for_a_person_to_decide_if_so_configured() {
    let rig = rig("unreadable_history = \"hold\"").await;
    let (said, story) = unreadable(&rig).await;
    assert_eq!(
        (&story["verdict"], &story["why"]),
        (&"failed".into(), &"history_unreadable".into())
    );
    assert!(rig.answers(&said.message_id).is_empty());
    let letters = rig.json(&["dead"]).await;
    assert_eq!(letters[0]["code"], "history_unreadable");
    assert!(letters[0]["error"].as_str().unwrap().contains("99991672"), "{letters}");
    // With the scope granted, a retry by hand looks, too.
    rig.fault(Fault::Clear);
    let item = format!("o{}", letters[0]["item"]["outbox"]);
    assert!(rig.cli(&["dead", "retry", &item]).await.status.success());
    assert_eq!(rig.answered(&said).await, ["who can tell?"]);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    let story = crate::story::story(&rig, said.event_id.as_str()).await;
    for word in ["dead", "retried", "looked", "delivered"] {
        step(&story, word);
    }
}
