//! An event's payload, read leniently: optional fields may be absent, `null` or `""`,
//! numbers may be strings, and a kind this version does not know is kept, never refused.
//! Reference: open API, section 5; long connection, section 8.3.

mod wire;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::id::{AppId, ChatId, EventId, MessageId, OpenId, ThreadId};

/// Event type of a received message.
pub const MESSAGE_RECEIVED: &str = "im.message.receive_v1";
/// Event type of a recalled message.
pub const MESSAGE_RECALLED: &str = "im.message.recalled_v1";
/// Callback type of a pressed card button.
pub const CARD_ACTION: &str = "card.action.trigger";
/// Callback type of a link preview.
pub const URL_PREVIEW: &str = "url.preview.get";

/// One event or callback.
#[derive(Clone, Debug)]
pub struct Event {
    /// v2 `header.event_id`, v1 `uuid`; empty when the envelope has neither.
    pub id: EventId,
    /// v2 `header.event_type`, v1 `event.type`, verbatim.
    pub kind: String,
    /// Creation time, Unix ms; 0 when absent. Seconds and microseconds are told by magnitude.
    pub created_ms: i64,
    /// The app it was made for.
    pub app_id: AppId,
    /// The tenant.
    pub tenant_key: String,
    /// What happened.
    pub body: Body,
}

/// The part of an event that the gateway understands.
#[derive(Clone, Debug)]
pub enum Body {
    /// Somebody wrote.
    Message(Box<Message>),
    /// Somebody used a card; its answer travels in the ack.
    Card(Box<CardAction>),
    /// Anything else, known or not; its raw payload is in the journal.
    Other {
        /// The message it is about, when it names one.
        message_id: Option<MessageId>,
        /// The chat it is about, when it names one.
        chat_id: Option<ChatId>,
        /// Who did it, when it says so.
        operator: Option<OpenId>,
    },
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Message {
    /// `om_…`.
    pub id: MessageId,
    /// What started the reply tree.
    pub root_id: Option<MessageId>,
    /// What it directly answers.
    pub parent_id: Option<MessageId>,
    /// The topic it sits in.
    pub thread_id: Option<ThreadId>,
    /// `oc_…`, for groups and direct chats alike.
    pub chat_id: ChatId,
    /// Direct or group.
    pub chat_type: ChatType,
    /// `text`, `post`, `image`, … verbatim.
    pub message_type: String,
    /// JSON text in received form (reference 2.10).
    pub content: String,
    /// Who is mentioned; the n-th has the key `@_user_n`.
    pub mentions: Vec<Mention>,
    /// Who wrote.
    pub sender: Sender,
    /// When, Unix ms.
    pub created_ms: i64,
}

/// Kind of chat. An unknown kind is treated as a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatType {
    /// A person and the bot.
    Direct,
    /// Several members.
    Group,
    /// `topic_group` and whatever comes.
    Other(String),
}

/// Who wrote a message.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// `ou_…`, per app; empty for some bots.
    pub open_id: OpenId,
    /// `on_…`.
    pub union_id: String,
    /// `user`, `bot` or `app`.
    pub kind: String,
}

/// Somebody mentioned in a message.
#[derive(Clone, Debug, Default)]
pub struct Mention {
    /// `@_user_1`, …, or `@_all`.
    pub key: String,
    /// `ou_…`.
    pub open_id: OpenId,
    /// Display name.
    pub name: String,
}

/// Somebody used a component of a card.
#[derive(Clone, Debug, Default)]
pub struct CardAction {
    /// Who.
    pub operator: OpenId,
    /// The message that shows the card.
    pub message_id: Option<MessageId>,
    /// The chat it stands in.
    pub chat_id: Option<ChatId>,
    /// Update token, 30 minutes, two uses.
    pub token: String,
    /// The action as received: `value`, `tag`, `form_value`, ….
    pub action: Box<str>,
}

