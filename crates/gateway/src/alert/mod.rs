//! Alerts: what is watched, what fires, who is told, and a heartbeat for those who watch from
//! outside.
//!
//! `rule` is the closed list, `engine` decides what fires, `due` what each destination has still to be
//! told, `patience` when it is tried again: all are pure. `sources` reads conditions from what the gateway knows anyway (`health` is what
//! workers see in passing), and never calls the platform for it. `watch` brings the two together once a
//! second, `post` has a task for each destination, which fails alone, and `ways` is how a notice gets
//! there. What is not here: how a mail is sent ([`crate::mail`]).

mod disk;
mod due;
mod engine;
mod health;
mod heartbeat;
mod keep;
mod last_words;
mod late;
mod patience;
mod post;
mod rule;
mod sources;
mod storm;
mod view;
mod watch;
mod ways;
pub mod words;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::watch::Sender;

pub use due::{Forgotten, Kind, Notice, Recipient};
pub use engine::{Change, Engine, Episode, Key, OPEN_MAX, Past, Policy, Reading, Standing, Told};
pub use health::Health;
pub use heartbeat::HeartbeatWorker;
pub use keep::AlertKeep;
pub use last_words::{raise as raise_failed_start, raise_alone as raise_failed_start_alone};
pub use post::{Post, Tried};
pub use rule::{Defaults, Rule, Severity};
pub use view::{AlertsView, DestinationView, FiringAlert, HeartbeatView};
pub use watch::AlertWatch;

use crate::both::Both;
use crate::clock::{self, now_ms};
use crate::config::{Config, Destination};
use crate::shared::Shared;
use crate::words::Lang;
use sources::{bad, unknown};

/// Name of the fact that holds what fires.
const FACT: &str = "alerts";

/// The alerts of one gateway.
#[derive(Debug, Default)]
pub struct Alerts {
    engine: Mutex<Engine>,
    /// How telling went, by destination.
    reach: Mutex<BTreeMap<String, Reach>>,
    heart: Mutex<Reach>,
    /// Wakes those who tell.
    changed: Notify,
    /// How often what fires has changed, and which of these states is written down.
    changes: Sender<u64>,
    kept: Sender<u64>,
}

/// How it goes with somebody who is to be told.
#[derive(Clone, Debug, Default)]
struct Reach {
    success_ms: Option<i64>,
    failure_ms: Option<i64>,
    /// When the attempt began that failed last.
    failed_from_ms: Option<i64>,
    failures: u32,
    error: Option<Both>,
    /// Whom the last success did not reach, and why.
    refused: Option<Both>,
}

impl Reach {
    fn note(&mut self, begun_ms: i64, result: Result<Option<Both>, Both>, now_ms: i64) {
        match result {
            Ok(refused) => {
                (self.failures, self.success_ms, self.refused) = (0, Some(now_ms), refused);
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                (self.failure_ms, self.error) = (Some(now_ms), Some(error));
                self.failed_from_ms = Some(begun_ms);
            }
        }
    }

    /// Whether too many attempts failed in a row, in words of their number and the last reason.
    fn reading(
        &self,
        rule: Rule,
        subject: &str,
        most: u32,
        words: impl Fn(Lang, u32, &str) -> String,
    ) -> Option<Reading> {
        if self.failures < most {
            // After a restart the count begins anew, and nothing is better until it succeeds.
            return self.success_ms.is_none().then(|| unknown(rule, subject));
        }
        let error = |lang| self.error.as_ref().map_or("", |error| error.text(lang));
        Some(bad(rule, subject, |lang| words(lang, self.failures, error(lang))))
    }
}

