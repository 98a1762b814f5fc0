//! The daemon, top to bottom: lock, open, announce, work, drain.
//!
//! Stages end in this order, each with what is left of one deadline: intake (the link closes
//! before any work is refused, so the platform redelivers elsewhere), work (running handlers
//! finish or are ended), out (replies in hand leave), service (admin API, upkeep). A second
//! signal ends everything at once.

mod end;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use larkline_failpoint::failpoint;
use larkline_store::SqliteStore;
use larkline_store::Store;
use larkline_store::record::{BootRecord, NewBoot};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::admin::Command;
use crate::alert;
use crate::both::{Both, both};
use crate::clock::{self, now_ms};
use crate::config::{Config, OURS};
use crate::handler::Children;
use crate::instance::{Claims, Holder, InstanceLock, LockError};
use crate::run_error::RunError;
use crate::service_manager::Manager;
use crate::shared::Shared;
use crate::signals::{Name, Signals};
use crate::stages::Stages;
use crate::words::Lang;

/// Commands that may wait for the main loop; more than a person can type.
const COMMANDS_MAX: usize = 16;

/// How to run.
pub struct RunOptions {
    /// The checked configuration.
    pub config: Config,
    /// Reads the configuration again; the error lists its problems.
    pub reload: Box<dyn Fn() -> Result<Config, Both> + Send>,
    /// Ask a running instance of the same app to leave.
    pub takeover: bool,
    /// Stay up and retry slowly when the credentials are refused.
    pub keep_going: bool,
    /// Fail when no link is verified within the start-up deadline.
    pub wait: bool,
    /// Where instance locks live.
    pub lock_dir: PathBuf,
}

/// Runs until a signal, a stop command, or a failure that only a person can mend.
///
/// # Errors
/// [`RunError`] as its variants say.
pub async fn run(options: RunOptions) -> Result<(), RunError> {
    let boot_id = Uuid::now_v7().to_string();
    let config = options.config;
    let (pid, socket) = (std::process::id(), config.server.socket.clone());
    let me = Holder { pid, boot_id: boot_id.clone(), socket };
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let _lock = tokio::select! {
        lock = lock(&options.lock_dir, &config, &me, options.takeover) => lock.map_err(RunError::Lock)?,
        _ended = signals.next_to_stop() => return Ok(()),
    };
    let store = open_store(&config)?;
    let children = open_children(&config)?;
    let boot = announce(&config, &boot_id, store.as_ref(), &children).await?;
    failpoint!("booted");
    let shared = Arc::new(Shared {
        grants: Arc::new(crate::grants::Grants::new(task_socket(&config))),
        boot_id,
        started_ms: now_ms(),
        boot,
        stranded: stranded(&config, store.as_ref()).await,
        store,
        http: config.server.http,
        config: ArcSwap::from_pointee(config),
        metrics: crate::metrics::Metrics::default(),
        children,
        restarts: Arc::default(),
        at_work: crate::at_work::AtWork::default(),
        hands: crate::hands::Hands::default(),
        unanswered: crate::unanswered::Unanswered::default(),
        health: alert::Health::default(),
        alerts: alert::Alerts::default(),
        overfull: std::sync::atomic::AtomicBool::new(false),
        crowd: std::sync::atomic::AtomicU64::new(0),
        store_health: crate::shared::StoreHealth::default(),
        figures: crate::status::Figures::default(),
        callbacks: crate::callback::Callbacks::default(),
        turns: Arc::default(),
        acks: crate::ack::Acks::default(),
        asks: Arc::default(),
        cards: crate::cards::Cards::default(),
        probes: crate::probe::Probes::default(),
        routing: tokio::sync::Notify::new(),
        dispatch: tokio::sync::Notify::new(),
        delivery: tokio::sync::Notify::new(),
        delivered: tokio::sync::Notify::new(),
    });
    shared.metrics.boots.set(shared.boot.count.cast_signed());
    shared.metrics.start_time_seconds.set(shared.started_ms / 1000);
    let (commands, asked) = mpsc::channel(COMMANDS_MAX);
    crate::left::take_up(&shared).await;
    shared.alerts.restore(&shared).await;
    let started = Stages::start(&shared, commands, options.keep_going, options.wait).await;
    let mut stages = match started {
        Ok(stages) => stages,
        Err(error) => return end::not_started(&shared, error, &mut signals).await,
    };
    name_stranded(&shared).await;
    let mut manager = Manager::begin(&shared, stages.line(), options.wait);
    let inputs = Inputs { reload: &options.reload, signals: &mut signals, asked };
    let reason = main_loop(&shared, inputs, &mut manager, &mut stages).await;
    if let Reason::Failed(error) = &reason {
        end::last_words(&shared, error, &stages, &mut manager, &mut signals).await;
    }
    end::stop(&shared, &reason, stages, &mut manager, &mut signals).await;
    end::end_children(&shared.children).await;
    end::farewell(&shared, &reason).await;
    reason.result()
}

