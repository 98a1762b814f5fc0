//! How long to wait before the next connection attempt.
//!
//! Full jitter under an exponential ceiling: 2 s, 4 s, 8 s … 60 s by default, and never an
//! end. A link that was proven is retried sooner, within [`BackoffConfig::quick`], because
//! such a loss is routine. The ceiling starts over when the *caller* says that the link
//! was stable; an upgrade alone proves nothing, so a server that accepts and hangs up is
//! not redialled at once for ever.
//!
//! The server's `ReconnectInterval` and `ReconnectNonce` are upper bounds here: they may
//! shorten the waits, and are clamped into the configured ones. The random source is an
//! argument, so that a seed replays a run.

use std::time::Duration;

/// Bounds of the waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffConfig {
    /// Longest wait after the loss of a verified link, and the bound into which the
    /// server's `ReconnectNonce` is clamped.
    pub quick: Duration,
    /// Ceiling of the wait after one failure; doubles with each further one.
    pub min: Duration,
    /// The ceiling's own limit, and the bound of the server's `ReconnectInterval`.
    pub max: Duration,
}

impl Default for BackoffConfig {
    /// 1.5 s, 2 s, 60 s: half of the quick retries come within 0.75 s, so that a lost link
    /// is usually back in a second, and 1 000 clients of one server still do not return in
    /// the same instant.
    fn default() -> Self {
        Self {
            quick: Duration::from_millis(1500),
            min: Duration::from_secs(2),
            max: Duration::from_mins(1),
        }
    }
}

/// The bounds contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackoffError {
    /// A zero ceiling would redial without a pause.
    #[error("the shortest reconnect ceiling is zero; give it at least 1 ms")]
    Zero,
    /// `min` is above `max`.
    #[error("the shortest reconnect ceiling ({min:?}) is above the longest ({max:?}); swap them")]
    Inverted {
        /// The configured `min`.
        min: Duration,
        /// The configured `max`.
        max: Duration,
    },
    /// `quick` is above `max`.
    #[error("the quick retry ({quick:?}) is above the longest wait ({max:?}); lower it")]
    SlowQuick {
        /// The configured `quick`.
        quick: Duration,
        /// The configured `max`.
        max: Duration,
    },
}

/// What the server asked for, already clamped by [`crate::settings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// `ReconnectInterval`: its longest wait between attempts.
    pub interval: Duration,
    /// `ReconnectNonce`: its spread of the retry after a loss.
    pub nonce: Duration,
}

/// Counts failures since the last stable link.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: BackoffConfig,
    failures: u32,
}

impl Backoff {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`BackoffError`] when a bound is zero or above another it must not exceed.
    pub fn new(config: BackoffConfig) -> Result<Self, BackoffError> {
        let BackoffConfig { quick, min, max } = config;
        if min.is_zero() {
            Err(BackoffError::Zero)
        } else if min > max {
            Err(BackoffError::Inverted { min, max })
        } else if quick > max {
            Err(BackoffError::SlowQuick { quick, max })
        } else {
            Ok(Self { config, failures: 0 })
        }
    }

    /// The wait before the next attempt; each call counts one more failure.
    ///
    /// `proven` says that the link just lost had been verified.
    pub fn next(&mut self, rng: &mut fastrand::Rng, proven: bool, pace: Pace) -> Duration {
        let ceiling = if proven && self.failures == 0 {
            self.config.quick.min(pace.nonce)
        } else {
            self.ceiling(pace.interval)
        };
        self.failures = self.failures.saturating_add(1);
        let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(rng.u64(0..=millis))
    }

    /// Starts over. Call it when a link was verified *and* stable.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The configured bounds.
    pub fn config(&self) -> BackoffConfig {
        self.config
    }

    fn ceiling(&self, interval: Duration) -> Duration {
        let doubled = self.config.min.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(0));
        let grown = if doubled.is_zero() { self.config.max } else { doubled };
        grown.min(interval.clamp(self.config.min, self.config.max))
    }
}
