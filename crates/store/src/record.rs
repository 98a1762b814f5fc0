//! What the store tells people: boots, counts, lists, stories.

use serde::{Deserialize, Serialize};

use crate::{inbox::InboxId, outbox::OutboxId, task::TaskId};

/// A process that starts.
#[derive(Clone, Debug)]
pub struct NewBoot {
    /// Unique id of this run.
    pub boot_id: String,
    /// Version of the binary.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// When, Unix ms.
    pub at_ms: i64,
}

/// An orderly end.
#[derive(Clone, Debug)]
pub struct EndOfBoot {
    /// Which run.
    pub boot_id: String,
    /// When, Unix ms.
    pub at_ms: i64,
    /// `signal SIGTERM`, `takeover`, …
    pub reason: String,
}

/// What is known of this and the previous run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BootRecord {
    /// Runs so far, this one included.
    pub count: u64,
    /// The previous run's id; empty at the first.
    pub previous_id: String,
    /// When the previous run started, Unix ms.
    pub previous_started_ms: i64,
    /// Why the previous run ended; `None` when it never said so (crash, kill, power).
    pub previous_end: Option<String>,
    /// Leases given back.
    pub released: u64,
}

/// Deliveries of one app with one verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Name of the app.
    pub app: String,
    /// `waiting`, `replied`, `filtered` or `failed`.
    pub verdict: String,
    /// The reason; empty where none is needed.
    pub why: String,
    /// How many.
    pub count: u64,
}

/// What waits now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depths {
    /// Events without a routing decision.
    pub unrouted: u64,
    /// Tasks queued or running.
    pub tasks: u64,
    /// Tasks waiting for a late reply.
    pub awaiting: u64,
    /// Outgoing messages not yet settled.
    pub outbox: u64,
    /// Dead tasks and outgoing messages.
    pub dead: u64,
    /// Receive time of the oldest unfinished event, Unix ms.
    pub oldest_ms: Option<i64>,
}

/// Which records a list shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MessageQuery {
    /// Only this chat.
    pub chat: Option<String>,
    /// Only events with this verdict.
    pub verdict: Option<String>,
    /// Only those whose preview contains this text.
    pub text: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// One line of a list of messages, in or out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `in` or `out`.
    pub direction: String,
    /// When it was received, or made, Unix ms.
    pub at_ms: i64,
    /// Name of the app.
    pub app: String,
    /// Inbox or outbox row.
    pub row: i64,
    /// The platform's event id (in).
    pub event_id: String,
    /// The platform's message id, when known.
    pub message_id: String,
    /// The chat, when known.
    pub chat_id: String,
    /// The sender (in).
    pub sender: String,
    /// Event type (in), `message` (out).
    pub kind: String,
    /// First words.
    pub preview: String,
    /// Verdict (in); `queued`, `delivered`, `dead` or `dropped` (out).
    pub outcome: String,
    /// Reason of the verdict, or code of the failure.
    pub why: String,
    /// The boot that received or made it; empty for rows made before it was known.
    pub boot_id: String,
}

/// A chat the gateway has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatRecord {
    /// Name of the app.
    pub app: String,
    /// The chat.
    pub chat_id: String,
    /// `p2p`, `group`, …
    pub chat_type: String,
    /// Its name, when it was learned.
    pub name: String,
    /// Events seen.
    pub events: u64,
    /// The newest, Unix ms.
    pub last_ms: i64,
}

/// How to find an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoryKey {
    /// By row.
    Inbox(InboxId),
    /// By event id, message id (in or out), or a piece of the preview: the newest match.
    Text(String),
}

/// One event from arrival to outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The event as a list shows it.
    pub record: Record,
    /// What happened, in order of time.
    pub lines: Vec<StoryLine>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryLine {
    /// When, Unix ms.
    pub at_ms: i64,
    /// `received`, `redelivered`, `acked`, `routed`, `attempt`, `handled`, `queued_reply`,
    /// `send`, `delivered`, `dead`, `verdict`, …
    pub stage: String,
    /// Particulars.
    pub detail: String,
}

/// A dead task or outgoing message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadItem {
    /// A task; written `t<number>`.
    Task(TaskId),
    /// An outgoing message; written `o<number>`.
    Outbox(OutboxId),
}

/// A line of the dead-letter list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// What died.
    pub item: DeadItem,
    /// When, Unix ms.
    pub at_ms: i64,
    /// Name of the app.
    pub app: String,
    /// Name of the handler; empty for outgoing messages.
    pub handler: String,
    /// The chat, when known.
    pub chat_id: String,
    /// The message it was about, when known.
    pub message_id: String,
    /// First words.
    pub preview: String,
    /// Attempts made.
    pub attempts: u32,
    /// A code.
    pub code: String,
    /// What happened.
    pub error: String,
}

/// What a pruning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Events with their tasks and replies.
    pub events: u64,
    /// Outgoing messages that answered no event.
    pub outbox: u64,
    /// Dedupe keys.
    pub keys: u64,
}
