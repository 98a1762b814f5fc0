//! Tasks: one event for one handler, in the order of its lane.

use serde::{Deserialize, Serialize};

use crate::{inbox::InboxItem, outbox::NewOutbox};

/// Row number of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub i64);

/// A task about to be queued with its event's routing decision.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Name of the route that matched.
    pub route: String,
    /// Name of the handler.
    pub handler: String,
    /// The order it keeps: tasks of one lane run one after the other. A lane belongs to its
    /// handler: the same name under two handlers is two lanes.
    pub lane: String,
    /// Earliest start, Unix ms; 0 is now.
    pub due_ms: i64,
}

/// Which tasks a worker wants.
#[derive(Clone, Debug)]
pub struct TaskClaim {
    /// Only tasks of this handler.
    pub handler: String,
    /// None of these apps, which nobody serves: their answers could not leave.
    pub without: Vec<String>,
    /// At most so many.
    pub limit: usize,
    /// Now, Unix ms.
    pub now_ms: i64,
    /// When the claim lapses, Unix ms.
    pub until_ms: i64,
    /// Who claims: the boot id.
    pub owner: String,
    /// The work is to be done at most once: the claim is on disk before it is given out. Without,
    /// a power cut (no other death) may forget a claim of the last moments.
    pub once: bool,
}

/// Proof of a claim; every write of the task carries its epoch as a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lease that is neither settled nor released blocks its lane until it lapses"]
pub struct TaskLease {
    /// The task.
    pub task: TaskId,
    /// Rises with every claim of the lane.
    pub epoch: i64,
}

/// A task in hand.
#[derive(Clone, Debug)]
pub struct ClaimedTask {
    /// The claim.
    pub lease: TaskLease,
    /// 1 for the first attempt. Attempts that a crash or a stop cut off have their numbers too.
    pub attempt: u32,
    /// How many of those before were ended by a stop.
    pub stops: u32,
    /// How many of them nobody settled.
    pub cut_offs: u32,
    /// How the one before ended.
    pub before: Before,
    /// Name of the route that matched.
    pub route: String,
    /// Name of the handler.
    pub handler: String,
    /// The lane.
    pub lane: String,
    /// The event.
    pub item: InboxItem,
}

/// How the attempt before ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// There was none, or a stop ended it.
    Nothing,
    /// Nobody settled it: its process died, or lost the claim.
    CutOff,
    /// It failed.
    Failed {
        /// A word from a closed list.
        code: String,
        /// What happened.
        error: String,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum TaskSettlement {
    /// The handler is through; its replies go out. No replies is a fine answer.
    Done {
        /// Outgoing messages, keyed so that a second run repeats no row.
        replies: Vec<NewOutbox>,
        /// When, Unix ms.
        at_ms: i64,
    },
    /// The handler will answer later; the lane goes on.
    Await {
        /// Outgoing messages that are ready now.
        replies: Vec<NewOutbox>,
        /// When it started to wait, Unix ms.
        at_ms: i64,
        /// Until when, Unix ms.
        until_ms: i64,
    },
    /// Try again; the lane waits.
    Retry {
        /// When this attempt ended, Unix ms.
        at_ms: i64,
        /// When to try again, Unix ms.
        due_ms: i64,
        /// A word from a closed list.
        code: String,
        /// What happened, for the story.
        error: String,
    },
    /// A stop ended it, perhaps after its effects: it is due again at once, and the next attempt has
    /// the next number.
    Stopped {
        /// When, Unix ms.
        at_ms: i64,
        /// A word from a closed list.
        code: String,
        /// What happened, for the story.
        error: String,
    },
    /// Put back untouched, without using up an attempt (a stop before the handler began).
    Release,
    /// The same, until it is due.
    Postpone {
        /// When, Unix ms.
        due_ms: i64,
    },
    /// Given up: the task goes to the dead letters, its chat is told by `notices`.
    Dead {
        /// When, Unix ms.
        at_ms: i64,
        /// A word from a closed list.
        code: String,
        /// What happened, for the story.
        error: String,
        /// Outgoing messages that say so.
        notices: Vec<NewOutbox>,
    },
}

/// A queued task that nobody has claimed.
#[derive(Clone, Debug)]
pub struct WaitingTask {
    /// The task.
    pub task: TaskId,
    /// Its event.
    pub item: InboxItem,
}

/// A task whose handler promised to answer later.
#[derive(Clone, Debug)]
pub struct AwaitingTask {
    /// Name of the handler.
    pub handler: String,
    /// The event.
    pub item: InboxItem,
}

/// What became of a late reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateReply {
    /// Stored; it will be delivered.
    Stored,
    /// The task is not waiting (any more): answered, expired or unknown.
    NotWaiting,
}
