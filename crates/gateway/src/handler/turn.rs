//! What a handler is given, and its form as JSON for handlers in other languages.

use larkline_proto::event::{Body, Event};
use larkline_store::inbox::InboxId;
use larkline_store::task::{TaskId, TaskLease};
use serde_json::{Value, json, value::RawValue};
use tokio_util::sync::CancellationToken;

use crate::grants::Access;
use crate::live::Live;

/// One event for one handler.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Name of the app in the configuration.
    pub app: String,
    /// Name of the route that matched.
    pub route: String,
    /// Name of the handler.
    pub handler: String,
    /// Key of the conversation; turns of one session come one after the other.
    pub session: String,
    /// The event's row.
    pub inbox: InboxId,
    /// The task; the same for all attempts.
    pub task: TaskId,
    /// 1 for the first attempt. A higher number means that an earlier attempt may have had
    /// its effects already.
    pub attempt: u32,
    /// The event.
    pub event: Event,
    /// The payload exactly as received.
    pub payload: Vec<u8>,
    /// What the person wrote, mentions readable, the bot's own mention left out; empty for
    /// events that are no messages.
    pub text: String,
    /// True when the message mentions the bot.
    pub mentioned: bool,
    /// Where a later answer may be posted, for handlers that answer later.
    pub reply_url: Option<String>,
    /// Cancelled when the work shall end: the drain's deadline, or a stop.
    pub cancel: CancellationToken,
    /// Its place in the store, by which followers in its lane are known.
    pub lease: TaskLease,
    /// The way to the chat while the turn runs, for handlers that converse.
    pub live: Option<Live>,
    /// How its programs talk back to the chat while it runs, for handlers that have programs.
    pub access: Option<Access>,
}

impl Turn {
    /// The request as handlers of kind `command` (stdin) and `http` (body) get it.
    pub fn to_json(&self) -> Value {
        let event: Option<Box<RawValue>> = serde_json::from_slice(&self.payload).ok();
        json!({
            "version": 1,
            "app": self.app,
            "route": self.route,
            "handler": self.handler,
            "session": self.session,
            "task": self.task,
            "attempt": self.attempt,
            "event_id": self.event.id,
            "event_type": self.event.kind,
            "chat_id": self.event.chat_id(),
            "sender_id": self.event.actor(),
            "text": self.text,
            "mentioned": self.mentioned,
            "message": self.message_json(),
            "card": self.card_json(),
            "reply_url": self.reply_url,
            "event": event,
        })
    }

    fn message_json(&self) -> Option<Value> {
        let m = self.event.message()?;
        let mentions: Vec<Value> = m
            .mentions
            .iter()
            .map(|m| json!({ "key": m.key, "open_id": m.open_id, "name": m.name }))
            .collect();
        Some(json!({
            "message_id": m.id,
            "root_id": m.root_id,
            "parent_id": m.parent_id,
            "thread_id": m.thread_id,
            "chat_type": m.chat_type.as_str(),
            "message_type": m.message_type,
            "content": m.content,
            "sender_type": m.sender.kind,
            "create_time_ms": m.created_ms,
            "mentions": mentions,
        }))
    }

    fn card_json(&self) -> Option<Value> {
        match &self.event.body {
            Body::Card(card) => Some(json!({
                "message_id": card.message_id,
                "token": card.token,
                "action": serde_json::from_str::<Value>(&card.action).unwrap_or(Value::Null),
            })),
            Body::Message(_) | Body::Other { .. } => None,
        }
    }
}
