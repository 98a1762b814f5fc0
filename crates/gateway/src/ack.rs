//! That a message was heard, said by a reaction to it where nothing else is seen soon.
//!
//! To add the reaction is a row of the outbox, committed with the decision about the message: it
//! leaves once, whatever dies. To take it away is another, made when the message has its verdict.
//! Both are best effort: they hold up nothing, are tried a few times, and are no dead letters. What
//! the calls are is `delivery`'s business.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_proto::event::Event;
use larkline_proto::id::{EventId, MessageId};
use larkline_store::inbox::{Concluded, InboxId};
use larkline_store::outbox::{ASIDE, NewOutbox, OutboxStage};
use larkline_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::clock::{ms, now_ms};
use crate::outgoing::stable_uuid;

/// What is seen so soon needs no reaction before it: a card, or a quick answer.
const SOON: Duration = Duration::from_millis(250);
/// After a refusal that every reaction would meet, none is tried for so long.
const QUIET: Duration = Duration::from_mins(10);
/// Reactions that are remembered to be taken away; further messages get none.
const OPEN_MAX: usize = 4096;

/// What a row of the outbox does to a person's message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ack", rename_all = "snake_case")]
pub enum Ack {
    /// Adds the reaction, unless something was said meanwhile.
    Add {
        /// The event of the message.
        event_id: EventId,
        /// The message.
        message_id: MessageId,
        /// The handler that works on it.
        handler: String,
        /// Which emoji.
        emoji: String,
    },
    /// Takes it away.
    Remove {
        /// The message.
        message_id: MessageId,
        /// What the platform calls the reaction.
        reaction_id: String,
    },
}

impl Ack {
    /// Reads a row's body.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn from_body(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

/// The row that acknowledges a message; nothing for what is no message, and for bots.
pub fn add(app: &str, event: &Event, handler: &str, emoji: &str) -> Option<NewOutbox> {
    let message = event.message().filter(|message| !message.from_bot())?;
    let ack = Ack::Add {
        event_id: event.id.clone(),
        message_id: message.id.clone(),
        handler: handler.to_owned(),
        emoji: emoji.to_owned(),
    };
    let due_ms = now_ms() + ms(SOON);
    Some(NewOutbox { due_ms, ..row(app, key(app, &event.id), &message.id, &ack) })
}

fn key(app: &str, event: &EventId) -> String {
    format!("{app}/{event}/ack")
}

/// A lane of its own for each message: what the chat is told neither waits for it nor is waited for.
fn row(app: &str, key: String, message: &MessageId, ack: &Ack) -> NewOutbox {
    NewOutbox {
        app: app.to_owned(),
        // Part of no story: a message is answered or not, whatever became of this.
        inbox: None,
        task: None,
        uuid: stable_uuid(&key),
        key,
        lane: format!("{ASIDE}{message}"),
        priority: 0,
        preview: String::new(),
        body: serde_json::to_vec(ack).unwrap_or_default(),
        created_ms: now_ms(),
        due_ms: 0,
    }
}

/// Reactions that are to be taken away when their messages have a verdict.
#[derive(Debug, Default)]
pub struct Acks {
    open: Mutex<HashMap<InboxId, Added>>,
}

/// A reaction that is there.
#[derive(Clone, Debug)]
pub struct Added {
    /// Name of the app.
    pub app: String,
    /// The event of the message.
    pub event_id: EventId,
    /// The message.
    pub message_id: MessageId,
    /// What the platform calls the reaction.
    pub reaction_id: String,
}

impl Added {
    /// The row that takes it away.
    pub fn remove(self) -> NewOutbox {
        let Self { app, event_id, message_id, reaction_id } = self;
        let key = format!("{}/off", key(&app, &event_id));
        let ack = Ack::Remove { message_id: message_id.clone(), reaction_id };
        row(&app, key, &message_id, &ack)
    }
}

impl Acks {
    /// Whether another may be remembered.
    pub fn has_room(&self) -> bool {
        self.lock().len() < OPEN_MAX
    }

    /// A reaction was added.
    pub fn added(&self, inbox: InboxId, added: Added) {
        self.lock().insert(inbox, added);
    }

    /// The reaction to an event that is to be taken away now.
    pub fn over(&self, inbox: InboxId) -> Option<Added> {
        self.lock().remove(&inbox)
    }

    /// Those of events that have their verdict.
    pub fn concluded(&self, concluded: &[Concluded]) -> Vec<NewOutbox> {
        let over = concluded.iter().filter_map(|concluded| self.over(concluded.inbox));
        over.map(Added::remove).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InboxId, Added>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reaction that an earlier run has added to the message of this event.
///
/// # Errors
/// [`StoreError`].
pub async fn left(store: &dyn Store, app: &str, event: &str) -> Result<Option<Added>, StoreError> {
    let event = &EventId::new(event);
    let Some(row) = store.outbox_by_key(key(app, event)).await? else { return Ok(None) };
    let (OutboxStage::Delivered, Some(reaction_id)) = (row.stage, row.message_id) else {
        return Ok(None);
    };
    let Ok(Ack::Add { message_id, .. }) = Ack::from_body(&row.body) else { return Ok(None) };
    Ok(Some(Added { app: app.to_owned(), event_id: event.clone(), message_id, reaction_id }))
}

/// What one app's reactions met: a refusal that all would meet is said once, and not asked for with
/// every message.
#[derive(Debug, Default)]
pub struct Refusals {
    said: AtomicBool,
    quiet_until_ms: AtomicI64,
}

impl Refusals {
    /// All reactions are refused; whether that is news.
    pub fn refused(&self) -> bool {
        self.quiet_until_ms.store(now_ms() + ms(QUIET), Ordering::Relaxed);
        !self.said.swap(true, Ordering::Relaxed)
    }

    /// Whether none is to be tried now.
    pub fn are_recent(&self) -> bool {
        now_ms() < self.quiet_until_ms.load(Ordering::Relaxed)
    }
}
