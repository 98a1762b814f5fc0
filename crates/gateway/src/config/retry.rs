//! `retry`: what happens after a failed attempt.

use std::time::Duration;

use super::section::Section;
use crate::both::Both;

/// What happens after a failed attempt: after `first`, then `factor` times as long each time
/// up to `max`, with jitter, until `attempts` are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// Attempts in all; 1 means no second one, for handlers whose effects must not repeat.
    pub attempts: u32,
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
    /// How much longer each wait is than the one before.
    pub factor: u32,
}

impl RetrySettings {
    /// Three attempts, five seconds after the first.
    pub(super) fn default_policy() -> Self {
        Self { attempts: 3, first: Duration::from_secs(5), max: Duration::from_mins(5), factor: 2 }
    }

    pub(super) fn read(mut section: Section<'_>, default: Self) -> Self {
        let ms = Duration::from_millis;
        let day = Duration::from_hours(24);
        let read = Self {
            attempts: section
                .key("attempts", "in all; 1 for effects that must not repeat")
                .within(default.attempts, 1..=20),
            first: section
                .key(
                    "first",
                    "long enough for a service to come back, short enough for a person who \
                    waits",
                )
                .within(default.first, ms(100)..=day),
            max: section.key("max", "the longest wait").within(default.max, ms(100)..=day),
            factor: section
                .key("factor", "each wait is so many times the one before, with jitter")
                .within(default.factor, 1..=10),
        };
        if read.max < read.first {
            section.refuse(
                "max",
                Both::of("最长等待比第一次还短", "the longest wait is shorter than the first"),
                Both::of("调大 `max` 或调小 `first`", "raise `max` or lower `first`"),
            );
        }
        read
    }
}
