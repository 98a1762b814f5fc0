//! Is it well? One report for `status`, `/ready` and the metrics.

mod export;
mod figures;
mod link;

use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use figures::Figures;
use larkline_store::record::{BootRecord, Depths, LastHandled, Tally};
pub use link::LinkView;
use serde::{Deserialize, Serialize};

use crate::alert::FiringAlert;
use crate::clock::now_ms;
use crate::config::Config;
use crate::descriptors::Descriptors;
use crate::governor::GovernorStatus;
use crate::handler::children::{ChildInfo, ChildUsage, Isolation};
use crate::host::{Host, Own};
use crate::proof::{self, Proof};
use crate::quota::MonthlyCalls;
use crate::say_in;
use crate::shared::{AppRuntime, Shared};
use crate::unanswered::UnansweredMessage;
use crate::words::{self, Lang};

/// The members of a report that tell in Chinese what another tells in English: those that
/// [`Status::in_english`] clears, for whoever has the report as JSON.
pub const IN_CHINESE: [&str; 3] = ["detail_zh", "stage_zh", "why_not_zh"];

/// The gateway's state at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Version of the binary.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Unique id of this run.
    pub boot_id: String,
    /// When it started, Unix ms.
    pub started_ms: i64,
    /// When this report was made, Unix ms.
    pub at_ms: i64,
    /// True when every link is verified and the store takes writes.
    pub ready: bool,
    /// Why not, one sentence a reason.
    pub not_ready: Vec<String>,
    /// Whether more messages wait than are let in.
    #[serde(default)]
    pub overfull: bool,
    /// One entry an app.
    pub apps: Vec<AppStatus>,
    /// Deliveries by app and verdict, since the store was made.
    pub tally: Vec<Tally>,
    /// What waits now.
    pub depths: Depths,
    /// Whether the store takes writes, answers, and can be read.
    pub store_writable: bool,
    /// When the tally, the depths and what was handled last were read, Unix ms, if the store did not
    /// answer this report; 0 if they never were.
    #[serde(default)]
    pub figures_of_ms: Option<i64>,
    /// Running children of handlers.
    pub children: Vec<ChildInfo>,
    /// What they use, each with all it started.
    pub usage: Vec<ChildUsage>,
    /// How children are kept apart and limited on this machine.
    pub isolation: Isolation,
    /// What a handler finished last; none among the newest few hundred events.
    pub last_handled: Option<LastHandled>,
    /// Messages of people that are late, oldest first.
    pub unanswered: Vec<UnansweredMessage>,
    /// Alerts that fire, longest first.
    #[serde(default)]
    pub alerts: Vec<FiringAlert>,
    /// File descriptors and sockets of this process.
    pub descriptors: Descriptors,
    /// What this process uses.
    #[serde(default)]
    pub own: Own,
    /// How busy the machine is.
    #[serde(default)]
    pub host: Host,
    /// Starts since the store was made, this one included.
    #[serde(default)]
    pub boots: u64,
    /// Version of the store's schema.
    #[serde(default)]
    pub schema: usize,
    /// How the run before this one ended, and what it left.
    #[serde(default)]
    pub previous: Previous,
}

/// What a start found of the run before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its version; empty when there was none.
    pub version: String,
    /// Why it ended; `None` when it never said so, or there was none.
    pub end: Option<String>,
    /// Tasks and messages that it had in hand, and that wait again.
    pub released: u64,
    /// Conversations that it left in a turn, and that can be resumed.
    pub suspended: u64,
}

/// One app at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppStatus {
    /// Name in the configuration.
    pub name: String,
    /// The platform's id.
    pub app_id: String,
    /// The bot's open id; empty until the platform has told it.
    pub bot: String,
    /// The connection.
    pub link: LinkView,
    /// Whether the link hears, proofs of rising strength.
    pub proofs: Vec<Proof>,
    /// Silence after which the platform is asked whether the link hears: learnt from the app's own
    /// habits at the time of its last event.
    #[serde(default)]
    pub unusual_silence_ms: u64,
    /// Whether it is; else there is too little history, and it is `link.suspect_after`.
    #[serde(default)]
    pub is_silence_learnt: bool,
    /// Messages read back from chats since the start, which the platform had not delivered.
    #[serde(default)]
    pub repaired: u64,
    /// People's messages in groups since the start.
    pub group_messages: u64,
    /// Those of them that mention the bot.
    pub group_mentions: u64,
    /// What goes out.
    pub governor: GovernorStatus,
    /// The calls of the month.
    #[serde(default)]
    pub month: MonthlyCalls,
}

