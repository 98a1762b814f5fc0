//! Tells destinations: a task for each, which fails, waits and is reported alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::due::{Kind, Notice, UNTOLD_KEPT};
use super::engine::Episode;
use super::patience::Patience;
use super::recipient;
use super::rule::{Rule, Severity};
use super::ways::{Means, Taken};
use super::words::one_line;
use crate::both::{Both, both, told_apart};
use crate::clock::now_ms;
use crate::config::Destination;
use crate::handler::Resources;
use crate::shared::{AppRuntime, Shared};

/// Between two notices: a custom bot takes five a second and a hundred a minute.
const APART: Duration = Duration::from_millis(650);
/// How often a destination looks without being woken: reminders, the end of quiet hours, a reload.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// An attempt that keeps to no limit of its own ends so much later: a mail's goodbye, a child's end.
const MARGIN: Duration = Duration::from_secs(5);
/// Notices that some recipients of a mail may take later; beyond it the oldest go.
const OWED_MAX: usize = 20;

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
    /// Why it failed, or whom of it was not reached; nothing when all is well.
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
        let patience = Patience::default();
        let mut telling = Telling { name: name.clone(), patience, owed: Vec::new() };
        loop {
            // Registered before the look, so that a hint in between is not missed.
            let woken = alerts.changed.notified();
            let config = self.shared.config.load_full();
            let Some(settings) = config.destinations.get(&name) else { return name };
            let due = alerts.engine().due(&recipient(&name, settings, &config), now_ms());
            let Some(errand) = telling.choose(due, Instant::now()) else {
                tokio::select! {
                    () = woken => {}
                    () = sleep(LOOK_EVERY) => {}
                }
                continue;
            };
            let begun_ms = now_ms();
            alerts.engine().begun(&errand.notice, &name);
            let result = self.attempt(&name, settings, &errand).await;
            alerts.reached(&name, begun_ms, refused(&result));
            match result {
                Ok(taken) => {
                    // Whom it did not reach is owed it; it is told all the same.
                    if errand.only.is_empty() {
                        alerts.engine().told(&errand.notice, &name, now_ms());
                    }
                    telling.took(errand, taken, Instant::now());
                    alerts.save().await;
                    sleep(APART).await;
                }
                Err(error) => telling.failed(&errand, &error, Instant::now()),
            }
        }
    }

    /// Sends a notice that nothing is wrong to one destination, or to all side by side.
    pub async fn test(&self, names: &[String]) -> Vec<Tried> {
        let config = self.shared.config.load_full();
        let chosen: BTreeMap<&String, &Destination> =
            config.destinations.iter().filter(|(name, _)| names.contains(name)).collect();
        join_all(chosen.into_iter().map(|(name, settings)| async move {
            let (begun, begun_ms) = (Instant::now(), now_ms());
            let result = self.attempt(name, settings, &Errand::of(test_notice())).await;
            self.shared.alerts.reached(name, begun_ms, refused(&result));
            let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            // Whoever tests wants to know of every recipient.
            let (error, error_zh) = told_apart(result.map_or_else(Some, |taken| taken.refused));
            Tried { destination: name.clone(), error, error_zh, took_ms }
        }))
        .await
    }

    async fn attempt(&self, name: &str, to: &Destination, errand: &Errand) -> Result<Taken, Both> {
        let config = self.shared.config.load_full();
        let means = Means {
            shared: &self.shared,
            config: &config,
            apps: &self.apps,
            resources: &self.resources,
        };
        let Errand { notice, only, .. } = errand;
        // Each way keeps to `timeout` and says at what it was. A program needs its grace besides.
        let limit = to.timeout + self.resources.kill_grace + MARGIN;
        // Boxed: a mail, a call and a child's life in one.
        let sent = timeout(limit, Box::pin(means.send(name, to, notice, only))).await;
        let sent = sent.unwrap_or_else(|_| {
            Err(both!(zh: "{limit:?} 后仍未完成", en: "not done after {limit:?}"))
        });
        sent.map_err(|error| Both::each(|lang| one_line(error.text(lang))))
    }
}

/// One destination, as the task that tells it sees it.
struct Telling {
    name: String,
    patience: Patience,
    /// What the others of its recipients have, and some may take later; in this run.
    owed: Vec<Errand>,
}

/// A notice on its way.
#[derive(Clone)]
struct Errand {
    /// Of the notice, and of what is left of it.
    id: String,
    notice: Notice,
    /// The recipients of a mail that do not have it yet; all when there are none.
    only: Vec<Mailbox>,
    since: Instant,
}

impl Errand {
    fn of(notice: Notice) -> Self {
        Self { id: notice.id.clone(), notice, only: Vec::new(), since: Instant::now() }
    }
}

impl Telling {
    /// What is tried now: what is due, and then what is owed.
    fn choose(&mut self, due: Vec<Notice>, now: Instant) -> Option<Errand> {
        self.owed.retain(|owed| now.duration_since(owed.since) < UNTOLD_KEPT);
        let mut all: Vec<Errand> = due.into_iter().map(Errand::of).collect();
        all.extend(self.owed.iter().cloned());
        let id = self.patience.choose(all.iter().map(|errand| errand.id.as_str()), now)?;
        all.iter().find(|errand| errand.id == id).cloned()
    }

    fn took(&mut self, errand: Errand, taken: Taken, now: Instant) {
        let (name, rule) = (&self.name, errand.notice.alert.rule.name());
        tracing::info!(destination = name, rule, what = ?errand.notice.kind, "told");
        if let Some(refused) = &taken.refused {
            tracing::warn!(destination = name, rule, "not told to all: {}", refused.en);
        }
        self.patience.took(&errand.id, now);
        // Whoever is told more of an alert need not hear the older part.
        self.owed.retain(|owed| owed.notice.key() != errand.notice.key());
        if taken.later.is_empty() {
            return;
        }
        let id = format!("{}/owed", errand.notice.id);
        self.patience.failed(&id, now);
        self.owed.push(Errand { id, only: taken.later, ..errand });
        let many = self.owed.len().saturating_sub(OWED_MAX);
        self.owed.drain(..many);
    }

    fn failed(&mut self, errand: &Errand, error: &Both, now: Instant) {
        let wait_s = self.patience.failed(&errand.id, now).as_secs();
        tracing::warn!(
            destination = self.name,
            rule = errand.notice.alert.rule.name(),
            wait_s,
            "an alert could not be told: {}",
            error.en
        );
    }
}

/// What is noted of an attempt.
fn refused(result: &Result<Taken, Both>) -> Result<Option<Both>, Both> {
    result.as_ref().map(|taken| taken.refused.clone()).map_err(Clone::clone)
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
