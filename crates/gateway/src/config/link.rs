//! `[link]`: how a connection is kept, proven and replaced.

use std::time::Duration;

use larkline_proto::link::Probe;

use super::field::choices;
use super::section::Section;
use super::units::{days, secs};
use crate::both::Both;

/// `[link]`: how a connection is kept, proven and replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// Floor of the ping interval the server asks for.
    pub ping_min: Duration,
    /// Ceiling of the ping interval the server asks for.
    pub ping_max: Duration,
    /// How a silent link is probed between pings.
    pub probe: Probe,
    /// Silence after which a probe is sent.
    pub probe_interval: Duration,
    /// How long a probe may stay unanswered.
    pub probe_timeout: Duration,
    /// How long a protocol ping may stay unanswered.
    pub pong_timeout: Duration,
    /// Limit of finding the socket's address.
    pub discovery_timeout: Duration,
    /// Limit of a dial: name, proxy, TCP, TLS and upgrade together.
    pub dial_timeout: Duration,
    /// Limit from the upgrade to the server's next frame.
    pub verify_timeout: Duration,
    /// How long the start waits for a verified link before it says so and goes on trying.
    pub startup_deadline: Duration,
    /// Longest wait after the loss of a link that was verified.
    pub backoff_quick: Duration,
    /// Ceiling of the wait after one failure; doubles with each further one.
    pub backoff_first: Duration,
    /// The ceiling's own limit.
    pub backoff_max: Duration,
    /// How long a link stays verified before the waits start over.
    pub stable_after: Duration,
    /// Failures in a row that raise an alarm; attempts never end.
    pub alarm_after: u32,
    /// How long a recovery may take before it is an alert.
    pub recovery_target: Duration,
    /// Silence after which the platform is asked whether the link hears.
    pub suspect_after: Duration,
}

choices!(Probe, "auto, websocket, protocol or off", {
    "auto" => Self::Auto,
    "websocket" => Self::WebSocket,
    "protocol" => Self::Protocol,
    "off" => Self::Off,
});

impl LinkSettings {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let wait = Duration::from_millis(100)..=Duration::from_mins(10);
        let interval = secs(1)..=Duration::from_hours(1);
        let link = Self {
            ping_min: section
                .key("ping_min", "floor of the interval the server asks for")
                .within(secs(1), interval.clone()),
            ping_max: section
                .key("ping_max", "its ceiling: an absurd value must not switch pings off")
                .within(Duration::from_hours(1), interval.clone()),
            probe: section
                .key("probe", "WebSocket pings where the server answers them, else protocol pings")
                .or(Probe::Auto),
            probe_interval: section
                .key(
                    "probe_interval",
                    "silence before a probe: a half-open link is replaced within 15 s, \
                    below 3 kB a minute",
                )
                .within(secs(5), interval),
            probe_timeout: section
                .key("probe_timeout", "how long any frame may take to answer it")
                .within(secs(5), wait.clone()),
            pong_timeout: section
                .key(
                    "pong_timeout",
                    "finds a server whose socket lives while the service behind it is dead",
                )
                .within(secs(10), wait.clone()),
            discovery_timeout: section
                .key("discovery_timeout", "limit of asking for the socket's address")
                .within(secs(15), wait.clone()),
            dial_timeout: section
                .key("dial_timeout", "name, proxy, TCP, TLS and upgrade together")
                .within(secs(15), wait.clone()),
            verify_timeout: section
                .key(
                    "verify_timeout",
                    "from the upgrade to the server's next frame, which is the proof",
                )
                .within(secs(10), wait.clone()),
            startup_deadline: section
                .key(
                    "startup_deadline",
                    "without a verified link by then the start says so, and goes on trying",
                )
                .within(secs(45), wait.clone()),
            backoff_quick: section
                .key(
                    "backoff_quick",
                    "longest wait after the loss of a verified link: such a loss is routine",
                )
                .within(Duration::from_millis(1500), wait.clone()),
            backoff_first: section
                .key(
                    "backoff_first",
                    "longest wait after one failure; doubles with each further one",
                )
                .within(secs(2), wait.clone()),
            backoff_max: section
                .key("backoff_max", "where the doubling ends; attempts never do")
                .within(secs(60), wait),
            stable_after: section
                .key("stable_after", "a link has to last so long before the waits start over")
                .within(secs(60), Duration::ZERO..=days(1)),
            alarm_after: read_alarm_after(&mut section),
            recovery_target: read_recovery_target(&mut section),
            suspect_after: read_suspect_after(&mut section),
        };
        link.check(&section);
        link
    }

    /// What no single key can be blamed for.
    fn check(&self, section: &Section<'_>) {
        if self.ping_max < self.ping_min {
            section.refuse(
                "ping_max",
                Both::of("上限低于下限", "the ceiling is below the floor"),
                Both::of(
                    "调大 `ping_max` 或调小 `ping_min`",
                    "raise `ping_max` or lower `ping_min`",
                ),
            );
        }
        if self.backoff_max < self.backoff_first.max(self.backoff_quick) {
            let message = Both::of(
                "最长等待比较短的等待还短",
                "the longest wait is shorter than a shorter one",
            );
            let hint = Both::of(
                "调大 `backoff_max`，或调小 `backoff_first` 和 `backoff_quick`",
                "raise `backoff_max`, or lower `backoff_first` and `backoff_quick`",
            );
            section.refuse("backoff_max", message, hint);
        }
    }
}

fn read_alarm_after(section: &mut Section<'_>) -> u32 {
    section.key("alarm_after", "failures in a row that raise the alarm").within(5, 1..=1_000)
}

fn read_recovery_target(section: &mut Section<'_>) -> Duration {
    section
        .key(
            "recovery_target",
            "from the loss of a link to the next verified one; longer is a warning",
        )
        .within(secs(60), secs(1)..=Duration::from_hours(1))
}

fn read_suspect_after(section: &mut Section<'_>) -> Duration {
    section
        .key(
            "suspect_after",
            "silence before the platform is asked for a proof, a metered call; the next waits double, to a day",
        )
        .within(Duration::from_hours(1), secs(1)..=days(30))
}
