//! A chat's history against the journal: messages that people wrote and that never arrived.
//!
//! What is missing is taken in as an event of our own making, through the same journal, keys and
//! routes: should the platform deliver it after all, that delivery is the duplicate. What no handler
//! gets has no key but its own: should the platform deliver that after all, it is handled. Only
//! what would have been delivered counts: in groups that are messages to the bot, unless others have
//! come from groups in this run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use larkline_client::{ApiError, Container, Listing, Sort};
use larkline_proto::api::{RestMention, RestMessage};
use larkline_proto::event::{Event, MESSAGE_RECEIVED};
use larkline_proto::id::{ChatId, MessageId};
use larkline_store::inbox::{Accepted, NewEvent, event_key};
use larkline_store::record::ChatRecord;
use serde_json::{Value, json};

use super::repair::{self, Fate, READ_BACK, Taken};
use crate::clock::now_ms;
use crate::intake;
use crate::metrics::AppLabel;
use crate::shared::{AppRuntime, Shared};

/// Messages read of one chat: a page is one metered call.
const PAGE: u32 = 50;
/// Chats read after a loss, most recently active in front. Each is a metered call.
pub(super) const CHATS_MAX: usize = 10;

/// A stretch of time, Unix ms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
}

/// The app's chats, most recently active in front.
pub(super) async fn chats(shared: &Shared, app: &AppRuntime) -> Vec<ChatRecord> {
    match shared.store.chats().await {
        Ok(chats) => {
            chats.into_iter().filter(|c| c.app == app.name && !c.chat_id.is_empty()).collect()
        }
        Err(error) => {
            shared.store_health.failed("chats", &error);
            Vec::new()
        }
    }
}

/// Messages of a chat that people wrote in that time, that the journal does not know and that
/// this app has not answered, oldest in front.
///
/// # Errors
/// [`ApiError`]: the scope may be missing, the bot may have left.
pub(super) async fn missing(
    shared: &Shared,
    app: &AppRuntime,
    chat: &ChatRecord,
    stretch: Stretch,
) -> Result<Vec<RestMessage>, ApiError> {
    let listing = Listing {
        // The platform's grain is a second. No end: what answers a message comes after it.
        start_s: Some(stretch.from_ms / 1000),
        sort: Sort::NewestFirst,
        page_size: PAGE,
        ..Listing::of(Container::Chat(ChatId::new(chat.chat_id.as_str())))
    };
    let bot = app.bot.borrow().clone().unwrap_or_default();
    let (all, to_bot) = (&app.groups.messages, &app.groups.mentions);
    let hears_all = all.load(Ordering::Relaxed) > to_bot.load(Ordering::Relaxed);
    let direct = chat.chat_type == "p2p";
    let answer = app.api.list(&listing).await;
    shared.answered(&app.name, "list_messages", &answer);
    let items = answer?.data.items;
    let answered = answered(app, &items);
    let mut missing = Vec::new();
    for message in items {
        let inside = (stretch.from_ms..stretch.until_ms).contains(&message.create_ms);
        let for_us = direct || hears_all || message.mentions.iter().any(|m| m.id == bot.as_str());
        let person = message.sender.sender_type == "user" && !message.deleted;
        if !inside || !for_us || !person || answered.contains(&message.message_id) {
            continue;
        }
        match shared.store.find(message.message_id.to_string()).await {
            Ok(known) if known.iter().all(|r| r.app != app.name) => missing.push(message),
            Ok(_) => {}
            Err(error) => shared.store_health.failed("find", &error),
        }
    }
    missing.reverse();
    Ok(missing)
}

/// What this app has answered: another instance of it took those events.
fn answered(app: &AppRuntime, items: &[RestMessage]) -> BTreeSet<MessageId> {
    let ours =
        |m: &&RestMessage| m.sender.sender_type == "app" && m.sender.id == app.app_id.as_str();
    items.iter().filter(ours).filter_map(|m| m.parent_id.clone()).collect()
}

/// Takes messages in as if they had been delivered, asks their chat about those whose routes want
/// that, and says how many were new.
pub(super) async fn take_in(
    shared: &Arc<Shared>,
    app: &AppRuntime,
    chat: &ChatRecord,
    messages: &[RestMessage],
) -> Taken {
    let previews = shared.config.load().log.previews;
    let (read, events): (Vec<(Event, Fate)>, Vec<NewEvent>) =
        messages.iter().filter_map(|m| event(shared, app, chat, m, previews)).unzip();
    let mut taken = Taken::default();
    if events.is_empty() {
        return taken;
    }
    app.undecided.store(true, Ordering::Relaxed);
    match shared.store.accept(events.into()).await {
        Ok(accepted) => {
            let mut newest = 0;
            for ((event, fate), accepted) in read.iter().zip(accepted) {
                if let Accepted::New(id) | Accepted::Undecided(id) = accepted {
                    newest = newest.max(id.0);
                    taken.count(event, *fate);
                }
            }
            app.announced.fetch_max(newest, Ordering::Relaxed);
            shared.routing.notify_waiters();
        }
        Err(error) => shared.store_health.failed("accept", &error),
    }
    let question = repair::question(shared, &app.name, &chat.chat_id, &taken.asked);
    shared.say(question.into_iter().collect()).await;
    let repaired = u64::try_from(taken.repaired).unwrap_or(u64::MAX);
    let label = AppLabel { app: app.name.clone() };
    shared.metrics.repaired_messages.get_or_create(&label).inc_by(repaired);
    app.proofs.set(|told| told.repaired += repaired);
    taken
}

fn event(
    shared: &Shared,
    app: &AppRuntime,
    chat: &ChatRecord,
    message: &RestMessage,
    previews: bool,
) -> Option<((Event, Fate), NewEvent)> {
    let payload = payload(app, chat, message).to_string();
    let mut new = NewEvent {
        app: app.name.clone(),
        received_ms: now_ms(),
        boot_id: shared.boot_id.clone(),
        ..NewEvent::default()
    };
    let event = Event::parse(payload.as_bytes()).ok()?;
    intake::describe(&mut new, &event, previews);
    new.payload = payload.into_bytes();
    let fate = Fate::of(shared, app, &event);
    if matches!(fate, Fate::Asked | Fate::Kept) {
        new.keys = vec![event_key(event.id.as_str())];
    }
    Some(((event, fate), new))
}

/// The event the platform would have sent, as far as the history tells.
fn payload(app: &AppRuntime, chat: &ChatRecord, message: &RestMessage) -> Value {
    let mention = |m: &RestMention| json!({"key": m.key, "id": {"open_id": m.id}, "name": m.name});
    let mentions: Vec<Value> = message.mentions.iter().map(mention).collect();
    json!({
        "schema": "2.0",
        "header": {
            "event_id": format!("{READ_BACK}{}", message.message_id),
            "event_type": MESSAGE_RECEIVED,
            "create_time": message.create_ms.to_string(),
            "app_id": app.app_id,
        },
        "event": {
            "sender": {
                "sender_id": {"open_id": message.sender.id},
                "sender_type": message.sender.sender_type,
            },
            "message": {
                "message_id": message.message_id,
                "root_id": message.root_id,
                "parent_id": message.parent_id,
                "thread_id": message.thread_id,
                "create_time": message.create_ms.to_string(),
                "chat_id": chat.chat_id,
                "chat_type": chat.chat_type,
                "message_type": message.msg_type,
                "content": message.content,
                "mentions": mentions,
            },
        },
    })
}
