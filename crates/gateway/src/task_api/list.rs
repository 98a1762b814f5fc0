//! What was said in the chat of a task.

use std::sync::Arc;

use axum::extract::Query;
use axum::{Extension, Json};
use larkline_store::record::{MessageQuery, Record};
use serde::{Deserialize, Serialize};

use crate::admin::Refusal;
use crate::grants::Grant;

/// Messages of one answer, unless fewer are asked for.
const DEFAULT: usize = 20;
/// Messages of one answer at most.
const MOST: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<usize>,
}

/// The last messages of a chat, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessages {
    /// The chat.
    pub chat_id: String,
    /// Its messages.
    pub messages: Vec<ChatMessage>,
}

/// One message, in or out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `in` or `out`.
    pub direction: String,
    /// When it was received, or made, Unix ms.
    pub at_ms: i64,
    /// The sender (in).
    pub sender: String,
    /// The platform's message id, when known.
    pub message_id: String,
    /// First words; empty when previews are off.
    pub text: String,
    /// Verdict (in); `queued`, `delivered`, `dead` or `dropped` (out).
    pub outcome: String,
}

pub(super) async fn messages(
    Extension(grant): Extension<Arc<Grant>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<ChatMessages>, Refusal> {
    let limit = query.limit.unwrap_or(DEFAULT).clamp(1, MOST);
    let chat_id = grant.to.chat_id.to_string();
    let wanted =
        MessageQuery { chat: Some(chat_id.clone()), limit: MOST, ..MessageQuery::default() };
    let records = grant.live.shared().store.records(wanted).await?;
    // A chat may know two apps of this gateway: what the other one hears is none of its business.
    let ours = records.into_iter().filter(|record| record.app == grant.to.app);
    let messages = ours.take(limit).map(ChatMessage::from).collect();
    Ok(Json(ChatMessages { chat_id, messages }))
}

impl From<Record> for ChatMessage {
    fn from(record: Record) -> Self {
        let Record { direction, at_ms, sender, message_id, preview, outcome, .. } = record;
        Self { direction, at_ms, sender, message_id, text: preview, outcome }
    }
}
