//! A handler's later answer, signed with its secret as its requests were.
//!
//! The signature is the authority: the task number alone opens nothing, and a task that does
//! not wait is refused in the same words as one that does not exist.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use larkline_client::Secret;
use larkline_proto::event::Event;
use larkline_store::task::{AwaitingTask, LateReply, TaskId};
use serde_json::{Value, json};

use super::server::{Admin, Refusal};
use crate::clock::now_ms;
use crate::config::{Config, Handler};
use crate::handler::Answer;
use crate::handler::http::signature::{SigningKey, verify};
use crate::outgoing::Destination;

pub(super) async fn late_reply(
    State(admin): State<Admin>,
    Path(task): Path<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let task = TaskId(task);
    let waits = admin.shared.store.awaiting(task).await?.ok_or_else(not_waiting)?;
    let config = admin.shared.config.load_full();
    let keys: Vec<SigningKey> =
        secrets(&config, &waits.handler).iter().filter_map(|s| SigningKey::parse(s).ok()).collect();
    verify(&headers, &body, &keys, now_ms() / 1000)
        .map_err(|e| Refusal(StatusCode::UNAUTHORIZED, e.to_string()))?;
    let answer = Answer::from_json(&body)
        .map_err(|e| Refusal(StatusCode::UNPROCESSABLE_ENTITY, e.to_string()))?;
    let replies = destination(&config, &waits, task)
        .map(|d| d.rows("l", answer.messages, config.log.previews, now_ms()))
        .unwrap_or_default();
    match admin.shared.store.late_reply(task, replies, now_ms()).await? {
        LateReply::Stored => {
            admin.shared.delivery.notify_waiters();
            Ok(Json(json!({ "stored": true })))
        }
        LateReply::NotWaiting => Err(not_waiting()),
    }
}

fn not_waiting() -> Refusal {
    let text = "no such task waits for an answer: it was answered, expired, or never promised one";
    Refusal(StatusCode::NOT_FOUND, text.to_owned())
}

fn secrets<'c>(config: &'c Config, handler: &str) -> &'c [Secret] {
    match config.handlers.get(handler) {
        Some(Handler::Http(http)) => &http.secrets,
        Some(Handler::Echo(_) | Handler::Command(_)) | None => &[],
    }
}

fn destination(config: &Config, waits: &AwaitingTask, task: TaskId) -> Option<Destination> {
    let event = Event::parse(&waits.item.payload).ok()?;
    let common = config.handlers.get(&waits.handler)?.common();
    Destination::of(&waits.item, task, &waits.handler, &event, common)
}
