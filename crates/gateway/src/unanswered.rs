//! Messages of people that should have had their end by now: the alert that somebody is left
//! without an answer, which no other sign shows while everything looks well.
//!
//! Each route says how long its messages may take (`answer_within`). The look is taken by the
//! clock, at the store's oldest waiting events, so it needs nothing from the workers it watches
//! and finds after a restart what it found before.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_store::record::{History, WaitingEvent};
use larkline_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::both::{Both, both, told_in};
use crate::clock::ms;
use crate::config::{Config, MESSAGE_EVENT, Route};
use crate::words::Lang;

/// Waiting events looked at, the oldest ones: whoever has so many unanswered needs no more names.
const LOOKED_AT: usize = 256;

/// A message of a person that has no answer, refusal or notice yet, and should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnansweredMessage {
    /// Name of the app.
    pub app: String,
    /// The chat.
    pub chat_id: String,
    /// The message.
    pub message_id: String,
    /// The platform's event id.
    pub event_id: String,
    /// When it arrived, Unix ms.
    pub received_ms: i64,
    /// How far it came.
    pub stage: String,
    /// The same in Chinese, for a client that speaks it; an older gateway does not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stage_zh: String,
}

impl UnansweredMessage {
    /// How far it came, for people.
    pub fn stage(&self, lang: Lang) -> &str {
        told_in(lang, &self.stage_zh, &self.stage)
    }
}

/// The messages that are late now.
#[derive(Debug, Default)]
pub struct Unanswered {
    late: Mutex<BTreeMap<i64, UnansweredMessage>>,
}

impl Unanswered {
    /// The late messages, oldest first.
    pub fn list(&self) -> Vec<UnansweredMessage> {
        self.lock().values().cloned().collect()
    }

    /// Looks which messages are late; says so of each one time, and again when it has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look(
        &self,
        store: &dyn Store,
        config: &Config,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let waiting = store.oldest_waiting(LOOKED_AT).await?;
        let mut late = BTreeMap::new();
        for event in waiting.iter().filter(|event| is_late(event, config, now_ms)) {
            // Gone in between: it has ended.
            let Some(history) = store.history(event.id).await? else { continue };
            late.insert(event.id.0, message(event, stage(&history)));
        }
        let before = std::mem::replace(&mut *self.lock(), late.clone());
        for (id, message) in late.iter().filter(|(id, _)| !before.contains_key(id)) {
            say(*id, message, now_ms);
        }
        for (id, message) in before.iter().filter(|(id, _)| !late.contains_key(id)) {
            tracing::info!(
                app = message.app,
                event_id = message.event_id,
                message_id = message.message_id,
                inbox_id = id,
                "the late message has its end; see `larkline explain`"
            );
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, UnansweredMessage>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say(id: i64, message: &UnansweredMessage, now_ms: i64) {
    tracing::error!(
        app = message.app,
        chat_id = message.chat_id,
        message_id = message.message_id,
        event_id = message.event_id,
        inbox_id = id,
        waited_s = (now_ms - message.received_ms) / 1000,
        stage = message.stage,
        "a message is unanswered beyond `answer_within` of its route; see `larkline explain {}`",
        message.message_id
    );
}

fn message(event: &WaitingEvent, stage: Both) -> UnansweredMessage {
    UnansweredMessage {
        app: event.app.clone(),
        chat_id: event.chat_id.clone(),
        message_id: event.message_id.clone(),
        event_id: event.event_id.clone(),
        received_ms: event.received_ms,
        stage: stage.en.into_owned(),
        stage_zh: stage.zh.into_owned(),
    }
}

/// By the most impatient of its routes; before it is routed, or when they are no longer
/// configured, of all routes.
fn is_late(event: &WaitingEvent, config: &Config, now_ms: i64) -> bool {
    let least = |of: &dyn Fn(&Route) -> bool| -> Option<Duration> {
        config.routes.iter().filter(|route| of(route)).map(|route| route.answer_within).min()
    };
    let patience = least(&|route| event.routes.contains(&route.name)).or_else(|| least(&|_| true));
    let waited_ms = now_ms - event.received_ms;
    event.kind == MESSAGE_EVENT && patience.is_some_and(|patience| waited_ms > ms(patience))
}

/// How far a waiting event came, in words.
fn stage(history: &History) -> Both {
    if history.routed_ms.is_none() {
        return Both::of("已落盘，尚未路由", "on disk, not routed yet");
    }
    if let Some(row) = history.outbox.iter().find(|row| row.state == "queued") {
        let id = row.id.0;
        return match row.code.as_str() {
            "" => both!(
                zh: "处理器已回复；o{id} 等待发送",
                en: "answered by its handler; o{id} waits to be sent"
            ),
            code => both!(
                zh: "处理器已回复；o{id} 还没能发送（{code}）",
                en: "answered by its handler; o{id} could not be sent yet ({code})"
            ),
        };
    }
    let Some(task) = history.tasks.iter().find(|t| matches!(&*t.state, "queued" | "awaiting"))
    else {
        return Both::of("即将结束", "about to end");
    };
    let (handler, attempt) = (&task.handler, task.attempts);
    let failed =
        history.log.iter().rfind(|e| e.task == Some(task.id) && e.what == "attempt_failed");
    match (task.state.as_str(), task.claimed_ms, failed) {
        ("awaiting", ..) => both!(
            zh: "处理器 {handler} 答应稍后回复",
            en: "handler {handler} promised a later answer"
        ),
        (_, Some(_), _) => both!(
            zh: "处理器 {handler} 正在处理，第 {attempt} 次尝试",
            en: "handler {handler} is at work, attempt {attempt}"
        ),
        (_, None, Some(entry)) => both!(
            zh: "处理器 {handler} 失败（{code}），将重试",
            en: "handler {handler} failed ({code}), to be tried again",
            code = entry.code
        ),
        (_, None, None) => {
            both!(zh: "等待处理器 {handler}", en: "waits for handler {handler}")
        }
    }
}
