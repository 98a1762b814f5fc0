//! The inbox: every event of every type, committed before its ack.

use larkline_proto::id::{ChatId, EventId, MessageId, OpenId};
use serde::{Deserialize, Serialize};

use crate::outbox::NewOutbox;
use crate::task::{NewTask, TaskId};

/// Row number of an accepted event; rises in order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InboxId(pub i64);

/// The dedupe key of an event id.
pub fn event_key(event_id: &str) -> String {
    format!("e:{event_id}")
}

/// The dedupe key of a received message: the platform sometimes delivers one message under two
/// event ids.
pub fn message_key(message_id: &str) -> String {
    format!("m:{message_id}")
}

/// An event about to be committed.
#[derive(Clone, Debug, Default)]
pub struct NewEvent {
    /// Name of the app in the configuration.
    pub app: String,
    /// The platform's event id, or one made from the frame for payloads that have none.
    pub event_id: EventId,
    /// Keys that make a second delivery to the same app a duplicate: [`event_key`] and, for a
    /// received message, [`message_key`]; [`Store::find`](crate::Store::find) finds events by
    /// them. Never empty. They are kept as long as the event.
    pub keys: Vec<String>,
    /// Event type verbatim.
    pub kind: String,
    /// The message it is about, when there is one.
    pub message_id: Option<MessageId>,
    /// The chat it happened in, when known.
    pub chat_id: Option<ChatId>,
    /// `p2p`, `group`, …, when known.
    pub chat_type: Option<String>,
    /// Who caused it, when known.
    pub sender: Option<OpenId>,
    /// The platform's creation time, Unix ms; 0 when absent.
    pub created_ms: i64,
    /// When the last part arrived, Unix ms.
    pub received_ms: i64,
    /// First words of the text, for lists; empty when previews are off.
    pub preview: String,
    /// The payload exactly as received.
    pub payload: Vec<u8>,
    /// The boot that received it.
    pub boot_id: String,
    /// What was decided about it already, committed with it when it is new and no older event of
    /// its chat waits for a decision; else it waits in
    /// [`Store::unrouted`](crate::Store::unrouted).
    pub ruling: Option<Ruling>,
}

/// The router's word on an event, and what goes with it.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// When it was decided, Unix ms.
    pub at_ms: i64,
    /// What was decided.
    pub decision: Decision,
    /// What the chat is told about it, committed with it: part of the event's story when no
    /// handler gets the event, else a message of its own.
    pub notice: Option<NewOutbox>,
}

/// What became of one offered event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Committed for the first time.
    New(InboxId),
    /// The same, but what was ruled about it was not taken: an older event of its chat waits for a
    /// decision, and a chat's events are decided in order.
    Undecided(InboxId),
    /// One of its keys was seen before.
    Duplicate {
        /// The original.
        of: InboxId,
        /// How often it has been redelivered, this one included.
        times: u32,
    },
}

impl Accepted {
    /// The event, or the one that it repeats.
    pub fn id(self) -> InboxId {
        match self {
            Self::New(id) | Self::Undecided(id) | Self::Duplicate { of: id, .. } => id,
        }
    }
}

/// When an accepted event was on disk, and when its ack left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckTimes {
    /// The event.
    pub inbox: InboxId,
    /// When its commit was known, Unix ms.
    pub journaled_ms: i64,
    /// When its ack was given to the socket, Unix ms.
    pub acked_ms: i64,
}

/// An event read back.
#[derive(Clone, Debug)]
pub struct InboxItem {
    /// Its row.
    pub id: InboxId,
    /// Name of the app in the configuration.
    pub app: String,
    /// The platform's event id.
    pub event_id: EventId,
    /// Event type verbatim.
    pub kind: String,
    /// When it was received, Unix ms.
    pub received_ms: i64,
    /// The payload exactly as received.
    pub payload: Vec<u8>,
    /// The boot that received it.
    pub boot_id: String,
}

/// A verdict that was decided just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concluded {
    /// Name of the app in the configuration.
    pub app: String,
    /// The event.
    pub inbox: InboxId,
    /// The platform's event id.
    pub event_id: EventId,
    /// `replied`, `failed` or `filtered`.
    pub verdict: String,
    /// The reason, where there is one.
    pub why: String,
}

/// What became of messages that were taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    /// Events that are over with it.
    pub concluded: Vec<Concluded>,
    /// Tasks that are worked on, or were merged into one that is.
    pub running: Vec<TaskId>,
}

/// Where an event goes that has a row already.
#[derive(Clone, Debug)]
pub struct RouteDecision {
    /// The event.
    pub inbox: InboxId,
    /// What was decided about it.
    pub ruling: Ruling,
}

/// What becomes of an event.
#[derive(Clone, Debug)]
pub enum Decision {
    /// No handler gets it, for this reason (`not_mentioned`, `no_route`, …).
    Filtered {
        /// A word from a closed list.
        why: &'static str,
    },
    /// It could not be understood (`decode`).
    Failed {
        /// A word from a closed list.
        why: &'static str,
        /// What was wrong, for the story.
        detail: String,
    },
    /// One task per matching route; never empty.
    Queue(Vec<NewTask>),
}
