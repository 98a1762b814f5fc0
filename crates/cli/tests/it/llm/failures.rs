//! What a model's service may do wrong, and what the chat is told of it.

use std::time::Duration;

use super::model::Model;
use super::{KEY, answer, answered, shown, start, until_shown, with};
use crate::rig::Rig;

/// A route before the model's that does not need it.
const ECHO_TOO: &str = r#"
[[route]]
name = "echo"
senders = "everyone"
match = { keywords = ["echo"] }
handler = "echo"
"#;

async fn says(rig: &Rig, words: &str) -> String {
    let said = rig.say(&rig.owner, words);
    answer(rig, &said).await
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_kept_and_not_asked_for_again() {
    let (rig, model) = start("").await;
    for (n, how) in
        ["[[cut]]", "[[sse-error 500]]", "[[sse-error server_error]]"].iter().enumerate()
    {
        let said = says(&rig, &format!("[[say one two three four]] {how}")).await;
        assert!(said.starts_with("one two t\n\n⚠️ The answer broke off: `"), "{how}: {said}");
        assert!(said.ends_with("Send /retry to try again."), "{how}: {said}");
        assert_eq!(model.asked().len(), n + 1, "{how}");
    }
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 3)].into());
    let metrics = rig.metrics().await;
    let counted = "larkline_handler_seconds_count{handler=\"assistant\",result=\"failed\"} 3";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_busy_service_is_asked_again_when_it_says_so_and_the_chat_sees_it() {
    let (rig, model) = start("").await;
    let said = rig
        .say(&rig.owner, "[[error 429 x2]] [[code limit_requests]] [[retry-after 2]] [[say here]]");
    until_shown(&rig, &said, "(limit_requests); retry 1 in 2 s").await;
    until_shown(&rig, &said, "(limit_requests); retry 2 in 2 s").await;
    assert_eq!(answer(&rig, &said).await, "here");
    let at: Vec<_> = model.asked().iter().map(|asked| asked.at).collect();
    assert_eq!(at.len(), 3);
    for pair in at.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(2), "{:?}", pair[1] - pair[0]);
    }
}

#[tokio::test]
async fn a_service_that_fails_for_good_degrades_its_own_route_alone() {
    let model = Model::start().await;
    let mut rig = Rig::new(&format!("{ECHO_TOO}{}", with(&model, ""))).await;
    rig.env.insert("MODEL_KEY", KEY.to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    let pid = rig.pid();
    let said = rig.say(&rig.owner, "[[error 500]]");
    let words = answer(&rig, &said).await;
    assert_eq!(
        words,
        "⚠️ The model's service did not answer: `HTTP 500: refused (fake)`. Send /retry to try again."
    );
    assert_eq!(model.asked().len(), 3, "by the handler's policy");
    let status = rig.status().await.unwrap();
    assert_eq!(status["ready"], true, "{status}");
    // Nothing listens there any more.
    drop(model);
    let words = says(&rig, "hello").await;
    assert!(words.starts_with("⚠️ The model's service did not answer: `transport: "), "{words}");
    let other = rig.say(&rig.owner, "echo this");
    assert_eq!(rig.answered(&other).await, ["echo this"]);
    assert_eq!(rig.pid(), pid);
    assert_eq!(rig.status().await.unwrap()["ready"], true);
}

#[tokio::test]
async fn each_end_has_its_sentence_and_the_service_is_asked_as_often_as_that_makes_sense() {
    let (rig, model) =
        start("timeouts = { first = \"1s\", between = \"1s\", whole = \"10s\" }\n").await;
    for (script, expected, times) in [
        ("[[error 401]]", "🔑 `assistant` is not logged in, or its key is refused", 1),
        ("[[error 403]] [[code access_denied]]", "🔑 `assistant` is not logged in", 1),
        (
            "[[error 404]] [[code model_not_found]]",
            "⚙️ The model's service refuses what `assistant` asks: `model_not_found: refused (fake)`",
            1,
        ),
        ("[[error 429]]", "🚦 The model's service is overloaded, also after retries", 3),
        ("[[error 503]]", "⚠️ The model's service did not answer: `HTTP 503: refused (fake)`", 3),
        (
            "[[error 400]] [[code data_inspection_failed]]",
            "🚫 The model refused to answer. `data_inspection_failed",
            1,
        ),
        (
            "[[error 400]] [[code context_length_exceeded]]",
            "📏 The conversation is too long for the model",
            1,
        ),
        (
            "[[finish content_filter]] [[say half of]]",
            "half of\n\n🚫 The model refused to answer",
            1,
        ),
        ("[[finish length]] [[say half of]]", "half of\n\n✂️ The answer was cut", 1),
        (
            "[[finish tool_calls]] [[say ]]",
            "⚠️ The model's service did not answer: `tool_calls: ",
            1,
        ),
        ("[[hang]]", "⏱ Ended after 1 s of silence", 3),
        ("[[stall]] [[say half of]]", "half\n\n⏱ Ended after 1 s of silence", 1),
        ("[[body html]]", "⚠️ The model's service did not answer: `<html><body><h1>Sign in", 1),
        ("[[body empty]]", "⚠️ The model's service did not answer: `cut_off: ", 3),
        ("[[body garbage]]", "⚠️ The model's service did not answer: `}", 1),
        ("[[say ]]", "✅ Done, with nothing to say", 1),
    ] {
        let before = model.asked().len();
        let words = says(&rig, script).await;
        assert!(words.starts_with(expected), "{script}: {words}");
        assert_eq!(model.asked().len() - before, times, "{script}: {words}");
    }
    assert_eq!(rig.status().await.unwrap()["ready"], true);
}

#[tokio::test]
async fn an_answer_that_goes_on_for_too_long_is_ended() {
    let (rig, _model) = start("timeouts = { whole = \"2s\" }\n").await;
    let said = says(&rig, "[[stall]] [[say half of]]").await;
    assert!(said.starts_with("half\n\n⏱ Ended after 2 s, its limit"), "{said}");
}

#[tokio::test]
async fn a_service_that_repeats_the_key_does_not_tell_it_to_the_chat_or_the_log() {
    let (rig, _model) = start("").await;
    let said = rig.say(&rig.owner, "[[body echo]]");
    let words = answered(&rig, &said, "authorization").await.concat();
    assert!(words.contains("authorization: Bearer ***"), "{words}");
    assert!(!words.contains(KEY) && !rig.log().contains(KEY), "{words}");
    assert!(shown(&rig, &said.message_id).iter().all(|form| !form.contains(KEY)));
}
