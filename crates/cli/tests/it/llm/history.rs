//! What a model is told: the conversation within its bounds, pictures, the operator's instructions.

use larkline_proto::id::OpenId;
use larkline_sim::{Attachment, Said, Say};

use super::model::Model;
use super::{answer, start};
use crate::agent::rows;
use crate::rig::Rig;

async fn says(rig: &Rig, who: &OpenId, words: &str) -> String {
    let said = rig.say(who, words);
    answer(rig, &said).await
}

#[tokio::test]
async fn a_conversation_goes_on_after_a_restart_and_new_clears_it() {
    let (mut rig, model) = start("").await;
    let owner = rig.owner.clone();
    says(&rig, &owner, "[[say A1]] Q1").await;
    assert!(rig.stop().await.success());
    rig.run(&[]).await;
    rig.ready().await;
    says(&rig, &owner, "[[say A2]] Q2").await;
    assert_eq!(model.messages(), ["user: [[say A1]] Q1", "assistant: A1", "user: [[say A2]] Q2"]);
    assert!(says(&rig, &owner, "/new").await.starts_with("🆕 A new conversation"));
    says(&rig, &owner, "Q3").await;
    assert_eq!(model.messages(), ["user: Q3"]);
    // The earlier one is kept, and can be gone back to.
    let list = says(&rig, &owner, "/resume").await;
    assert!(list.contains("#1 · completed · 2 turns"), "{list}");
    assert!(says(&rig, &owner, "/resume 1").await.contains("Back in conversation #1"));
    says(&rig, &owner, "Q4").await;
    assert_eq!(model.messages().len(), 5);
}

#[tokio::test]
async fn a_history_is_bounded_by_turns_tokens_and_age() {
    for (bounds, kept) in [
        ("turns = 1", &["user: Q2", "assistant: echo: Q2"][..]),
        ("turns = 0", &[]),
        // Four tokens stand around each message, one is in `Q2`, and two are in its answer.
        ("tokens = 11", &["user: Q2", "assistant: echo: Q2"]),
        ("tokens = 10", &[]),
        ("age = \"1s\"", &[]),
    ] {
        let (rig, model) = start(&format!("history = {{ {bounds} }}\n")).await;
        let owner = rig.owner.clone();
        says(&rig, &owner, "Q1").await;
        says(&rig, &owner, "Q2").await;
        if bounds.starts_with("age") {
            let past = rig.sim.platform().now_ms() + 1_000;
            rig.until("a second", async || rig.sim.platform().now_ms() > past).await;
        }
        says(&rig, &owner, "Q3").await;
        let mut expected = kept.to_vec();
        expected.push("user: Q3");
        assert_eq!(model.messages(), expected, "{bounds}");
    }
}

#[tokio::test]
async fn people_share_a_conversation_or_have_their_own() {
    for (session, shared) in [("chat", true), ("sender", false)] {
        let (rig, model) = start(&format!("session = \"{session}\"\n")).await;
        let said = rig.say_in_group(&rig.owner, "Q1", false);
        answer(&rig, &said).await;
        let said = rig.say_in_group(&rig.guest, "Q2", false);
        answer(&rig, &said).await;
        assert_eq!(model.messages().len(), if shared { 3 } else { 1 }, "{session}");
    }
}

#[tokio::test]
async fn a_retry_asks_anew_in_the_place_of_what_it_repeats() {
    let (rig, model) = start("").await;
    let owner = rig.owner.clone();
    assert!(says(&rig, &owner, "/retry").await.contains("no message to retry"));
    says(&rig, &owner, "Q1").await;
    let broken = says(&rig, &owner, "[[say half of it]] [[cut]]").await;
    assert!(broken.contains("broke off"), "{broken}");
    let question = "user: [[say half of it]] [[cut]]";
    // What was seen of an answer is known to the model, but for a retry of it.
    for _ in 0..2 {
        assert!(says(&rig, &owner, "/retry").await.contains("broke off"));
        assert_eq!(model.messages(), ["user: Q1", "assistant: echo: Q1", question]);
    }
    says(&rig, &owner, "Q3").await;
    assert_eq!(
        model.messages(),
        ["user: Q1", "assistant: echo: Q1", question, "assistant: half", "user: Q3"]
    );
}

