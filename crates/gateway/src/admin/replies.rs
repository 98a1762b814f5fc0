//! A handler's later answer, signed with its secret as its requests were.
//!
//! The signature is the authority: the task number alone opens nothing, and a task that does
//! not wait is refused in the same words as one that does not exist.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use larkline_client::Secret;
use larkline_failpoint::failpoint;
use larkline_proto::event::Event;
use larkline_store::StoreError;
use larkline_store::task::{AwaitingTask, LateReply, TaskId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::server::{Admin, Refusal};
use crate::clock::now_ms;
use crate::config::{Config, Handler};
use crate::handler::Answer;
use crate::handler::http::signature::{SigningKey, verify};
use crate::handler::http::webhook_id;
use crate::outgoing::Destination;

/// How long a task may take from the service's 202 to waiting: a commit on a slow disk.
const SETTLING: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn late_reply(
    State(admin): State<Admin>,
    Path(task): Path<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let task = TaskId(task);
    let Some(waits) = awaiting_soon(&admin, task).await? else {
        return Err(if admin.shared.at_work.has(task) { not_yet() } else { not_waiting() });
    };
    let config = admin.shared.config.load_full();
    let keys: Vec<SigningKey> =
        secrets(&config, &waits.handler).iter().filter_map(|s| SigningKey::parse(s).ok()).collect();
    let unauthorized = |why: String| Refusal::of_program(StatusCode::UNAUTHORIZED, why);
    let signed_for =
        verify(&headers, &body, &keys, now_ms() / 1000).map_err(|e| unauthorized(e.to_string()))?;
    // The signature covers the id: without this, an answer to one task would be one to any.
    if signed_for != webhook_id(task) {
        return Err(unauthorized(
            "the webhook-id is not the one of this task's request; send that one back".to_owned(),
        ));
    }
    let answer = Answer::from_json(&body)
        .map_err(|e| Refusal::of_program(StatusCode::UNPROCESSABLE_ENTITY, e))?;
    let replies = destination(&config, &waits, task)
        .map(|d| d.rows("l", answer.sayings(), None, config.log.previews, now_ms()))
        .unwrap_or_default();
    failpoint!("late_answer_read");
    match admin.shared.store.late_reply(task, replies, now_ms()).await? {
        LateReply::Stored => {
            failpoint!("late_answer_stored");
            admin.shared.delivery.notify_waiters();
            Ok(Json(json!({ "stored": true })))
        }
        LateReply::NotWaiting => Err(not_waiting()),
    }
}

/// The task, once it waits: a quick service answers before its 202 is committed here. Only a task
/// that is in hand is waited for.
async fn awaiting_soon(admin: &Admin, task: TaskId) -> Result<Option<AwaitingTask>, StoreError> {
    let deadline = Instant::now() + SETTLING;
    loop {
        // Asked before the look: what is settled in between is seen by it.
        let in_hand = admin.shared.at_work.has(task);
        match admin.shared.store.awaiting(task).await? {
            None if in_hand && Instant::now() < deadline => tokio::time::sleep(LOOK_EVERY).await,
            found => return Ok(found),
        }
    }
}

/// The promise is not on disk yet, as when the disk is full: a 404 would be final.
fn not_yet() -> Refusal {
    let text = "the task is still being settled: post the answer again in a moment";
    Refusal::of_program(StatusCode::SERVICE_UNAVAILABLE, text)
}

fn not_waiting() -> Refusal {
    let text = "no such task waits for an answer: it was answered, expired, or never promised one";
    Refusal::of_program(StatusCode::NOT_FOUND, text)
}

fn secrets<'c>(config: &'c Config, handler: &str) -> &'c [Secret] {
    match config.handlers.get(handler) {
        Some(Handler::Http(http)) => &http.secrets,
        Some(Handler::Echo(_) | Handler::Command(_) | Handler::Agent(_) | Handler::Llm(_))
        | None => &[],
    }
}

fn destination(config: &Config, waits: &AwaitingTask, task: TaskId) -> Option<Destination> {
    let event = Event::parse(&waits.item.payload).ok()?;
    let common = config.handlers.get(&waits.handler)?.common();
    Destination::of(&waits.item, task, &waits.handler, &event, common)
}
