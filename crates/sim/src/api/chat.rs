//! Chats, members, people. Reference: open API, 6.2 and 6.3.

use larkline_proto::id::ChatId;
use serde_json::{Value, json};

use super::Context;
use super::reply::{Refusal, Reply, Result};
use crate::world::{Chat, ChatKind, TENANT};

/// `GET /open-apis/im/v1/chats/:chat_id`.
pub(super) fn get(cx: &mut Context<'_>) -> Result {
    let chat = find(cx)?;
    let group = chat.kind == ChatKind::Group;
    let mut data = json!({
        "avatar": "",
        "name": chat.name,
        "description": "",
        "chat_mode": if chat.topics { "topic" } else if group { "group" } else { "p2p" },
        "external": false,
        "tenant_key": TENANT,
        "user_count": chat.members.len().to_string(),
        "bot_count": chat.bots.len().to_string(),
        "chat_status": status(chat),
    });
    if !chat.bots.contains(&cx.app) {
        return Ok(Reply::Data(data));
    }
    if group {
        data["chat_type"] = json!("private");
        if !chat.topics {
            data["group_message_type"] = json!("chat");
        }
        data["moderation_permission"] =
            json!(if chat.muted { "only_owner" } else { "all_members" });
        data["owner_id_type"] = json!("open_id");
        data["owner_id"] = owner(cx, chat);
    }
    Ok(Reply::Data(data))
}

/// `GET /open-apis/im/v1/chats`: groups of the bot; direct chats are not listed.
pub(super) fn list(cx: &mut Context<'_>) -> Result {
    let mut groups: Vec<_> = cx
        .world
        .chats
        .values()
        .filter(|c| c.kind == ChatKind::Group && c.bots.contains(&cx.app))
        .collect();
    groups.sort_by_key(|c| c.number);
    let (page, next) = page(cx, groups, 20, 100)?;
    let items: Vec<_> = page
        .into_iter()
        .map(|c| {
            json!({
                "chat_id": c.id,
                "avatar": "",
                "name": c.name,
                "description": "",
                "owner_id": owner(cx, c),
                "owner_id_type": "open_id",
                "external": false,
                "tenant_key": TENANT,
                "chat_status": status(c),
            })
        })
        .collect();
    Ok(Reply::Data(paged(items, next)))
}

/// `GET /open-apis/im/v1/chats/:chat_id/members`: bots are left out.
pub(super) fn members(cx: &mut Context<'_>) -> Result {
    let chat = find(cx)?;
    if !chat.bots.contains(&cx.app) {
        return Err(Refusal::new(232_011, "Operator can NOT be out of the chat."));
    }
    let total = chat.members.len();
    let (page, next) = page(cx, chat.members.clone(), 20, 100)?;
    let items: Vec<_> = page
        .into_iter()
        .map(|user| {
            let user = cx.world.user(user);
            json!({
                "member_id_type": "open_id",
                "member_id": user.open_ids[cx.app.0],
                "name": user.name,
                "tenant_key": TENANT,
            })
        })
        .collect();
    let mut data = paged(items, next);
    data["member_total"] = json!(total);
    Ok(Reply::Data(data))
}

/// `GET /open-apis/im/v1/chats/:chat_id/members/is_in_chat`.
pub(super) fn is_in_chat(cx: &mut Context<'_>) -> Result {
    let chat = find(cx)?;
    Ok(Reply::Data(json!({"is_in_chat": chat.bots.contains(&cx.app)})))
}

fn find<'a>(cx: &'a Context<'_>) -> std::result::Result<&'a Chat, Refusal> {
    let id = cx.param("chat_id");
    if !id.starts_with("oc_") {
        return Err(Refusal::new(232_006, "invalid chat_id"));
    }
    let chat = cx.world.chats.get(&ChatId::new(id));
    chat.ok_or_else(|| Refusal::new(99_992_356, "chat_id does not exist"))
}

fn status(chat: &Chat) -> &'static str {
    if chat.dissolved { "dissolved" } else { "normal" }
}

fn owner(cx: &Context<'_>, chat: &Chat) -> Value {
    let owner = chat.members.first().map(|user| &cx.world.user(*user).open_ids[cx.app.0]);
    json!(owner)
}

/// Cuts one page out of a list; the page token is the index of the next row.
pub(super) fn page<T>(
    cx: &Context<'_>,
    rows: Vec<T>,
    size: usize,
    size_max: usize,
) -> std::result::Result<(Vec<T>, Option<usize>), Refusal> {
    let token = cx.call.query("page_token").filter(|t| !t.is_empty());
    let start: usize =
        token.map_or(Ok(0), str::parse).map_err(|_| Refusal::invalid("invalid page_token"))?;
    page_from(cx, rows, start, size, size_max)
}

/// Cuts the page out of a list that begins at a row.
pub(super) fn page_from<T>(
    cx: &Context<'_>,
    rows: Vec<T>,
    start: usize,
    size: usize,
    size_max: usize,
) -> std::result::Result<(Vec<T>, Option<usize>), Refusal> {
    let size = cx.call.query("page_size").map_or(Ok(size), str::parse);
    let size = size.map_err(|_| Refusal::invalid("The page_size exceeds the limit"))?;
    if size == 0 || size > size_max {
        return Err(Refusal::invalid("The page_size exceeds the limit"));
    }
    let more = rows.len() > start.saturating_add(size);
    let page = rows.into_iter().skip(start).take(size).collect();
    Ok((page, more.then_some(start + size)))
}

/// The `data` of a list.
pub(super) fn paged(items: Vec<Value>, next: Option<usize>) -> Value {
    let mut data = json!({"items": items, "has_more": next.is_some()});
    if let Some(next) = next {
        data["page_token"] = json!(next.to_string());
    }
    data
}
