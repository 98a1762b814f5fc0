//! `[link]`: how a connection is kept, proven and replaced.

use std::time::Duration;

use larkline_proto::link::Probe;

use super::field::choices;
use super::section::Section;
use super::units::{days, secs};

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
            ping_min: section.within("ping_min", secs(1), interval.clone()),
            ping_max: section.within("ping_max", Duration::from_hours(1), interval.clone()),
            probe: section.or("probe", Probe::Auto),
            probe_interval: section.within("probe_interval", secs(5), interval),
            probe_timeout: section.within("probe_timeout", secs(5), wait.clone()),
            pong_timeout: section.within("pong_timeout", secs(10), wait.clone()),
            discovery_timeout: section.within("discovery_timeout", secs(15), wait.clone()),
            dial_timeout: section.within("dial_timeout", secs(15), wait.clone()),
            verify_timeout: section.within("verify_timeout", secs(10), wait.clone()),
            startup_deadline: section.within("startup_deadline", secs(45), wait.clone()),
            backoff_quick: section.within(
                "backoff_quick",
                Duration::from_millis(1500),
                wait.clone(),
            ),
            backoff_first: section.within("backoff_first", secs(2), wait.clone()),
            backoff_max: section.within("backoff_max", secs(60), wait),
            stable_after: section.within("stable_after", secs(60), Duration::ZERO..=days(1)),
            alarm_after: section.within("alarm_after", 5, 1..=1_000),
        };
        if link.ping_max < link.ping_min {
            section.refuse(
                "ping_max",
                "the ceiling is below the floor",
                "raise `ping_max` or lower `ping_min`",
            );
        }
        if link.backoff_max < link.backoff_first.max(link.backoff_quick) {
            let hint = "raise `backoff_max`, or lower `backoff_first` and `backoff_quick`";
            section.refuse("backoff_max", "the longest wait is shorter than a shorter one", hint);
        }
        link
    }
}
