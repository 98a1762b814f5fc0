//! The state behind the platform: apps, people, chats, messages, and the ids between them.
//!
//! One `World` sits behind one lock. Nothing here waits or does I/O; time is an argument.
//! Delivery is in `delivery`, speech in `talk`, the open API in `api`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use larkline_proto::id::{AppId, ChatId, MessageId, OpenId, ThreadId};
use serde_json::{Value, json};

use crate::armed::Faults;
use crate::card::{CardTokens, Cards};
use crate::connection::ConnId;
use crate::delivery::{Conn, Deliveries};
use crate::hook::Hooks;
use crate::ledger::Ledger;
use crate::limit::Windows;
use crate::messages::Messages;
use crate::once::SentOnce;
use crate::options::{AppSpec, SimOptions};
use crate::registration::Registrations;
use crate::token::Tokens;

/// Tickets kept: each is used once, and 10 000 unused ones are a client that never dials.
const TICKETS_MAX: usize = 10_000;
/// The one tenant of this platform.
pub(crate) const TENANT: &str = "736588c9260f175e";

/// Index into [`World::apps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AppIx(pub(crate) usize);
/// Index into [`World::users`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserIx(pub(crate) usize);

pub(crate) struct App {
    pub(crate) spec: AppSpec,
    pub(crate) bot: OpenId,
    pub(crate) service_id: i32,
    pub(crate) access_key: String,
}

impl App {
    /// Whether one of these scopes is granted; an API without scopes is open to all.
    pub(crate) fn may(&self, any_of: &[&str]) -> bool {
        any_of.is_empty()
            || self
                .spec
                .scopes
                .as_ref()
                .is_none_or(|has| any_of.iter().any(|s| has.iter().any(|h| h == s)))
    }
}

pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) union_id: String,
    pub(crate) user_id: String,
    /// One per app, in the order of the apps.
    pub(crate) open_ids: Vec<OpenId>,
    /// False when outside every app's availability range.
    pub(crate) available: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChatKind {
    P2p { app: AppIx, user: UserIx },
    Group,
}

pub(crate) struct Chat {
    pub(crate) id: ChatId,
    pub(crate) kind: ChatKind,
    pub(crate) name: String,
    pub(crate) members: Vec<UserIx>,
    pub(crate) bots: BTreeSet<AppIx>,
    /// A topic group: every message that answers none begins a thread.
    pub(crate) topics: bool,
    pub(crate) muted: bool,
    pub(crate) dissolved: bool,
    pub(crate) number: u64,
}

impl Chat {
    /// The event's `chat_type`.
    pub(crate) fn event_type(&self) -> &'static str {
        match self.kind {
            ChatKind::P2p { .. } => "p2p",
            ChatKind::Group => "group",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    App(AppIx),
    User(UserIx),
}

/// Who is meant by one `@_user_n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mentioned {
    Bot(AppIx),
    User(UserIx),
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) chat: ChatId,
    pub(crate) sender: Sender,
    pub(crate) msg_type: String,
    /// Exactly as sent.
    pub(crate) sent: String,
    /// As it is read back.
    pub(crate) received: String,
    pub(crate) mentions: Vec<Mentioned>,
    pub(crate) root: Option<MessageId>,
    pub(crate) parent: Option<MessageId>,
    pub(crate) thread: Option<ThreadId>,
    pub(crate) at_ms: u64,
    pub(crate) updated_ms: u64,
    pub(crate) updated: bool,
    pub(crate) edits: u32,
    pub(crate) recalled: bool,
    pub(crate) reactions: Vec<Reaction>,
    /// Who has read it, and when.
    pub(crate) read_by: Vec<(UserIx, u64)>,
    /// The card entity it shows.
    pub(crate) card: Option<String>,
    /// Row in the ledger, for messages of apps.
    pub(crate) row: Option<u64>,
}

/// One stored upload.
pub(crate) struct StoredFile {
    pub(crate) owner: Option<AppIx>,
    pub(crate) image: bool,
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

pub(crate) struct Ticket {
    pub(crate) app: AppIx,
    pub(crate) conn: ConnId,
    pub(crate) used: bool,
}

#[derive(Clone)]
pub(crate) struct Reaction {
    pub(crate) id: String,
    pub(crate) by: Sender,
    pub(crate) emoji: String,
    pub(crate) at_ms: u64,
    /// Row in the ledger, for reactions of apps.
    pub(crate) row: Option<u64>,
}

pub(crate) struct World {
    pub(crate) options: SimOptions,
    pub(crate) tls: bool,
    pub(crate) rng: fastrand::Rng,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    pub(crate) apps: Vec<App>,
    pub(crate) users: Vec<User>,
    pub(crate) chats: BTreeMap<ChatId, Chat>,
    pub(crate) messages: Messages,
    pub(crate) files: BTreeMap<String, StoredFile>,
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    pub(crate) tickets: HashMap<String, Ticket>,
    ticket_order: VecDeque<String>,
    pub(crate) tokens: Tokens,
    pub(crate) windows: Windows,
    pub(crate) sent_once: SentOnce,
    pub(crate) deliveries: Deliveries,
    pub(crate) registrations: Registrations,
    pub(crate) hooks: Hooks,
    pub(crate) cards: Cards,
    pub(crate) card_tokens: CardTokens,
    pub(crate) load: Option<crate::load::Run>,
    pub(crate) by_open_id: HashMap<OpenId, (UserIx, AppIx)>,
    pub(crate) p2ps: HashMap<(UserIx, AppIx), ChatId>,
    number: u64,
}

impl World {
    pub(crate) fn new(options: SimOptions, tls: bool) -> Self {
        let mut world = Self {
            rng: fastrand::Rng::with_seed(options.seed),
            apps: Vec::new(),
            ledger: Ledger::default(),
            faults: Faults::new(options.seed),
            users: Vec::new(),
            chats: BTreeMap::new(),
            messages: Messages::default(),
            files: BTreeMap::new(),
            conns: BTreeMap::new(),
            tickets: HashMap::new(),
            ticket_order: VecDeque::new(),
            tokens: Tokens::default(),
            windows: Windows::default(),
            sent_once: SentOnce::default(),
            deliveries: Deliveries::default(),
            registrations: Registrations::default(),
            hooks: Hooks::default(),
            cards: Cards::default(),
            card_tokens: CardTokens::default(),
            load: None,
            by_open_id: HashMap::new(),
            p2ps: HashMap::new(),
            number: 0,
            options,
            tls,
        };
        for spec in world.options.apps.clone() {
            world.add_app(spec);
        }
        world
    }