impl Alerts {
    /// Takes over what an earlier run left.
    pub async fn restore(&self, shared: &Shared) {
        match shared.store.fact(FACT.to_owned()).await {
            Ok(Some(stored)) => *self.engine() = Engine::restore(&stored),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(code = error.code(), "alerts of the last run are unknown: {error}")
            }
        }
    }

    /// What fires, longest first.
    pub fn firing(&self) -> Vec<FiringAlert> {
        self.engine().firing().into_iter().map(FiringAlert::of).collect()
    }

    /// Takes the readings of one moment.
    fn look(&self, config: &Config, readings: &[Reading], now_ms: i64) -> Vec<Change> {
        let target = config.link.recovery_target;
        self.engine().look(now_ms, readings, |rule| config.alerts.policy(rule, target))
    }

    /// Forgets what is told to all, and writes down what is left when anything changed.
    async fn keep(&self, shared: &Shared, now_ms: i64, changed: bool) {
        let config = shared.config.load_full();
        let all: Vec<_> =
            config.destinations.iter().map(|(name, d)| recipient(name, d, &config)).collect();
        let gone = self.engine().forget(&all, now_ms);
        if gone.untold > 0 {
            tracing::warn!(
                alerts = gone.untold,
                "alerts that are over are not told any more: too many wait, or for too long; see `larkline alerts`"
            );
        }
        if changed || gone != Forgotten::default() {
            self.save().await;
            self.changed.notify_waiters();
        }
    }

    /// Notes how an attempt to tell a destination ended, and whom of it a success did not reach.
    fn reached(&self, to: &str, begun_ms: i64, result: Result<Option<Both>, Both>) {
        let mut reach = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        reach.entry(to.to_owned()).or_default().note(begun_ms, result, now_ms());
    }

    /// Notes how a heartbeat ended.
    fn beat(&self, result: Result<Option<Both>, Both>) {
        let (mut heart, now_ms) =
            (self.heart.lock().unwrap_or_else(PoisonError::into_inner), now_ms());
        heart.note(now_ms, result, now_ms);
    }

    /// Whether those who are to be told can be.
    fn telling(&self, config: &Config) -> Vec<Reading> {
        let reach = self.reach_of_all();
        let most = config.alerts.threshold(Rule::DestinationFailed);
        let each = config.destinations.keys().filter_map(|name| {
            let reach = reach.get(name).cloned().unwrap_or_default();
            reach.reading(Rule::DestinationFailed, name, most, |lang, failures, error| {
                crate::say_in!(lang,
                    zh: "告警目的地 {name} 连续失败 {failures} 次：{error}",
                    en: "destination {name} failed {failures} times in a row: {error}"
                )
            })
        });
        let mut readings: Vec<Reading> = each.collect();
        if config.alerts.heartbeat.is_some() {
            let heart = self.heart.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let most = config.alerts.threshold(Rule::HeartbeatFailed);
            let words = |lang: Lang, failures, error: &str| {
                crate::say_in!(lang,
                    zh: "对外心跳连续失败 {failures} 次：{error}",
                    en: "the heartbeat failed {failures} times in a row: {error}"
                )
            };
            readings.extend(heart.reading(Rule::HeartbeatFailed, "heartbeat", most, words));
        }
        readings
    }

    /// Everything, for people.
    pub fn view(&self, config: &Config) -> AlertsView {
        let engine = self.engine();
        let (reach, heart) = (
            self.reach_of_all(),
            self.heart.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        );
        let destinations = config.destinations.iter().map(|(name, settings)| {
            let to = recipient(name, settings, config);
            let waits = [Recipient { quiet: false, ..to.clone() }, to.clone()];
            let waits = waits.map(|to| engine.is_any_due(&to, now_ms()));
            DestinationView::of(name, settings, reach.get(name), waits, to.quiet)
        });
        AlertsView {
            destinations: destinations.collect(),
            firing: engine.firing().into_iter().map(FiringAlert::of).collect(),
            recent: engine.recent().rev().cloned().collect(),
            heartbeat: config.alerts.heartbeat.as_ref().map(|_| HeartbeatView::of(&heart)),
        }
    }

    fn reach_of_all(&self) -> BTreeMap<String, Reach> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a destination wishes now.
fn recipient<'a>(name: &'a str, settings: &Destination, config: &Config) -> Recipient<'a> {
    let quiet =
        config.alerts.quiet.is_some_and(|quiet| quiet.holds(clock::minute_of_day(now_ms())));
    Recipient {
        name,
        min_severity: settings.min_severity,
        clearing: settings.clearing,
        quiet,
        remind_ms: clock::ms(config.alerts.remind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_could_not_be_told_before_a_restart_is_not_well_until_told_something() {
        let mut reach = Reach::default();
        let standing = |reach: &Reach| {
            let reading = reach.reading(Rule::DestinationFailed, "a", 3, |_, _, _| String::new());
            reading.map(|reading| reading.standing)
        };
        for _ in 0..3 {
            assert_eq!(standing(&reach), Some(Standing::Unknown));
            reach.note(0, Err(Both::NOTHING), 1);
        }
        assert_eq!(standing(&reach), Some(Standing::Bad));
        reach.note(0, Ok(None), 1);
        assert_eq!(standing(&reach), None);
        reach.note(0, Err(Both::NOTHING), 1);
        assert_eq!(standing(&reach), None, "one failure is none");
    }
}
