//! What an outbox row asks for, as JSON in its body.

use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use larkline_proto::event::Event;
use larkline_proto::id::{ChatId, EventId, MessageId};
use larkline_store::inbox::{InboxId, InboxItem};
use larkline_store::outbox::NewOutbox;
use larkline_store::task::TaskId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::{Common, ReplyStyle};

/// One thing to do on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Answer a message, quoting it.
    Reply {
        /// The message to answer.
        message_id: MessageId,
        /// Its chat, for when it can no longer be quoted.
        chat_id: ChatId,
        /// Answer inside a thread.
        in_thread: bool,
        /// What to say.
        message: Outgoing,
    },
    /// Write to a chat or a person.
    Send {
        /// Whom.
        to: ReceiveId,
        /// What to say.
        message: Outgoing,
    },
}

/// Where answers to an event go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Name of the app.
    pub app: String,
    /// The event.
    pub inbox: InboxId,
    /// Its id at the platform; makes idempotency keys that outlive a lost state directory.
    pub event_id: EventId,
    /// The task that answers.
    pub task: TaskId,
    /// Name of the handler that answers.
    pub handler: String,
    /// The chat.
    pub chat_id: ChatId,
    /// The message to quote; none for events that are no messages, or for plain answers.
    pub quote: Option<MessageId>,
    /// Answer inside a thread.
    pub in_thread: bool,
}

impl Op {
    /// The message to be said.
    pub fn message(&self) -> &Outgoing {
        match self {
            Self::Reply { message, .. } | Self::Send { message, .. } => message,
        }
    }

    /// The same without a quotation, for a source that was recalled or deleted. `None` when
    /// nothing was quoted.
    pub fn unquoted(&self) -> Option<Self> {
        match self {
            Self::Reply { chat_id, message, .. } => {
                Some(Self::Send { to: ReceiveId::Chat(chat_id.clone()), message: message.clone() })
            }
            Self::Send { .. } => None,
        }
    }

    /// The same in a plainer form: out of the thread, then a post as text. `None` when this
    /// is as plain as it gets.
    pub fn simpler(&self) -> Option<Self> {
        let mut op = self.clone();
        match &mut op {
            Self::Reply { in_thread: in_thread @ true, .. } => *in_thread = false,
            Self::Reply { message, .. } | Self::Send { message, .. } => {
                *message = message.as_text()?
            }
        }
        Some(op)
    }

    /// The order it keeps: rows of one lane leave one after the other.
    pub fn lane(&self) -> &str {
        match self {
            Self::Reply { chat_id, .. } => chat_id.as_str(),
            Self::Send { to, .. } => to.as_str(),
        }
    }

    /// The row's body.
    pub fn to_body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a row's body.
    ///
    /// # Errors
    /// When another version wrote an operation this one does not know.
    pub fn from_body(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

impl Destination {
    /// Where answers of `handler` to `event` go; `None` for events without a chat.
    pub fn of(
        item: &InboxItem,
        task: TaskId,
        handler: &str,
        event: &Event,
        common: &Common,
    ) -> Option<Self> {
        let chat_id = event.chat_id().filter(|c| !c.is_empty())?.clone();
        let message = event.message();
        Some(Self {
            app: item.app.clone(),
            inbox: item.id,
            event_id: item.event_id.clone(),
            task,
            handler: handler.to_owned(),
            chat_id,
            quote: message.filter(|_| common.reply == ReplyStyle::Quote).map(|m| m.id.clone()),
            in_thread: common.reply_in_thread || message.is_some_and(|m| m.thread_id.is_some()),
        })
    }

    /// Outbox rows for an answer's messages. `part` tells apart answers of one task (`a` the
    /// answer, `n` a notice): a second run of the same attempt makes the same keys, so
    /// nothing is said twice.
    pub fn rows(
        &self,
        part: &str,
        messages: Vec<Outgoing>,
        previews: bool,
        now_ms: i64,
    ) -> Vec<NewOutbox> {
        let row = |(n, message): (usize, Outgoing)| {
            let key = format!("{}/{}/{}/{part}{n}", self.app, self.event_id, self.handler);
            let preview = if previews { message.preview() } else { String::new() };
            let op = self.op(message);
            NewOutbox {
                app: self.app.clone(),
                inbox: Some(self.inbox),
                task: Some(self.task),
                uuid: stable_uuid(&key),
                key,
                lane: op.lane().to_owned(),
                priority: 0,
                preview,
                body: op.to_body(),
                created_ms: now_ms,
            }
        };
        messages.into_iter().flat_map(Outgoing::split).enumerate().map(row).collect()
    }

    fn op(&self, message: Outgoing) -> Op {
        match &self.quote {
            Some(message_id) => Op::Reply {
                message_id: message_id.clone(),
                chat_id: self.chat_id.clone(),
                in_thread: self.in_thread,
                message,
            },
            None => Op::Send { to: ReceiveId::Chat(self.chat_id.clone()), message },
        }
    }
}

/// A word of the gateway itself about a message that gets no answer, said once for each `why`;
/// it answers no task. `None` for events that are no messages, and for bots: they would answer.
pub fn notice(app: &str, event: &Event, why: &str, text: &str, now_ms: i64) -> Option<NewOutbox> {
    let message = event.message().filter(|m| !m.from_bot())?;
    let op = Op::Reply {
        message_id: message.id.clone(),
        chat_id: message.chat_id.clone(),
        in_thread: message.thread_id.is_some(),
        message: Outgoing::text(text),
    };
    let key = format!("{app}/{}/{why}", event.id);
    Some(NewOutbox {
        app: app.to_owned(),
        inbox: None,
        task: None,
        uuid: stable_uuid(&key),
        key,
        lane: op.lane().to_owned(),
        priority: -1,
        preview: op.message().preview(),
        body: op.to_body(),
        created_ms: now_ms,
    })
}

/// The platform's idempotency key for a row: 36 characters, the same for the same key.
pub fn stable_uuid(key: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).to_string()
}
