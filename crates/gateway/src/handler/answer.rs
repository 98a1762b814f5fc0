//! What a handler gives back, and its form as JSON.

use std::time::Duration;

use larkline_proto::content::Outgoing;
use serde::Deserialize;
use serde_json::Value;

use crate::outgoing::Saying;

/// Most messages one answer may hold; more is refused, so that a runaway handler cannot flood
/// a chat.
pub const MESSAGES_MAX: usize = 20;

/// A handler's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Messages for the chat, in order; none is a fine answer.
    pub messages: Vec<Outgoing>,
    /// What is said after them: answers in Markdown, files.
    pub said: Vec<Saying>,
    /// For callbacks: the JSON that travels inside the ack (`toast`, `card`).
    pub callback: Option<Value>,
    /// True when the answer comes later to the reply URL.
    pub later: bool,
    /// How a turn ended that has more ends than `ok`, as a word for logs and metrics.
    pub outcome: Option<&'static str>,
}

/// How a handler fails.
pub const CODES: [&str; 18] = [
    "exit",
    "timeout",
    "idle",
    "killed",
    "output_too_large",
    "memory",
    "processes",
    "spawn",
    "http_status",
    "http_gone",
    "http_refused",
    "http_transport",
    "bad_answer",
    "bad_job",
    "interrupted",
    "cancelled",
    "panic",
    "store",
];

/// A handler failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct HandlerError {
    /// A word from [`CODES`].
    pub code: &'static str,
    /// What happened, for the operator: exit code, last lines of stderr, status.
    pub detail: String,
    /// Whether another attempt makes sense.
    pub retry: Retry,
    /// What its chat is told when it is given up, Markdown; the gateway's usual words when empty.
    pub said: String,
}

impl HandlerError {
    /// A failure that the handler's policy may try again.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry: Retry::Policy, said: String::new() }
    }

    /// The same failure with another word on trying again.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// The work was cut off by a stop.
    pub fn stopped() -> Self {
        Self::new("cancelled", "stopped before it was through").with_retry(Retry::Stopped)
    }

    /// The store refused: it heals, or the next attempt fails alike.
    pub fn store(error: larkline_store::StoreError) -> Self {
        Self::new("store", error.to_string())
    }

    /// An earlier run was cut off, and no further one is allowed.
    pub fn interrupted() -> Self {
        let detail = "a crash or a stop cut its one run off; it may have had its effects";
        Self::new("interrupted", detail).with_retry(Retry::Never)
    }

    /// The process died so often in its midst that it may be the cause.
    pub fn deadly(cut_offs: u32) -> Self {
        let times = format!("the gateway died {cut_offs} times while it was handled");
        Self::new("interrupted", times + "; it may be what ends it").with_retry(Retry::Never)
    }

    /// An earlier run failed so, and no further one is allowed (any more).
    pub fn earlier(code: &str, detail: &str) -> Self {
        let code = CODES.into_iter().find(|known| *known == code).unwrap_or("exit");
        Self::new(code, detail).with_retry(Retry::Never)
    }
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// By the handler's policy.
    Policy,
    /// Not before this long, as the other side asked.
    After(Duration),
    /// Never: the same input will fail again.
    Never,
    /// The work was cut off by a stop: put it back, the attempt does not count.
    Stopped,
}

/// The JSON is not an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not JSON, or unknown fields.
    #[error("the answer is not the JSON larkline understands: {0}")]
    Json(String),
    /// More messages than an answer may hold.
    #[error("the answer holds {0} messages, {MESSAGES_MAX} are allowed")]
    TooMany(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    messages: Vec<WireMessage>,
    #[serde(default)]
    callback: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WireMessage {
    Text(String),
    Markdown(String),
    Card(Value),
}

impl Answer {
    /// One plain text; nothing when it is blank.
    pub fn text(text: &str) -> Self {
        let text = text.trim_end();
        let messages = if text.is_empty() { Vec::new() } else { vec![Outgoing::text(text)] };
        Self { messages, ..Self::default() }
    }

    /// An answer in Markdown.
    pub fn markdown(markdown: impl Into<String>) -> Self {
        let (ending, footer) = (String::new(), String::new());
        let said = Saying::Answer { markdown: markdown.into(), ending, footer };
        Self { said: vec![said], ..Self::default() }
    }

    /// All that is said, in order.
    pub fn sayings(&self) -> Vec<Saying> {
        let messages = self.messages.iter().cloned().map(Saying::from);
        messages.chain(self.said.iter().cloned()).collect()
    }

    /// Reads `{"text":"…"}` or `{"messages":[{"text"|"markdown"|"card":…}], "callback":{…}}`.
    ///
    /// # Errors
    /// [`AnswerError`] when it is not such JSON, or too much of it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, AnswerError> {
        // serde takes an array for a struct, field by field; nobody who writes one means that.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(AnswerError::Json("an object is expected".to_owned()));
        }
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|e| AnswerError::Json(e.to_string()))?;
        let first = wire.text.map(|t| Self::text(&t).messages).unwrap_or_default();
        let messages: Vec<Outgoing> =
            first.into_iter().chain(wire.messages.into_iter().map(Outgoing::from)).collect();
        if messages.len() > MESSAGES_MAX {
            return Err(AnswerError::TooMany(messages.len()));
        }
        Ok(Self { messages, callback: wire.callback, ..Self::default() })
    }
}

impl From<WireMessage> for Outgoing {
    fn from(message: WireMessage) -> Self {
        match message {
            WireMessage::Text(text) => Self::text(&text),
            WireMessage::Markdown(text) => Self::markdown(&text),
            WireMessage::Card(card) => Self::card(&card),
        }
    }
}
