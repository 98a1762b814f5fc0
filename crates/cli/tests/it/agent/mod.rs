//! Coding agents behind the gateway: the binary's own scripted agent, a real process that speaks
//! Claude Code's wire, in chats of the simulator. The real programs are judged by `tests/agents`.

mod commands;
mod endings;
mod leave;
mod restart;
mod stream;

use larkline_proto::id::{MessageId, OpenId};
use larkline_sim::{MessageRow, Press, PressResult, Said, SimOptions};
use serde_json::Value;

use crate::rig::Rig;

/// Everything goes to the agent; keys of `[handler.coder]` may follow.
pub(crate) const AGENT: &str = r#"
[[route]]
name = "all"
senders = "everyone"
mention = "never"
handler = "coder"

[handler.coder]
kind = "agent"
agent = "claude"
argv = ["{larkline}", "scripted-agent"]
"#;

/// A configuration with `keys` in the handler's section.
pub(crate) fn with(keys: &str) -> String {
    AGENT.replace("{larkline}", env!("CARGO_BIN_EXE_larkline")) + keys
}

/// Simulator and gateway with the agent.
pub(crate) async fn start(keys: &str) -> Rig {
    Rig::start(&with(keys)).await
}

/// The same on a simulator with other limits.
pub(crate) async fn start_on(options: SimOptions, keys: &str) -> Rig {
    let mut rig = Rig::with(options, &with(keys)).await;
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// What answers a message: its rows, newest form.
pub(crate) fn rows(rig: &Rig, message: &MessageId) -> Vec<MessageRow> {
    rig.sim.platform().read(|ledger| ledger.replies_to(message).cloned().collect())
}

/// The card that a row shows.
pub(crate) fn card(row: &MessageRow) -> Value {
    serde_json::from_str(&row.content).unwrap()
}

/// Whether a card has its last form.
pub(crate) fn is_final(row: &MessageRow) -> bool {
    row.msg_type != "interactive" || card(row)["config"]["streaming_mode"] != true
}

/// Whether a row is a question that nobody has answered.
pub(crate) fn is_question(row: &MessageRow) -> bool {
    row.msg_type == "interactive" && card(row)["header"]["template"] == "orange"
}

/// Waits until a message has its last answer, which holds `words`; all answers.
pub(crate) async fn answered(rig: &Rig, said: &Said, words: &str) -> Vec<String> {
    let id = &said.message_id;
    rig.until(&format!("{words:?} in the answer to {id}"), async || {
        let rows = rows(rig, id);
        let has = rows.iter().any(|r| {
            is_final(r) && !is_question(r) && r.text.as_deref().unwrap_or_default().contains(words)
        });
        has && rows.iter().all(is_final)
    })
    .await;
    rows(rig, id).into_iter().map(|row| row.text.unwrap_or_default()).collect()
}

/// The button of a card whose value has `member`, and equals `wanted` there when given.
pub(crate) fn buttons(row: &MessageRow) -> Vec<(String, Value)> {
    let card = card(row);
    let elements = card["body"]["elements"].as_array().cloned().unwrap_or_default();
    elements
        .iter()
        .filter(|element| element["tag"] == "button")
        .map(|button| {
            let label = button["text"]["content"].as_str().unwrap().to_owned();
            (label, button["behaviors"][0]["value"].clone())
        })
        .collect()
}

/// Waits for a question in the answers to a message.
pub(crate) async fn question(rig: &Rig, said: &Said) -> MessageRow {
    let id = said.message_id.clone();
    rig.until("a question", async || rows(rig, &id).iter().any(is_question)).await;
    rows(rig, &id).into_iter().find(is_question).unwrap()
}

/// Somebody presses the button with this label, until the press is answered in time.
pub(crate) async fn press(rig: &Rig, row: &MessageRow, who: &OpenId, label: &str) -> PressResult {
    let (_, value) = buttons(row)
        .into_iter()
        .find(|(words, _)| words == label)
        .unwrap_or_else(|| panic!("no button {label:?} in {}", row.content));
    let press = Press {
        user: who.clone(),
        chat: row.chat_id.clone(),
        message: Some(row.message_id.clone()),
        value,
        ..Press::default()
    };
    rig.sim.platform().press(press).await.unwrap()
}
