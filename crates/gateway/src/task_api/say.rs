//! Messages of a task, and those that are updated in place.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::{Extension, Json};
use http::StatusCode;
use larkline_proto::content::{Outgoing, RICH_BYTES_MAX};
use larkline_store::StoreError;
use larkline_store::outbox::NewOutbox;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::PRIORITY;
use super::server::{read, too_many};
use crate::admin::Refusal;
use crate::card;
use crate::clock::now_ms;
use crate::grants::{Grant, Use};
use crate::outgoing::{Op, Saying};

/// Messages of one task that are updated in place.
const PLACES_MAX: usize = 64;
/// Characters of a key.
const KEY_CHARS_MAX: usize = 64;

/// A message of a task: one of `text`, `markdown` and `card`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// Plain text; with a key it is read as Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
    /// A card as the platform takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Value>,
    /// Names the message: said again under the same name, it takes the place of what was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// It will be delivered within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Whether it takes the place of an earlier message.
    pub replaced: bool,
}

/// What a task has said under names.
#[derive(Debug, Default)]
pub struct Places {
    by_key: Mutex<HashMap<String, Place>>,
}

/// The rows of the outbox that made a message what it is.
#[derive(Clone, Debug)]
struct Place {
    /// The row before the last: what the last one changes.
    before: Option<String>,
    /// The last one.
    last: String,
}

enum Words {
    Text(String),
    Markdown(String),
    Card(Value),
}

pub(super) async fn say(
    Extension(grant): Extension<Arc<Grant>>,
    body: Bytes,
) -> Result<Json<Said>, Refusal> {
    let mut say: Say = read(&body)?;
    let key = say.key.take();
    let words = Words::of(say)?;
    match key {
        Some(key) => in_place(&grant, &key, &words).await.map(Json),
        None => {
            if !grant.spend(Use::Message) {
                return Err(too_many("messages"));
            }
            let part = format!("say/{}/", Uuid::now_v7().simple());
            let rows = grant.to.rows(&part, vec![words.saying()], None, previews(&grant), now_ms());
            enqueue(&grant, rows).await?;
            Ok(Json(Said { replaced: false }))
        }
    }
}

impl Words {
    fn of(say: Say) -> Result<Self, Refusal> {
        let words = match (say.text, say.markdown, say.card) {
            (Some(text), None, None) => Self::Text(text),
            (None, Some(markdown), None) => Self::Markdown(markdown),
            (None, None, Some(card)) if card.is_object() => Self::Card(card),
            (None, None, Some(_)) => return Err(bad("a card is a JSON object")),
            (Some(_) | None, Some(_) | None, Some(_) | None) => {
                return Err(bad("give one of text, markdown and card"));
            }
        };
        match &words {
            Self::Text(text) | Self::Markdown(text) if text.trim().is_empty() => {
                Err(bad("the text is empty; give one"))
            }
            Self::Card(card) if card.to_string().len() > RICH_BYTES_MAX => {
                Err(bad("the card is larger than the 30 KB that the platform takes; shorten it"))
            }
            Self::Text(_) | Self::Markdown(_) | Self::Card(_) => Ok(words),
        }
    }

    fn saying(self) -> Saying {
        match self {
            Self::Text(text) => Outgoing::text(&text).into(),
            Self::Markdown(markdown) => {
                let (ending, footer) = (String::new(), String::new());
                Saying::Answer { markdown, ending, footer }
            }
            Self::Card(card) => Outgoing::card(&card).into(),
        }
    }

    /// As one card: nothing else can be changed without a mark that it was.
    fn card(&self) -> Result<Outgoing, Refusal> {
        let markdown = match self {
            Self::Text(text) | Self::Markdown(text) => text,
            Self::Card(card) => return Ok(Outgoing::card(card)),
        };
        let mut cards = card::answer(markdown, "", "");
        match (cards.pop(), cards.is_empty()) {
            (Some(card), true) => Ok(card),
            (Some(_) | None, _) => Err(bad(
                "too long for one card, and only one card can be updated in place; shorten it, or \
                 send it without a key",
            )),
        }
    }
}

/// Says something new under a name, or something newer.
///
/// Each change is a row that changes what the row before it made, wherever that is by now: in place,
/// or beside it where the platform would not change it. A change that still waits is made newer
/// itself, so that of a hundred changes those are sent for which there is time.
async fn in_place(grant: &Grant, key: &str, words: &Words) -> Result<Said, Refusal> {
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || key.contains(char::is_control) {
        return Err(bad("a key is a short word, at most 64 characters; take another"));
    }
    let card = words.card()?;
    // Held throughout: changes of one message come one after the other.
    let mut places = grant.places.by_key.lock().await;
    if places.len() >= PLACES_MAX && !places.contains_key(key) {
        return Err(too_many("messages that are updated in place"));
    }
    let first = grant.to.key(&format!("place/{key}"));
    let known = match places.get(key) {
        Some(place) => Some(place.clone()),
        None => said_before(grant, &first).await?,
    };
    let Some(place) = known else {
        let op = grant.to.op(card);
        enqueue(grant, vec![row(grant, &format!("place/{key}"), &op)]).await?;
        places.insert(key.to_owned(), Place { before: None, last: first });
        return Ok(Said { replaced: false });
    };
    let newer = change(grant, place.before.as_deref(), card.clone());
    let preview = if previews(grant) { card.preview() } else { String::new() };
    let store = &grant.live.shared().store;
    if store.replace_queued(place.last.clone(), newer.to_body(), preview).await? {
        places.insert(key.to_owned(), place);
        return Ok(Said { replaced: true });
    }
    let part = format!("place/{key}/{}", Uuid::now_v7().simple());
    enqueue(grant, vec![row(grant, &part, &change(grant, Some(&place.last), card))]).await?;
    let place = Place { before: Some(place.last), last: grant.to.key(&part) };
    places.insert(key.to_owned(), place);
    Ok(Said { replaced: true })
}

/// What an earlier attempt of the same task said under this name.
async fn said_before(grant: &Grant, first: &str) -> Result<Option<Place>, StoreError> {
    let row = grant.live.shared().store.outbox_by_key(first.to_owned()).await?;
    Ok(row.map(|_| Place { before: None, last: first.to_owned() }))
}

/// A card in the place of what `before` made; a message of its own where there is nothing.
fn change(grant: &Grant, before: Option<&str>, card: Outgoing) -> Op {
    let anew = grant.to.op(card.clone());
    match before {
        None => anew,
        Some(before) => Op::Update {
            row: before.to_owned(),
            chat_id: grant.to.chat_id.clone(),
            message: card,
            otherwise: Some(Box::new(anew)),
        },
    }
}

fn row(grant: &Grant, part: &str, op: &Op) -> NewOutbox {
    grant.to.row(part, op, previews(grant), now_ms())
}

pub(super) fn previews(grant: &Grant) -> bool {
    grant.live.shared().config.load().log.previews
}

/// Hands rows of a task to delivery.
pub(super) async fn enqueue(grant: &Grant, mut rows: Vec<NewOutbox>) -> Result<(), StoreError> {
    let shared = grant.live.shared();
    rows.iter_mut().for_each(|row| row.priority = PRIORITY);
    shared.store.enqueue(rows).await?;
    shared.delivery.notify_waiters();
    Ok(())
}

pub(super) fn bad(text: &str) -> Refusal {
    Refusal::of_program(StatusCode::BAD_REQUEST, text)
}
