//! Look before sending again.
//!
//! The platform makes one message of all attempts under one `uuid`, for an hour. A send whose
//! end is not known and that could not be repeated in that time may be there already; so the
//! chat's history is read before it is sent under a new `uuid`.
//!
//! What is looked for: a message of this app, not older than the first attempt, of the same type,
//! answering the same message, with the same text, that no other row of ours is. A chat sends
//! one row at a time, so what this app said there since then, and no row is known to be, can
//! only be this row, or came from a program beside the gateway.

use std::collections::BTreeSet;
use std::time::Duration;

use larkline_client::{ApiError, Container, Listing, Sort};
use larkline_proto::api::{Disposition, ReceiveId, RestMessage};
use larkline_proto::content::Outgoing;
use larkline_proto::id::{ChatId, ThreadId};
use larkline_store::outbox::ClaimedOutbox;
use serde_json::Value;

use crate::clock::ms;
use crate::outgoing::Op;
use crate::shared::{AppRuntime, Shared};

/// Clocks of the platform and of this machine differ by less.
const SKEW: Duration = Duration::from_secs(300);
/// Unless this machine's is plain wrong. An answer is known by the message it quotes, so looking
/// further back for it mistakes no other for it.
const SKEW_OF_ANSWERS: Duration = Duration::from_secs(24 * 3600);
/// Pages of 50 messages read at most: more than a chat says in the hours between.
const PAGES_MAX: usize = 20;

/// What the history says.
#[derive(Debug)]
pub enum Seen {
    /// The earlier attempt is there.
    Found {
        /// The platform's id of it.
        message_id: String,
        /// The log id of the call that showed it.
        log_id: String,
    },
    /// It is not.
    Absent {
        /// The log id of the last call.
        log_id: String,
    },
    /// The platform could not be asked now.
    Later(Box<ApiError>),
    /// The history cannot be read.
    Closed {
        /// A platform code or our word.
        code: String,
        /// Why.
        detail: String,
        /// The platform's log id, when it gave one.
        log_id: String,
    },
}

/// Looks for an earlier attempt of a row.
pub async fn look(shared: &Shared, app: &AppRuntime, row: &ClaimedOutbox, op: &Op) -> Seen {
    let strictly_ms = row.first_attempt_ms - ms(SKEW);
    let since_ms = match op {
        Op::Reply { .. } => row.first_attempt_ms - ms(SKEW_OF_ANSWERS),
        Op::Send { .. } | Op::File { .. } | Op::Update { .. } | Op::WhileUp { .. } => strictly_ms,
    };
    let container = match container(app, op).await {
        Ok(Some(container)) => container,
        Ok(None) => {
            return closed(
                "no_chat_id",
                "it went to a person by id or address, whose chat is not known here",
                String::new(),
            );
        }
        Err(error) => return refused(error),
    };
    let mut listing = listing(container, since_ms);
    let mut log_id = String::new();
    let mut reached_ms = i64::MAX;
    for _ in 0..PAGES_MAX {
        let page = match app.api.list(&listing).await {
            Ok(page) => page,
            Err(error) => return refused(error),
        };
        log_id = page.log_id.map(|id| id.to_string()).unwrap_or_default();
        let page = page.data;
        let ours: Vec<&RestMessage> = page
            .items
            .iter()
            .filter(|m| m.create_ms >= since_ms && is_ours(m, app) && says(m, op))
            .collect();
        let ids = ours.iter().map(|m| m.message_id.to_string()).collect();
        let known: BTreeSet<String> = match shared.store.delivered_among(ids).await {
            Ok(known) => known.into_iter().collect(),
            Err(error) => return closed(error.code(), &error.to_string(), String::new()),
        };
        let found = ours.iter().map(|m| m.message_id.to_string()).find(|id| !known.contains(id));
        if let Some(message_id) = found {
            return Seen::Found { message_id, log_id };
        }
        reached_ms = page.items.last().map_or(reached_ms, |m| m.create_ms);
        let older = page.items.last().is_some_and(|m| m.create_ms < since_ms);
        match page.page_token.filter(|token| page.has_more && !token.is_empty() && !older) {
            Some(token) => listing.page_token = Some(token),
            None => return Seen::Absent { log_id },
        }
    }
    if listing.sort == Sort::NewestFirst && reached_ms < strictly_ms {
        return Seen::Absent { log_id };
    }
    closed("history_too_long", "the chat said more since then than is read", log_id)
}

