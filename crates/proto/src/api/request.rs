//! Request bodies, as the platform reads them. Message content is serialised JSON already.

use serde::{Deserialize, Serialize};

use crate::id::{ChatId, OpenId};

/// Body of a token call.
#[derive(Serialize)]
pub struct TokenBody<'a> {
    /// The app.
    pub app_id: &'a str,
    /// Its secret.
    pub app_secret: &'a str,
}

/// Who shall get a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiveId {
    /// A group or direct chat.
    Chat(ChatId),
    /// A user as this app sees them; the direct chat is made when there is none.
    Open(OpenId),
    /// A user by union id.
    Union(String),
    /// A user by the tenant's own id.
    User(String),
    /// A user by mail address.
    Email(String),
}

impl ReceiveId {
    /// The value of `receive_id_type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat_id",
            Self::Open(_) => "open_id",
            Self::Union(_) => "union_id",
            Self::User(_) => "user_id",
            Self::Email(_) => "email",
        }
    }

    /// The value of `receive_id`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Chat(id) => id.as_str(),
            Self::Open(id) => id.as_str(),
            Self::Union(id) | Self::User(id) | Self::Email(id) => id,
        }
    }
}

/// Body of a send.
#[derive(Debug, Serialize)]
pub struct SendBody<'a> {
    /// As [`ReceiveId::as_str`].
    pub receive_id: &'a str,
    /// `text`, `post`, `interactive`, …
    pub msg_type: &'a str,
    /// The serialised content.
    pub content: &'a str,
    /// Idempotency key, at most 50 characters: one message an hour for the same key.
    pub uuid: &'a str,
}

/// Body of a reply.
#[derive(Debug, Serialize)]
pub struct ReplyBody<'a> {
    /// As in a send, without `system`.
    pub msg_type: &'a str,
    /// The serialised content.
    pub content: &'a str,
    /// Reply as a thread.
    pub reply_in_thread: bool,
    /// As in a send.
    pub uuid: &'a str,
}

/// Body of an edit.
#[derive(Debug, Serialize)]
pub struct EditBody<'a> {
    /// `text` or `post`.
    pub msg_type: &'a str,
    /// The serialised content.
    pub content: &'a str,
}

/// Body of a card's update.
#[derive(Debug, Serialize)]
pub struct PatchBody<'a> {
    /// The serialised card.
    pub content: &'a str,
}

/// Body of a new reaction.
#[derive(Debug, Serialize)]
pub struct ReactionBody<'a> {
    /// Which emoji.
    pub reaction_type: EmojiType<'a>,
}

/// Which emoji.
#[derive(Debug, Serialize)]
pub struct EmojiType<'a> {
    /// Case-sensitive, such as `Typing`, `OK`, `DONE`.
    pub emoji_type: &'a str,
}
