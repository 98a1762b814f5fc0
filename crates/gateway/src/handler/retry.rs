//! When a failed handler is tried again, by its settings. Pure: time and randomness are
//! arguments, and counting, waiting and dead letters are the caller's.

use std::time::Duration;

use super::answer::Retry;
use crate::config::RetrySettings;

/// The longest wait that the other side of a handler may ask for.
pub const AFTER_MAX: Duration = Duration::from_secs(3600);

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt, after this long.
    Again(Duration),
    /// A stop cut it off: put the task back, the attempt does not count.
    Release,
    /// No further attempt.
    GiveUp,
}

impl RetrySettings {
    /// Decides after attempt number `attempt` (1 is the first) has failed.
    ///
    /// Waits grow by `factor` and vary by a quarter to both sides, so that tasks that failed
    /// together do not come back together; equal seeds vary alike. A wait that the other side
    /// asked for is never shortened, up to [`AFTER_MAX`].
    pub fn next(&self, attempt: u32, retry: Retry, seed: u64) -> Next {
        let wait = match retry {
            Retry::Stopped => return Next::Release,
            Retry::Never => return Next::GiveUp,
            Retry::Policy | Retry::After(_) if attempt >= self.attempts => return Next::GiveUp,
            Retry::Policy => Duration::ZERO,
            Retry::After(wait) => wait.min(AFTER_MAX),
        };
        Next::Again(self.backoff(attempt, seed).max(wait))
    }

    /// The wait after the n-th failure (1 is the first).
    pub fn backoff(&self, attempt: u32, seed: u64) -> Duration {
        let factor = self.factor.checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let plain = self.first.saturating_mul(factor).min(self.max);
        let mut rng = fastrand::Rng::with_seed(seed ^ u64::from(attempt));
        plain.mul_f64(0.75 + rng.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetrySettings = RetrySettings {
        attempts: 3,
        first: Duration::from_secs(5),
        max: Duration::from_secs(300),
        factor: 2,
    };

    fn seconds(next: Next) -> f64 {
        match next {
            Next::Again(wait) => wait.as_secs_f64(),
            Next::Release | Next::GiveUp => panic!("{next:?}"),
        }
    }

    #[test]
    fn three_attempts_five_and_ten_seconds_apart_then_no_more() {
        for seed in 0..200 {
            let waits = [1, 2].map(|n| seconds(POLICY.next(n, Retry::Policy, seed)));
            assert!((3.75..=6.25).contains(&waits[0]), "{waits:?}");
            assert!((7.5..=12.5).contains(&waits[1]), "{waits:?}");
            assert_eq!(POLICY.next(3, Retry::Policy, seed), Next::GiveUp);
        }
    }

    #[test]
    fn waits_vary_with_the_seed_and_with_nothing_else() {
        let at = |seed| POLICY.next(1, Retry::Policy, seed);
        assert_eq!(at(7), at(7));
        assert!((0..20).any(|seed| at(seed) != at(7)));
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept_up_to_an_hour() {
        let after = |s| POLICY.next(1, Retry::After(Duration::from_secs(s)), 0);
        assert_eq!(after(60), Next::Again(Duration::from_secs(60)));
        assert_eq!(after(1_000_000), Next::Again(AFTER_MAX));
        assert!(seconds(after(0)) > 3.0, "never sooner than the policy");
        assert_eq!(POLICY.next(3, Retry::After(Duration::ZERO), 0), Next::GiveUp);
    }

    #[test]
    fn never_is_never_and_a_stop_does_not_count() {
        assert_eq!(POLICY.next(1, Retry::Never, 0), Next::GiveUp);
        assert_eq!(POLICY.next(9, Retry::Stopped, 0), Next::Release);
    }

    #[test]
    fn a_thousand_attempts_do_not_overflow() {
        let policy = RetrySettings { attempts: u32::MAX, ..POLICY };
        assert!(seconds(policy.next(1000, Retry::Policy, 0)) <= 375.0);
    }
}
