//! What the workers of one daemon share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use larkline_client::link::LinkHandle;
use larkline_client::{ApiClient, ApiError};
use larkline_proto::event::Message;
use larkline_proto::id::{AppId, OpenId};
use larkline_store::inbox::{Concluded, Decision, Ruling};
use larkline_store::outbox::NewOutbox;
use larkline_store::record::BootRecord;
use larkline_store::{Store, StoreError};
use tokio::sync::{Notify, watch};

use crate::ack::{Acks, Refusals};
use crate::alert::{Alerts, Health};
use crate::ask::Asks;
use crate::at_work::AtWork;
use crate::callback::Callbacks;
use crate::cards::Cards;
use crate::chat_watch::SeenChats;
use crate::config::Config;
use crate::governor::Governor;
use crate::grants::Grants;
use crate::handler::Children;
use crate::hands::Hands;
use crate::metrics::Metrics;
use crate::probe::Probes;
use crate::proof::Proofs;
use crate::pulse::Pulse;
use crate::quota::Quota;
use crate::status::Figures;
use crate::turns::Turns;
use crate::unanswered::Unanswered;

/// Shared by all workers.
pub struct Shared {
    /// Unique id of this run.
    pub boot_id: String,
    /// When it started, Unix ms.
    pub started_ms: i64,
    /// What the start found in the store.
    pub boot: BootRecord,
    /// The gateway's memory.
    pub store: Arc<dyn Store>,
    /// The HTTP listener's address, as it was bound at the start.
    pub http: Option<SocketAddr>,
    /// The configuration; a reload swaps it.
    pub config: ArcSwap<Config>,
    /// Apps for which something waits and that nobody serves since they were removed or renamed.
    pub stranded: Vec<String>,
    /// Instruments.
    pub metrics: Metrics,
    /// Workers started over after a failure.
    pub restarts: Arc<AtomicU64>,
    /// Whether the store takes writes.
    pub store_health: StoreHealth,
    /// What reports read from it.
    pub figures: Figures,
    /// Children of handlers.
    pub children: Children,
    /// Tasks that handlers work on now.
    pub at_work: AtWork,
    /// How many of them each handler has.
    pub hands: Hands,
    /// Messages of people that are late.
    pub unanswered: Unanswered,
    /// What workers see in passing.
    pub health: Health,
    /// What is wrong, and who knows.
    pub alerts: Alerts,
    /// Probes under way.
    pub probes: Probes,
    /// True while more waits than the bound allows: nothing more is acked.
    pub overfull: AtomicBool,
    /// How much waits while that is more than half of the bound: chats are told; else 0.
    pub crowd: AtomicU64,
    /// Acks that wait for a handler.
    pub callbacks: Callbacks,
    /// Turns of conversations that run.
    pub turns: Arc<Turns>,
    /// Reactions that acknowledge messages without a verdict.
    pub acks: Acks,
    /// Questions that turns have asked.
    pub asks: Arc<Asks>,
    /// What running tasks may do in their chats.
    pub grants: Arc<Grants>,
    /// Cards that grow.
    pub cards: Cards,
    /// Wakes the routing workers.
    pub routing: Notify,
    /// Wakes the dispatch workers.
    pub dispatch: Notify,
    /// Wakes the delivery workers.
    pub delivery: Notify,
    /// Wakes those who wait until a message is sent.
    pub delivered: Notify,
}

impl Shared {
    /// Wakes those who have work by decisions that were committed.
    pub fn wake_after<'a>(&self, rulings: impl Iterator<Item = &'a Ruling>) {
        let (mut tasks, mut notices) = (false, false);
        for ruling in rulings {
            tasks |= matches!(ruling.decision, Decision::Queue(_));
            notices |= ruling.notice.is_some();
        }
        if tasks {
            self.dispatch.notify_waiters();
        }
        if notices {
            self.delivery.notify_waiters();
        }
    }

    /// A call of the platform's API ended with this code.
    pub fn called(&self, app: &str, endpoint: &str, code: &str) {
        self.metrics.call(app, endpoint, code);
        self.health.call(app, code);
    }

    /// A call of the platform's API ended so.
    pub fn answered<T>(&self, app: &str, endpoint: &str, answer: &Result<T, ApiError>) {
        let code = answer.as_ref().err().map_or_else(|| "0".into(), ApiError::code);
        self.called(app, endpoint, &code);
    }

    /// Puts rows into the outbox that nothing depends on.
    pub async fn say(&self, rows: Vec<NewOutbox>) {
        if rows.is_empty() {
            return;
        }
        match self.store.enqueue(rows).await {
            Ok(_) => self.delivery.notify_waiters(),
            Err(error) => self.store_health.failed("enqueue", &error),
        }
    }

    /// A settlement reached the disk; if it decided the verdict of events, that is the last line
    /// of each in the log.
    pub async fn settled(&self, concluded: Vec<Concluded>) {
        self.store_health.recovered();
        self.say(self.acks.concluded(&concluded)).await;
        for Concluded { app, inbox, event_id, verdict, why } in concluded {
            tracing::info!(app, %event_id, inbox_id = inbox.0, verdict, why, "verdict");
        }
    }
}

