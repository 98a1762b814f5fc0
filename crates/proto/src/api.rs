//! The platform's server API as data: endpoints, bodies, envelopes, and what a code means.
//!
//! Codes are reused between endpoints (230002 says "not in the group" for a send and
//! "expired" elsewhere), so a code is read together with its [`Endpoint`]. Nothing here
//! sends anything; `client::api` does.

mod console;
mod disposition;
mod envelope;
mod reply;
mod request;

pub use console::{Application, ApplicationBody, GrantedScopes, Version};
pub use disposition::{Disposition, RetryReason, of_code, of_status};
pub use envelope::{Failure, Head, log_id_of};
pub use reply::{
    BotBody, BotInfo, CardIdBody, Chat, ConnectionCount, CreatedReaction, DataBody, FileKey,
    ImageKey, ListedChat, Membership, MessageItems, Page, RestMention, RestMessage, RestSender,
    TokenReply,
};
pub use request::{
    CardBody, CardIdOf, CardJson, CardSettingsBody, CardTextBody, EditBody, EmojiType, PatchBody,
    ReactionBody, ReceiveId, ReplyBody, SendBody, TokenBody,
};

/// A call of the platform's API that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Tenant access token of a custom app.
    Token,
    /// Send a message.
    Send,
    /// Reply to a message.
    Reply,
    /// Replace the content of a text or post.
    Edit,
    /// Replace the content of a card.
    PatchCard,
    /// Recall a message.
    Recall,
    /// Get one message.
    GetMessage,
    /// List a chat's or thread's messages.
    ListMessages,
    /// Add a reaction.
    AddReaction,
    /// Remove a reaction.
    RemoveReaction,
    /// The bot's own identity.
    BotInfo,
    /// How many long connections the platform sees.
    ConnectionCount,
    /// One chat.
    GetChat,
    /// Whether the bot is in a chat.
    InChat,
    /// The groups the bot is in.
    ListChats,
    /// The entity behind a card message.
    CardId,
    /// Write text into an element of a card that streams.
    CardText,
    /// Change a card's settings.
    CardSettings,
    /// Replace a whole card.
    ReplaceCard,
    /// Upload an image.
    UploadImage,
    /// Upload a file.
    UploadFile,
    /// Download an image or file of a message.
    Download,
    /// The scopes that are granted.
    Scopes,
    /// The app itself, as the console shows it.
    Application,
    /// The app's versions.
    Versions,
    /// A step of creating or amending an app by QR code.
    Registration,
}

impl Endpoint {
    /// The endpoint as a word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Send => "send",
            Self::Reply => "reply",
            Self::Edit => "edit",
            Self::PatchCard => "patch_card",
            Self::Recall => "recall",
            Self::GetMessage => "get_message",
            Self::ListMessages => "list_messages",
            Self::AddReaction => "add_reaction",
            Self::RemoveReaction => "remove_reaction",
            Self::BotInfo => "bot_info",
            Self::ConnectionCount => "connection_count",
            Self::GetChat => "get_chat",
            Self::InChat => "in_chat",
            Self::ListChats => "list_chats",
            Self::CardId => "card_id",
            Self::CardText => "card_text",
            Self::CardSettings => "card_settings",
            Self::ReplaceCard => "replace_card",
            Self::UploadImage => "upload_image",
            Self::UploadFile => "upload_file",
            Self::Download => "download",
            Self::Scopes => "scopes",
            Self::Application => "application",
            Self::Versions => "versions",
            Self::Registration => "registration",
        }
    }
}
