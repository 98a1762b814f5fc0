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

/// A wall clock that was found set back.
#[derive(Clone, Copy, Debug)]
pub struct SetBack {
    /// By how much.
    pub by_ms: i64,
    /// From here on the clock as it is now may have been used already.
    pub since_ms: i64,
    /// Now, by the clock as it is.
    pub now_ms: i64,
    /// When a lease ends that is made now.
    pub lease_until_ms: i64,
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
    /// The version of the previous run; empty at the first.
    pub previous_version: String,
    /// Leases given back.
    pub released: u64,
    /// Sessions that the previous run left in a turn.
    pub suspended: u64,
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

/// How many rows a list has whose reader did not say.
const LISTED: usize = 20;

pub(crate) fn listed() -> usize {
    LISTED
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
    #[serde(default = "listed")]
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

/// An event without a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingEvent {
    /// Its row.
    pub id: InboxId,
    /// Name of the app.
    pub app: String,
    /// The platform's event id.
    pub event_id: String,
    /// Event type.
    pub kind: String,
    /// The message it is about; empty when it is about none.
    pub message_id: String,
    /// The chat; empty when unknown.
    pub chat_id: String,
    /// When it was received, Unix ms.
    pub received_ms: i64,
    /// Names of the routes that took it; none before it is routed.
    pub routes: Vec<String>,
}

/// What a handler finished last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastHandled {
    /// When its verdict was reached, Unix ms.
    pub at_ms: i64,
    /// The platform's event id.
    pub event_id: String,
    /// `replied` or `failed`.
    pub verdict: String,
    /// The reason of a failure.
    pub why: String,
}

/// What the store knows of one event. [`Store::history`](crate::Store::history) gives facts;
/// telling them in order is the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The event as a list shows it.
    pub record: Record,
    /// How often it was delivered again.
    pub repeats: u32,
    /// When its commit was known to be on disk, Unix ms; `None` when a crash came before that
    /// was noted.
    pub journaled_ms: Option<i64>,
    /// When its ack was given to the socket, Unix ms; `None` when it was not, or when a crash
    /// came before that was noted.
    pub acked_ms: Option<i64>,
    /// When the router decided, Unix ms.
    pub routed_ms: Option<i64>,
    /// When its present verdict was reached, Unix ms; `None` while it waits.
    pub verdict_ms: Option<i64>,
    /// Its tasks as they stand, in order of their numbers.
    pub tasks: Vec<TaskFacts>,
    /// Its outgoing messages as they stand, in order of their numbers.
    pub outbox: Vec<OutboxFacts>,
    /// What those rows forgot when they moved on, in order of writing.
    pub log: Vec<LogEntry>,
}

/// A task as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFacts {
    /// Its row.
    pub id: TaskId,
    /// Name of the route that matched.
    pub route: String,
    /// Name of the handler.
    pub handler: String,
    /// `queued`, `awaiting`, `merged`, `done`, `withdrawn` (nobody began it), `dead` or `dropped`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When the attempt that has not been settled, or ended it, began, Unix ms.
    pub claimed_ms: Option<i64>,
    /// When it ended, or began to await a later answer, Unix ms; of a merged task, when the task
    /// it was merged into brought about the verdict.
    pub ended_ms: Option<i64>,
    /// Until when a later answer is awaited, Unix ms.
    pub until_ms: Option<i64>,
    /// A word from a closed list, when it died.
    pub code: String,
    /// What happened, when it died.
    pub error: String,
}

/// An outgoing message as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxFacts {
    /// Its row.
    pub id: OutboxId,
    /// The chat it goes to.
    pub lane: String,
    /// First words.
    pub preview: String,
    /// `queued`, `delivered`, `dead` or `dropped`.
    pub state: String,
    /// When it was made, Unix ms.
    pub created_ms: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// When the attempt that has not been settled, or ended it, began, Unix ms.
    pub claimed_ms: Option<i64>,
    /// When it ended, Unix ms.
    pub ended_ms: Option<i64>,
    /// The platform's id of the message, when delivered.
    pub message_id: String,
    /// The platform's log id of the attempt that ended it.
    pub log_id: String,
    /// Code of what is wrong, when something is.
    pub code: String,
    /// What is wrong.
    pub error: String,
}

/// Something that happened to an event, a task or an outgoing message before its present state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEntry {
    /// When, Unix ms; of an attempt, when it ended.
    pub at_ms: i64,
    /// `redelivered`, `attempt_failed`, `attempt_cut_off`, `promised`, `send_failed`,
    /// `send_cut_off`, `looked`, `dead`, `retried`, `dropped`, `merged`, `withdrawn`,
    /// `recalled`, `unreadable`.
    pub what: String,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// The outgoing message it is about.
    pub outbox: Option<OutboxId>,
    /// Which attempt, or which repetition; 0 where there is none.
    pub attempt: u32,
    /// When the attempt began, Unix ms.
    pub from_ms: Option<i64>,
    /// The code of a failure.
    pub code: String,
    /// The platform's log id, when it gave one.
    pub log_id: String,
    /// What happened, in words.
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
    /// Sessions with their steps and utterances.
    pub sessions: u64,
}