/// Where tasks find the gateway: the whole path, because their programs work elsewhere.
fn task_socket(config: &Config) -> PathBuf {
    let path = &config.server.task_socket;
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}

/// Says which tasks nobody will take: their handler is not configured (any more).
async fn name_stranded(shared: &Shared) {
    let config = shared.config.load_full();
    match shared.store.waiting_handlers().await {
        Ok(waiting) => {
            let known =
                |name: &String| OURS.contains(&name.as_str()) || config.handlers.contains_key(name);
            for (handler, tasks) in waiting.iter().filter(|(name, _)| !known(name)) {
                tracing::warn!(
                    handler,
                    tasks,
                    "tasks wait for a handler that is not configured; name it again, and they are done, or give them up with `larkline dead give-up`"
                );
            }
        }
        Err(error) => shared.store_health.failed("waiting_handlers", &error),
    }
}

/// Apps that were removed or renamed while something waited for them: said here, and left alone.
async fn stranded(config: &Config, store: &dyn Store) -> Vec<String> {
    let waiting = match store.waiting_apps().await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!("cannot look for what waits for apps of before: {error}");
            return Vec::new();
        }
    };
    let known = |name: &String| config.apps.iter().any(|app| app.name == *name);
    let left = waiting.into_iter().filter(|(app, _)| !known(app));
    left.map(|(app, waits)| {
        tracing::warn!(
            app,
            waits,
            "messages and answers wait for an app that is not configured; give it that name in the configuration again, and they go on"
        );
        app
    })
    .collect()
}

/// Why the main loop ended.
enum Reason {
    Asked(String),
    Failed(RunError),
}

impl Reason {
    fn word(&self) -> String {
        match self {
            Self::Asked(reason) => reason.clone(),
            Self::Failed(error) => error.to_string(),
        }
    }

    fn result(self) -> Result<(), RunError> {
        match self {
            Self::Asked(_) => Ok(()),
            Self::Failed(error) => Err(error),
        }
    }
}

/// What the main loop listens to.
struct Inputs<'a> {
    reload: &'a (dyn Fn() -> Result<Config, Both> + Send),
    signals: &'a mut Signals,
    asked: mpsc::Receiver<Command>,
}

async fn main_loop(
    shared: &Arc<Shared>,
    Inputs { reload, signals, mut asked }: Inputs<'_>,
    manager: &mut Manager,
    stages: &mut Stages,
) -> Reason {
    loop {
        tokio::select! {
            received = signals.next() => {
                received.log();
                if received.name != Name::Hup {
                    return Reason::Asked(format!("signal {}", received.name));
                }
                // Said in the log; a signal has nobody else to tell.
                manager.reloading();
                drop(apply(shared, reload, stages));
                manager.reloaded();
            }
            Some(command) = asked.recv() => match command {
                Command::Stop { reason } => return Reason::Asked(reason),
                Command::Reload(answer) => {
                    manager.reloading();
                    let result = apply(shared, reload, stages);
                    manager.reloaded();
                    // Whoever asked may have hung up; the reload holds all the same.
                    drop(answer.send(result));
                }
            },
            error = stages.failed() => return Reason::Failed(error),
            () = manager.round() => {}
        }
    }
}

/// Swaps the configuration, or says in the log why not.
fn apply(
    shared: &Arc<Shared>,
    reload: &(dyn Fn() -> Result<Config, Both> + Send),
    stages: &mut Stages,
) -> Result<Vec<String>, Both> {
    reload().and_then(|new| swap(shared, new, stages)).inspect_err(|problems| {
        tracing::error!(
            "configuration not reloaded, the old one stays: {}",
            problems.text(Lang::En)
        );
    })
}

