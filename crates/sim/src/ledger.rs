//! Everything the simulator saw, in the order it saw it: what tests judge from.
//!
//! Times are wall-clock milliseconds. Lists are bounded; when one is full its oldest row
//! goes. Nothing here decides anything.

use std::collections::VecDeque;

use larkline_proto::id::{AppId, ChatId, EventId, LogId, MessageId, ThreadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Edits kept of one message: a card may stream for ten minutes, ten times a second.
const EDITS_KEPT_MAX: usize = 500;

/// A bounded list whose rows keep their number while older ones go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rows<T> {
    rows: VecDeque<T>,
    #[serde(skip)]
    dropped: u64,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { rows: VecDeque::new(), dropped: 0 }
    }
}

impl<T> Rows<T> {
    /// Appends a row and returns its number.
    pub(crate) fn push(&mut self, row: T, rows_max: usize) -> u64 {
        if self.rows.len() >= rows_max.max(1) {
            self.rows.pop_front();
            self.dropped += 1;
        }
        self.rows.push_back(row);
        self.dropped + self.rows.len() as u64 - 1
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = usize::try_from(number.checked_sub(self.dropped)?).ok()?;
        self.rows.get_mut(index)
    }

    /// Forgets every row, keeping the numbering, so that old numbers find nothing.
    fn clear(&mut self) {
        self.dropped += self.rows.len() as u64;
        self.rows.clear();
    }

    /// The rows kept, oldest at the front.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.rows.iter()
    }

    /// How many rows are kept.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without any row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The newest row.
    pub fn last(&self) -> Option<&T> {
        self.rows.back()
    }
}

impl<T> std::ops::Index<usize> for Rows<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.rows[index]
    }
}

/// What the simulator saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Events and callbacks pushed, or waiting to be.
    pub events: Rows<EventRow>,
    /// Messages the apps sent.
    pub messages: Rows<MessageRow>,
    /// Reactions the apps added.
    pub reactions: Rows<ReactionRow>,
    /// Messages that came to the hooks of groups.
    #[serde(default)]
    pub hooked: Rows<HookRow>,
    /// Every HTTP request and handshake, the admin API's own left out.
    pub calls: Rows<CallRow>,
    /// Every WebSocket that was accepted.
    pub connections: Rows<ConnectionRow>,
    /// What a real server would object to; empty on a good day.
    pub violations: Rows<String>,
}

impl Ledger {
    /// The row of one event.
    pub fn event(&self, id: &EventId) -> Option<&EventRow> {
        self.events.iter().rev().find(|e| &e.event_id == id)
    }

    /// The app's direct answers to one message, in order.
    pub fn replies_to<'a>(
        &'a self,
        message: &'a MessageId,
    ) -> impl Iterator<Item = &'a MessageRow> + 'a {
        self.messages.iter().filter(move |m| m.reply_to.as_ref() == Some(message))
    }

    /// The messages an app sent into one chat, in order.
    pub fn in_chat<'a>(&'a self, chat: &'a ChatId) -> impl Iterator<Item = &'a MessageRow> + 'a {
        self.messages.iter().filter(move |m| &m.chat_id == chat)
    }

    /// Connections still open.
    pub fn open_connections(&self) -> usize {
        self.connections.iter().filter(|c| c.closed_ms.is_none()).count()
    }

    /// Open connections that have sent a ping of either kind.
    pub fn listening_connections(&self) -> usize {
        let open = self.connections.iter().filter(|c| c.closed_ms.is_none());
        open.filter(|c| c.pings + c.ws_pings > 0).count()
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.messages.clear();
        self.reactions.clear();
        self.hooked.clear();
        self.calls.clear();
        self.violations.clear();
        // Rows of open connections stay: their counters go on.
        while self.connections.rows.front().is_some_and(|c| c.closed_ms.is_some()) {
            self.connections.rows.pop_front();
            self.connections.dropped += 1;
        }
    }
}

/// One event or callback.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventRow {
    /// Equal across redeliveries.
    pub event_id: EventId,
    /// For messages.
    pub message_id: Option<MessageId>,
    /// The platform's `event_type`.
    pub kind: String,
    /// The app it is for.
    pub app_id: AppId,
    /// When it happened.
    pub at_ms: u64,
    /// True once a delivery was acknowledged with 200 in time.
    pub done: bool,
    /// True when the schedule ran out without that.
    pub given_up: bool,
    /// Attempts to deliver it.
    pub deliveries: Vec<Delivery>,
}