#[tokio::test]
async fn owners_choose_the_model_and_everybody_sees_the_use() {
    let (rig, model) = start("").await;
    let (owner, guest) = (rig.owner.clone(), rig.guest.clone());
    let said = |who: &OpenId, words: &str| rig.say_in_group(who, words, false);
    let in_group = async |who: &OpenId, words: &str| answer(&rig, &said(who, words)).await;
    assert!(in_group(&guest, "/model").await.contains("fake-model"));
    assert!(in_group(&guest, "/model other").await.contains("Only an owner"));
    assert!(in_group(&owner, "/model other").await.contains("other"));
    in_group(&guest, "[[usage 100 20]]").await;
    assert_eq!(model.asked()[0].body["model"], "other");
    in_group(&guest, "[[usage 11 2]]").await;
    let status = in_group(&guest, "/status").await;
    assert!(status.contains("2 turns") && status.contains("111 tokens in, 22 out"), "{status}");
    assert!(in_group(&owner, "/model default").await.contains("fake-model"));
    in_group(&guest, "again").await;
    assert_eq!(model.asked()[2].body["model"], "fake-model");
    assert!(in_group(&guest, "/help").await.contains("/retry"));
    assert!(in_group(&guest, "/cd /").await.contains("works in no directory"));
}

/// Somebody sends a picture, and the answer comes.
async fn picture(rig: &Rig, bytes: Vec<u8>) -> Said {
    let attachment = Some(Attachment { name: "cat.png".to_owned(), image: true, bytes });
    let said = rig.write(Say { user: rig.owner.clone(), attachment, ..Say::default() });
    answer(rig, &said).await;
    said
}

fn last_content(model: &Model) -> serde_json::Value {
    model.asked().last().unwrap().body["messages"].as_array().unwrap().last().unwrap()["content"]
        .clone()
}

#[tokio::test]
async fn pictures_are_shown_to_a_model_that_takes_them() {
    let (rig, model) = start("images = true\nimage_max = \"1K\"\nhistory = { turns = 0 }\n").await;
    let png = b"\x89PNG\r\n\x1a\nnot much of a picture".to_vec();
    let said = picture(&rig, png).await;
    let content = last_content(&model);
    let url = content[1]["image_url"]["url"].as_str().unwrap();
    assert!(url.starts_with("data:image/png;base64,iVBORw0K"), "{content}");
    // One that is quoted is shown as well, beside the words about it.
    let quoting = Say {
        user: rig.owner.clone(),
        text: "what is it?".to_owned(),
        reply_to: Some(said.message_id.clone()),
        ..Say::default()
    };
    let said = rig.write(quoting);
    answer(&rig, &said).await;
    let content = last_content(&model);
    assert_eq!(content[0]["text"], "> [image]\n\nwhat is it?");
    assert!(content[1]["image_url"]["url"].as_str().unwrap().starts_with("data:image/png"));
    // A larger one is named.
    let mut large = b"\x89PNG\r\n\x1a\n".to_vec();
    large.resize(2_000, 0);
    picture(&rig, large).await;
    assert_eq!(last_content(&model), "[image]\n[too large, not fetched: image]");
}

#[tokio::test]
async fn a_model_that_takes_no_pictures_is_told_that_there_was_one() {
    let (rig, model) = start("").await;
    picture(&rig, b"\x89PNG\r\n\x1a\n".to_vec()).await;
    assert_eq!(last_content(&model), "[image]");
    assert!(!rig.path("state/tasks").exists(), "nothing was fetched");
}

#[tokio::test]
async fn the_instructions_are_a_template_that_cannot_run_for_ever() {
    let system =
        "system = \"You are {{ handler }} of {{ app }} in a {{ chat_type }} at {{ now[:2] }}.\"\n";
    let (rig, model) = start(system).await;
    let owner = rig.owner.clone();
    says(&rig, &owner, "{{ app }}").await;
    assert_eq!(
        model.messages(),
        ["system: You are assistant of main in a p2p at 20.", "user: {{ app }}"]
    );
    let endless = "system = \"{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}\"\n";
    let (rig, model) = start(endless).await;
    says(&rig, &rig.owner, "hello").await;
    assert!(model.messages()[0].starts_with("system: {% for a"), "{:?}", model.messages());
    assert!(rig.log().contains("the template `system` fails"), "{}", rig.log());
    let model = Model::start().await;
    let rig = Rig::new(&super::with(&model, "system = \"{{ unfinished\"\n")).await;
    let checked = rig.cli(&["config", "check"]).await;
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert!(crate::rig::text(&checked.stderr).contains("not a template"), "{checked:?}");
}

#[tokio::test]
async fn what_a_message_quotes_is_part_of_the_question() {
    let (rig, model) = start("history = { turns = 0 }\n").await;
    let first = rig.say(&rig.guest, "the sky\nis green");
    answer(&rig, &first).await;
    let said = rig.write(Say {
        user: rig.guest.clone(),
        text: "is that true?".to_owned(),
        reply_to: Some(first.message_id.clone()),
        ..Say::default()
    });
    answer(&rig, &said).await;
    assert_eq!(model.messages(), ["user: > the sky\n> is green\n\nis that true?"]);
    assert_eq!(rows(&rig, &said.message_id).len(), 1);
}
