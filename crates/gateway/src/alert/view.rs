//! Alerts as `status`, the dashboard and `larkline alerts` show them.

use serde::{Deserialize, Serialize};

use super::Reach;
use super::engine::{Episode, Past};
use super::rule::{Rule, Severity};
use super::words;
use crate::both::{Both, told_apart};
use crate::config::{Destination, Way};

/// Everything about alerts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlertsView {
    /// What fires, longest first.
    pub firing: Vec<FiringAlert>,
    /// What is over, newest first.
    pub recent: Vec<Past>,
    /// Who is told.
    pub destinations: Vec<DestinationView>,
    /// The heartbeat outward, where one is configured.
    pub heartbeat: Option<HeartbeatView>,
}

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
    pub what: Both,
    /// What that means.
    pub meaning: Both,
    /// The command to run next.
    pub next: Both,
    /// The page that says more.
    pub page: String,
    /// Destinations that know.
    pub told: Vec<String>,
}

/// A destination, and how telling it went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestinationView {
    /// Its name.
    pub name: String,
    /// `smtp`, `http`, `command` or `app`.
    pub kind: String,
    /// What matters less is not for it.
    pub min_severity: Severity,
    /// When it was last told something, Unix ms, in this run.
    pub last_success_ms: Option<i64>,
    /// When that last failed, Unix ms, in this run.
    pub last_failure_ms: Option<i64>,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub error: Option<String>,
    /// The same in Chinese, for a client that speaks it; an older gateway does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_zh: Option<String>,
    /// Whom of it the last success did not reach, and why: recipients of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The same in Chinese, for a client that speaks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_zh: Option<String>,
    /// Whether something waits to be told.
    pub waits: bool,
    /// Whether some of it does not wait for the end of quiet hours; an older gateway does not tell.
    #[serde(default)]
    pub waits_now: bool,
    /// Whether it is told critical alerts alone, at this hour.
    pub quiet: bool,
}

/// The heartbeat outward.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeartbeatView {
    /// When it last got out, Unix ms, in this run.
    pub last_success_ms: Option<i64>,
    /// When it last did not, Unix ms, in this run.
    pub last_failure_ms: Option<i64>,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub error: Option<String>,
    /// The same in Chinese, for a client that speaks it; an older gateway does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_zh: Option<String>,
}

impl AlertsView {
    /// The view for programs: without what is there in Chinese beside its English.
    pub fn in_english(&mut self) {
        self.destinations.iter_mut().for_each(|to| (to.error_zh, to.refused_zh) = (None, None));
        self.heartbeat.iter_mut().for_each(|beat| beat.error_zh = None);
    }
}

impl FiringAlert {
    pub(super) fn of(episode: &Episode) -> Self {
        let (rule, subject) = (episode.rule, episode.subject.clone());
        Self {
            meaning: Both::each(|lang| words::meaning(lang, rule).to_owned()),
            next: Both::each(|lang| words::next(lang, rule, &subject)),
            page: words::page(rule),
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

impl DestinationView {
    pub(super) fn of(
        name: &str,
        settings: &Destination,
        reach: Option<&Reach>,
        [waits, waits_now]: [bool; 2],
        quiet: bool,
    ) -> Self {
        let kind = match settings.way {
            Way::Smtp { .. } => "smtp",
            Way::Http(_) => "http",
            Way::Command { .. } => "command",
            Way::App { .. } => "app",
        };
        let reach = reach.cloned().unwrap_or_default();
        let (error, error_zh) = told_apart(reach.error);
        let (refused, refused_zh) = told_apart(reach.refused);
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            min_severity: settings.min_severity,
            last_success_ms: reach.success_ms,
            last_failure_ms: reach.failure_ms,
            failures: reach.failures,
            error,
            error_zh,
            refused,
            refused_zh,
            waits,
            waits_now,
            quiet,
        }
    }
}

impl HeartbeatView {
    pub(super) fn of(reach: &Reach) -> Self {
        let Reach { success_ms, failure_ms, failures, error, .. } = reach.clone();
        let (error, error_zh) = told_apart(error);
        Self { last_success_ms: success_ms, last_failure_ms: failure_ms, failures, error, error_zh }
    }
}
