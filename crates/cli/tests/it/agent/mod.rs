//! Coding agents behind the gateway: the binary's own scripted agent, a real process that speaks
//! Claude Code's wire, in chats of the simulator. The real programs are judged by `tests/agents`.

mod ack;
mod busy;
mod commands;
mod endings;
mod files;
mod leave;
mod link;
mod restart;
mod stream;

use larkline_proto::id::{MessageId, OpenId};
use larkline_sim::{MessageRow, Press, PressResult, Said, SimOptions};
use serde_json::Value;

use crate::rig::{LARKLINE, Rig};

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
    AGENT.replace("{larkline}", LARKLINE) + keys
}

/// A script in front of the agent, which keeps its arguments in `argv`, its environment in `env`
/// and what it is told in `told`, each added to; `before` is run before all that.
pub(crate) async fn start_watched(before: &str, keys: &str) -> Rig {
    let config =
        AGENT.replace("argv = [\"{larkline}\", \"scripted-agent\"]", "argv = [\"{dir}/watched\"]");
    let mut rig = Rig::new(&(config + keys)).await;
    let (dir, larkline) = (rig.dir.path().display(), LARKLINE);
    let before = before.replace("{dir}", &dir.to_string());
    let body = format!(
        "{before}\necho \"$@\" >> {dir}/argv\nenv >> {dir}/env\n\
        tee -a {dir}/told | {larkline} scripted-agent \"$@\""
    );
    rig.script("watched", &body);
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// What a watched agent was told, each prompt as its text blocks, joined.
pub(crate) fn prompts(rig: &Rig) -> Vec<String> {
    let lines = crate::rig::read(&rig.path("told"));
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |line: Value| -> String {
        let blocks = line["message"]["content"].as_array().cloned().unwrap_or_default();
        let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        texts.join("\n")
    };
    lines.filter(|line| line["type"] == "user").map(text).collect()
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

/// Waits for the card that grows for a message, and until it shows `words`.
pub(crate) async fn growing(rig: &Rig, said: &Said, words: &str) -> MessageRow {
    let id = said.message_id.clone();
    let grows = |row: &MessageRow| !is_final(row) && row.content.contains(words);
    rig.until(&format!("a card that shows {words:?}"), async || rows(rig, &id).iter().any(grows))
        .await;
    rows(rig, &id).into_iter().find(grows).unwrap()
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

/// The buttons of a card: what they say, and their values.
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

/// The turn of a message ended with this word, as the log has it.
pub(crate) fn outcome(rig: &Rig, said: &Said) -> Option<String> {
    let log = rig.log();
    let event = format!("event_id={}", said.event_id);
    let line = log.lines().rev().find(|l| l.contains("handled") && l.contains(&event))?;
    let (_, rest) = line.split_once("result=")?;
    Some(rest.split_whitespace().next()?.trim_matches('"').to_owned())
}

/// Processes of this rig's handlers that live, whatever session they are in.
pub(crate) fn processes(rig: &Rig) -> Vec<i32> {
    let home = format!("HOME={}", rig.dir.path().display());
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_ours = |pid: &i32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut words = environ.split(|byte| *byte == 0);
        let has = |name: &[u8]| words.clone().any(|word| word.starts_with(name));
        has(b"LARKLINE_TASK_ID=") && words.any(|word| word == home.as_bytes())
    };
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_ours).collect()
}

/// Waits until no process of any handler is left.
pub(crate) async fn nothing_left(rig: &Rig) {
    rig.until("the end of all children", async || processes(rig).is_empty()).await;
}

/// Waits for a question in the answers to a message.
pub(crate) async fn question(rig: &Rig, said: &Said) -> MessageRow {
    let id = said.message_id.clone();
    rig.until("a question", async || rows(rig, &id).iter().any(is_question)).await;
    rows(rig, &id).into_iter().find(is_question).unwrap()
}

/// Somebody presses the button with this label.
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
