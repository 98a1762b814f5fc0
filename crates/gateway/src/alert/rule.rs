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
    /// Much of the month's calls is used.
    QuotaRunningOut,
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
    /// Ended at the start, for a reason that only a person can mend.
    StartFailed,
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
}

const NOW: Option<Duration> = Some(Duration::ZERO);

impl Rule {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::LinkDown,
        Self::Deaf,
        Self::ReconnectsFailing,
        Self::ReconnectStorm,
        Self::PongMissing,
        Self::CertificateRefused,
        Self::CredentialsRefused,
        Self::QuotaUsedUp,
        Self::QuotaRunningOut,
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
        Self::StartFailed,
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
    #[expect(clippy::too_many_lines, reason = "a table: one entry for each rule")]
    pub fn defaults(self) -> Defaults {
        use Severity::{Critical, Warning};
        let secs = |secs| Some(Duration::from_secs(secs));
        match self {
            Self::LinkDown => of("link_down", Critical, None, None, "`link.recovery_target`"),
            Self::Deaf => of("deaf", Critical, NOW, None, "a proof of hearing fails"),
            Self::ReconnectsFailing => {
                of("reconnects_failing", Critical, NOW, None, "`link.alarm_after`")
            }
            Self::ReconnectStorm => {
                of("reconnect_storm", Warning, NOW, Some(10), "reconnects in 10 minutes")
            }
            Self::PongMissing => of(
                "pong_missing",
                Critical,
                secs(30),
                None,
                "`link.pong_timeout` after a ping was due",
            ),
            Self::CertificateRefused => {
                of("certificate_refused", Critical, NOW, None, "a code `tls_…` of the link")
            }
            Self::CredentialsRefused => of(
                "credentials_refused",
                Critical,
                NOW,
                None,
                "a link that was refused; a start that is refused ends, as `start_failed`, without `--keep-going`",
            ),
            Self::QuotaUsedUp => {
                of("quota_used_up", Critical, NOW, None, "code 99991403 of the platform")
            }
            Self::QuotaRunningOut => of(
                "quota_running_out",
                Warning,
                NOW,
                Some(50),
                "percent of the app's `quota` used this month; told again at 80 and 100",
            ),
            Self::Unanswered => {
                of("unanswered", Warning, NOW, None, "`answer_within` of the route")
            }
            Self::QueueFull => of("queue_full", Critical, NOW, None, "`limits.queue_max`"),
            Self::DeadLetters => of("dead_letters", Warning, NOW, Some(1), "dead letters"),
            Self::HandlerDown => {
                of("handler_down", Critical, NOW, Some(3), "failed attempts in a row")
            }
            Self::ChildOverLimit => of(
                "child_over_limit",
                Warning,
                NOW,
                None,
                "`limits` of the handler; over after 10 minutes without another",
            ),
            Self::HighMemory => {
                of("high_memory", Warning, NOW, None, "`alerts.memory` for `alerts.after`")
            }
            Self::HighCpu => of("high_cpu", Warning, NOW, None, "`alerts.cpu` for `alerts.after`"),
            Self::StoreRefuses => of(
                "store_refuses",
                Critical,
                NOW,
                None,
                "a write or a read failed, or disk or store did not answer for 15 s",
            ),
            Self::DiskLow => {
                of("disk_low", Warning, secs(30), Some(200), "MiB left where the state lives")
            }
            Self::CrashLoop => {
                of("crash_loop", Critical, NOW, None, "`alerts.boots` within `alerts.boots_within`")
            }
            Self::StartFailed => of(
                "start_failed",
                Critical,
                NOW,
                None,
                "the gateway ends for a reason that only a person can mend; never later than at once",
            ),
            Self::DestinationFailed => {
                of("destination_failed", Warning, NOW, Some(3), "failed attempts in a row")
            }
            Self::HeartbeatFailed => {
                of("heartbeat_failed", Warning, NOW, Some(3), "failed attempts in a row")
            }
        }
    }

    /// Whether whoever finds it has an ERROR line of its own in the log.
    pub fn has_own_line(self) -> bool {
        matches!(
            self,
            Self::ReconnectsFailing
                | Self::QuotaRunningOut
                | Self::Unanswered
                | Self::QueueFull
                | Self::HighMemory
                | Self::HighCpu
                | Self::StoreRefuses
                | Self::CrashLoop
                | Self::StartFailed
        )
    }
}

fn of(
    name: &'static str,
    severity: Severity,
    after: Option<Duration>,
    threshold: Option<u32>,
    measure: &'static str,
) -> Defaults {
    Defaults { name, severity, after, threshold, measure }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/alerts.md`.
    fn table() -> String {
        let mut text =
            "| rule | severity | after | threshold | measure |\n|---|---|---|---|---|\n".to_owned();
        for rule in Rule::ALL {
            let Defaults { name, severity, after, threshold, measure } = rule.defaults();
            let severity = match severity {
                Severity::Warning => "warning",
                Severity::Critical => "critical",
            };
            let after = match after {
                None => "`link.recovery_target`".to_owned(),
                Some(Duration::ZERO) => "at once".to_owned(),
                Some(after) => format!("{after:?}"),
            };
            let threshold = threshold.map_or_else(|| "–".to_owned(), |n| n.to_string());
            text.push_str(&format!(
                "| `{name}` | {severity} | {after} | {threshold} | {measure} |\n"
            ));
        }
        text
    }

    #[test]
    fn the_page_lists_every_rule_as_it_is_and_each_has_a_section_of_what_to_do() {
        const BEGIN: &str = "<!-- rules -->\n";
        const END: &str = "<!-- end of rules -->";
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let path = root.join("docs/alerts.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
        if std::env::var_os("LARKLINE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        } else {
            assert!(page == wanted, "docs/alerts.md is not what the code says: cargo xtask docs");
        }
        let sections = std::fs::read_to_string(root.join("docs/errors/alerts.md")).unwrap();
        let process = std::fs::read_to_string(root.join("docs/errors/process.md")).unwrap();
        let sections = sections + &process;
        for rule in Rule::ALL {
            assert!(sections.contains(&format!("\n## `{}`\n", rule.name())), "{}", rule.name());
        }
    }

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
