//! Who is to be told what of the alerts: pure, as they are.
//!
//! Destinations are not queues: each asks what it still has to tell, so whatever failed, waited for
//! the morning or was cut off by a crash is found again, and nothing grows beyond what fires.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::engine::{Engine, Episode, Key, Told};
use super::rule::{Rule, Severity};
use crate::clock::ms;

/// An alert that is over and could not be told for so long is told no more.
pub(super) const UNTOLD_KEPT: Duration = Duration::from_hours(24);
/// So many that are over wait to be told; beyond it the oldest of those that matter least go.
pub(super) const UNTOLD_MAX: usize = 100;
/// An alert that became worse is told again, at most so often.
const WORSE_EVERY_MS: i64 = 10 * 60 * 1000;

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

impl Notice {
    /// Which alert it is about.
    pub fn key(&self) -> Key {
        (self.alert.rule, self.alert.subject.clone())
    }
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

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Over, and told to all.
    pub told: usize,
    /// Over, and not told to somebody.
    pub untold: usize,
}

impl Engine {
    /// What a destination is to be told, critical alerts first and then the oldest.
    pub fn due(&self, to: &Recipient<'_>, now_ms: i64) -> Vec<Notice> {
        let notice = |episode: &Episode| {
            let kind = due_of(episode, to, now_ms)?;
            Some(Notice { id: notice_id(episode, kind, to.name), kind, alert: episode.clone() })
        };
        let mut notices: Vec<Notice> = self.episodes.values().filter_map(notice).collect();
        notices.sort_by_key(|n| (Reverse(n.alert.severity), n.alert.raised_ms));
        notices
    }

    /// Whether a destination is to be told anything.
    pub fn is_any_due(&self, to: &Recipient<'_>, now_ms: i64) -> bool {
        self.episodes.values().any(|episode| due_of(episode, to, now_ms).is_some())
    }

    /// Whether a destination is to be told something of this alert.
    pub fn is_due(&self, key: &Key, to: &Recipient<'_>, now_ms: i64) -> bool {
        self.episodes.get(key).is_some_and(|episode| due_of(episode, to, now_ms).is_some())
    }

    /// An attempt to tell a destination begins.
    pub fn begun(&mut self, notice: &Notice, to: &str) {
        let Some(told) = self.of(notice).and_then(|episode| episode.told.get_mut(to)) else {
            return;
        };
        told.over_begun |= notice.kind == Kind::Cleared;
    }

    /// A destination was told, or is to be bothered no more with this.
    pub fn told(&mut self, notice: &Notice, to: &str, now_ms: i64) {
        let Some(episode) = self.of(notice) else { return };
        let over = notice.kind == Kind::Cleared;
        let told = Told { at_ms: now_ms, level: notice.alert.level, over, over_begun: over };
        episode.told.insert(to.to_owned(), told);
    }

    /// The alert of a notice, unless another has begun since.
    fn of(&mut self, notice: &Notice) -> Option<&mut Episode> {
        let episode = self.episodes.get_mut(&notice.key())?;
        (episode.raised_ms == notice.alert.raised_ms).then_some(episode)
    }

    /// Forgets what is over and known to all of these, or cannot be told any more.
    pub fn forget(&mut self, all: &[Recipient<'_>], now_ms: i64) -> Forgotten {
        let mut forgotten = Forgotten::default();
        self.episodes.retain(|_, episode| {
            let Some(ended_ms) = episode.ended_ms else { return true };
            let waits = all.iter().any(|to| {
                due_of(episode, &Recipient { quiet: false, ..to.clone() }, now_ms).is_some()
            });
            let is_old = now_ms - ended_ms >= ms(UNTOLD_KEPT);
            forgotten.told += usize::from(!waits);
            forgotten.untold += usize::from(waits && is_old);
            waits && !is_old
        });
        let mut over: Vec<(Severity, i64, Key)> = self
            .episodes
            .iter()
            .filter_map(|(key, episode)| Some((episode.severity, episode.ended_ms?, key.clone())))
            .collect();
        over.sort();
        over.truncate(over.len().saturating_sub(UNTOLD_MAX));
        forgotten.untold += over.len();
        for (_, _, key) in over {
            self.episodes.remove(&key);
        }
        forgotten
    }
}

pub(super) fn due_of(episode: &Episode, to: &Recipient<'_>, now_ms: i64) -> Option<Kind> {
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
