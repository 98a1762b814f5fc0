//! Messages read back: one, a history, and the message object. Reference: open API, 2.1, 2.6.

use larkline_proto::id::ChatId;
use serde_json::{Value, json};

use super::message::target;
use super::reply::{Refusal, Reply, Result};
use super::{Context, chat};
use crate::world::{ChatKind, Mentioned, Message, Sender, TENANT, World};

/// What reading the messages of a group takes besides.
const GROUP_SCOPES: &[&str] = &["im:message.group_msg", "im:message.group_msg:readonly"];

/// `GET /open-apis/im/v1/messages/:message_id`: `items` has one message.
pub(super) fn get(cx: &mut Context<'_>) -> Result {
    let message = target(cx)?;
    in_chat(cx, &message.chat)?;
    may_read(cx, &message.chat)?;
    Ok(Reply::Data(json!({"items": [object(cx, message, raw_cards(cx))]})))
}

/// `GET /open-apis/im/v1/messages`: the history of a chat or a thread.
pub(super) fn list(cx: &mut Context<'_>) -> Result {
    let id = cx.call.query("container_id").unwrap_or_default();
    let by_thread = match cx.call.query("container_id_type") {
        Some("chat") => false,
        Some("thread") => true,
        _ => return Err(Refusal::invalid("invalid container_id_type")),
    };
    let thread_chat =
        || cx.world.messages.values().find(|m| m.thread.as_ref().is_some_and(|t| t.as_str() == id));
    let chat = match by_thread {
        true => thread_chat().map(|m| m.chat.clone()),
        false => Some(ChatId::new(id)).filter(|c| cx.world.chats.contains_key(c)),
    };
    let chat = chat.ok_or_else(|| Refusal::invalid("invalid container_id"))?;
    in_chat(cx, &chat)?;
    may_read(cx, &chat)?;
    let from_ms = time(cx, "start_time", by_thread)?.unwrap_or(0);
    let until_ms = time(cx, "end_time", by_thread)?.unwrap_or(u64::MAX);
    if until_ms < from_ms {
        return Err(Refusal::invalid("The end_time is earlier than the start_time"));
    }
    let inside = |m: &&Message| {
        let in_thread = m.thread.as_ref().is_some_and(|t| t.as_str() == id);
        let of_container =
            if by_thread { in_thread } else { m.thread.is_none() || m.root.is_none() };
        of_container && (from_ms..=until_ms).contains(&m.at_ms)
    };
    let mut messages: Vec<_> = cx.world.history(&chat).filter(inside).collect();
    match cx.call.query("sort_type") {
        None | Some("ByCreateTimeAsc") => {}
        Some("ByCreateTimeDesc") => messages.reverse(),
        Some(_) => return Err(Refusal::invalid("invalid sort_type")),
    }
    let (page, next) = chat::page_from(cx, messages, resumed(cx)?, 20, 50)?;
    let items: Vec<_> = page.into_iter().map(|m| object(cx, m, raw_cards(cx))).collect();
    let mut data = json!({"items": items, "has_more": next.is_some()});
    if let Some(next) = next {
        data["page_token"] = json!(format!("{next}-{}", asked(cx)));
    }
    Ok(Reply::Data(data))
}

/// Messages of groups need a scope of their own.
fn may_read(cx: &Context<'_>, chat: &ChatId) -> std::result::Result<(), Refusal> {
    let group = cx.world.chats.get(chat).is_some_and(|c| c.kind == ChatKind::Group);
    match group && !cx.world.app(cx.app).may(GROUP_SCOPES) {
        true => Err(Refusal::new(230_027, "Lack of necessary permissions.")),
        false => Ok(()),
    }
}

/// A time of the filter, which threads do not have.
fn time(
    cx: &Context<'_>,
    name: &str,
    by_thread: bool,
) -> std::result::Result<Option<u64>, Refusal> {
    let Some(text) = cx.call.query(name).filter(|t| !t.is_empty()) else { return Ok(None) };
    let seconds = text.parse::<u64>().ok().filter(|_| !by_thread);
    let seconds = seconds.ok_or_else(|| Refusal::invalid(&format!("invalid {name}")))?;
    Ok(Some(seconds.saturating_mul(1000)))
}

/// The row a page token stands for, when the question is still the same.
fn resumed(cx: &Context<'_>) -> std::result::Result<usize, Refusal> {
    let Some(token) = cx.call.query("page_token").filter(|t| !t.is_empty()) else { return Ok(0) };
    let (row, of) = token.split_once('-').ok_or_else(|| Refusal::invalid("invalid page_token"))?;
    if of != asked(cx) {
        let ext = "the request parameters have changed, page_token is invalid";
        return Err(Refusal::invalid(ext));
    }
    row.parse().map_err(|_| Refusal::invalid("invalid page_token"))
}

/// What a page token is bound to.
fn asked(cx: &Context<'_>) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for name in ["container_id_type", "container_id", "start_time", "end_time", "sort_type"] {
        cx.call.query(name).hash(&mut hasher);
    }
    format!("{:x}", hasher.finish())
}

fn raw_cards(cx: &Context<'_>) -> bool {
    cx.call.query("card_msg_content_type") == Some("user_card_content")
}

/// Refuses an app that is not in the chat.
pub(super) fn in_chat(cx: &Context<'_>, chat: &ChatId) -> std::result::Result<(), Refusal> {
    let inside = cx.world.chats.get(chat).is_some_and(|c| c.bots.contains(&cx.app));
    inside
        .then_some(())
        .ok_or_else(|| Refusal::new(230_002, "The bot can not be outside the group."))
}

/// The message object of reference 2.1, as the calling app sees it.
pub(super) fn object(cx: &Context<'_>, message: &Message, raw_card: bool) -> Value {
    let (world, viewer) = (&*cx.world, cx.app.0);
    let (id, id_type, sender_type) = match message.sender {
        Sender::App(app) => (world.app_id(app).to_string(), "app_id", "app"),
        Sender::User(user) => {
            let open_ids = &world.user(user).open_ids;
            (open_ids[viewer].to_string(), "open_id", "user")
        }
    };
    let content = match (message.recalled, raw_card && message.msg_type == "interactive") {
        (true, _) => "This message was recalled",
        (false, true) => &message.sent,
        (false, false) => &message.received,
    };
    let mut object = json!({
        "message_id": message.id,
        "msg_type": message.msg_type,
        "create_time": message.at_ms.to_string(),
        "update_time": message.updated_ms.to_string(),
        "deleted": message.recalled,
        "updated": message.updated,
        "chat_id": message.chat,
        "sender": {"id": id, "id_type": id_type, "sender_type": sender_type, "tenant_key": TENANT},
        "body": {"content": content},
    });
    message.write_place(&mut object);
    if !message.mentions.is_empty() {
        let entries = message.mentions.iter().enumerate();
        object["mentions"] = entries.map(|(n, who)| mention(world, n, *who, viewer)).collect();
    }
    object
}

fn mention(world: &World, n: usize, who: Mentioned, viewer: usize) -> Value {
    let (id, name) = match who {
        Mentioned::Bot(app) => (&world.app(app).bot, &world.app(app).spec.name),
        Mentioned::User(user) => (&world.user(user).open_ids[viewer], &world.user(user).name),
    };
    json!({"key": format!("@_user_{}", n + 1), "id": id, "id_type": "open_id", "name": name, "tenant_key": TENANT})
}