/// Swaps the configuration; what cannot change in a running process is listed.
fn swap(shared: &Arc<Shared>, new: Config, stages: &mut Stages) -> Result<Vec<String>, Both> {
    let old = shared.config.load_full();
    // The links of the old apps are open: their events would find no app, and no route.
    let ids =
        |c: &Config| c.apps.iter().map(|a| (a.name.clone(), a.app_id.clone())).collect::<Vec<_>>();
    if ids(&old) != ids(&new) {
        return Err(Both::of(
            "增加、删除或改名了应用；请重启以使用它们",
            "apps were added, removed or renamed; restart to serve them",
        ));
    }
    if let Some(http) = shared.http.filter(|http| new.server.is_open(Some(*http))) {
        return Err(both!(
            zh: "{http} 的监听要到重启才会结束；没有 `server.token`，能访问它的任何人都可以控制网关；\
                 请保留 token，或重启以使用新的配置",
            en: "{http} is listened on until a restart, and without `server.token` anyone who reaches it \
                 could steer the gateway; keep the token, or restart to use the new configuration"
        ));
    }
    let needs_restart = old.needs_restart(&new);
    stages.start_handlers(shared, &new).map_err(|e| Both::each(|lang| e.said(lang)))?;
    failpoint!("reloading");
    for line in new.policy_lines(Lang::En) {
        tracing::info!("{line}");
    }
    for name in old.handlers.keys().filter(|name| !new.handlers.contains_key(*name)) {
        tracing::warn!(
            handler = name,
            "no longer configured; what waits for it waits until it is, or until `larkline dead give-up`"
        );
    }
    shared.config.store(Arc::new(new));
    tracing::info!(needs_restart = needs_restart.join(", "), "configuration reloaded");
    Ok(needs_restart)
}

async fn lock(
    locks: &std::path::Path,
    config: &Config,
    me: &Holder,
    takeover: bool,
) -> Result<InstanceLock, LockError> {
    let apps: Vec<_> = config.apps.iter().map(|a| a.app_id.clone()).collect();
    let claims = Claims { state: &config.store.path, locks, apps: &apps };
    if takeover {
        let longest = crate::drain::longest(&config.limits);
        return crate::takeover::take_over(claims, me, longest).await;
    }
    InstanceLock::acquire(claims, me)
}

fn open_store(config: &Config) -> Result<Arc<dyn Store>, RunError> {
    let path = config.store.database();
    // Opening reads and may migrate the file: short, and before anything else runs.
    let store = SqliteStore::open(&path, config.store.sqlite_options());
    Ok(Arc::new(store.map_err(|source| RunError::Store { path, source })?))
}

fn open_children(config: &Config) -> Result<Children, RunError> {
    let path = &config.store.path;
    let failed = |source| RunError::StateDirectory { path: path.clone(), source };
    Children::open(path).map_err(failed)
}

/// The banner: who runs, since when, by which policy, and how the previous run ended.
async fn announce(
    config: &Config,
    boot_id: &str,
    store: &dyn Store,
    children: &Children,
) -> Result<BootRecord, RunError> {
    let version = env!("CARGO_PKG_VERSION");
    let boot = NewBoot {
        boot_id: boot_id.to_owned(),
        version: version.to_owned(),
        pid: std::process::id(),
        at_ms: now_ms(),
    };
    let record = store
        .begin_boot(boot)
        .await
        .map_err(|source| RunError::Store { path: config.store.database(), source })?;
    let previous = match (&record.previous_end, record.count) {
        (_, 0 | 1) => "none".to_owned(),
        (Some(end), _) => end.clone(),
        (None, _) => "without a word: crash, kill or power loss".to_owned(),
    };
    tracing::info!(
        version,
        boot_id,
        boot_count = record.count,
        pid = std::process::id(),
        previous_end = previous,
        released = record.released,
        suspended = record.suspended,
        "larkline starts"
    );
    look_for_crash_loop(config, store).await;
    tracing::info!(mode = "long connection", reconnect = "always", "larkline listens");
    for line in config.policy_lines(Lang::En) {
        tracing::info!("{line}");
    }
    for warning in &config.warnings {
        let hint = warning.hint.as_ref().map(|hint| hint.text(Lang::En));
        tracing::warn!(key = warning.path, hint, "{}", warning.message.text(Lang::En));
    }
    match children.reap_stale(config.limits.kill_grace).await {
        Ok(stale) => stale.iter().for_each(|s| {
            tracing::warn!(pids = ?s.pids, handler = s.handler, left = s.left, "children of an earlier run were still alive and were ended");
        }),
        Err(error) => tracing::warn!("cannot look for children of earlier runs: {error}"),
    }
    Ok(record)
}

/// Says when this has started too often lately.
async fn look_for_crash_loop(config: &Config, store: &dyn Store) {
    let alerts = &config.alerts;
    let since_ms = now_ms() - clock::ms(alerts.boots_within);
    // One that cannot be read now is said to be ill by whoever writes next.
    let boots = store.boots_since(since_ms).await.unwrap_or_default();
    if boots >= u64::from(alerts.boots) {
        tracing::error!(
            code = "crash_loop",
            boots,
            within_s = alerts.boots_within.as_secs(),
            "started again and again; the lines before each start say why it ended, and so does \
             the service manager's log"
        );
    }
}
