//! What fires and who was told: pure, with the moment as an argument.
//!
//! ```text
//! quiet ──bad──> pending ──bad for `after`──> firing ──good for `clear_after`──> over ──told──> quiet
//! ```
//!
//! Destinations are not queues: each asks what it still has to tell, so whatever failed, waited for
//! the morning or was cut off by a crash is found again, and nothing grows beyond what fires.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rule::{Rule, Severity};
use crate::both::Both;

/// Alerts that may be open at once; whoever has so many needs no more names.
pub const OPEN_MAX: usize = 100;
/// Alerts that are over and remembered for `larkline alerts`.
const RECENT_MAX: usize = 50;
/// An alert that is over and could not be told for so long is told no more.
pub(super) const UNTOLD_KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// An alert that became worse is told again, at most so often.
const WORSE_EVERY_MS: i64 = 10 * 60 * 1000;

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

/// What a notice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It fires.
    Raised,
    /// It still fires, or became worse.
    Reminder,
    /// It is over.
    Cleared,
    /// Nothing is wrong: somebody tries the destination.
    Test,
}

/// What one destination is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The same at every attempt.
    pub id: String,
    /// What it says.
    pub kind: Kind,
    /// Of which alert, as it is now.
    pub alert: Episode,
}

/// A destination's own wishes.
#[derive(Clone, Debug)]
pub struct Recipient<'a> {
    /// Its name.
    pub name: &'a str,
    /// What matters less is not for it.
    pub min_severity: Severity,
    /// Whether it hears that alerts are over.
    pub clearing: bool,
    /// Now is a time for critical alerts only.
    pub quiet: bool,
    /// What still fires is told again so often.
    pub remind_ms: i64,
}

/// Alerts over time.
#[derive(Debug, Default)]
pub struct Engine {
    pending: BTreeMap<Key, i64>,
    episodes: BTreeMap<Key, Episode>,
    recent: VecDeque<Past>,
    is_full: bool,
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
        let kept = episodes.into_iter().filter(|e| e.rule.outlives_the_run()).take(OPEN_MAX);
        let episodes = kept.map(|e| ((e.rule, e.subject.clone()), e)).collect();
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
            // A clock that was set back shall not hold anything up.
            let since = (*episode.good_since_ms.get_or_insert(now_ms)).min(now_ms);
            episode.good_since_ms = Some(since);
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
        let since = self.pending.entry(key.clone()).or_insert(now_ms);
        *since = (*since).min(now_ms);
        let since_ms = *since;
        if now_ms - since_ms < policy.after_ms {
            return None;
        }
        let before = self.episodes.get(&key);
        if before.is_none() && self.episodes.len() >= OPEN_MAX {
            // Said one time, until there was room again.
            let said = std::mem::replace(&mut self.is_full, true);
            return (!said).then_some(Change::Dropped(key));
        }
        // Who was not told yet that it was over need not hear that it is back.
        let told = before.map(|e| e.told.clone()).unwrap_or_default();
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
            told: told.into_iter().filter(|(_, told)| !told.over).collect(),
        };
        self.pending.remove(&key);
        self.episodes.insert(key, episode.clone());
        Some(Change::Raised(episode))
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

    /// What a destination is to be told next, oldest first.
    pub fn due(&self, to: &Recipient<'_>, now_ms: i64) -> Option<Notice> {
        let mut episodes: Vec<&Episode> = self.episodes.values().collect();
        episodes.sort_by_key(|e| e.raised_ms);
        episodes.into_iter().find_map(|episode| {
            let kind = due_of(episode, to, now_ms)?;
            Some(Notice { id: notice_id(episode, kind, to.name), kind, alert: episode.clone() })
        })
    }

    /// Whether a destination is to be told something of this alert.
    pub fn is_due(&self, key: &Key, to: &Recipient<'_>, now_ms: i64) -> bool {
        self.episodes.get(key).is_some_and(|episode| due_of(episode, to, now_ms).is_some())
    }

    /// A destination was told, or is to be bothered no more with this.
    pub fn told(&mut self, notice: &Notice, to: &str, now_ms: i64) {
        let key = (notice.alert.rule, notice.alert.subject.clone());
        let Some(episode) = self.episodes.get_mut(&key) else { return };
        if episode.raised_ms == notice.alert.raised_ms {
            let over = notice.kind == Kind::Cleared;
            let told = Told { at_ms: now_ms, level: notice.alert.level, over };
            episode.told.insert(to.to_owned(), told);
        }
    }

    /// Forgets what is over and known to all of these, or cannot be told any more. True when
    /// something went.
    pub fn forget(&mut self, all: &[Recipient<'_>], now_ms: i64) -> bool {
        let before = self.episodes.len();
        self.episodes.retain(|_, episode| {
            let Some(ended_ms) = episode.ended_ms else { return true };
            let waits = all.iter().any(|to| {
                due_of(episode, &Recipient { quiet: false, ..to.clone() }, now_ms).is_some()
            });
            waits && now_ms - ended_ms < UNTOLD_KEPT_MS
        });
        self.is_full &= self.episodes.len() >= OPEN_MAX;
        before != self.episodes.len()
    }
}

fn due_of(episode: &Episode, to: &Recipient<'_>, now_ms: i64) -> Option<Kind> {
    let about_itself = episode.rule == Rule::DestinationFailed && episode.subject == to.name;
    let waits = to.quiet && episode.severity < Severity::Critical;
    if episode.severity < to.min_severity || about_itself || waits {
        return None;
    }
    match (episode.ended_ms, episode.told.get(to.name)) {
        (None, None) => Some(Kind::Raised),
        // An alert that came and went while nobody could be told is told all the same: the mail
        // server is often behind the very network that was down.
        (Some(_), None) => Some(Kind::Cleared),
        (Some(_), Some(told)) => (!told.over && to.clearing).then_some(Kind::Cleared),
        (None, Some(told)) => {
            let ago = now_ms - told.at_ms;
            let is_worse = episode.level > told.level && ago >= WORSE_EVERY_MS;
            (is_worse || ago >= to.remind_ms).then_some(Kind::Reminder)
        }
    }
}

/// The same for every attempt at the same notice, also after a crash.
fn notice_id(episode: &Episode, kind: Kind, to: &str) -> String {
    let told = episode.told.get(to).map_or(0, |told| told.at_ms);
    let name = format!(
        "{}/{}/{}/{kind:?}/{told}/{to}",
        episode.rule.name(),
        episode.subject,
        episode.raised_ms
    );
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
