//! Language models behind the gateway: a service that says what it is told to, in chats of the
//! simulator.

mod failures;
mod guide;
mod history;
mod keys;
mod leave;
mod model;
mod stream;

use larkline_proto::id::MessageId;
use larkline_sim::{Said, SimOptions};

use crate::agent::{card, rows};
use crate::rig::Rig;
pub(crate) use model::Model;

/// The key that the gateway shows.
pub(crate) const KEY: &str = "sk-0123456789abcdef";

/// Everything goes to the model; keys of `[handler.assistant]` may follow.
pub(crate) const LLM: &str = r#"
[[route]]
name = "all"
senders = "everyone"
mention = "never"
handler = "assistant"

[handler.assistant]
kind = "llm"
base_url = "{model}"
api_key = { env = "MODEL_KEY" }
model = "fake-model"
retry = { first = "100ms", max = "200ms" }
"#;

/// A configuration with `keys` in the handler's section.
fn with(model: &Model, keys: &str) -> String {
    LLM.replace("{model}", &model.url) + keys
}

/// Simulator and gateway with the model.
async fn start(keys: &str) -> (Rig, Model) {
    let options = SimOptions::default();
    start_on(options, keys).await
}

/// The same on a simulator with other limits.
async fn start_on(options: SimOptions, keys: &str) -> (Rig, Model) {
    let model = Model::start().await;
    let mut rig = Rig::with(options, &with(&model, keys)).await;
    rig.env.insert("MODEL_KEY", KEY.to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    (rig, model)
}

/// What the growing card of an answer to a message has shown, form by form.
fn shown(rig: &Rig, message: &MessageId) -> Vec<String> {
    let Some(row) = rows(rig, message).into_iter().next() else { return Vec::new() };
    let forms = row.edits.iter().map(|edit| edit.content.clone());
    forms.collect()
}

/// Waits until a message's card shows this.
async fn until_shown(rig: &Rig, said: &Said, words: &str) {
    let id = &said.message_id;
    rig.until(&format!("{words:?} in the card"), async || {
        shown(rig, id).iter().any(|form| form.contains(words))
    })
    .await;
}

/// Waits until a message has its last answer, and gives its rows' texts. With `words`, one of them.
async fn answered(rig: &Rig, said: &Said, words: &str) -> Vec<String> {
    crate::agent::answered(rig, said, words).await
}

/// The answer to a message in one card, without the small words below it.
async fn answer(rig: &Rig, said: &Said) -> String {
    let id = &said.message_id;
    answered(rig, said, "").await;
    let rows = rows(rig, id);
    let [row] = &rows[..] else { panic!("not one answer: {rows:?}") };
    let elements = card(row)["body"]["elements"].as_array().cloned().unwrap();
    let words = elements.iter().filter(|element| element["text_size"] != "notation");
    let words: Vec<&str> = words.filter_map(|element| element["content"].as_str()).collect();
    words.join("\n\n")
}
