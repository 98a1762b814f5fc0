//! What an operator may set about a link, with the reason of each default.

use std::time::Duration;

use crate::backoff::{BackoffConfig, BackoffError};
use crate::reassembly::ReassemblyLimits;
use crate::settings::PingBounds;

/// How a silent link is probed between the protocol's own pings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// WebSocket pings when this connection has answered one, protocol pings otherwise.
    #[default]
    Auto,
    /// WebSocket pings; a connection that does not answer them is redialled.
    WebSocket,
    /// Protocol pings.
    Protocol,
    /// None: only the protocol's own pings find a dead link, within one ping interval plus
    /// [`LinkConfig::pong_timeout`].
    Off,
}

/// Settings of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Refuses an endpoint address without TLS.
    pub tls_only: bool,
    /// Goes on, with growing delay, also when the platform refuses a link that never worked.
    pub keep_trying: bool,
    /// Limit of one endpoint discovery. 15 s, as the reference asks.
    pub discovery_timeout: Duration,
    /// Limit of one dial: name, proxy, TCP, TLS and upgrade together.
    pub dial_timeout: Duration,
    /// Limit from the upgrade to the server's answer to the ping sent with it.
    pub verify_timeout: Duration,
    /// How a silent link is probed.
    pub probe: Probe,
    /// Silence after which a probe is sent: 5 s, so that with the deadline and the quick
    /// retry a half-open link is replaced within 15 s. A protocol ping is larger and waits
    /// half as long again; either way an idle link stays below 3 kB a minute.
    pub probe_interval: Duration,
    /// How long a probe may stay unanswered by *any* inbound frame.
    pub probe_timeout: Duration,
    /// How long a protocol ping may stay unanswered by any *protocol* frame; finds a server
    /// whose socket answers while the service behind it does not.
    pub pong_timeout: Duration,
    /// Unanswered probes, or pings, in a row after which the link is redialled.
    pub misses_max: u32,
    /// Bounds of the server's ping interval.
    pub ping_bounds: PingBounds,
    /// Bounds of the waits between attempts.
    pub backoff: BackoffConfig,
    /// How long a link has to stay verified before the waits start over.
    pub stable_after: Duration,
    /// A wall clock that moves this much apart from the monotonic one means that the machine
    /// slept; a tick this late means that the process did.
    pub clock_jump: Duration,
    /// How long a closing link waits for answers to what it delivered.
    pub drain_timeout: Duration,
    /// Bounds of split messages.
    pub reassembly: ReassemblyLimits,
    /// Deliveries that may wait for their answer. The platform gives 3 s for an ack, so
    /// that many are more than it can have outstanding at 1 000 events a second; beyond it
    /// the oldest is forgotten and redelivered.
    pub unacked_max: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            tls_only: true,
            keep_trying: false,
            discovery_timeout: Duration::from_secs(15),
            dial_timeout: Duration::from_secs(15),
            verify_timeout: Duration::from_secs(10),
            probe: Probe::Auto,
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(5),
            pong_timeout: Duration::from_secs(10),
            misses_max: 1,
            ping_bounds: PingBounds::default(),
            backoff: BackoffConfig::default(),
            stable_after: Duration::from_mins(1),
            clock_jump: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(2),
            reassembly: ReassemblyLimits::default(),
            unacked_max: 4096,
        }
    }
}

/// A setting that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkConfigError {
    /// The waits between attempts contradict each other.
    #[error(transparent)]
    Backoff(#[from] BackoffError),
    /// A zero here would spin, or end every link at once.
    #[error("`{0}` is zero; give it at least 1 ms (or 1)")]
    Zero(&'static str),
    /// The ping interval's floor is above its ceiling, or below a second.
    #[error("the ping interval's bounds {min:?} … {max:?} need 1 s ≤ floor ≤ ceiling")]
    PingBounds {
        /// The configured floor.
        min: Duration,
        /// The configured ceiling.
        max: Duration,
    },
}

impl LinkConfig {
    /// Checks what a link relies on.
    ///
    /// # Errors
    /// [`LinkConfigError`] names the setting to change.
    pub fn check(&self) -> Result<(), LinkConfigError> {
        let positive = [
            ("discovery_timeout", self.discovery_timeout),
            ("dial_timeout", self.dial_timeout),
            ("verify_timeout", self.verify_timeout),
            ("probe_interval", self.probe_interval),
            ("probe_timeout", self.probe_timeout),
            ("pong_timeout", self.pong_timeout),
            ("clock_jump", self.clock_jump),
        ];
        for (name, value) in positive {
            if value.is_zero() {
                return Err(LinkConfigError::Zero(name));
            }
        }
        if self.misses_max == 0 {
            return Err(LinkConfigError::Zero("misses_max"));
        }
        if self.unacked_max == 0 {
            return Err(LinkConfigError::Zero("unacked_max"));
        }
        let PingBounds { min, max } = self.ping_bounds;
        if min < Duration::from_secs(1) || min > max {
            return Err(LinkConfigError::PingBounds { min, max });
        }
        Ok(())
    }
}