/// The payload is not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Not UTF-8 JSON, or a field of the wrong shape.
    #[error("the payload is not an event in JSON: {0}")]
    Json(String),
    /// JSON, but neither envelope v2 nor v1.
    #[error("the payload has no event type")]
    NoType,
}

impl ChatType {
    /// True for a chat between one person and the bot.
    pub fn is_direct(&self) -> bool {
        matches!(self, Self::Direct)
    }

    /// The platform's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Direct => "p2p",
            Self::Group => "group",
            Self::Other(kind) => kind,
        }
    }
}

impl Event {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`EventError`] when it is not JSON or names no type; the caller keeps the bytes.
    pub fn parse(payload: &[u8]) -> Result<Self, EventError> {
        let json = |e: serde_json::Error| EventError::Json(e.to_string());
        let envelope: Envelope<'_> = serde_json::from_slice(payload).map_err(json)?;
        let raw = envelope.event.map_or("{}", RawValue::get);
        let header = envelope.header.unwrap_or_default();
        let kind = match header.event_type {
            Some(kind) if !kind.is_empty() => kind,
            _ => serde_json::from_str::<V1Event>(raw)
                .map_err(json)?
                .kind
                .ok_or(EventError::NoType)?,
        };
        let body = match kind.as_str() {
            MESSAGE_RECEIVED => Body::Message(Box::new(message(raw).map_err(json)?)),
            CARD_ACTION | URL_PREVIEW => Body::Card(Box::new(card(raw).map_err(json)?)),
            _ => other(raw),
        };
        Ok(Self {
            id: header.event_id.or(envelope.uuid).unwrap_or_default().into(),
            kind,
            created_ms: header.create_time.or(envelope.ts).map_or(0, |t| millis(&t.0)),
            app_id: header.app_id.unwrap_or_default().into(),
            tenant_key: header.tenant_key.unwrap_or_default(),
            body,
        })
    }

    /// True when the platform waits for an answer inside the ack.
    pub fn is_callback(&self) -> bool {
        matches!(self.body, Body::Card(_))
    }

    /// The message, when this is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.body {
            Body::Message(message) => Some(message),
            Body::Card(_) | Body::Other { .. } => None,
        }
    }

    /// What was done with a card, when this is that.
    pub fn card(&self) -> Option<&CardAction> {
        match &self.body {
            Body::Card(card) => Some(card),
            Body::Message(_) | Body::Other { .. } => None,
        }
    }

    /// The chat it happened in, when known.
    pub fn chat_id(&self) -> Option<&ChatId> {
        match &self.body {
            Body::Message(message) => Some(&message.chat_id),
            Body::Card(card) => card.chat_id.as_ref(),
            Body::Other { chat_id, .. } => chat_id.as_ref(),
        }
    }

    /// The message it is about, when known.
    pub fn message_id(&self) -> Option<&MessageId> {
        match &self.body {
            Body::Message(message) => Some(&message.id),
            Body::Card(card) => card.message_id.as_ref(),
            Body::Other { message_id, .. } => message_id.as_ref(),
        }
    }

    /// Who caused it, when known.
    pub fn actor(&self) -> Option<&OpenId> {
        match &self.body {
            Body::Message(message) => Some(&message.sender.open_id),
            Body::Card(card) => Some(&card.operator),
            Body::Other { operator, .. } => operator.as_ref(),
        }
        .filter(|id| !id.is_empty())
    }

    /// The message by whose id a redelivery is recognised: only a received message, because
    /// recalls and reactions name the message they are about.
    pub fn received_message(&self) -> Option<&MessageId> {
        self.message().map(|m| &m.id).filter(|id| !id.is_empty())
    }
}

impl CardAction {
    /// A member of the value that the pressed component carries, when that is an object.
    pub fn value_of(&self, member: &str) -> Option<serde_json::Value> {
        let action: serde_json::Value = serde_json::from_str(&self.action).ok()?;
        action.get("value")?.get(member).cloned()
    }
}

