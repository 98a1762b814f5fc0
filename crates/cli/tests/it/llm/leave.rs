//! Ends in mid-answer: a person's, a crash, a stop of the service.

use larkline_sim::Press;

use super::{answer, answered, start, until_shown};
use crate::agent::{buttons, rows};

const HELD: &str = "[[say one two three four]] [[hold]]";

#[tokio::test]
async fn a_stop_keeps_what_was_said_and_the_conversation_goes_on() {
    let (rig, model) = start("").await;
    let said = rig.say(&rig.owner, HELD);
    until_shown(&rig, &said, "one two t").await;
    rig.say(&rig.owner, "/stop");
    let words = answered(&rig, &said, "Stopped by").await.concat();
    assert!(words.contains("one two t") && !words.contains("three"), "{words}");
    let row = rows(&rig, &said.message_id).remove(0);
    let mention = format!("<at id={}></at>", rig.owner);
    assert!(row.content.contains(&mention), "{}", row.content);
    let next = rig.say(&rig.owner, "and?");
    answer(&rig, &next).await;
    assert_eq!(
        model.messages(),
        [format!("user: {HELD}").as_str(), "assistant: one two t", "user: and?"]
    );
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 3)].into());
}

#[tokio::test]
async fn the_cards_button_stops_for_those_who_may() {
    let (rig, _model) = start("").await;
    let said = rig.say_in_group(&rig.owner, "[[hang]]", false);
    let id = said.message_id.clone();
    rig.ledger("the card", |l| l.replies_to(&id).next().is_some()).await;
    let row = rows(&rig, &id).remove(0);
    let (_, value) = buttons(&row).remove(0);
    let press = |user| Press {
        user,
        chat: row.chat_id.clone(),
        message: Some(row.message_id.clone()),
        value: value.clone(),
        ..Press::default()
    };
    let answer = rig.sim.platform().press(press(rig.guest.clone())).await.unwrap();
    assert!(format!("{answer:?}").contains("Only whoever asked"), "{answer:?}");
    rig.sim.platform().press(press(rig.owner.clone())).await.unwrap();
    answered(&rig, &said, "Stopped by").await;
}

#[tokio::test]
async fn a_crash_in_mid_answer_asks_again_and_answers_once() {
    let (mut rig, model) = start("").await;
    let first = rig.say(&rig.owner, "Q1");
    answer(&rig, &first).await;
    let said = rig.say(&rig.owner, HELD);
    until_shown(&rig, &said, "one two t").await;
    rig.kill9().await;
    model.release();
    rig.run(&[]).await;
    assert_eq!(answer(&rig, &said).await, "one two three four");
    let next = rig.say(&rig.owner, "Q3");
    answer(&rig, &next).await;
    let held = format!("user: {HELD}");
    assert_eq!(
        model.messages(),
        ["user: Q1", "assistant: echo: Q1", &held, "assistant: one two three four", "user: Q3"]
    );
    assert_eq!(model.asked().len(), 4);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 3)].into());
}

#[tokio::test]
async fn a_stop_of_the_service_waits_for_the_answer() {
    let (mut rig, model) = start("").await;
    let said = rig.say(&rig.owner, HELD);
    until_shown(&rig, &said, "one two t").await;
    rig.signal(rustix::process::Signal::TERM);
    rig.logged("waiting for running tasks").await;
    model.release();
    assert!(rig.exit().await.success());
    assert_eq!(answer(&rig, &said).await, "one two three four");
}

#[tokio::test]
async fn a_stop_of_the_service_that_cannot_wait_says_so_and_asks_again_after_the_start() {
    let (mut rig, model) = start("[limits]\ndrain = \"1s\"\n").await;
    let said = rig.say(&rig.owner, HELD);
    until_shown(&rig, &said, "one two t").await;
    rig.stop().await;
    let row = rows(&rig, &said.message_id).remove(0);
    assert!(row.content.contains("The service is restarting"), "{}", row.content);
    assert!(row.content.contains("one two t"), "{}", row.content);
    model.release();
    rig.run(&[]).await;
    answered(&rig, &said, "three four").await;
    assert_eq!(answer(&rig, &said).await, "one two three four");
    assert_eq!(model.asked().len(), 2);
    let next = rig.say(&rig.owner, "Q2");
    answer(&rig, &next).await;
    assert_eq!(model.messages().len(), 3, "{:?}", model.messages());
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 2)].into());
}
