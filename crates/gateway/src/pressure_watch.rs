//! The worker that reads what the gateway and its children use, and says when it is too much.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::config::Alerts;
use crate::handler::children::ChildUsage;
use crate::host::Own;
use crate::pressure::{Change, Reading, Subject, Watch};
use crate::shared::Shared;

/// How often it is read; a threshold has to be exceeded for much longer by default.
const ROUND: Duration = Duration::from_secs(5);
/// The least between two readings, for thresholds of seconds.
const ROUND_MIN: Duration = Duration::from_millis(250);

/// The worker.
pub struct PressureWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
}

/// Processor time at the last reading.
#[derive(Default)]
struct Times {
    at: Option<Instant>,
    cpu_ms: HashMap<String, u64>,
}

impl PressureWatch {
    /// Watches until aborted.
    pub async fn run(&self) {
        let (mut watch, mut times) = (Watch::default(), Times::default());
        let mut raised = BTreeMap::new();
        loop {
            let alerts = self.shared.config.load().alerts.clone();
            sleep((alerts.after / 4).clamp(ROUND_MIN, ROUND)).await;
            let children = self.shared.children.clone();
            let has_children = !children.running().is_empty();
            // Reading `/proc` takes milliseconds: not on a thread that also answers pings.
            let read = tokio::task::spawn_blocking(move || {
                (Own::read(), if has_children { children.usage() } else { Vec::new() })
            });
            let Ok((own, usage)) = read.await else { continue };
            let readings = times.readings(&alerts, own, &usage);
            for change in watch.look(Instant::now(), &readings, alerts.after) {
                say(&change);
                match change {
                    Change::Raised { subject, value, limit } => {
                        raised.insert(subject, (value, limit));
                    }
                    Change::Over(subject) => drop(raised.remove(&subject)),
                }
            }
            self.shared.health.pressure(raised.clone());
            for what in ["memory", "cpu"] {
                self.shared.metrics.alert(what, watch.raised(what));
            }
        }
    }
}

impl Times {
    fn readings(
        &mut self,
        alerts: &Alerts,
        Own { rss_bytes, cpu_ms }: Own,
        usage: &[ChildUsage],
    ) -> Vec<Reading> {
        let now = Instant::now();
        let elapsed_ms = self.at.map_or(0, |at| now.duration_since(at).as_millis());
        let mut users = vec![("gateway".to_owned(), rss_bytes, cpu_ms)];
        users.extend(usage.iter().map(|child| {
            (format!("{} (task {})", child.handler, child.task.0), child.rss_bytes, child.cpu_ms)
        }));
        let mut readings = Vec::new();
        for (who, rss, cpu) in &users {
            let memory = Subject { who: who.clone(), what: "memory" };
            readings.push(Reading { subject: memory, value: *rss, limit: alerts.memory.0 });
            let before = self.cpu_ms.get(who).copied();
            if let (Some(before), 1..) = (before, elapsed_ms) {
                let used = u128::from(cpu.saturating_sub(before)) * 100 / elapsed_ms;
                let value = u64::try_from(used).unwrap_or(u64::MAX);
                let subject = Subject { who: who.clone(), what: "cpu" };
                readings.push(Reading { subject, value, limit: u64::from(alerts.cpu) });
            }
        }
        self.at = Some(now);
        self.cpu_ms = users.into_iter().map(|(who, _, cpu)| (who, cpu)).collect();
        readings
    }
}

fn say(change: &Change) {
    match change {
        Change::Raised { subject: Subject { who, what: "memory" }, value, limit } => {
            tracing::error!(
                code = "high_memory",
                who,
                mib = value >> 20,
                limit_mib = limit >> 20,
                "uses much memory; see `larkline status`, and limits.memory of the handler"
            );
        }
        Change::Raised { subject: Subject { who, .. }, value, limit } => {
            tracing::error!(
                code = "high_cpu",
                who,
                percent = value,
                limit_percent = limit,
                "uses much processor time; see `larkline status`, and limits.cpu of the handler"
            );
        }
        Change::Over(Subject { who, what }) => {
            tracing::info!(who, what, "no longer uses much, or has ended");
        }
    }
}
