//! An answer that grows in one card, however its bytes come.

use larkline_sim::{Answer, Fault, Limits, SimOptions};
use serde_json::Value;

use super::{KEY, answer, answered, shown, start, start_on, until_shown};
use crate::agent::{card, rows};
use crate::rig::Rig;

#[tokio::test]
async fn an_answer_grows_in_one_card_and_is_closed_with_a_summary() {
    let (rig, model) = start("").await;
    let said = rig.say(&rig.owner, "[[say one two three four]] [[hold]] [[usage 12 34]]");
    // The acknowledgement comes before anything of an answer.
    until_shown(&rig, &said, "one two t").await;
    let row = rows(&rig, &said.message_id).remove(0);
    assert!(row.edits.iter().all(|edit| !edit.content.contains("three")), "{:?}", row.edits);
    model.release();
    assert_eq!(answer(&rig, &said).await, "one two three four");
    let row = rows(&rig, &said.message_id).remove(0);
    let last = card(&row);
    assert_eq!(last["config"]["streaming_mode"], false);
    assert_eq!(last["config"]["summary"]["content"], "one two three four");
    assert!(row.content.contains("↑12 ↓34"), "{}", row.content);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    let [asked] = &model.asked()[..] else { panic!("asked once") };
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(asked.key, format!("Bearer {KEY}"));
    assert_eq!(asked.body["model"], "fake-model");
    assert_eq!(asked.body["stream"], true);
    assert!(!rig.log().contains(KEY), "the key is in the log");
}

#[tokio::test]
async fn the_card_is_there_before_the_model_says_anything() {
    let (rig, _model) = start("").await;
    let said = rig.say(&rig.owner, "[[hang]]");
    let id = said.message_id.clone();
    rig.ledger("the card", |l| l.replies_to(&id).next().is_some()).await;
    let row = rows(&rig, &id).remove(0);
    assert!(row.content.contains("Working on it"), "{}", row.content);
}

#[tokio::test]
async fn however_the_bytes_are_cut_and_ended_the_answer_is_the_same() {
    let (rig, _model) = start("").await;
    for how in ["", "[[split 1]]", "[[crlf]]", "[[crlf]] [[split 1]]", "[[nodone]]", "[[split 7]]"]
    {
        let said = rig.say(&rig.owner, &format!("[[say 你好，**世界** 🌍]] [[chunks 5]] {how}"));
        assert_eq!(answer(&rig, &said).await, "你好，**世界** 🌍", "{how}");
    }
}

#[tokio::test]
async fn what_the_model_thinks_is_never_in_the_chat() {
    let (rig, model) = start("thinking = true\n").await;
    let said = rig.say(&rig.owner, "[[think secret plans]] [[say 42]] [[hold]] [[chunks 1]]");
    until_shown(&rig, &said, "42").await;
    model.release();
    assert_eq!(answer(&rig, &said).await, "42");
    let forms = shown(&rig, &said.message_id);
    assert!(forms.iter().all(|form| !form.contains("secret plans")), "{forms:?}");
    assert_eq!(model.asked()[0].body["enable_thinking"], true);
}

#[tokio::test]
async fn a_long_answer_arrives_in_numbered_parts_in_order() {
    let options = SimOptions { limits: Limits::unlimited(), ..SimOptions::default() };
    let (rig, _model) = start_on(options, "").await;
    let said = rig.say(&rig.owner, "[[long 140]] [[chunks 20]]");
    answered(&rig, &said, "Paragraph 140.").await;
    let rows = rows(&rig, &said.message_id);
    assert!(rows.len() > 2, "{} parts", rows.len());
    let mut next = 1;
    for (n, row) in rows.iter().enumerate() {
        let text = row.text.clone().unwrap();
        let number = format!("({}/{})", n + 1, rows.len());
        assert_eq!(text.matches(&number).count(), 1, "{number} in {text}");
        for word in text.split("Paragraph ").skip(1) {
            assert_eq!(word.split('.').next().unwrap(), next.to_string());
            next += 1;
        }
    }
    assert_eq!(next, 141);
    let length: usize = rows.iter().map(|row| row.content.len()).sum();
    assert!(length > 60_000, "{length} bytes");
}

/// Refuses a kind of call from now on.
fn refuse(rig: &Rig, path: &str, method: &str, code: i64) {
    let answer = Answer::Code { status: 400, code, msg: "no".to_owned(), reset_s: None };
    let (path, method) = (path.to_owned(), method.to_owned());
    rig.fault(Fault::Api { path, method, answer, times: 1_000 });
}

#[tokio::test]
async fn without_the_scope_for_pieces_whole_cards_grow_and_without_those_the_answer_comes_beside() {
    let (rig, model) = start("").await;
    // The scope is missing.
    refuse(&rig, "/cardkit/v1", "", 99_991_672);
    let said = rig.say(&rig.owner, "[[say one two three four]] [[hold]]");
    until_shown(&rig, &said, "one two t").await;
    model.release();
    answered(&rig, &said, "one two three four").await;
    assert_eq!(answer(&rig, &said).await, "one two three four");
    // The platform does not want the card.
    refuse(&rig, "/im/v1/messages/", "PATCH", 230_001);
    let said = rig.say(&rig.owner, "[[say beside]]");
    let id = said.message_id.clone();
    rig.ledger("the answer beside the card", |l| {
        l.replies_to(&id).any(|row| row.text.as_deref().is_some_and(|t| t.contains("beside")))
    })
    .await;
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 2)].into());
}

#[tokio::test]
async fn without_streaming_one_message_is_the_answer() {
    let (rig, model) =
        start("stream = false\nextra = '{\"temperature\": 0.2, \"top_k\": null}'\n").await;
    let said = rig.say(&rig.owner, "[[say done]]");
    assert_eq!(answer(&rig, &said).await, "done");
    let row = rows(&rig, &said.message_id).remove(0);
    assert!(row.edits.is_empty(), "{:?}", row.edits);
    let body: &Value = &model.asked()[0].body;
    assert_eq!(body["temperature"], 0.2);
    assert!(body.get("top_k").is_none());
}