    /// Random lower-case hex digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        std::iter::repeat_with(|| char::from(b"0123456789abcdef"[self.rng.usize(..16)]))
            .take(digits)
            .collect()
    }

    /// A random UUID, as frame ids and tickets are.
    pub(crate) fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.rng.u128(..).to_be_bytes()).into_uuid().to_string()
    }

    /// The next number of creation.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(crate) fn app(&self, app: AppIx) -> &App {
        &self.apps[app.0]
    }

    pub(crate) fn app_ix(&self, id: &str) -> Option<AppIx> {
        self.apps.iter().position(|a| a.spec.app_id.as_str() == id).map(AppIx)
    }

    pub(crate) fn app_id(&self, app: AppIx) -> AppId {
        self.app(app).spec.app_id.clone()
    }

    pub(crate) fn user(&self, user: UserIx) -> &User {
        &self.users[user.0]
    }

    /// Whose open id this is, and for which app.
    pub(crate) fn by_open_id(&self, id: &OpenId) -> Option<(UserIx, AppIx)> {
        self.by_open_id.get(id).copied()
    }

    pub(crate) fn violation(&mut self, text: String) {
        tracing::warn!(violation = %text, "a real server would object");
        let rows_max = self.options.ledger_rows_max;
        self.ledger.violations.push(text, rows_max);
    }

    /// Keeps a message; the oldest goes when too many are kept.
    pub(crate) fn keep_message(&mut self, message: Message) {
        self.messages.keep(message, self.options.ledger_rows_max);
    }

    /// The messages of a chat, oldest at the front.
    pub(crate) fn history<'a>(
        &'a self,
        chat: &'a ChatId,
    ) -> impl Iterator<Item = &'a Message> + 'a {
        self.messages.of(chat)
    }

    /// A single-use ticket for one connection.
    pub(crate) fn issue_ticket(&mut self, app: AppIx) -> (String, ConnId) {
        let ticket = self.uuid();
        let conn = ConnId(self.rng.u64(7_000_000_000_000_000_000..8_000_000_000_000_000_000));
        if self.ticket_order.len() >= TICKETS_MAX
            && let Some(oldest) = self.ticket_order.pop_front()
        {
            self.tickets.remove(&oldest);
        }
        self.ticket_order.push_back(ticket.clone());
        self.tickets.insert(ticket.clone(), Ticket { app, conn, used: false });
        (ticket, conn)
    }

    /// The three ids of a user, as events carry them.
    pub(crate) fn user_ids(&self, user: UserIx, app: AppIx) -> Value {
        let person = self.user(user);
        let mut ids = json!({
            "union_id": person.union_id,
            "open_id": person.open_ids[app.0],
        });
        if self.app(app).may(&["contact:user.employee_id:readonly"]) {
            ids["user_id"] = json!(person.user_id);
        }
        ids
    }

    /// Everything a page or a script wants to know about who is there.
    pub(crate) fn describe(&self) -> Value {
        let apps: Vec<_> = self
            .apps
            .iter()
            .map(|a| json!({"app_id": a.spec.app_id, "name": a.spec.name, "bot_open_id": a.bot}))
            .collect();
        let users: Vec<_> = self
            .users
            .iter()
            .map(|u| {
                json!({
                    "name": u.name,
                    "open_id": u.open_ids.first(),
                    "open_ids": u.open_ids,
                    "user_id": u.user_id,
                    "union_id": u.union_id,
                })
            })
            .collect();
        let mut chats: Vec<_> = self.chats.values().collect();
        chats.sort_by_key(|c| c.number);
        let chats: Vec<_> = chats
            .into_iter()
            .map(|c| {
                let members: Vec<_> =
                    c.members.iter().filter_map(|m| self.user(*m).open_ids.first()).collect();
                json!({"chat_id": c.id, "chat_type": c.event_type(), "name": c.name, "members": members})
            })
            .collect();
        json!({"apps": apps, "users": users, "chats": chats})
    }
}
