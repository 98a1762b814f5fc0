//! What a link's own state machine cannot know: whether its troubles deserve a person. Whether it
//! hears is in `proof`.

use std::sync::Arc;
use std::time::Duration;

use larkline_client::link::LinkStatus;

use crate::clock::now_ms;
use crate::shared::{AppRuntime, Shared};

/// Watches the link of one app.
#[derive(Clone)]
pub struct LinkWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Whose link.
    pub app: Arc<AppRuntime>,
}

impl LinkWatch {
    /// Watches until its owner drops it.
    pub async fn run(self) {
        let mut link = self.app.link.status();
        let (mut alarmed, mut retry_ms) = (false, None);
        let mut recoveries = Recoveries::default();
        loop {
            let status = link.borrow_and_update().clone();
            recoveries.look(&self, &status);
            if status.is_verified() {
                if std::mem::take(&mut alarmed) {
                    tracing::info!(app = self.app.name, "the link is back");
                }
            } else {
                alarmed = self.alarm(&status, alarmed);
            }
            if status.next_retry_ms.is_some() && status.next_retry_ms != retry_ms {
                self.observe_wait(&status);
            }
            retry_ms = status.next_retry_ms;
            let changed = tokio::select! {
                changed = link.changed() => changed,
                () = recoveries.overdue(&self, &status) => Ok(()),
            };
            if changed.is_err() {
                // The link has ended; whoever owns it knows.
                return std::future::pending().await;
            }
        }
    }

    /// Says once that the link fails again and again; reconnecting goes on all the same.
    fn alarm(&self, status: &LinkStatus, alarmed: bool) -> bool {
        let after = self.shared.config.load().link.alarm_after;
        if alarmed || status.attempt < after {
            return alarmed;
        }
        let fault = status.last_fault.as_ref().map_or_else(String::new, ToString::to_string);
        tracing::error!(
            app = self.app.name,
            attempts = status.attempt,
            "the link fails again and again, reconnecting goes on: {fault}; see `larkline status`"
        );
        true
    }

    fn observe_wait(&self, status: &LinkStatus) {
        let wait_ms = status.next_retry_ms.map_or(0, |at| at - now_ms());
        let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
        self.shared.metrics.reconnect_wait_seconds.observe(wait.as_secs_f64());
    }
}

/// How long the link takes to come back, and whether that was said.
#[derive(Default)]
struct Recoveries {
    counted: u64,
    said: bool,
}

impl Recoveries {
    /// Notes a recovery that has happened, and warns of one that takes longer than it should.
    fn look(&mut self, watch: &LinkWatch, status: &LinkStatus) {
        let (app, target) = (&watch.app.name, watch.shared.config.load().link.recovery_target);
        if std::mem::replace(&mut self.counted, status.recoveries) != status.recoveries {
            let took = Duration::from_millis(status.recovery_ms.unwrap_or_default());
            watch.shared.metrics.link_recovery_seconds.observe(took.as_secs_f64());
            let (took_ms, target_ms) = (took.as_millis(), target.as_millis());
            if took > target {
                tracing::warn!(app, took_ms, target_ms, "the link recovered, later than it should");
            } else {
                tracing::info!(app, took_ms, "the link recovered");
            }
            self.said = false;
        }
        if !self.said && left(status, target).is_some_and(|left| left.is_zero()) {
            self.said = true;
            let target_ms = target.as_millis();
            tracing::warn!(
                app,
                target_ms,
                "the link is down for longer than `link.recovery_target`; see `larkline status`"
            );
        }
    }

    /// Resolves when a recovery under way takes longer than it should, and that was not said.
    async fn overdue(&self, watch: &LinkWatch, status: &LinkStatus) {
        let target = watch.shared.config.load().link.recovery_target;
        match left(status, target).filter(|_| !self.said) {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    }
}

/// What is left of the target for a recovery under way.
fn left(status: &LinkStatus, target: Duration) -> Option<Duration> {
    let down_ms = u64::try_from(now_ms() - status.lost_ms?).unwrap_or(0);
    Some(target.saturating_sub(Duration::from_millis(down_ms)))
}