impl EventRow {
    /// How many deliveries were acknowledged, whatever the code.
    pub fn acks(&self) -> usize {
        self.deliveries.iter().filter(|d| d.acked_ms.is_some()).count()
    }
}

/// One attempt to deliver an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Delivery {
    /// When.
    pub at_ms: u64,
    /// The connection's `device_id`; empty when no client was connected.
    pub conn: String,
    /// The frame's `message_id` header.
    pub frame_message_id: String,
    /// When its ack came.
    pub acked_ms: Option<u64>,
    /// True when the ack came after the platform's patience.
    pub late: bool,
    /// The ack's code.
    pub code: Option<i64>,
    /// The ack's decoded `data`.
    pub data: Option<Value>,
    /// The handler's milliseconds.
    pub biz_rt: Option<String>,
    /// Whether the ack carried all headers back, in order, and nothing but `biz_rt` more.
    pub headers_echoed: bool,
    /// Whether `SeqID`, `LogID` (all 64 bits), `service`, `method`, `payload_*` and `LogIDNew`
    /// came back. The Node SDK rounds `LogID`: false there is its flaw, not a violation.
    pub ids_echoed: bool,
}

/// One message an app sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageRow {
    /// Its id.
    pub message_id: MessageId,
    /// The sender.
    pub app_id: AppId,
    /// Where.
    pub chat_id: ChatId,
    /// The topic, when it is in one.
    pub thread_id: Option<ThreadId>,
    /// `text`, `post`, `interactive`, …
    pub msg_type: String,
    /// The card entity it shows, when it was sent by one or has become one.
    pub card_id: Option<String>,
    /// The content exactly as sent, of a card entity its JSON; after a change, the newest.
    pub content: String,
    /// The readable text of it, when there is any.
    pub text: Option<String>,
    /// The idempotency key.
    pub uuid: Option<String>,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// When it was sent.
    pub at_ms: u64,
    /// Whether it was taken back.
    pub recalled: bool,
    /// Edits and card updates, in order; a card that streams for long keeps the newest 500.
    pub edits: Vec<Edit>,
    /// Sends answered with this message because their `uuid` was known.
    pub replays: u32,
}

impl MessageRow {
    /// Writes a change down.
    pub(crate) fn edited(&mut self, at_ms: u64, content: String, text: Option<String>) {
        if self.edits.len() >= EDITS_KEPT_MAX {
            self.edits.remove(0);
        }
        self.edits.push(Edit { at_ms, content: content.clone() });
        self.content = content;
        self.text = text;
    }
}

/// One edit or card update.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Edit {
    /// When.
    pub at_ms: u64,
    /// The new content.
    pub content: String,
}

/// One reaction of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReactionRow {
    /// Its id.
    pub reaction_id: String,
    /// On which message.
    pub message_id: MessageId,
    /// The emoji's name.
    pub emoji: String,
    /// When.
    pub at_ms: u64,
    /// When it was taken away.
    pub removed_ms: Option<u64>,
}

/// One message that came to a group's hook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HookRow {
    /// The group.
    pub chat_id: ChatId,
    /// `text`, `post`, `interactive`, …
    pub msg_type: String,
    /// The content or card, as JSON.
    pub content: String,
    /// When.
    pub at_ms: u64,
}

/// One HTTP request or handshake.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallRow {
    /// When it was answered.
    pub at_ms: u64,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path without the query: handshakes carry tickets there.
    pub path: String,
    /// HTTP status; 0 when the connection was cut instead.
    pub status: u16,
    /// The envelope's code, when there was an envelope.
    pub code: Option<i64>,
    /// As in `X-Tt-Logid`.
    pub log_id: LogId,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// One WebSocket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Its `device_id`.
    pub id: String,
    /// The app that connected.
    pub app_id: AppId,
    /// When the 101 was written.
    pub opened_ms: u64,
    /// When it ended.
    pub closed_ms: Option<u64>,
    /// Why it ended, for example `close 1000` or `reset by fault`.
    pub why: Option<String>,
    /// Protocol pings received.
    pub pings: u64,
    /// WebSocket pings received.
    pub ws_pings: u64,
    /// Data frames pushed.
    pub frames_out: u64,
    /// Acks received.
    pub acks: u64,
    /// Bytes read, after the handshake.
    pub bytes_in: u64,
    /// Bytes written, after the handshake.
    pub bytes_out: u64,
}
