//! Calls about messages and their reactions.

use http::Method;
use larkline_proto::api::{
    CreatedReaction, DataBody, EditBody, EmojiType, Endpoint, MessageItems, Page, PatchBody,
    ReactionBody, ReceiveId, ReplyBody, RestMessage, SendBody,
};
use larkline_proto::content::Outgoing;
use larkline_proto::id::{ChatId, MessageId, ThreadId};

use super::ApiClient;
use crate::api_error::ApiError;
use crate::call::Answer;

const MESSAGES: [&str; 3] = ["im", "v1", "messages"];

/// Where to list messages.
#[derive(Clone, Debug)]
pub enum Container {
    /// A group or direct chat; of a thread, its root only.
    Chat(ChatId),
    /// The replies of one thread.
    Thread(ThreadId),
}

/// Which end of the history a listing begins at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Oldest message at the top.
    #[default]
    OldestFirst,
    /// Newest message at the top.
    NewestFirst,
}

/// What to list. The same for all pages of one listing, but for the page token.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Where.
    pub container: Container,
    /// Not before, Unix seconds; not for threads.
    pub start_s: Option<i64>,
    /// Not after, Unix seconds; not for threads.
    pub end_s: Option<i64>,
    /// In which order.
    pub sort: Sort,
    /// Messages a page, 1 to 50.
    pub page_size: u32,
    /// Where the page before ended.
    pub page_token: Option<String>,
}

impl Listing {
    /// The oldest messages of a container, 50 a page.
    pub fn of(container: Container) -> Self {
        Self {
            container,
            start_s: None,
            end_s: None,
            sort: Sort::OldestFirst,
            page_size: 50,
            page_token: None,
        }
    }
}

impl ApiClient {
    /// Sends a message. `uuid` (at most 50 characters) is the same for every attempt at the
    /// same message: within an hour the platform makes one message of it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn send(
        &self,
        to: &ReceiveId,
        message: &Outgoing,
        uuid: &str,
    ) -> Result<Answer<RestMessage>, ApiError> {
        let body = SendBody {
            receive_id: to.as_str(),
            msg_type: &message.msg_type,
            content: &message.content,
            uuid,
        };
        let mut call = self.with_body(Endpoint::Send, Method::POST, &MESSAGES, &body)?;
        call.url.query_pairs_mut().append_pair("receive_id_type", to.kind());
        self.data(call).await
    }

    /// Replies to a message; `in_thread` starts a thread where there is none. `uuid` as in
    /// [`Self::send`].
    ///
    /// # Errors
    /// [`ApiError`]; `MessageGone` when the message was recalled or deleted.
    pub async fn reply(
        &self,
        to: &MessageId,
        message: &Outgoing,
        in_thread: bool,
        uuid: &str,
    ) -> Result<Answer<RestMessage>, ApiError> {
        let body = ReplyBody {
            msg_type: &message.msg_type,
            content: &message.content,
            reply_in_thread: in_thread,
            uuid,
        };
        let path = message_path(to, &["reply"]);
        self.data(self.with_body(Endpoint::Reply, Method::POST, &path, &body)?).await
    }

    /// Replaces the content of our own text or post; the platform allows 20 edits a message.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn edit(
        &self,
        id: &MessageId,
        message: &Outgoing,
    ) -> Result<Answer<RestMessage>, ApiError> {
        let body = EditBody { msg_type: &message.msg_type, content: &message.content };
        let path = message_path(id, &[]);
        self.data(self.with_body(Endpoint::Edit, Method::PUT, &path, &body)?).await
    }

    /// Replaces the content of our own card; 5 a second for each message, within 14 days.
    /// `card` is the serialised card.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn patch_card(&self, id: &MessageId, card: &str) -> Result<Answer<()>, ApiError> {
        let body = PatchBody { content: card };
        let path = message_path(id, &[]);
        self.done(self.with_body(Endpoint::PatchCard, Method::PATCH, &path, &body)?).await
    }

    /// Recalls our own message.
    ///
    /// # Errors
    /// [`ApiError`]; `MessageGone` when it was recalled before.
    pub async fn recall(&self, id: &MessageId) -> Result<Answer<()>, ApiError> {
        self.done(self.bare(Endpoint::Recall, Method::DELETE, &message_path(id, &[]))?).await
    }

    /// Gets a message; of a forward, its container and all its descendants. A card is as it was
    /// sent, and not the empty form that the platform makes of newer ones.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get(&self, id: &MessageId) -> Result<Answer<Vec<RestMessage>>, ApiError> {
        let mut call = self.bare(Endpoint::GetMessage, Method::GET, &message_path(id, &[]))?;
        call.url.query_pairs_mut().append_pair("card_msg_content_type", "user_card_content");
        let answer: Answer<MessageItems> = self.data(call).await?;
        Ok(answer.map(|found| found.items))
    }

    /// Lists one page of a chat's or thread's messages.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn list(&self, listing: &Listing) -> Result<Answer<Page<RestMessage>>, ApiError> {
        let mut call = self.bare(Endpoint::ListMessages, Method::GET, &MESSAGES)?;
        let (kind, id) = match &listing.container {
            Container::Chat(id) => ("chat", id.as_str()),
            Container::Thread(id) => ("thread", id.as_str()),
        };
        let sort = match listing.sort {
            Sort::OldestFirst => "ByCreateTimeAsc",
            Sort::NewestFirst => "ByCreateTimeDesc",
        };
        let optional = [
            ("start_time", listing.start_s.map(|seconds| seconds.to_string())),
            ("end_time", listing.end_s.map(|seconds| seconds.to_string())),
            ("page_token", listing.page_token.clone()),
        ];
        call.url
            .query_pairs_mut()
            .append_pair("container_id_type", kind)
            .append_pair("container_id", id)
            .append_pair("sort_type", sort)
            .append_pair("page_size", &listing.page_size.to_string())
            .extend_pairs(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        self.data(call).await
    }

    /// Adds a reaction and returns its id. `emoji` is case-sensitive: `Typing`, `DONE`, `OK`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn add_reaction(
        &self,
        id: &MessageId,
        emoji: &str,
    ) -> Result<Answer<String>, ApiError> {
        let body = ReactionBody { reaction_type: EmojiType { emoji_type: emoji } };
        let path = message_path(id, &["reactions"]);
        let call = self.with_body(Endpoint::AddReaction, Method::POST, &path, &body)?;
        let answer: Answer<CreatedReaction> = self.data(call).await?;
        Ok(answer.map(|created| created.reaction_id))
    }

    /// Removes our own reaction.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn remove_reaction(
        &self,
        id: &MessageId,
        reaction_id: &str,
    ) -> Result<Answer<()>, ApiError> {
        let path = message_path(id, &["reactions", reaction_id]);
        self.done(self.bare(Endpoint::RemoveReaction, Method::DELETE, &path)?).await
    }

    /// Makes a call whose answer lies under `data`.
    pub(super) async fn data<T: serde::de::DeserializeOwned>(
        &self,
        call: crate::call::Call,
    ) -> Result<Answer<T>, ApiError> {
        Ok(self.json::<DataBody<T>>(call).await?.map(|body| body.data))
    }
}

fn message_path<'a>(id: &'a MessageId, rest: &[&'a str]) -> Vec<&'a str> {
    MESSAGES.iter().copied().chain([id.as_str()]).chain(rest.iter().copied()).collect()
}
