//! What an outbox row asks for, as JSON in its body.

// tidy: long file: one operation with each of its forms, side by side

use std::path::{Path, PathBuf};

use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use larkline_proto::event::Event;
use larkline_proto::id::{ChatId, EventId, MessageId};
use larkline_store::inbox::{InboxId, InboxItem};
use larkline_store::job::JOB;
use larkline_store::outbox::NewOutbox;
use larkline_store::task::TaskId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::card;
use crate::config::{Common, ReplyStyle};
use crate::words::{self, Lang};

/// Bytes of one answer that become cards, some ten of them; a longer one is a file besides.
const SHOWN_BYTES_MAX: usize = 200 * 1024;
/// Bytes of one answer in that file: the row that holds it is one of a database.
const WHOLE_BYTES_MAX: usize = 8 << 20;

/// Part of the key of the row that sends the card of a turn.
pub const CARD: &str = "card";

/// One thing to do on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Answer a message, quoting it.
    Reply {
        /// The message to answer.
        message_id: MessageId,
        /// Its chat, for when it can no longer be quoted.
        chat_id: ChatId,
        /// Answer inside a thread.
        in_thread: bool,
        /// What to say.
        message: Outgoing,
    },
    /// Write to a chat or a person.
    Send {
        /// Whom.
        to: ReceiveId,
        /// What to say.
        message: Outgoing,
    },
    /// Upload a file and send it.
    File {
        /// The message that carries it, its content still without the key: a `Reply` or a `Send`.
        to: Box<Self>,
        /// Its name in the chat.
        name: String,
        /// Where its bytes are.
        source: Source,
    },
    /// Put a card in the place of the one that an earlier row of the same chat sent. Repeating it
    /// does no harm.
    Update {
        /// The key of that row.
        row: String,
        /// The chat.
        chat_id: ChatId,
        /// The card.
        message: Outgoing,
        /// What is done when there is no such card, or it cannot be changed; nothing by default.
        otherwise: Option<Box<Self>>,
    },
    /// What is true only while this run of the gateway lasts; a later one leaves it out.
    WhileUp {
        /// The id of the run.
        boot_id: String,
        /// What to do.
        #[serde(rename = "what")]
        op: Box<Self>,
    },
}

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// In a file, which stays until it was sent.
    Path(PathBuf),
    /// Here.
    Text(String),
}

/// One thing that a handler says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// A message as it is.
    Message(Outgoing),
    /// An answer in Markdown: a card, or as many as it takes, in plainer forms where the platform
    /// refuses them.
    Answer {
        /// The words: nothing in them but Markdown has an effect.
        markdown: String,
        /// What the gateway itself says about it, as cards have it; empty for nothing.
        ending: String,
        /// Small words below: time, tools, cost; empty for none.
        footer: String,
    },
    /// A file.
    File {
        /// Its name in the chat.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
}

impl From<Outgoing> for Saying {
    fn from(message: Outgoing) -> Self {
        Self::Message(message)
    }
}

/// Where answers to an event go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Name of the app.
    pub app: String,
    /// The event.
    pub inbox: InboxId,
    /// Its id at the platform; makes idempotency keys that outlive a lost state directory.
    pub event_id: EventId,
    /// The task that answers.
    pub task: TaskId,
    /// Name of the handler that answers.
    pub handler: String,
    /// The chat.
    pub chat_id: ChatId,
    /// The message to quote; none for events that are no messages, or for plain answers.
    pub quote: Option<MessageId>,
    /// Answer inside a thread.
    pub in_thread: bool,
}

impl Op {
    /// The message to be said.
    pub fn message(&self) -> &Outgoing {
        match self {
            Self::Reply { message, .. }
            | Self::Send { message, .. }
            | Self::Update { message, .. } => message,
            Self::File { to: op, .. } | Self::WhileUp { op, .. } => op.message(),
        }
    }

    /// Whether it puts a card in the place of another.
    pub fn is_update(&self) -> bool {
        match self {
            Self::Update { .. } => true,
            Self::WhileUp { op, .. } => op.is_update(),
            Self::Reply { .. } | Self::Send { .. } | Self::File { .. } => false,
        }
    }

