//! Alerts as `status`, the dashboard and `larkline alerts` show them.

use serde::{Deserialize, Serialize};

use super::engine::Episode;
use super::rule::{Rule, Severity};
use super::words::{self, Words};

/// An alert that fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiringAlert {
    /// Its rule.
    pub rule: Rule,
    /// About whom: an app, a handler, a message.
    pub subject: String,
    /// How much it matters.
    pub severity: Severity,
    /// Since when it is bad, Unix ms.
    pub since_ms: i64,
    /// When it was raised, Unix ms.
    pub raised_ms: i64,
    /// What is wrong.
    pub what: Words,
    /// What that means.
    pub meaning: Words,
    /// The command to run next.
    pub next: Words,
    /// The page that says more.
    pub page: String,
    /// Destinations that know.
    pub told: Vec<String>,
}

impl FiringAlert {
    pub(super) fn of(episode: &Episode) -> Self {
        let (rule, subject) = (episode.rule, episode.subject.clone());
        Self {
            meaning: Words::of(|lang| words::meaning(lang, rule).to_owned()),
            next: Words::of(|lang| words::next(lang, rule, &subject)),
            page: format!("docs/errors/{}", rule.defaults().page),
            rule,
            subject,
            severity: episode.severity,
            since_ms: episode.since_ms,
            raised_ms: episode.raised_ms,
            what: episode.what.clone(),
            told: episode.told.keys().cloned().collect(),
        }
    }
}