/// Where the message would be: replies in a thread are in no list of their chat.
async fn container(app: &AppRuntime, op: &Op) -> Result<Option<Container>, ApiError> {
    match op {
        Op::Reply { message_id, chat_id, in_thread: true, .. } => {
            let found = app.api.get(message_id).await?.data;
            let thread = found.into_iter().find_map(|message| message.thread_id);
            Ok(Some(thread.map_or_else(|| of_chat(chat_id), of_thread)))
        }
        Op::Reply { chat_id, .. } => Ok(Some(of_chat(chat_id))),
        Op::Send { to: ReceiveId::Chat(chat_id), .. } => Ok(Some(of_chat(chat_id))),
        // A file is looked for where its message would be; a card in the place of another is put
        // there again, and not looked for.
        Op::File { to: op, .. } | Op::WhileUp { op, .. } => Box::pin(container(app, op)).await,
        Op::Send { .. } | Op::Update { .. } => Ok(None),
    }
}

fn of_chat(chat_id: &ChatId) -> Container {
    Container::Chat(chat_id.clone())
}

fn of_thread(thread: ThreadId) -> Container {
    Container::Thread(thread)
}

/// From the end back, to the first attempt where that can be said: a thread takes no times.
fn listing(container: Container, since_ms: i64) -> Listing {
    match &container {
        Container::Chat(_) => Listing {
            start_s: Some(since_ms.div_euclid(1000)),
            sort: Sort::NewestFirst,
            ..Listing::of(container)
        },
        Container::Thread(_) => Listing { sort: Sort::NewestFirst, ..Listing::of(container) },
    }
}

fn is_ours(message: &RestMessage, app: &AppRuntime) -> bool {
    message.sender.sender_type == "app" && message.sender.id == app.app_id.as_str()
}

/// Whether it could be this one: type, quoted message, words.
fn says(message: &RestMessage, op: &Op) -> bool {
    let wanted = op.message();
    let parent = match op {
        Op::Reply { message_id, .. } => Some(message_id),
        // It may have gone as an image or as a file.
        Op::File { to, .. } => {
            let as_sent = Outgoing { msg_type: message.msg_type.clone(), ..to.message().clone() };
            let is_file = matches!(message.msg_type.as_str(), "file" | "image");
            return is_file && says(message, &to.with_message(as_sent));
        }
        Op::WhileUp { op, .. } => return says(message, op),
        Op::Send { .. } | Op::Update { .. } => None,
    };
    let words = match (text(&wanted.content), text(&message.content)) {
        // A mention is written in another way when it is read back; so is all that is no text.
        (Some(sent), Some(read)) if wanted.msg_type == "text" && !sent.contains("<at ") => {
            sent.trim() == read.trim()
        }
        _ => true,
    };
    message.msg_type == wanted.msg_type
        && message.parent_id.as_ref() == parent
        && (words || message.deleted)
}

/// The words of a text message's content.
fn text(content: &str) -> Option<String> {
    let content: Value = serde_json::from_str(content).ok()?;
    content.get("text")?.as_str().map(str::to_owned)
}

fn refused(error: ApiError) -> Seen {
    match error.disposition() {
        Disposition::Retry { .. } | Disposition::Reauthenticate => Seen::Later(Box::new(error)),
        Disposition::Permanent
        | Disposition::Fatal
        | Disposition::MessageGone
        | Disposition::Simplify
        | Disposition::TooLong => {
            let log_id = error.log_id.as_ref().map(ToString::to_string).unwrap_or_default();
            closed(&error.code(), &error.to_string(), log_id)
        }
    }
}

fn closed(code: &str, detail: &str, log_id: String) -> Seen {
    Seen::Closed { code: code.to_owned(), detail: detail.to_owned(), log_id }
}
