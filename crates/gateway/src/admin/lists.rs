//! Lists, stories, and what can be done with dead letters.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use larkline_store::outbox::OutboxId;
use larkline_store::record::{ChatRecord, DeadItem, DeadLetter, MessageQuery, Record};
use larkline_store::task::TaskId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::{Admin, Asked, Refusal};
use crate::both::both;
use crate::clock::now_ms;
use crate::config::OURS;
use crate::story::{self, Story};

/// Longest list in one answer.
const ROWS_MAX: usize = 1000;

pub(super) async fn messages(
    State(admin): State<Admin>,
    Asked(query): Asked<MessageQuery>,
) -> Result<Json<Vec<Record>>, Refusal> {
    let query = MessageQuery { limit: query.limit.clamp(1, ROWS_MAX), ..query };
    Ok(Json(admin.shared.store.records(query).await?))
}

pub(super) async fn chats(State(admin): State<Admin>) -> Result<Json<Vec<ChatRecord>>, Refusal> {
    Ok(Json(admin.shared.store.chats().await?))
}

pub(super) async fn dead(State(admin): State<Admin>) -> Result<Json<Vec<DeadLetter>>, Refusal> {
    Ok(Json(admin.shared.store.dead(ROWS_MAX).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoryQuery {
    key: String,
}

pub(super) async fn story(
    State(admin): State<Admin>,
    Asked(query): Asked<StoryQuery>,
) -> Result<Json<Story>, Refusal> {
    let none = || {
        Refusal(
            StatusCode::NOT_FOUND,
            both!(
                zh: "没有事件、消息或文字与 {key:?} 匹配；见 `larkline messages`",
                en: "no event, message or text matches {key:?}; see `larkline messages`",
                key = query.key
            ),
        )
    };
    let story = story::find(admin.shared.store.as_ref(), &query.key).await?;
    Ok(Json(story.ok_or_else(none)?))
}

pub(super) async fn retry(
    State(admin): State<Admin>,
    Path(item): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let done = admin.shared.store.retry_dead(parse_item(&item)?, now_ms()).await?;
    admin.shared.dispatch.notify_waiters();
    admin.shared.delivery.notify_waiters();
    known(&item, done)
}

pub(super) async fn drop_dead(
    State(admin): State<Admin>,
    Path(item): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let done = admin.shared.store.drop_dead(parse_item(&item)?, now_ms()).await?;
    known(&item, done)
}

/// Gives up what waits for a handler that the configuration does not know.
pub(super) async fn give_up(
    State(admin): State<Admin>,
    Path(handler): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let is_ours = OURS.contains(&handler.as_str());
    if is_ours || admin.shared.config.load().handlers.contains_key(&handler) {
        let text = both!(
            zh: "{handler} 仍在配置中，它的工作会照常进行；请先删除它并执行 `larkline reload`",
            en: "{handler} is configured, its work is being done; remove it and `larkline reload` first"
        );
        return Err(Refusal(StatusCode::CONFLICT, text));
    }
    let tasks = admin.shared.store.give_up(handler.clone(), now_ms()).await?;
    if tasks == 0 {
        let text = both!(
            zh: "没有工作在等待处理程序 {handler}；见 `larkline status`",
            en: "nothing waits for a handler {handler}; see `larkline status`"
        );
        return Err(Refusal(StatusCode::NOT_FOUND, text));
    }
    tracing::warn!(handler, tasks, "given up by hand, see `larkline dead`");
    Ok(Json(json!({ "handler": handler, "tasks": tasks })))
}

fn known(item: &str, done: bool) -> Result<Json<Value>, Refusal> {
    if done {
        return Ok(Json(json!({ "item": item })));
    }
    let text = both!(
        zh: "{item} 不是死信；见 `larkline dead`",
        en: "{item} is not a dead letter; see `larkline dead`"
    );
    Err(Refusal(StatusCode::NOT_FOUND, text))
}

/// `t7` is task 7, `o7` outgoing message 7.
pub(crate) fn parse_item(text: &str) -> Result<DeadItem, Refusal> {
    let number = text.get(1..).and_then(|n| n.parse::<i64>().ok());
    match (text.as_bytes().first(), number) {
        (Some(b't'), Some(n)) => Ok(DeadItem::Task(TaskId(n))),
        (Some(b'o'), Some(n)) => Ok(DeadItem::Outbox(OutboxId(n))),
        (Some(_) | None, Some(_) | None) => Err(Refusal(
            StatusCode::BAD_REQUEST,
            both!(
                zh: "{text:?} 不是死信的编号（t7、o7）；见 `larkline dead`",
                en: "{text:?} is not the id of a dead letter (t7, o7); see `larkline dead`"
            ),
        )),
    }
}
