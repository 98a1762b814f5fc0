//! Who has read a message, and making somebody read it. Reference: open API, 2.6 and 2.8.

use larkline_proto::id::OpenId;
use serde::Deserialize;
use serde_json::json;

use super::Context;
use super::chat::{page, paged};
use super::message::target;
use super::reply::{Refusal, Reply, Result};
use crate::world::{Sender, TENANT};

/// Age up to which readers are told.
const READERS_AGE_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// People who can be urged at once.
const URGED_MAX: usize = 200;

/// `GET /open-apis/im/v1/messages/:message_id/read_users`.
pub(super) fn read_users(cx: &mut Context<'_>) -> Result {
    if cx.call.query("user_id_type").is_none() {
        return Err(Refusal::new(99_992_402, "field validation failed: user_id_type is required"));
    }
    let message = target(cx)?;
    if message.sender != Sender::App(cx.app) {
        return Err(Refusal::new(230_012, "Bot is NOT the sender of the message."));
    }
    if message.at_ms + READERS_AGE_MS_MAX < cx.now_ms {
        let msg = "Get the reading status must be done within 7 days.";
        return Err(Refusal::new(230_033, msg));
    }
    let readers = message.read_by.iter().map(|(user, at_ms)| {
        json!({
            "user_id_type": "open_id",
            "user_id": cx.world.user(*user).open_ids.get(cx.app.0),
            "timestamp": at_ms.to_string(),
            "tenant_key": TENANT,
        })
    });
    let (items, next) = page(cx, readers.collect(), 20, 100)?;
    Ok(Reply::Data(paged(items, next)))
}

/// `PATCH /open-apis/im/v1/messages/:message_id/urgent_app`.
pub(super) fn urgent(cx: &mut Context<'_>) -> Result {
    #[derive(Deserialize)]
    struct Asked {
        user_id_list: Vec<OpenId>,
    }
    let asked: Asked = cx.json()?;
    let message = target(cx)?;
    if message.sender != Sender::App(cx.app) {
        return Err(Refusal::new(230_012, "Bot is NOT the sender of the message."));
    }
    let chat = cx.world.chats.get(&message.chat);
    let in_chat = |id: &OpenId| {
        let user = cx.world.by_open_id(id).filter(|(_, app)| *app == cx.app);
        user.is_some_and(|(user, _)| chat.is_some_and(|c| c.members.contains(&user)))
    };
    let invalid: Vec<_> = asked.user_id_list.iter().filter(|id| !in_chat(id)).collect();
    if asked.user_id_list.len() > URGED_MAX || invalid.len() == asked.user_id_list.len() {
        return Err(Refusal::invalid("all ids in the user_id_list are invalid"));
    }
    Ok(Reply::Data(json!({ "invalid_user_id_list": invalid })))
}
