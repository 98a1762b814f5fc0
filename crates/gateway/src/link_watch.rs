//! What a link's own state machine cannot know: whether its troubles deserve a person. Whether it
//! hears is in `proof`.

use std::sync::Arc;
use std::time::Duration;

use larkline_client::Reach;
use larkline_client::link::{LinkStatus, Stage};

use crate::clock::now_ms;
use crate::shared::{AppRuntime, Shared};

/// How long plain HTTPS may take to answer before an alarm is raised without it.
const REACH_WAIT: Duration = Duration::from_secs(5);
/// What is left when it works.
const HTTPS_WORKS: &str = "so the network is there: look for a proxy, a VPN or a firewall that lets no WebSocket \
                           through or inspects it, and at the platform's own words";
/// What is left when it does not.
const HTTPS_FAILS: &str = "so the network is not there: a VPN that is down or takes the route, a hotspot or public \
                           network that wants a login, a home router or its DNS, a firewall that lets no outbound 443 \
                           through, a proxy that has to be set";

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
                alarmed = self.alarm(&status, alarmed).await;
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
    async fn alarm(&self, status: &LinkStatus, alarmed: bool) -> bool {
        let after = self.shared.config.load().link.alarm_after;
        if alarmed || status.attempt < after {
            return alarmed;
        }
        let fault = status.last_fault.as_ref().map_or_else(String::new, ToString::to_string);
        let hint = self.hint(status).await;
        tracing::error!(
            app = self.app.name,
            attempts = status.attempt,
            "the link fails again and again, reconnecting goes on: {fault}; {hint}; see `larkline status`"
        );
        true
    }

    /// Whether plain HTTPS to the host that fails works, and what that leaves as cause.
    async fn hint(&self, status: &LinkStatus) -> String {
        // The link's own host, once discovery has named it; before that the platform's.
        let dialled =
            status.last_fault.as_ref().is_some_and(|fault| fault.stage != Stage::Discovery);
        let host = Some(status.host.as_str()).filter(|host| dialled && !host.is_empty());
        let (host, reach) = self.app.api.reach(host, REACH_WAIT).await;
        let causes = match &reach {
            Reach::Answers { .. } => HTTPS_WORKS,
            Reach::Fails { .. } => HTTPS_FAILS,
        };
        format!("plain HTTPS to {host} {reach}, {causes}")
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
                // The link's own line says it, with its cause.
                tracing::debug!(app, took_ms, "the link recovered");
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
