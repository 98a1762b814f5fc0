//! The platform's one clock: wall-clock milliseconds that never jump, and may run fast.
//!
//! Everything the platform waits for or hands out is measured on it: redelivery, patience,
//! windows, tokens, cards, settings. What a client is told in seconds is told in seconds of its
//! own. Only where the platform waits *for* a client does haste end: it lives in real time.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::millis;
use crate::options::{ClientConfig, SimOptions};

/// Slowest and fastest clock that makes sense; beyond it, durations leave their range.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.01..=1_000_000.0;
/// Real time a client always has to answer, however fast the clock runs.
const ANSWER_MIN: Duration = Duration::from_secs(1);
/// Real time a client may always be silent: clients ping once a second at most.
const SILENCE_MIN: Duration = Duration::from_secs(10);

/// A clock that began when the simulator did.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    pub(crate) started_ms: u64,
    speed: f64,
}

impl Clock {
    pub(crate) fn new(speed: f64) -> Self {
        Self { started: Instant::now(), started_ms: wall_ms(), speed }
    }

    /// The time now.
    pub(crate) fn now_ms(&self) -> u64 {
        self.after(self.started.elapsed())
    }

    fn after(&self, outside: Duration) -> u64 {
        self.started_ms + millis(outside.mul_f64(self.speed))
    }

    /// How long this takes outside.
    pub(crate) fn real(&self, virtual_ms: u64) -> Duration {
        Duration::from_millis(virtual_ms).div_f64(self.speed)
    }
}

/// Whether a clock can run at this speed.
pub(crate) fn is_speed(speed: f64) -> bool {
    SPEEDS.contains(&speed)
}

impl SimOptions {
    /// Seconds outside, rounded up, for so many milliseconds here.
    pub(crate) fn real_s(&self, virtual_ms: u64) -> u64 {
        millis(Duration::from_millis(virtual_ms).div_f64(self.speed)).div_ceil(1000)
    }

    /// The settings as clients are told them.
    pub(crate) fn served_config(&self) -> ClientConfig {
        let real = |s: u64| self.real_s(s.saturating_mul(1000));
        ClientConfig {
            reconnect_count: self.client_config.reconnect_count,
            reconnect_interval: real(self.client_config.reconnect_interval),
            reconnect_nonce: real(self.client_config.reconnect_nonce),
            ping_interval: real(self.client_config.ping_interval),
        }
    }

    /// The patience for an ack, in milliseconds here.
    pub(crate) fn ack_patience_ms(&self) -> u64 {
        self.at_least(self.ack_timeout, ANSWER_MIN)
    }

    /// The patience with a silent connection, as time outside.
    pub(crate) fn silence(&self) -> Duration {
        self.idle_timeout.div_f64(self.speed).max(self.idle_timeout.min(SILENCE_MIN))
    }

    /// A wait of the platform's that lasts at least `real` outside, unless it is set shorter.
    fn at_least(&self, wait: Duration, real: Duration) -> u64 {
        millis(wait.max(wait.min(real).mul_f64(self.speed)))
    }
}

#[expect(clippy::disallowed_methods, reason = "the crate's one wall clock, read once at start")]
fn wall_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_makes_waits_short_and_time_long() {
        let clock = Clock::new(600.0);
        let passed = clock.after(Duration::from_secs(36)) - clock.started_ms;
        assert_eq!(passed, 6 * 60 * 60 * 1000);
        assert_eq!(clock.real(6 * 60 * 60 * 1000), Duration::from_secs(36));
    }

    #[test]
    fn a_client_is_told_its_own_seconds_and_keeps_time_to_answer() {
        let fast = SimOptions { speed: 600.0, ..SimOptions::default() };
        assert_eq!(fast.served_config().ping_interval, 1);
        assert_eq!(fast.real_s(7_200_000), 12);
        assert_eq!(fast.ack_patience_ms(), 600_000);
        assert_eq!(fast.silence(), Duration::from_secs(10));
        let real = SimOptions::default();
        assert_eq!(real.served_config(), real.client_config);
        assert_eq!((real.ack_patience_ms(), real.silence()), (3_000, Duration::from_secs(300)));
        let short = SimOptions { ack_timeout: Duration::from_millis(50), ..SimOptions::default() };
        assert_eq!(short.ack_patience_ms(), 50);
    }
}
