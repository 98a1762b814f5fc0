//! What a service manager is told (`sd_notify`): ready, reloading, stopping, a line about the links, and,
//! as long as everything turns, that it does.
//!
//! The main loop speaks, and only after the line thread has answered: one that is stuck silences
//! both, and the manager's watchdog starts a new process. Without a manager nothing happens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::drain;
use crate::say_in;
use crate::shared::{AppRuntime, Shared};
use crate::words::{self, Lang};

/// How often the line about the links is looked at.
const ROUND: Duration = Duration::from_secs(1);
/// At least so many signs of life come within the manager's patience: two may be late.
const SIGNS: u32 = 4;
/// However impatient it is.
const ROUND_MIN: Duration = Duration::from_millis(10);
/// Rounds without the line thread's answer before that is said.
const STUCK_AFTER: u32 = 2;

/// The manager's socket, as far as there is one.
pub(crate) struct Manager {
    is_there: bool,
    has_watchdog: bool,
    shared: Arc<Shared>,
    apps: Arc<Vec<Arc<AppRuntime>>>,
    line: Handle,
    every: Duration,
    next: Instant,
    /// What the line thread was asked last.
    asked: Option<JoinHandle<()>>,
    unanswered: u32,
    ready: bool,
    status: String,
}

impl Manager {
    /// Says ready at once, or with `wait` when every link is verified.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        (apps, line): (Arc<Vec<Arc<AppRuntime>>>, Handle),
        wait: bool,
    ) -> Self {
        let watchdog = sd_notify::watchdog_enabled();
        let every = watchdog.map_or(ROUND, |patience| (patience / SIGNS).clamp(ROUND_MIN, ROUND));
        let manager = Self {
            is_there: std::env::var_os("NOTIFY_SOCKET").is_some(),
            has_watchdog: watchdog.is_some(),
            shared: Arc::clone(shared),
            apps,
            line,
            every,
            next: Instant::now(),
            asked: None,
            unanswered: 0,
            ready: !wait,
            status: String::new(),
        };
        if manager.ready {
            manager.tell(&[NotifyState::Ready]);
        }
        manager
    }

    /// One round: a sign of life, and what has changed. May be dropped at any moment.
    pub(crate) async fn round(&mut self) {
        if !self.is_there {
            std::future::pending::<()>().await;
        }
        sleep_until(self.next).await;
        self.next = Instant::now() + self.every;
        if self.line_turns() && self.has_watchdog {
            self.tell(&[NotifyState::Watchdog]);
        }
        if !self.ready && self.apps.iter().all(|app| app.link.status().borrow().is_verified()) {
            self.ready = true;
            self.tell(&[NotifyState::Ready]);
        }
        let status = self.links();
        if status != self.status {
            self.tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// Rounds without an end, for as long as something else lasts.
    pub(crate) async fn rounds(&mut self) -> Infallible {
        loop {
            self.round().await;
        }
    }

    /// A configuration is being read.
    pub(crate) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            // Without the time the manager would take the reload for a failed one.
            Err(error) => tracing::debug!(%error, "the service manager is not told of a reload"),
        }
    }

    /// It was read, or refused.
    pub(crate) fn reloaded(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The end begins. It may last as long as the configuration in force says, whatever the unit
    /// was written for.
    pub(crate) fn stopping(&mut self, reason: &str) {
        let config = self.shared.config.load();
        let longest = drain::longest(&config.limits).as_micros();
        let longest = u32::try_from(longest).unwrap_or(u32::MAX);
        let status = say_in!(config.language, zh: "正在停止：{reason}", en: "stopping: {reason}");
        self.tell(&[
            NotifyState::Stopping,
            NotifyState::ExtendTimeoutUsec(longest),
            NotifyState::Status(&status),
        ]);
        // The links that close now would be no news.
        self.status = self.links();
    }

    /// Whether the line thread has answered since the last round; asks it anew if it has.
    fn line_turns(&mut self) -> bool {
        let answered = self.asked.as_ref().map(JoinHandle::is_finished);
        if answered == Some(false) {
            self.unanswered += 1;
            if self.unanswered == STUCK_AFTER {
                tracing::error!(
                    code = "line_stuck",
                    "the thread of the links does not turn; the service manager gets no signs of \
                     life, and starts a new process when its patience (WatchdogSec) ends"
                );
            }
            return false;
        }
        self.unanswered = 0;
        self.asked = Some(self.line.spawn(async {}));
        answered.is_some()
    }

    /// Every link in a line.
    fn links(&self) -> String {
        let lang = self.shared.config.load().language;
        let link = |app: &Arc<AppRuntime>| {
            let state = app.link.status().borrow().state.to_string();
            let state = words::link_state(lang, &state);
            let name = &app.name;
            say_in!(lang, zh: "{name} 的连接{state}", en: "link of {name} {state}")
        };
        let between = match lang {
            Lang::Zh => "，",
            Lang::En => ", ",
        };
        self.apps.iter().map(link).collect::<Vec<_>>().join(between)
    }

    fn tell(&self, what: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(what) {
            tracing::warn!(%error, code = "notify_failed", "the service manager cannot be told");
        }
    }
}