impl Status {
    /// Takes the report; a store that hangs or cannot be read does not hold it up.
    pub async fn take(shared: &Shared, apps: &[Arc<AppRuntime>]) -> Self {
        let (figures, figures_of_ms) = shared.figures.read(&shared.store).await;
        let apps = AppStatus::take_all(shared, apps);
        let not_ready = Unready::of(shared, &apps).reasons(Lang::En);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            boot_id: shared.boot_id.clone(),
            started_ms: shared.started_ms,
            at_ms: now_ms(),
            ready: not_ready.is_empty(),
            not_ready,
            overfull: shared.overfull.load(Ordering::Relaxed),
            apps,
            tally: figures.tally,
            depths: figures.depths,
            last_handled: figures.last_handled,
            figures_of_ms,
            store_writable: shared.store_health.is_well(),
            usage: usage(shared).await,
            isolation: shared.children.isolation().clone(),
            children: shared.children.running(),
            unanswered: shared.unanswered.list(),
            alerts: shared.alerts.firing(),
            descriptors: Descriptors::count(),
            own: Own::read(),
            host: Host::read(),
            boots: shared.boot.count,
            schema: larkline_store::SCHEMA,
            previous: Previous::of(&shared.boot),
        }
    }

    /// The report for programs: without the Chinese that a client of the socket reads.
    pub fn in_english(&mut self) {
        self.unanswered.iter_mut().for_each(|late| late.stage_zh.clear());
        let proofs = self.apps.iter_mut().flat_map(|app| &mut app.proofs);
        proofs.for_each(|proof| proof.detail_zh.clear());
        self.isolation.why_not_zh = None;
    }

    /// Why it is not ready, one sentence a reason; [`Status::not_ready`] has the English ones.
    pub fn reasons(&self, lang: Lang) -> Vec<String> {
        let (overfull, store_writable) = (self.overfull, self.store_writable);
        Unready { apps: &self.apps, overfull, store_writable }.reasons(lang)
    }
}

/// Why it is not ready, in English. The store is not asked: it may be what hangs.
pub fn not_ready(shared: &Shared, apps: &[Arc<AppRuntime>]) -> Vec<String> {
    Unready::of(shared, &AppStatus::take_all(shared, apps)).reasons(Lang::En)
}

/// All that readiness depends on.
struct Unready<'a> {
    apps: &'a [AppStatus],
    overfull: bool,
    store_writable: bool,
}

impl<'a> Unready<'a> {
    fn of(shared: &Shared, apps: &'a [AppStatus]) -> Self {
        let overfull = shared.overfull.load(Ordering::Relaxed);
        Self { apps, overfull, store_writable: shared.store_health.is_well() }
    }

    fn reasons(&self, lang: Lang) -> Vec<String> {
        let mut reasons: Vec<String> =
            self.apps.iter().filter_map(|app| app.not_ready(lang)).collect();
        if self.overfull {
            reasons.push(say_in!(lang,
                zh: "等待的消息超过 `limits.queue_max`；请查看哪个处理器太慢或停止了",
                en: "more messages wait than `limits.queue_max` allows; see which handler is slow or down"
            ));
        }
        if !self.store_writable {
            reasons.push(say_in!(lang,
                zh: "存储拒绝写入或没有响应；请释放磁盘空间，或检查磁盘和权限",
                en: "the store refuses writes or does not answer; free disk space, or check the disk and its permissions"
            ));
        }
        reasons
    }
}

impl Previous {
    fn of(boot: &BootRecord) -> Self {
        Self {
            version: boot.previous_version.clone(),
            end: boot.previous_end.clone(),
            released: boot.released,
            suspended: boot.suspended,
        }
    }
}

impl AppStatus {
    fn take_all(shared: &Shared, apps: &[Arc<AppRuntime>]) -> Vec<Self> {
        let config = shared.config.load();
        apps.iter().map(|app| Self::take(app, &config)).collect()
    }

    fn take(app: &AppRuntime, config: &Config) -> Self {
        // Copied out: holding the borrow would hold up the link's own task.
        let link = app.link.status().borrow().clone();
        Self {
            proofs: app.proofs.list(&link),
            unusual_silence_ms: app.proofs.unusual().0,
            is_silence_learnt: app.proofs.unusual().1,
            repaired: app.proofs.repaired(),
            name: app.name.clone(),
            app_id: app.app_id.to_string(),
            bot: app.bot.borrow().as_ref().map(ToString::to_string).unwrap_or_default(),
            link: LinkView::of(&link),
            group_messages: app.groups.messages.load(Ordering::Relaxed),
            group_mentions: app.groups.mentions.load(Ordering::Relaxed),
            governor: app.governor.status(),
            month: app.quota.month(&app.api, config.quota_of(&app.name), now_ms()),
        }
    }

    fn not_ready(&self, lang: Lang) -> Option<String> {
        let app = &self.name;
        if self.link.verified && self.bot.is_empty() {
            return Some(say_in!(lang,
                zh: "应用 {app}：平台还没有告知机器人是谁，因此不会路由任何消息；请查看日志",
                en: "app {app}: the platform has not told who the bot is, so nothing is routed; see the log"
            ));
        }
        if self.link.verified {
            let proof = proof::weakest_failing(&self.proofs)?;
            return Some(say_in!(lang,
                zh: "应用 {app}：证明 `{name}` 不成立：{detail}；请运行 `larkline doctor`",
                en: "app {app}: the proof `{name}` fails: {detail}; see `larkline doctor`",
                name = proof.name, detail = proof.detail(lang)
            ));
        }
        let colon = lang.either("：", ": ");
        let fault = self.link.fault_said(lang).map(|f| format!("{colon}{f}")).unwrap_or_default();
        let state = words::link_state(lang, &self.link.state);
        Some(say_in!(lang,
            zh: "应用 {app}：连接{state}{fault}",
            en: "app {app}: the link is {state}{fault}"
        ))
    }
}

/// Reading `/proc` takes milliseconds: not on a thread that also answers pings.
async fn usage(shared: &Shared) -> Vec<ChildUsage> {
    if shared.children.running().is_empty() {
        return Vec::new();
    }
    let children = shared.children.clone();
    tokio::task::spawn_blocking(move || children.usage()).await.unwrap_or_default()
}
