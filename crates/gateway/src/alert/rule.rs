//! The rules: a closed list, each with a name that stays, and what it is by default.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A person should look, by day.
    Warning,
    /// A person should look now: messages are not heard, kept or answered.
    Critical,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The link of an app is not verified.
    LinkDown,
    /// The link answers, and does not hear.
    Deaf,
    /// Attempts to connect fail in a row.
    ReconnectsFailing,
    /// The link comes and goes.
    ReconnectStorm,
    /// Pings have no answer for long.
    PongMissing,
    /// The platform or a proxy shows a certificate that is refused.
    CertificateRefused,
    /// The platform refuses the app's credentials.
    CredentialsRefused,
    /// The month's calls are used up.
    QuotaUsedUp,
    /// A message of a person has no end in time.
    Unanswered,
    /// More waits than the bound allows.
    QueueFull,
    /// Work or answers were given up.
    DeadLetters,
    /// A handler fails again and again.
    HandlerDown,
    /// A child was ended because it used more than its limits allow.
    ChildOverLimit,
    /// Memory beyond the threshold.
    HighMemory,
    /// Processor time beyond the threshold.
    HighCpu,
    /// The store takes no writes.
    StoreRefuses,
    /// Little room where the state lives.
    DiskLow,
    /// Started again and again.
    CrashLoop,
    /// A destination of alerts cannot be reached.
    DestinationFailed,
    /// The heartbeat outward fails.
    HeartbeatFailed,
}

/// What a rule is when the configuration says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// As configured and shown.
    pub name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// How long it has to hold; none is said by a key of another section.
    pub after: Option<Duration>,
    /// From where on, when that is a number of the rule's own.
    pub threshold: Option<u32>,
    /// What the number counts, or the key that holds the rule's measure.
    pub measure: &'static str,
    /// The page of `docs/errors` that says more, with its section.
    pub page: &'static str,
}

const NOW: Option<Duration> = Some(Duration::ZERO);

impl Rule {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::LinkDown,
        Self::Deaf,
        Self::ReconnectsFailing,
        Self::ReconnectStorm,
        Self::PongMissing,
        Self::CertificateRefused,
        Self::CredentialsRefused,
        Self::QuotaUsedUp,
        Self::Unanswered,
        Self::QueueFull,
        Self::DeadLetters,
        Self::HandlerDown,
        Self::ChildOverLimit,
        Self::HighMemory,
        Self::HighCpu,
        Self::StoreRefuses,
        Self::DiskLow,
        Self::CrashLoop,
        Self::DestinationFailed,
        Self::HeartbeatFailed,
    ];

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// As configured and shown.
    pub fn name(self) -> &'static str {
        self.defaults().name
    }

    /// What it is by default.
    pub fn defaults(self) -> Defaults {
        use Severity::{Critical, Warning};
        let secs = |secs| Some(Duration::from_secs(secs));
        match self {
            Self::LinkDown => {
                of("link_down", Critical, None, None, "`link.recovery_target`", "link.md")
            }
            Self::Deaf => of("deaf", Critical, NOW, None, "a proof of hearing fails", "link.md"),
            Self::ReconnectsFailing => {
                of("reconnects_failing", Critical, NOW, None, "`link.alarm_after`", "link.md")
            }
            Self::ReconnectStorm => of(
                "reconnect_storm",
                Warning,
                NOW,
                Some(10),
                "new connections in 10 minutes",
                "link.md#closed",
            ),
            Self::PongMissing => of(
                "pong_missing",
                Critical,
                secs(30),
                None,
                "`link.pong_timeout` after a ping was due",
                "link.md#silent",
            ),
            Self::CertificateRefused => of(
                "certificate_refused",
                Critical,
                NOW,
                None,
                "a code `tls_…` of the link",
                "network.md#tls_untrusted",
            ),
            Self::CredentialsRefused => of(
                "credentials_refused",
                Critical,
                NOW,
                None,
                "needs `larkline run --keep-going`; without it the gateway ends",
                "link.md#refused",
            ),
            Self::QuotaUsedUp => of(
                "quota_used_up",
                Critical,
                NOW,
                None,
                "code 99991403 of the platform",
                "api.md#platform-codes",
            ),
            Self::Unanswered => of(
                "unanswered",
                Warning,
                NOW,
                None,
                "`answer_within` of the route",
                "alerts.md#unanswered",
            ),
            Self::QueueFull => {
                of("queue_full", Critical, NOW, None, "`limits.queue_max`", "alerts.md#queue_full")
            }
            Self::DeadLetters => {
                of("dead_letters", Warning, NOW, Some(1), "dead letters", "alerts.md#dead_letters")
            }
            Self::HandlerDown => of(
                "handler_down",
                Critical,
                NOW,
                Some(3),
                "failed attempts in a row",
                "handlers.md",
            ),
            Self::ChildOverLimit => of(
                "child_over_limit",
                Warning,
                NOW,
                None,
                "`limits` of the handler; over after 10 minutes without another",
                "handlers.md",
            ),
            Self::HighMemory => of(
                "high_memory",
                Warning,
                NOW,
                None,
                "`alerts.memory` for `alerts.after`",
                "process.md#high_memory",
            ),
            Self::HighCpu => of(
                "high_cpu",
                Warning,
                NOW,
                None,
                "`alerts.cpu` for `alerts.after`",
                "process.md#high_cpu",
            ),
            Self::StoreRefuses => {
                of("store_refuses", Critical, NOW, None, "a write failed", "store.md")
            }
            Self::DiskLow => of(
                "disk_low",
                Warning,
                secs(30),
                Some(200),
                "MiB left where the state lives",
                "store.md",
            ),
            Self::CrashLoop => of(
                "crash_loop",
                Critical,
                NOW,
                None,
                "`alerts.boots` within `alerts.boots_within`",
                "process.md#crash_loop",
            ),
            Self::DestinationFailed => of(
                "destination_failed",
                Warning,
                NOW,
                Some(3),
                "failed attempts in a row",
                "alerts.md#destination_failed",
            ),
            Self::HeartbeatFailed => of(
                "heartbeat_failed",
                Warning,
                NOW,
                Some(3),
                "failed attempts in a row",
                "alerts.md#heartbeat_failed",
            ),
        }
    }

    /// Whether its condition is known anew after a restart; the others are forgotten with the run
    /// that saw them.
    pub fn outlives_the_run(self) -> bool {
        !matches!(self, Self::DestinationFailed | Self::HeartbeatFailed | Self::ChildOverLimit)
    }

    /// Whether whoever finds it has an ERROR line of its own in the log.
    pub fn has_own_line(self) -> bool {
        matches!(
            self,
            Self::ReconnectsFailing
                | Self::Unanswered
                | Self::QueueFull
                | Self::HighMemory
                | Self::HighCpu
                | Self::StoreRefuses
                | Self::CrashLoop
        )
    }
}

fn of(
    name: &'static str,
    severity: Severity,
    after: Option<Duration>,
    threshold: Option<u32>,
    measure: &'static str,
    page: &'static str,
) -> Defaults {
    Defaults { name, severity, after, threshold, measure, page }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_stored_form_and_lead_back() {
        for rule in Rule::ALL {
            let stored = serde_json::to_value(rule).unwrap();
            assert_eq!(stored, rule.name());
            assert_eq!(Rule::named(rule.name()), Some(rule));
        }
        assert_eq!(Rule::named("nonsense"), None);
    }
}
