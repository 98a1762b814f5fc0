//! Calls about the bot itself and the chats it is in.

use http::Method;
use larkline_proto::api::{BotBody, BotInfo, Chat, Endpoint, ListedChat, Membership, Page};
use larkline_proto::id::ChatId;

use super::ApiClient;
use crate::api_error::{ApiError, ApiErrorKind};
use crate::call::Answer;

impl ApiClient {
    /// The bot's identity and whether the tenant has enabled it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn bot_info(&self) -> Result<Answer<BotInfo>, ApiError> {
        let endpoint = Endpoint::BotInfo;
        let call = self.bare(endpoint, Method::GET, &["bot", "v3", "info"])?;
        let Answer { data, log_id } = self.json::<BotBody>(call).await?;
        match data.into_bot() {
            Some(data) => Ok(Answer { data, log_id }),
            None => {
                let kind = ApiErrorKind::Unreadable { detail: "it names no bot".to_owned() };
                Err(ApiError { log_id, ..ApiError::new(endpoint, kind) })
            }
        }
    }

    /// One chat; where the bot is no member, only name and status.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn chat(&self, id: &ChatId) -> Result<Answer<Chat>, ApiError> {
        let path = ["im", "v1", "chats", id.as_str()];
        self.data(self.bare(Endpoint::GetChat, Method::GET, &path)?).await
    }

    /// Whether the bot is in a chat.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn is_in_chat(&self, id: &ChatId) -> Result<Answer<bool>, ApiError> {
        let path = ["im", "v1", "chats", id.as_str(), "members", "is_in_chat"];
        let Answer { data, log_id } =
            self.data::<Membership>(self.bare(Endpoint::InChat, Method::GET, &path)?).await?;
        Ok(Answer { data: data.is_in_chat, log_id })
    }

    /// One page, at most 100, of the groups the bot is in; direct chats are not listed.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn chats(
        &self,
        page_token: Option<&str>,
    ) -> Result<Answer<Page<ListedChat>>, ApiError> {
        let mut call = self.bare(Endpoint::ListChats, Method::GET, &["im", "v1", "chats"])?;
        call.url
            .query_pairs_mut()
            .append_pair("page_size", "100")
            .extend_pairs(page_token.map(|token| ("page_token", token)));
        self.data(call).await
    }
}