/// One app's sockets and limits.
pub struct AppRuntime {
    /// Name in the configuration.
    pub name: String,
    /// The platform's id.
    pub app_id: AppId,
    /// The platform's API.
    pub api: ApiClient,
    /// Permits for what goes out.
    pub governor: Arc<Governor>,
    /// The supervised connection.
    pub link: LinkHandle,
    /// Newest event of this run that has its log line and, for a callback, its waiting ack;
    /// routing passes none that is newer.
    pub announced: AtomicI64,
    /// Whether many events may wait for a decision (of an earlier run, of a time without knowing the
    /// bot, read back from the history): those that come now are left to routing, behind them. A
    /// hint: the store takes no decision before an older one of its chat.
    pub undecided: AtomicBool,
    /// Chats seen in this run.
    pub chats: SeenChats,
    /// The bot's own open id, once the platform has told it.
    pub bot: watch::Sender<Option<OpenId>>,
    /// Messages in groups since the start.
    pub groups: Groups,
    /// What the platform was asked for as proof that the link hears.
    pub proofs: Proofs,
    /// What each minute of the last day was like.
    pub pulse: Pulse,
    /// The calls of the month.
    pub quota: Quota,
    /// What reactions met.
    pub reactions: Refusals,
}

/// People's messages in groups since the start: many without a mention of the bot among them
/// look like a missing scope.
#[derive(Debug, Default)]
pub struct Groups {
    /// All of them.
    pub messages: AtomicU64,
    /// Those that mention the bot.
    pub mentions: AtomicU64,
}

impl Groups {
    /// Counts a message.
    pub fn count(&self, message: &Message, bot: &OpenId) {
        if message.chat_type.is_direct() || message.from_bot() {
            return;
        }
        self.messages.fetch_add(1, Ordering::Relaxed);
        if message.mentions_bot(bot) {
            self.mentions.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Remembers whether the store takes writes, answers and can be read, and says aloud when that changes.
#[derive(Debug, Default)]
pub struct StoreHealth {
    ill: AtomicBool,
    hangs: AtomicBool,
    unread: AtomicBool,
}

impl StoreHealth {
    /// True while writes fail.
    pub fn is_ill(&self) -> bool {
        self.ill.load(Ordering::Relaxed)
    }

    /// True while neither writes nor reads fail or hang.
    pub fn is_well(&self) -> bool {
        let ills = [&self.ill, &self.hangs, &self.unread];
        ills.into_iter().all(|ill| !ill.load(Ordering::Relaxed))
    }

    /// What became of the newest read.
    pub fn read(&self, error: Option<&StoreError>) {
        match (self.unread.swap(error.is_some(), Ordering::Relaxed), error) {
            (false, Some(error)) => tracing::error!(
                code = error.code(),
                "the store cannot be read: {error}; what waits in it stays there until it can"
            ),
            (true, None) => tracing::info!("the store can be read again"),
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Whether it has been silent for too long: nothing fails where nothing is answered.
    pub fn hangs(&self, hangs: bool) {
        match (self.hangs.swap(hangs, Ordering::Relaxed), hangs) {
            (false, true) => tracing::error!(
                "the disk of the state directory, or the store on it, does not answer; what is not written is not acked; see whether the disk is mounted and alive"
            ),
            (true, false) => tracing::info!("the disk and the store answer again"),
            (true, true) | (false, false) => {}
        }
    }

    /// A write failed. To be refused, as when a lease was lost, is not an illness.
    pub fn failed(&self, during: &'static str, error: &StoreError) {
        if error.is_refusal() {
            tracing::warn!(during, code = error.code(), "{error}");
        } else if !self.ill.swap(true, Ordering::Relaxed) {
            tracing::error!(
                during,
                code = error.code(),
                "the store refuses writes: {error}; events are not acked until it heals, which needs no restart; the platform redelivers them"
            );
        }
    }

    /// A write succeeded.
    pub fn recovered(&self) {
        if self.ill.swap(false, Ordering::Relaxed) {
            tracing::info!("the store takes writes again");
        }
    }
}