    /// Where the file lies that it sends.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File { source: Source::Path(path), .. } => Some(path),
            Self::WhileUp { op, .. } => op.path(),
            Self::Reply { .. } | Self::Send { .. } | Self::Update { .. } | Self::File { .. } => {
                None
            }
        }
    }

    /// The same without a quotation, for a source that was recalled or deleted. `None` when
    /// nothing was quoted.
    pub fn unquoted(&self) -> Option<Self> {
        match self {
            Self::Reply { chat_id, message, .. } => {
                Some(Self::Send { to: ReceiveId::Chat(chat_id.clone()), message: message.clone() })
            }
            Self::File { to, name, source } => Some(Self::File {
                to: Box::new(to.unquoted()?),
                name: name.clone(),
                source: source.clone(),
            }),
            // The card to be changed is what is gone.
            Self::Update { otherwise, .. } => otherwise.as_deref().cloned(),
            Self::WhileUp { boot_id, op } => Some(op.unquoted()?.while_up(boot_id)),
            Self::Send { .. } => None,
        }
    }

    /// The same, for as long as this run lasts.
    #[must_use]
    pub fn while_up(self, boot_id: &str) -> Self {
        Self::WhileUp { boot_id: boot_id.to_owned(), op: Box::new(self) }
    }

    /// The same in a plainer form: out of the thread, then card, post, text, and the text as a
    /// file. `None` when this is as plain as it gets.
    pub fn simpler(&self, lang: Lang) -> Option<Self> {
        match self {
            Self::Reply { message_id, chat_id, in_thread: true, message } => Some(Self::Reply {
                message_id: message_id.clone(),
                chat_id: chat_id.clone(),
                in_thread: false,
                message: message.clone(),
            }),
            Self::Reply { message, .. } | Self::Send { message, .. } => match message.simpler() {
                Some(simpler) => Some(self.with_message(simpler)),
                None => self.as_file(),
            },
            Self::Update { otherwise, .. } => otherwise.as_deref().cloned(),
            Self::WhileUp { boot_id, op } => Some(op.simpler(lang)?.while_up(boot_id)),
            // What could not be sent as a text was tried before it became a file.
            Self::File { source: Source::Text(_), .. } => None,
            // Where it lies is the operator's business, and not the chat's.
            Self::File { to, name, source: Source::Path(_) } => {
                Some(to.with_message(Outgoing::text(&words::file_not_sent(lang, name))))
            }
        }
    }

    /// A text as a file.
    fn as_file(&self) -> Option<Self> {
        let text = self.message().words()?;
        Some(Self::File {
            to: Box::new(self.with_message(Outgoing::file(""))),
            name: "message.txt".to_owned(),
            source: Source::Text(text),
        })
    }

    /// The same with another message.
    pub fn with_message(&self, new: Outgoing) -> Self {
        let mut op = self.clone();
        match &mut op {
            Self::Reply { message, .. }
            | Self::Send { message, .. }
            | Self::Update { message, .. } => *message = new,
            Self::File { to, .. } => return to.with_message(new),
            Self::WhileUp { op, .. } => **op = op.with_message(new),
        }
        op
    }

    /// The order it keeps: rows of one lane leave one after the other.
    pub fn lane(&self) -> &str {
        match self {
            Self::Reply { chat_id, .. } | Self::Update { chat_id, .. } => chat_id.as_str(),
            Self::Send { to, .. } => to.as_str(),
            Self::File { to: op, .. } | Self::WhileUp { op, .. } => op.lane(),
        }
    }

    /// The row's body.
    pub fn to_body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a row's body.
    ///
    /// # Errors
    /// When another version wrote an operation this one does not know.
    pub fn from_body(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

impl Destination {
    /// Where answers of `handler` to `event` go; `None` for events without a chat.
    pub fn of(
        item: &InboxItem,
        task: TaskId,
        handler: &str,
        event: &Event,
        common: &Common,
    ) -> Option<Self> {
        let chat_id = event.chat_id().filter(|c| !c.is_empty())?.clone();
        let message = event.message();
        // Of a job it is the message that asked for it.
        let quoted = match message {
            Some(message) => Some(&message.id),
            None => event.message_id().filter(|_| event.kind == JOB),
        };
        Some(Self {
            app: item.app.clone(),
            inbox: item.id,
            event_id: item.event_id.clone(),
            task,
            handler: handler.to_owned(),
            chat_id,
            quote: quoted.filter(|_| common.reply == ReplyStyle::Quote).cloned(),
            in_thread: common.reply_in_thread || message.is_some_and(|m| m.thread_id.is_some()),
        })
    }

    /// The key of a row of this answer. `part` tells apart rows of one task (`a0` the answer, `n`
    /// a notice, `card` the card that grows): a second run of the same attempt makes the same
    /// keys, so nothing is said twice.
    pub fn key(&self, part: &str) -> String {
        key(&self.app, &self.event_id, &self.handler, part)
    }

    /// Outbox rows for what is said, in order; `part` as in [`Self::key`], and `growing` the key of
    /// the row whose card the first answer takes the place of.
    pub fn rows(
        &self,
        part: &str,
        sayings: Vec<Saying>,
        growing: Option<&str>,
        previews: bool,
        now_ms: i64,
    ) -> Vec<NewOutbox> {
        let (mut growing, mut files) = (growing, Vec::new());
        let mut ops: Vec<Op> = Vec::with_capacity(sayings.len());
        for saying in sayings {
            match saying {
                Saying::Message(message) => {
                    ops.extend(message.split().into_iter().map(|message| self.op(message)));
                }
                Saying::Answer { markdown, ending, footer } => {
                    let (shown, rest) = bounded(&markdown);
                    if let Some(whole) = rest {
                        files.push(Op::File {
                            to: Box::new(self.op(Outgoing::file(""))),
                            name: "answer.md".to_owned(),
                            source: Source::Text(whole),
                        });
                    }
                    for card in card::answer(shown, &ending, &footer) {
                        let said = self.op(card.clone());
                        ops.push(match growing.take() {
                            Some(row) => Op::Update {
                                row: row.to_owned(),
                                chat_id: self.chat_id.clone(),
                                message: card,
                                otherwise: Some(Box::new(said)),
                            },
                            None => said,
                        });
                    }
                }
                Saying::File { name, path } => ops.push(Op::File {
                    to: Box::new(self.op(Outgoing::file(""))),
                    name,
                    source: Source::Path(path),
                }),
            }
        }
        ops.extend(files);
        let row = |(n, op): (usize, Op)| self.row(&format!("{part}{n}"), &op, previews, now_ms);
        ops.into_iter().enumerate().map(row).collect()
    }

    /// One row; `part` as in [`Self::key`].
    pub fn row(&self, part: &str, op: &Op, previews: bool, now_ms: i64) -> NewOutbox {
        let key = self.key(part);
        NewOutbox {
            app: self.app.clone(),
            inbox: Some(self.inbox),
            task: Some(self.task),
            uuid: stable_uuid(&key),
            key,
            lane: op.lane().to_owned(),
            priority: 0,
            preview: if previews { op.message().preview() } else { String::new() },
            body: op.to_body(),
            created_ms: now_ms,
            due_ms: 0,
        }
    }

    /// A message to where answers go.
    pub fn op(&self, message: Outgoing) -> Op {
        match &self.quote {
            Some(message_id) => Op::Reply {
                message_id: message_id.clone(),
                chat_id: self.chat_id.clone(),
                in_thread: self.in_thread,
                message,
            },
            None => Op::Send { to: ReceiveId::Chat(self.chat_id.clone()), message },
        }
    }
}

/// The key of a row of what a handler says to an event, as [`Destination::key`].
pub fn key(app: &str, event: &EventId, handler: &str, part: &str) -> String {
    format!("{app}/{event}/{handler}/{part}")
}

/// As much of an answer as cards show, and all of it, as far as one file goes, where that is less.
fn bounded(markdown: &str) -> (&str, Option<String>) {
    if markdown.len() <= SHOWN_BYTES_MAX {
        return (markdown, None);
    }
    let shown = &markdown[..markdown.floor_char_boundary(SHOWN_BYTES_MAX)];
    let whole = &markdown[..markdown.floor_char_boundary(WHOLE_BYTES_MAX)];
    (shown, Some(whole.to_owned()))
}

/// A word of the gateway itself about a message that gets no answer, said once for each `why`;
/// it answers no task. `None` for events that are no messages, and for bots: they would answer.
pub fn notice(app: &str, event: &Event, why: &str, text: &str, now_ms: i64) -> Option<NewOutbox> {
    let message = event.message().filter(|m| !m.from_bot())?;
    let op = Op::Reply {
        message_id: message.id.clone(),
        chat_id: message.chat_id.clone(),
        in_thread: message.thread_id.is_some(),
        message: Outgoing::text(text),
    };
    let key = format!("{app}/{}/{why}", event.id);
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
        created_ms: now_ms,
        due_ms: 0,
    })
}

/// The platform's idempotency key for a row: 36 characters, the same for the same key.
pub fn stable_uuid(key: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).to_string()
}
