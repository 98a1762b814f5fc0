//! Who the bot is, and whether the start succeeded.
//!
//! The platform is asked once for the bot's open id; that call also proves the credentials.
//! Wrong credentials end the start with a message of their own, because no retry mends them;
//! an unreachable network is waited out. The calls are metered, so there is no timer after
//! the answer is known.

use std::sync::Arc;
use std::time::Duration;

use larkline_client::ApiError;
use larkline_proto::api::{Disposition, Endpoint};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::run_error::RunError;
use crate::shared::AppRuntime;

/// First and longest wait while the platform cannot be reached.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Wait between attempts with refused credentials (`--keep-going`).
const REFUSED_RETRY: Duration = Duration::from_secs(60);

/// Learns the bot's identity.
#[derive(Clone)]
pub struct Identity {
    /// Of which app.
    pub app: Arc<AppRuntime>,
    /// Retry refused credentials slowly instead of failing the start.
    pub keep_going: bool,
    /// Where a failed start is said.
    pub fail: mpsc::Sender<RunError>,
}

impl Identity {
    /// Asks until answered, then rests.
    pub async fn run(self) {
        let mut wait = RETRY.0;
        loop {
            match self.app.api.bot_info().await {
                Ok(bot) => {
                    let bot = bot.data;
                    tracing::info!(app = self.app.name, bot = %bot.open_id, name = bot.name, "credentials verified");
                    self.app.bot.send_replace(Some(bot.open_id));
                    return std::future::pending().await;
                }
                Err(error) => wait = self.refused(&error, wait).await,
            }
        }
    }

    /// Says what is wrong and waits, but no longer than until the link comes back: then the
    /// platform can be reached, and nothing is routed before it has answered. Returns the next
    /// wait.
    async fn refused(&self, error: &ApiError, wait: Duration) -> Duration {
        // Other refusals that need a person (quota, scope, address) may end without a restart.
        let credentials =
            error.endpoint == Endpoint::Token && error.disposition() == Disposition::Fatal;
        if !credentials {
            tracing::warn!(app = self.app.name, code = %error.code(), log_id = error.log_id.as_ref().map(tracing::field::display),
                wait_ms = wait.as_millis(), "cannot ask the platform who the bot is: {error}");
            let mut link = self.app.link.status();
            let connects = link.borrow().counters.connects;
            let back = link.wait_for(|status| status.counters.connects > connects);
            return match tokio::time::timeout(wait, back).await {
                Ok(Ok(_)) => RETRY.0,
                Ok(Err(_)) | Err(_) => (wait * 2).min(RETRY.1),
            };
        }
        tracing::error!(app = self.app.name, code = %error.code(), log_id = error.log_id.as_ref().map(tracing::field::display),
            "the platform refuses the credentials: {error}; check app_id and app_secret");
        if !self.keep_going {
            let error =
                RunError::Credentials { app: self.app.name.clone(), detail: error.to_string() };
            // A full channel already holds a failure, and one is enough.
            drop(self.fail.try_send(error));
            return std::future::pending().await;
        }
        tokio::time::sleep(REFUSED_RETRY).await;
        REFUSED_RETRY
    }
}

/// Watches that every link is verified by the start-up deadline.
#[derive(Clone)]
pub struct StartupWatch {
    apps: Arc<Vec<Arc<AppRuntime>>>,
    deadline: Duration,
    wait: bool,
    fail: mpsc::Sender<RunError>,
}

/// A watch over the start; with `wait` a missed deadline fails it.
pub fn startup_watch(
    apps: Arc<Vec<Arc<AppRuntime>>>,
    deadline: Duration,
    wait: bool,
    fail: mpsc::Sender<RunError>,
) -> StartupWatch {
    StartupWatch { apps, deadline, wait, fail }
}

impl StartupWatch {
    /// Watches one start, then rests.
    pub async fn run(self) {
        let deadline = Instant::now() + self.deadline;
        for app in self.apps.iter() {
            let mut link = app.link.status();
            let verified =
                tokio::time::timeout_at(deadline, link.wait_for(|s| s.is_verified())).await;
            if !matches!(verified, Ok(Ok(_))) {
                let status = app.link.status().borrow().clone();
                let fault = status
                    .last_fault
                    .map_or_else(|| "nothing failed yet".to_owned(), |f| f.to_string());
                let detail = format!("app {}: {} ({fault})", app.name, status.state);
                tracing::error!(
                    app = app.name,
                    within_ms = self.deadline.as_millis(),
                    "start-up failed, no verified link: {detail}"
                );
                if self.wait {
                    drop(self.fail.try_send(RunError::NotVerified { detail }));
                }
            }
        }
        std::future::pending().await
    }
}
