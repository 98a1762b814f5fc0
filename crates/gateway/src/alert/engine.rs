//! What fires: pure, with the moment as an argument. What is still to be told of it is `due`.
//!
//! ```text
//! quiet ──bad──> pending ──bad for `after`──> firing ──good for `clear_after`──> over ──told──> quiet
//! ```
//!
//! What is over is kept until everybody knows it, and takes no room of what fires.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::rule::{Rule, Severity};
use crate::both::Both;

/// Alerts of each severity that may be open at once; whoever has so many needs no more names. Warnings
/// take no room of what is critical.
pub const OPEN_MAX: usize = 100;
/// Alerts that are over and remembered for `larkline alerts`.
const RECENT_MAX: usize = 50;

/// What a condition is of.
pub type Key = (Rule, String);

/// How a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds: something is wrong.
    Bad,
    /// It cannot be known now: what fires goes on firing, what waits goes on waiting.
    Unknown,
}

/// A condition at one moment. One that is not among the readings is good.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Of which rule.
    pub rule: Rule,
    /// About whom: an app, a handler, a message.
    pub subject: String,
    /// How it stands.
    pub standing: Standing,
    /// How bad; when this grows, it is told again.
    pub level: u64,
    /// What is wrong, one sentence.
    pub what: Both,
}

/// How a rule is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether at all.
    pub enabled: bool,
    /// How much it matters.
    pub severity: Severity,
    /// How long it has to be bad.
    pub after_ms: i64,
    /// How long it has to be good.
    pub clear_after_ms: i64,
}

/// One alert, from its raising until everybody knows that it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Of which rule.
    pub rule: Rule,
    /// About whom.
    pub subject: String,
    /// How much it matters.
    pub severity: Severity,
    /// Since when it is bad, Unix ms.
    pub since_ms: i64,
    /// When it was raised, Unix ms.
    pub raised_ms: i64,
    /// Since when it is good again, Unix ms.
    pub good_since_ms: Option<i64>,
    /// When it was over, Unix ms.
    pub ended_ms: Option<i64>,
    /// How bad it is.
    pub level: u64,
    /// What is wrong.
    pub what: Both,
    /// Who was told what, by the names of destinations.
    pub told: BTreeMap<String, Told>,
}

/// What a destination was told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When last, Unix ms.
    pub at_ms: i64,
    /// How bad it was then.
    pub level: u64,
    /// That it is over.
    pub over: bool,
    /// An attempt to tell that it is over has begun: it may have arrived, whatever became of it.
    #[serde(default)]
    pub over_begun: bool,
}

/// An alert that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Of which rule.
    pub rule: Rule,
    /// About whom.
    pub subject: String,
    /// How much it mattered.
    pub severity: Severity,
    /// Since when it was bad, Unix ms.
    pub since_ms: i64,
    /// When it was over, Unix ms.
    pub ended_ms: i64,
}

/// What changed at a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is firing.
    Raised(Episode),
    /// It is over.
    Cleared(Episode),
    /// It would fire, and too many do.
    Dropped(Key),
}

/// Alerts over time.
#[derive(Debug, Default)]
pub struct Engine {
    pending: BTreeMap<Key, i64>,
    pub(super) episodes: BTreeMap<Key, Episode>,
    recent: VecDeque<Past>,
    /// Severities of which one too many was said.
    full: BTreeSet<Severity>,
}

/// What outlives the process.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    episodes: Vec<Episode>,
    recent: VecDeque<Past>,
}

impl Engine {
    /// The alerts of an earlier run; what cannot be read is nothing.
    pub fn restore(stored: &str) -> Self {
        let Stored { episodes, recent } = serde_json::from_str(stored).unwrap_or_default();
        let episodes = episodes.into_iter().map(|e| ((e.rule, e.subject.clone()), e)).collect();
        Self { episodes, recent, ..Self::default() }
    }

