//! `[alerts]`: from where on something is worth a person's attention, and when people are told.

use std::collections::BTreeMap;
use std::time::Duration;

use larkline_client::SecretUrl;
use serde_json::{Value as Json, json};

use super::decoder::Spot;
use super::destination::HookUrl;
use super::field::{A_STRING, Field, choices};
use super::nearest::{did_you_mean, nearest};
use super::section::Section;
use super::units::{Bytes, days};
use crate::alert::{Policy, Rule, Severity};
use crate::both::{Both, both};
use crate::clock::ms;

/// Thresholds, and the manners of telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Resident memory of the gateway, and of one child with all it started.
    pub memory: Bytes,
    /// Percent of one processor, of the same.
    pub cpu: u32,
    /// How long a threshold has to be exceeded; and undercut by a tenth, until it is over.
    pub after: Duration,
    /// Starts that make a crash loop.
    pub boots: u32,
    /// Within this time.
    pub boots_within: Duration,
    /// How long a condition has to be good before its alert is over.
    pub clear_after: Duration,
    /// What still fires is told again so often.
    pub remind: Duration,
    /// When critical alerts alone are told.
    pub quiet: Option<Quiet>,
    /// What the configuration says of single rules.
    pub rules: BTreeMap<Rule, RuleSettings>,
    /// The heartbeat outward.
    pub heartbeat: Option<Heartbeat>,
}

/// What the configuration says of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// Whether at all.
    pub enabled: Option<bool>,
    /// How much it matters.
    pub severity: Option<Severity>,
    /// How long it has to hold.
    pub after: Option<Duration>,
    /// From where on.
    pub threshold: Option<u32>,
}

/// Asks somebody outside to notice when it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// What is fetched.
    pub url: SecretUrl,
    /// How often.
    pub every: Duration,
}

/// A part of each day, in minutes after midnight; it may reach over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    from: u16,
    to: u16,
}

choices!(Severity, "warning or critical", {
    "warning" => Self::Warning,
    "critical" => Self::Critical,
});

impl Alerts {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let second = Duration::from_secs(1);
        Self {
            memory: section
                .key("memory", "of the gateway, and of each child with all it started")
                .within(Bytes::mib(400), Bytes::mib(1)..=Bytes::mib(1 << 20)),
            cpu: section
                .key("cpu", "percent of one processor, of the same")
                .within(80, 1..=100_000),
            after: section
                .key("after", "a peak is no alert; and it ends as late below nine tenths")
                .within(Duration::from_mins(5), second..=Duration::from_hours(24)),
            boots: section.key("boots", "so many starts are a crash loop").within(5, 2..=1000),
            boots_within: section
                .key("boots_within", "in this time")
                .within(Duration::from_mins(10), second..=Duration::from_hours(24)),
            clear_after: section
                .key("clear_after", "good for so long ends an alert: what flutters is one alert")
                .within(Duration::from_mins(1), Duration::ZERO..=Duration::from_hours(24)),
            remind: section
                .key("remind", "what still fires is told again so often")
                .within(Duration::from_hours(12), Duration::from_mins(1)..=days(30)),
            quiet: section
                .key(
                    "quiet",
                    "then critical alerts alone are told, the rest in the morning; local time",
                )
                .optional(),
            rules: read_rules(&mut section),
            heartbeat: read_heartbeat(section.section("heartbeat")),
        }
    }

    /// How a rule is judged; `recovery_target` is what a lost link may take.
    pub fn policy(&self, rule: Rule, recovery_target: Duration) -> Policy {
        let (set, usual) = (self.rules.get(&rule), rule.defaults());
        let after = set.and_then(|set| set.after).or(usual.after).unwrap_or(recovery_target);
        Policy {
            enabled: set.and_then(|set| set.enabled).unwrap_or(true),
            severity: set.and_then(|set| set.severity).unwrap_or(usual.severity),
            after_ms: ms(after),
            // Memory and processor time have waited already, below nine tenths.
            clear_after_ms: match matches!(rule, Rule::HighMemory | Rule::HighCpu) {
                true => 0,
                false => ms(self.clear_after),
            },
        }
    }

    /// From where on a rule's own number is too much; too little for what is left on a disk.
    pub fn threshold(&self, rule: Rule) -> u32 {
        let set = self.rules.get(&rule).and_then(|set| set.threshold);
        set.or_else(|| rule.defaults().threshold).unwrap_or(0)
    }
}

