//! The worker that looks once a second what is wrong, and says what changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::engine::Change;
use super::sources::Sources;
use crate::clock::now_ms;
use crate::shared::{AppRuntime, Shared};

/// How often conditions are read: all is in memory, but for what `disk` asks.
const ROUND: Duration = Duration::from_secs(1);

/// Looks, remembers, says.
pub struct AlertWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// The apps.
    pub apps: Arc<Vec<Arc<AppRuntime>>>,
    /// Cancelled when the links are closed on purpose: that is no alert.
    pub halted: CancellationToken,
}

impl AlertWatch {
    /// Watches until aborted.
    pub async fn run(&self) {
        let mut sources = Sources::default();
        loop {
            tokio::select! {
                () = self.halted.cancelled() => return std::future::pending().await,
                () = sleep(ROUND) => {}
            }
            let now_ms = now_ms();
            let readings = sources.read(&self.shared, &self.apps, now_ms).await;
            if self.halted.is_cancelled() {
                continue;
            }
            let config = self.shared.config.load_full();
            let changes = self.shared.alerts.look(&config, &readings, now_ms);
            changes.iter().for_each(say);
            self.shared.alerts.keep(&self.shared, now_ms, !changes.is_empty()).await;
        }
    }
}

pub(super) fn say(change: &Change) {
    match change {
        Change::Raised(e) if e.rule.has_own_line() => {
            tracing::warn!(
                rule = e.rule.name(),
                subject = e.subject,
                "alert raised: {}",
                e.what.en
            );
        }
        Change::Raised(e) => {
            tracing::error!(
                code = e.rule.name(),
                subject = e.subject,
                "alert raised: {}; see `larkline alerts`",
                e.what.en
            );
        }
        Change::Cleared(e) => {
            tracing::info!(rule = e.rule.name(), subject = e.subject, "alert over: {}", e.what.en);
        }
        Change::Dropped((rule, subject)) => {
            tracing::warn!(
                rule = rule.name(),
                subject,
                "too many alerts are open, this one is not told"
            );
        }
    }
}
