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

/// Body of the question which entity stands behind a card message.
#[derive(Debug, Serialize)]
pub struct CardIdOf<'a> {
    /// The message.
    pub message_id: &'a str,
}

/// Body of new text for an element of a card that streams.
#[derive(Debug, Serialize)]
pub struct CardTextBody<'a> {
    /// The whole text, 1 to 100 000 characters.
    pub content: &'a str,
    /// Greater than that of the operation before.
    pub sequence: i32,
}

/// Body of a change of a card's settings.
#[derive(Debug, Serialize)]
pub struct CardSettingsBody<'a> {
    /// Serialised `{"config":{…}}`.
    pub settings: &'a str,
    /// Greater than that of the operation before.
    pub sequence: i32,
}

/// Body of a card's replacement.
#[derive(Debug, Serialize)]
pub struct CardBody<'a> {
    /// The card.
    pub card: CardJson<'a>,
    /// Greater than that of the operation before.
    pub sequence: i32,
}

/// A card in the body of its replacement.
#[derive(Debug, Serialize)]
pub struct CardJson<'a> {
    /// `card_json`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The serialised card.
    pub data: &'a str,
}
