//! The tools: what each takes, and what it does on the socket for tasks.
//!
//! A file is sent only from where the agent works, or from the folder of its task: what lies
//! elsewhere it may not be allowed to read, and this server would not ask.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use larkline_gateway::task_api::{PATIENCE_S_MAX, Question, Say};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::commands::task::{self, Task};
use crate::output;

/// The names of the tools.
pub(super) const NAMES: [&str; 5] =
    ["send_message", "update_message", "send_file", "ask_user", "list_messages"];
/// How long a question waits, unless it is said.
const PATIENCE: u64 = 300;
/// Where a task leaves files for its chat.
const OUT: &str = "LARKLINE_OUT";

/// The tools of a task.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    task: Option<Task>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendMessage {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateMessage {
    key: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendFile {
    path: PathBuf,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskUser {
    question: String,
    options: Vec<String>,
    timeout_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListMessages {
    limit: Option<u64>,
}

/// The tools as `tools/list` has them.
pub(super) fn list() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!([
        tool(
            "send_message",
            "Sends a message to the chat that this task came from. Your final answer is sent there by \
             itself; use this for what has to be said before.",
            json!({ "text": text("Markdown.") }),
            &["text"],
        ),
        tool(
            "update_message",
            "Sends a message to the chat, or replaces the one that was sent under the same key. For \
             progress: one message that is kept up to date instead of many.",
            json!({
                "key": text("Names the message within this task, for example \"progress\"."),
                "text": text("Markdown; all that the message says from now on."),
            }),
            &["key", "text"],
        ),
        tool(
            "send_file",
            "Sends a file of the working directory, or of the task's own folder, to the chat; at most \
             30 MB. Pictures are shown.",
            json!({
                "path": text("The file."),
                "name": text("Its name in the chat; that of the file by default."),
            }),
            &["path"],
        ),
        tool(
            "ask_user",
            "Asks the person in the chat a question with a button for each option, and waits for one \
             to be pressed.",
            json!({
                "question": text("Markdown."),
                "options": {
                    "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 10,
                    "description": "What may be answered, a few words each.",
                },
                "timeout_seconds": {
                    "type": "integer", "minimum": 1, "maximum": PATIENCE_S_MAX,
                    "description": "How long to wait; 300 by default.",
                },
            }),
            &["question", "options"],
        ),
        tool(
            "list_messages",
            "Lists the last messages of the chat, newest first, with their first words.",
            json!({
                "limit": {
                    "type": "integer", "minimum": 1, "maximum": 200,
                    "description": "At most so many; 20 by default.",
                },
            }),
            &[],
        ),
    ])
}

/// A tool as `tools/list` has it.
fn tool(name: &str, about: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "name": name,
        "description": about,
        // All of them reach the task's own chat and nothing else. Agents that go by this, as Codex
        // does, would ask for leave at each call without it.
        "annotations": {
            "readOnlyHint": name == "list_messages",
            "destructiveHint": false,
            "openWorldHint": false,
        },
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        },
    })
}

impl Tools {
    /// The tools of a task; without one each says why it cannot work.
    pub(super) fn new(task: Option<Task>) -> Self {
        Self { task }
    }

    /// Uses a tool; the result as `tools/call` has it, failures included.
    pub(super) async fn call(&self, name: &str, arguments: &Value) -> Value {
        let (text, is_error) = match self.used(name, arguments).await {
            Ok(text) => (text, false),
            Err(error) => (format!("{error:#}"), true),
        };
        json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
    }

    async fn used(&self, name: &str, arguments: &Value) -> Result<String> {
        let task = self.task.as_ref().ok_or_else(|| {
            anyhow!(
                "there is no running task: LARKLINE_TOKEN and LARKLINE_SOCKET are set by the gateway \
                 for what it starts"
            )
        })?;
        match name {
            "send_message" => {
                let SendMessage { text } = read(arguments)?;
                task.say(&Say { markdown: Some(text), ..Say::default() }).await?;
                Ok("sent".to_owned())
            }
            "update_message" => {
                let UpdateMessage { key, text } = read(arguments)?;
                let say = Say { markdown: Some(text), key: Some(key), ..Say::default() };
                let said = task.say(&say).await?;
                Ok(if said.replaced { "updated in place" } else { "sent" }.to_owned())
            }
            "send_file" => {
                let SendFile { path, name } = read(arguments)?;
                let sent = task.send_file(&allowed(&path)?, name).await?;
                Ok(format!("sent, {} bytes", sent.bytes))
            }
            "ask_user" => ask(task, read(arguments)?).await,
            "list_messages" => {
                let ListMessages { limit } = read(arguments)?;
                messages(task, limit.unwrap_or(20)).await
            }
            _ => bail!("there is no tool {name:?}"),
        }
    }
}

async fn ask(task: &Task, ask: AskUser) -> Result<String> {
    let AskUser { question, options, timeout_seconds } = ask;
    // As long as the gateway waits, which is what the answer tells.
    let seconds = timeout_seconds.unwrap_or(PATIENCE).clamp(1, PATIENCE_S_MAX);
    let question = Question { question, options, timeout_s: Some(seconds) };
    let reply = task.ask(&question, Duration::from_secs(seconds)).await?;
    Ok(reply.choice.unwrap_or_else(|| format!("nobody answered within {seconds} seconds")))
}

async fn messages(task: &Task, limit: u64) -> Result<String> {
    let listed = task.messages(limit).await?;
    let mut text = String::new();
    for message in listed.messages {
        let who = if message.direction == "out" { "you" } else { message.sender.as_str() };
        let at = output::local_time(message.at_ms);
        writeln!(text, "{at} {who}: {}", message.text)?;
    }
    Ok(if text.is_empty() { "no messages".to_owned() } else { text })
}

fn read<T: DeserializeOwned>(arguments: &Value) -> Result<T> {
    T::deserialize(arguments).map_err(|error| anyhow!("the arguments do not fit: {error}"))
}

/// The file, when it is where the agent may work.
fn allowed(path: &Path) -> Result<PathBuf> {
    let here = task::here()?;
    let found = here.join(path);
    let found = found.canonicalize().map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let own = std::env::var_os(OUT).map(PathBuf::from);
    let folder = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let roots = [Some(here), folder].into_iter().flatten();
    if roots.filter_map(|root| root.canonicalize().ok()).any(|root| found.starts_with(root)) {
        return Ok(found);
    }
    bail!(
        "{} is outside of the working directory; copy it into {} first",
        path.display(),
        own.map_or_else(|| "it".to_owned(), |own| own.display().to_string())
    )
}
