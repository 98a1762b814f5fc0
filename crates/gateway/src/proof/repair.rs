//! What becomes of messages that were read back: handled, kept, or kept and asked about, as their
//! routes say.
//!
//! All of them are journaled and get a verdict (`repair_off`, `repair_ask`), so none is missed twice.
//! The chat is asked with a button; a press makes one more event of each message, from the journal,
//! and a second press makes none. Neither does one after the platform has delivered the message after
//! all: only an event that handlers get takes the key of its message.

use std::sync::Arc;

use larkline_proto::event::Event;
use larkline_proto::id::{ChatId, EventId, MessageId};
use larkline_store::StoreError;
use larkline_store::inbox::{Accepted, NewEvent};
use larkline_store::outbox::NewOutbox;
use serde_json::{Value, json};

use crate::card::{self, Button};
use crate::clock::now_ms;
use crate::intake;
use crate::outgoing::{Op, stable_uuid};
use crate::router::{self, Context, Routed, Why};
use crate::shared::{AppRuntime, Shared};
use crate::words;

/// How the ids of events begin that were read back.
pub(super) const READ_BACK: &str = "history-";
/// How the ids of those begin that somebody wanted handled after all.
const WANTED: &str = "repaired-";
/// The member of a button's value that names them.
const REPAIR: &str = "repair";

/// Whether an event was read back from a chat's history, and nobody has said yet that it matters.
pub fn is_read_back(id: &EventId) -> bool {
    id.as_str().starts_with(READ_BACK)
}

/// What becomes of a message that was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Handlers get it.
    Handled,
    /// Its chat is asked about it.
    Asked,
    /// Its route only keeps it.
    Kept,
    /// It would not be handled had it come as all others do.
    Aside,
}

impl Fate {
    /// As the router will decide about it.
    pub(super) fn of(shared: &Shared, app: &AppRuntime, event: &Event) -> Self {
        let config = shared.config.load();
        let Some(known) = config.apps.iter().find(|known| known.name == app.name) else {
            return Self::Aside;
        };
        let bot = app.bot.borrow().clone().unwrap_or_default();
        let ctx = Context { config: &config, app: known, bot: &bot, received_ms: now_ms() };
        match router::route(event, ctx) {
            Routed::Tasks(_) => Self::Handled,
            Routed::Filtered(Why::RepairAsk) => Self::Asked,
            Routed::Filtered(Why::RepairOff) => Self::Kept,
            Routed::Filtered(_) => Self::Aside,
        }
    }
}

/// Messages that were read back and are new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// All of them.
    pub(super) new: usize,
    /// Those that handlers get.
    pub(super) repaired: usize,
    /// Those that their chat is asked about.
    pub(super) asked: Vec<MessageId>,
    /// Those that their routes only keep.
    pub(super) kept: usize,
}

impl Taken {
    /// Counts one.
    pub(super) fn count(&mut self, event: &Event, fate: Fate) {
        self.new += 1;
        match fate {
            Fate::Handled => self.repaired += 1,
            Fate::Asked => self.asked.extend(event.message_id().cloned()),
            Fate::Kept => self.kept += 1,
            Fate::Aside => {}
        }
    }

    /// Adds those of another chat.
    pub(super) fn add(&mut self, other: Self) {
        self.new += other.new;
        self.repaired += other.repaired;
        self.asked.extend(other.asked);
        self.kept += other.kept;
    }
}

/// The card that asks a chat whether messages still matter; none when there are none.
pub(super) fn question(
    shared: &Shared,
    app: &str,
    chat: &str,
    asked: &[MessageId],
) -> Option<NewOutbox> {
    let first = asked.first()?;
    let lang = shared.config.load().language;
    let button = Button {
        label: words::repair_button(lang),
        look: "primary",
        value: json!({ REPAIR: asked }),
    };
    let title = words::repair_question(lang, asked.len());
    let message = card::question(&title, None, &words::repair_note(lang), &[button]);
    let op = Op::Send { to: larkline_proto::api::ReceiveId::Chat(ChatId::new(chat)), message };
    let key = format!("{app}/{first}/repair");
    Some(NewOutbox {
        app: app.to_owned(),
        inbox: None,
        task: None,
        uuid: stable_uuid(&key),
        key,
        lane: op.lane().to_owned(),
        priority: -1,
        preview: op.message().preview(),
        body: op.to_body(),
        created_ms: now_ms(),
        due_ms: 0,
    })
}

/// The messages that a pressed button is about; none when it is another button.
pub fn wanted(value: &Value) -> Option<Vec<MessageId>> {
    let ids = value.get(REPAIR)?.as_array()?;
    Some(ids.iter().filter_map(Value::as_str).map(MessageId::from).collect())
}

/// Has messages of a chat handled that were read back and asked about; how many that are.
///
/// # Errors
/// [`StoreError`].
pub async fn handle(
    shared: &Arc<Shared>,
    app: &str,
    chat: &ChatId,
    messages: &[MessageId],
) -> Result<usize, StoreError> {
    let mut events = Vec::new();
    for message in messages {
        events.extend(again(shared, app, chat, message).await?);
    }
    if events.is_empty() {
        return Ok(0);
    }
    let accepted = shared.store.accept(events.into()).await?;
    shared.routing.notify_waiters();
    let is_new = |a: &&Accepted| !matches!(a, Accepted::Duplicate { .. });
    Ok(accepted.iter().filter(is_new).count())
}

/// One more event of a message that its chat was asked about.
async fn again(
    shared: &Shared,
    app: &str,
    chat: &ChatId,
    message: &MessageId,
) -> Result<Option<NewEvent>, StoreError> {
    let first = EventId::from(format!("{READ_BACK}{message}"));
    // Looked up before it is searched for, because a search for what is gone reads everything.
    let Some(item) = shared.store.item_of_event(app.to_owned(), first.clone()).await? else {
        return Ok(None);
    };
    let known = shared.store.find(first.to_string()).await?;
    let was_asked = |why: &str| why == Why::RepairAsk.word();
    if !known.iter().any(|record| record.app == app && was_asked(&record.why)) {
        return Ok(None);
    }
    let id = format!("{WANTED}{message}");
    let Ok(mut payload) = serde_json::from_slice::<Value>(&item.payload) else { return Ok(None) };
    payload["header"]["event_id"] = json!(id);
    let payload = payload.to_string().into_bytes();
    let Ok(event) = Event::parse(&payload) else { return Ok(None) };
    if event.chat_id() != Some(chat) {
        return Ok(None);
    }
    let mut new = NewEvent { app: app.to_owned(), received_ms: now_ms(), ..NewEvent::default() };
    intake::describe(&mut new, &event, shared.config.load().log.previews);
    new.payload = payload;
    // No run has received it, so routing need not wait for a line of intake's.
    Ok(Some(new))
}
