//! Jobs: events that the gateway makes itself, each a durable command with a task of its own.
//!
//! They are accepted, claimed, settled and pruned like every event; only lists know them apart.

use crate::inbox::{InboxId, InboxItem};
use crate::record::TaskFacts;

/// The kind of an event that is a job. What the platform delivers is never stored under it.
pub const JOB: &str = "larkline.job";

/// Which jobs a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Only this one.
    pub id: Option<InboxId>,
    /// Only those of this chat.
    pub chat: Option<String>,
    /// Only those of this app.
    pub app: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A job as it stands.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// Its event, with what is to be run as payload.
    pub item: InboxItem,
    /// The chat it belongs to; empty for none.
    pub chat_id: String,
    /// Its event's verdict.
    pub verdict: String,
    /// The reason of a failure.
    pub why: String,
    /// Its task; none before it was decided.
    pub task: Option<JobTask>,
}

/// The task of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTask {
    /// Where it stands.
    pub facts: TaskFacts,
    /// Whether somebody works on it.
    pub is_running: bool,
    /// When a waiting one may begin, Unix ms.
    pub due_ms: i64,
}
