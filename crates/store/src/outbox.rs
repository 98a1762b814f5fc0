//! The outbox: everything that shall reach the platform, durable before the first attempt.

use serde::{Deserialize, Serialize};

use crate::{inbox::InboxId, task::TaskId};

/// Row number of an outgoing message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OutboxId(pub i64);

/// How lanes begin whose rows do something to messages and are none, such as reactions: lists of
/// messages leave them out.
pub const ASIDE: &str = "ack/";

/// An outgoing message about to be stored.
#[derive(Clone, Debug)]
pub struct NewOutbox {
    /// Name of the app in the configuration.
    pub app: String,
    /// The event it answers, when it does. Replies of a settlement get those of their task.
    pub inbox: Option<InboxId>,
    /// The task that made it, when one did.
    pub task: Option<TaskId>,
    /// Unique: the same key is stored once. For replies `<task>:<n>`.
    pub key: String,
    /// Order: rows of one lane of an app leave one after the other, the more urgent ones first. The
    /// chat they go to, which is how lists show it.
    pub lane: String,
    /// Idempotency key for the platform; fixed for all attempts, at most 50 characters.
    pub uuid: String,
    /// 0 for replies, lower for less urgent ones (-1 progress, scripts).
    pub priority: i32,
    /// First words, for lists; empty when previews are off.
    pub preview: String,
    /// What to do, in the gateway's own form.
    pub body: Vec<u8>,
    /// When it was made, Unix ms.
    pub created_ms: i64,
    /// Before when it does not leave, Unix ms; 0 for nothing to wait for.
    pub due_ms: i64,
}

/// Which rows a sender wants.
#[derive(Clone, Debug)]
pub struct OutboxClaim {
    /// Only rows of this app.
    pub app: String,
    /// At most so many, one a lane.
    pub limit: usize,
    /// Now, Unix ms.
    pub now_ms: i64,
    /// When the claim lapses, Unix ms.
    pub until_ms: i64,
    /// Who claims: the boot id.
    pub owner: String,
}

/// Proof of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lease that is neither settled nor released blocks its lane until it lapses"]
pub struct OutboxLease {
    /// The row.
    pub row: OutboxId,
    /// Rises with every claim of the lane.
    pub epoch: i64,
}

/// A row in hand.
#[derive(Clone, Debug)]
pub struct ClaimedOutbox {
    /// The claim.
    pub lease: OutboxLease,
    /// 1 for the first attempt, attempts cut off by a crash included.
    pub attempt: u32,
    /// When the first attempt under this `uuid` began, Unix ms: the platform forgets a `uuid` after an hour.
    pub first_attempt_ms: i64,
    /// Name of the app.
    pub app: String,
    /// The event it answers.
    pub inbox: Option<InboxId>,
    /// Its lane.
    pub lane: String,
    /// Idempotency key.
    pub uuid: String,
    /// What to do.
    pub body: Vec<u8>,
}

/// Where an outgoing message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxStage {
    /// It waits, or is being sent.
    Queued,
    /// The platform has it.
    Delivered,
    /// Given up.
    Dead,
    /// Given up, and closed by hand.
    Dropped,
}

/// An outgoing message found by its key: what is updated in place has to know what it became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxState {
    /// Its row.
    pub id: OutboxId,
    /// Where it stands.
    pub stage: OutboxStage,
    /// The platform's id of the message, when it was delivered and is one.
    pub message_id: Option<String>,
    /// What to do, in the gateway's own form.
    pub body: Vec<u8>,
}

/// A row that was made for an event: what was said about it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeFor {
    /// Its key.
    pub key: String,
    /// Name of the app.
    pub app: String,
    /// Its lane.
    pub lane: String,
    /// The task that made it, when one did.
    pub task: Option<TaskId>,
    /// What to do, in the gateway's own form.
    pub body: Vec<u8>,
}

/// How a send attempt ended.
#[derive(Clone, Debug)]
pub enum OutboxSettlement {
    /// The platform has it.
    Delivered {
        /// When, Unix ms.
        at_ms: i64,
        /// The platform's id of the new message; empty where there is none.
        message_id: String,
        /// The platform's log id, when it gave one.
        log_id: String,
    },
    /// Try again later, same `uuid`.
    Retry {
        /// When this attempt ended, Unix ms.
        at_ms: i64,
        /// When to try again, Unix ms.
        due_ms: i64,
        /// Platform code or our word.
        code: String,
        /// What happened, for the story.
        error: String,
        /// The platform's log id, when it gave one.
        log_id: String,
        /// False when the attempt shall not count (throttled, link down, stop).
        counts: bool,
    },
    /// Try at once in another form: a simpler message type, or unquoted.
    Replace {
        /// When, Unix ms.
        at_ms: i64,
        /// The code that asked for it.
        code: String,
        /// What happened, for the story.
        error: String,
        /// The platform's log id, when it gave one.
        log_id: String,
        /// The new form.
        body: Vec<u8>,
        /// Its own idempotency key.
        uuid: String,
    },
    /// The platform has forgotten the `uuid`, so an earlier attempt was looked for.
    Looked {
        /// When, Unix ms.
        at_ms: i64,
        /// The platform's id of the message that an earlier attempt made: it is delivered.
        /// `None`: send at once under `uuid`, whose time begins anew.
        found: Option<String>,
        /// The new idempotency key.
        uuid: String,
        /// `found`, `absent`, or why the history could not be read.
        code: String,
        /// What was seen, for the story.
        detail: String,
        /// The platform's log id of the look.
        log_id: String,
    },
    /// Given up: goes to the dead letters.
    Dead {
        /// When, Unix ms.
        at_ms: i64,
        /// Platform code or our word.
        code: String,
        /// What happened, for the story.
        error: String,
        /// The platform's log id, when it gave one.
        log_id: String,
    },
}