fn read_rules(section: &mut Section<'_>) -> BTreeMap<Rule, RuleSettings> {
    let mut rules = BTreeMap::new();
    for (name, mut section) in section.named("rule") {
        let Some(rule) = Rule::named(&name) else {
            let names = Rule::ALL.map(Rule::name);
            let hint = match nearest(&name, names) {
                Some(near) => did_you_mean(near),
                None => both!(zh: "可用：{names}", en: "known: {names}", names = names.join(", ")),
            };
            let message = both!(zh: "没有规则 `{name}`", en: "there is no rule `{name}`");
            section.refuse("", message, hint);
            section.abandon();
            continue;
        };
        let settings = RuleSettings {
            enabled: section.key("enabled", "`false` switches the rule off").optional(),
            severity: section.key("severity", "what is critical is told at any hour").optional(),
            after: section
                .key("after", "how long it has to hold")
                .optional_within(Duration::ZERO..=days(1)),
            threshold: section
                .key("threshold", "from where on, for rules with a number of their own")
                .optional_within(1..=1_000_000),
        };
        if settings.threshold.is_some() && rule.defaults().threshold.is_none() {
            let message = both!(
                zh: "`{name}` 没有自己的数值",
                en: "`{name}` has no number of its own"
            );
            section.refuse(
                "threshold",
                message,
                Both::of(
                    "docs/alerts.md 写明了决定它的键",
                    "docs/alerts.md names the key that holds its measure",
                ),
            );
        }
        rules.insert(rule, settings);
    }
    rules
}

fn read_heartbeat(mut section: Section<'_>) -> Option<Heartbeat> {
    let is_there = section.is_present();
    let url = section
        .key("url", "fetched while the gateway is ready: whoever misses it tells you")
        .optional::<HookUrl>();
    let every = section
        .key("every", "the other side should wait twice as long")
        .within(Duration::from_mins(1), Duration::from_secs(1)..=days(1));
    if is_there && url.is_none() {
        section.refuse(
            "",
            Both::of("缺少 `url`", "`url` is missing"),
            Both::of(
                "写 url = { env = \"HEARTBEAT_URL\" }",
                "write url = { env = \"HEARTBEAT_URL\" }",
            ),
        );
    }
    url.map(|url| Heartbeat { url: url.0, every })
}

impl Quiet {
    /// Whether a minute of the day lies within.
    pub fn holds(self, minute: u16) -> bool {
        match self.from <= self.to {
            true => (self.from..self.to).contains(&minute),
            false => minute >= self.from || minute < self.to,
        }
    }
}

impl Field for Quiet {
    const KIND: &'static str = "part of a day";
    const HINT: Both = Both::of("写成 \"22:00-07:00\"", "write it as \"22:00-07:00\"");

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&A_STRING, Self::HINT)?;
        let parts = text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match parts {
            Some((from, to)) if from != to => Some(Self { from, to }),
            Some(_) | None => spot.refuse(
                both!(
                    zh: "`{text}` 不是一天中的一段时间",
                    en: "`{text}` is not a part of a day"
                ),
                Self::HINT,
            ),
        }
    }

    fn shown(&self) -> Json {
        let Self { from, to } = *self;
        json!(format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60))
    }
}

/// `22:00` as minutes after midnight.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let (hour, minute): (u16, u16) = match digits(hour) && digits(minute) {
        true => (hour.parse().ok()?, minute.parse().ok()?),
        false => return None,
    };
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_may_reach_over_midnight() {
        let night = Quiet { from: 22 * 60, to: 7 * 60 };
        for (at, holds) in [(22 * 60, true), (0, true), (419, true), (420, false), (1319, false)] {
            assert_eq!(night.holds(at), holds, "{at}");
        }
        let noon = Quiet { from: 12 * 60, to: 13 * 60 };
        assert!(noon.holds(750) && !noon.holds(780) && !noon.holds(719));
        assert_eq!(minute("07:05"), Some(425));
        for wrong in ["7:05", "24:00", "12:60", "", "12", "-1:00"] {
            assert_eq!(minute(wrong), None, "{wrong}");
        }
    }
}