impl Message {
    /// True when this bot is mentioned, compared by open id: names may repeat.
    pub fn mentions_bot(&self, bot: &OpenId) -> bool {
        !bot.is_empty() && self.mentions.iter().any(|m| &m.open_id == bot)
    }

    /// True for a message of a bot or app.
    pub fn from_bot(&self) -> bool {
        matches!(self.sender.kind.as_str(), "bot" | "app")
    }
}

/// Unix milliseconds from text of seconds (with or without fraction), ms or µs.
fn millis(text: &str) -> i64 {
    let whole: i64 = match text.split_once('.') {
        Some((seconds, _)) => return seconds.parse::<i64>().unwrap_or(0).saturating_mul(1000),
        None => text.parse().unwrap_or(0),
    };
    match whole {
        0..100_000_000_000 => whole * 1000,
        100_000_000_000..100_000_000_000_000 => whole,
        _ => whole / 1000,
    }
}

fn message(raw: &str) -> Result<Message, serde_json::Error> {
    let event: wire::MessageEvent = serde_json::from_str(raw)?;
    let m = event.message.unwrap_or_default();
    let sender = event.sender.unwrap_or_default();
    let sender_id = sender.sender_id.unwrap_or_default();
    Ok(Message {
        id: m.message_id.unwrap_or_default().into(),
        root_id: filled(m.root_id).map(Into::into),
        parent_id: filled(m.parent_id).map(Into::into),
        thread_id: filled(m.thread_id).map(Into::into),
        chat_id: m.chat_id.unwrap_or_default().into(),
        chat_type: match m.chat_type.unwrap_or_default().as_str() {
            "p2p" => ChatType::Direct,
            "group" => ChatType::Group,
            other => ChatType::Other(other.to_owned()),
        },
        message_type: m.message_type.unwrap_or_default(),
        content: m.content.unwrap_or_default(),
        mentions: m.mentions.unwrap_or_default().into_iter().map(Into::into).collect(),
        sender: Sender {
            open_id: sender_id.open_id.unwrap_or_default().into(),
            union_id: sender_id.union_id.unwrap_or_default(),
            kind: sender.sender_type.unwrap_or_default(),
        },
        created_ms: m.create_time.map_or(0, |t| millis(&t.0)),
    })
}

fn card(raw: &str) -> Result<CardAction, serde_json::Error> {
    let event: wire::CardEvent<'_> = serde_json::from_str(raw)?;
    let context = event.context.unwrap_or_default();
    Ok(CardAction {
        operator: event.operator.and_then(|o| o.open_id).unwrap_or_default().into(),
        message_id: filled(context.open_message_id).map(Into::into),
        chat_id: filled(context.open_chat_id).map(Into::into),
        token: event.token.unwrap_or_default(),
        action: event.action.map_or("{}", RawValue::get).into(),
    })
}

/// An event of another kind: what its usual fields tell, and nothing when they have another
/// shape.
fn other(raw: &str) -> Body {
    let event: wire::OtherEvent = serde_json::from_str(raw).unwrap_or_default();
    let operator = event
        .operator_id
        .and_then(|o| o.open_id)
        .or_else(|| event.operator.and_then(|o| o.operator_id).and_then(|o| o.open_id))
        .or_else(|| event.user_id.and_then(|o| o.open_id));
    Body::Other {
        message_id: filled(event.message_id).map(Into::into),
        chat_id: filled(event.chat_id).map(Into::into),
        operator: filled(operator).map(Into::into),
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    header: Option<EnvelopeHeader>,
    #[serde(default, borrow)]
    event: Option<&'a RawValue>,
    #[serde(default)]
    uuid: Option<String>,
    #[serde(default)]
    ts: Option<wire::Time>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EnvelopeHeader {
    event_id: Option<String>,
    event_type: Option<String>,
    create_time: Option<wire::Time>,
    app_id: Option<String>,
    tenant_key: Option<String>,
}

#[derive(Deserialize)]
struct V1Event {
    #[serde(default, rename = "type")]
    kind: Option<String>,
}
