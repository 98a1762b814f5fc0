//! Tells destinations: a task for each, which fails, waits and is reported alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::engine::{Episode, Kind, Notice};
use super::recipient;
use super::rule::{Rule, Severity};
use super::ways::Means;
use crate::both::{Both, both, told_apart};
use crate::clock::now_ms;
use crate::config::Destination;
use crate::handler::Resources;
use crate::shared::{AppRuntime, Shared};

/// First and longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// Between two notices: a custom bot takes five a second and a hundred a minute.
const APART: Duration = Duration::from_millis(650);
/// How often a destination looks without being woken: reminders, the end of quiet hours, a reload.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells destinations.
#[derive(Clone)]
pub struct Post {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// The apps.
    pub apps: Arc<Vec<Arc<AppRuntime>>>,
    /// The way to services and programs.
    pub resources: Resources,
}

/// How a test of a destination went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub destination: String,
    /// Why it failed; nothing when it did not.
    pub error: Option<String>,
    /// The same in Chinese, for a client that speaks it; an older gateway does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_zh: Option<String>,
    /// How long it took.
    pub took_ms: u64,
}

impl Post {
    /// Keeps a task for each destination of the configuration until aborted; returns when one
    /// panicked.
    pub async fn run(&self) {
        let (mut tasks, mut running) = (JoinSet::new(), BTreeSet::new());
        loop {
            let names: Vec<String> =
                self.shared.config.load().destinations.keys().cloned().collect();
            for name in names {
                if running.insert(name.clone()) {
                    tasks.spawn(self.clone().tell(name));
                }
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                Some(ended) = tasks.join_next() => match ended {
                    Ok(name) => drop(running.remove(&name)),
                    Err(_panicked) => return,
                }
            }
        }
    }

    /// Tells one destination what it has to be told, until it is no longer configured.
    async fn tell(self, name: String) -> String {
        let alerts = &self.shared.alerts;
        let mut pause = PAUSE.0;
        loop {
            // Registered before the look, so that a hint in between is not missed.
            let woken = alerts.changed.notified();
            let config = self.shared.config.load_full();
            let Some(settings) = config.destinations.get(&name) else { return name };
            let notice = alerts.engine().due(&recipient(&name, settings, &config), now_ms());
            let Some(notice) = notice else {
                tokio::select! {
                    () = woken => {}
                    () = sleep(LOOK_EVERY) => {}
                }
                continue;
            };
            let begun_ms = now_ms();
            let result = self.attempt(&name, settings, &notice).await;
            alerts.reached(&name, begun_ms, result.clone());
            match result {
                Ok(()) => {
                    tracing::info!(destination = name, rule = notice.alert.rule.name(), what = ?notice.kind, "told");
                    alerts.engine().told(&notice, &name, now_ms());
                    alerts.save().await;
                    pause = PAUSE.0;
                    sleep(APART).await;
                }
                Err(error) => {
                    tracing::warn!(
                        destination = name,
                        rule = notice.alert.rule.name(),
                        wait_s = pause.as_secs(),
                        "an alert could not be told: {}",
                        error.en
                    );
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    /// Sends a notice that nothing is wrong to one destination, or to all side by side.
    pub async fn test(&self, names: &[String]) -> Vec<Tried> {
        let config = self.shared.config.load_full();
        let chosen: BTreeMap<&String, &Destination> =
            config.destinations.iter().filter(|(name, _)| names.contains(name)).collect();
        join_all(chosen.into_iter().map(|(name, settings)| async move {
            let (begun, begun_ms) = (tokio::time::Instant::now(), now_ms());
            let result = self.attempt(name, settings, &test_notice()).await;
            self.shared.alerts.reached(name, begun_ms, result.clone());
            let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (error, error_zh) = told_apart(result.err());
            Tried { destination: name.clone(), error, error_zh, took_ms }
        }))
        .await
    }

    async fn attempt(&self, name: &str, to: &Destination, notice: &Notice) -> Result<(), Both> {
        let config = self.shared.config.load_full();
        let means = Means {
            shared: &self.shared,
            config: &config,
            apps: &self.apps,
            resources: &self.resources,
        };
        // Boxed: a mail, a call and a child's life in one. A program needs its grace besides.
        let limit = to.timeout + self.resources.kill_grace;
        let sent = timeout(limit, Box::pin(means.send(name, to, notice))).await;
        sent.unwrap_or_else(|_| {
            Err(both!(zh: "{limit:?} 后仍未完成", en: "not done after {limit:?}"))
        })
    }
}

/// A notice about nothing.
fn test_notice() -> Notice {
    let now_ms = now_ms();
    let alert = Episode {
        rule: Rule::DestinationFailed,
        subject: "test".to_owned(),
        severity: Severity::Warning,
        since_ms: now_ms,
        raised_ms: now_ms,
        good_since_ms: None,
        ended_ms: None,
        level: 0,
        what: Both::of("测试，没有任何异常", "a test, nothing is wrong"),
        told: BTreeMap::new(),
    };
    Notice { id: Uuid::now_v7().to_string(), kind: Kind::Test, alert }
}