    /// What the next run has to know.
    pub fn to_stored(&self) -> String {
        let episodes = self.episodes.values().cloned().collect();
        let stored = Stored { episodes, recent: self.recent.clone() };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Takes all readings of one moment.
    pub fn look(
        &mut self,
        now_ms: i64,
        readings: &[Reading],
        policy: impl Fn(Rule) -> Policy,
    ) -> Vec<Change> {
        self.set_back(now_ms);
        let mut changes = Vec::new();
        let (mut bad, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for reading in readings.iter().filter(|reading| policy(reading.rule).enabled) {
            let key = (reading.rule, reading.subject.clone());
            match reading.standing {
                Standing::Unknown => unknown.insert(key),
                Standing::Bad => {
                    changes.extend(self.bad(now_ms, reading, policy(reading.rule)));
                    bad.insert(key)
                }
            };
        }
        self.pending.retain(|key, _| bad.contains(key) || unknown.contains(key));
        for (key, episode) in self.episodes.iter_mut().filter(|(_, e)| e.ended_ms.is_none()) {
            if bad.contains(key) || unknown.contains(key) {
                episode.good_since_ms = None;
                continue;
            }
            let rule = policy(key.0);
            let since = *episode.good_since_ms.get_or_insert(now_ms);
            if now_ms - since >= rule.clear_after_ms || !rule.enabled {
                episode.ended_ms = Some(now_ms);
                changes.push(Change::Cleared(episode.clone()));
            }
        }
        for change in &changes {
            if let Change::Cleared(episode) = change {
                self.remember(episode, now_ms);
            }
        }
        changes
    }

    /// Takes one reading that will not be there at a next look: the process ends.
    pub fn raise(&mut self, now_ms: i64, reading: &Reading, policy: Policy) -> Option<Change> {
        self.set_back(now_ms);
        let at_once = Policy { after_ms: 0, ..policy };
        policy.enabled.then(|| self.bad(now_ms, reading, at_once)).flatten()
    }

    fn bad(&mut self, now_ms: i64, reading: &Reading, policy: Policy) -> Option<Change> {
        let key = (reading.rule, reading.subject.clone());
        if let Some(open) = self.episodes.get_mut(&key).filter(|e| e.ended_ms.is_none()) {
            (open.level, open.what) = (reading.level, reading.what.clone());
            open.good_since_ms = None;
            return None;
        }
        let since_ms = *self.pending.entry(key.clone()).or_insert(now_ms);
        if now_ms - since_ms < policy.after_ms {
            return None;
        }
        if self.open(policy.severity) >= OPEN_MAX {
            // Said one time, until there was room again.
            return self.full.insert(policy.severity).then_some(Change::Dropped(key));
        }
        self.full.remove(&policy.severity);
        // Who was not told yet that it was over need not hear that it is back.
        let told = self.episodes.get(&key).map(|e| e.told.clone()).unwrap_or_default();
        let episode = Episode {
            rule: reading.rule,
            subject: reading.subject.clone(),
            severity: policy.severity,
            since_ms,
            raised_ms: now_ms,
            good_since_ms: None,
            ended_ms: None,
            level: reading.level,
            what: reading.what.clone(),
            told: told.into_iter().filter(|(_, told)| !told.over && !told.over_begun).collect(),
        };
        self.pending.remove(&key);
        self.episodes.insert(key, episode.clone());
        Some(Change::Raised(episode))
    }

    /// A clock that was set back shall not hold anything up: nothing was later than now.
    fn set_back(&mut self, now_ms: i64) {
        self.pending.values_mut().for_each(|since| *since = now_ms.min(*since));
        for episode in self.episodes.values_mut() {
            let told = episode.told.values_mut().map(|told| &mut told.at_ms);
            let times = episode.good_since_ms.iter_mut().chain(&mut episode.ended_ms);
            times.chain(told).for_each(|at| *at = now_ms.min(*at));
        }
    }

    fn remember(&mut self, episode: &Episode, now_ms: i64) {
        self.recent.push_back(Past {
            rule: episode.rule,
            subject: episode.subject.clone(),
            severity: episode.severity,
            since_ms: episode.since_ms,
            ended_ms: now_ms,
        });
        while self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }

    /// What fires, longest first.
    pub fn firing(&self) -> Vec<&Episode> {
        let mut firing: Vec<_> = self.episodes.values().filter(|e| e.ended_ms.is_none()).collect();
        firing.sort_by_key(|e| e.raised_ms);
        firing
    }

    /// What is over, newest last.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Past> {
        self.recent.iter()
    }

    fn open(&self, severity: Severity) -> usize {
        self.episodes.values().filter(|e| e.ended_ms.is_none() && e.severity == severity).count()
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
