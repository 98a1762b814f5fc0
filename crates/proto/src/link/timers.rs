//! The link's timers: an enum and a table.

use std::time::Instant;

/// What may fall due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The current state took too long, or its wait is over.
    Stage,
    /// The next protocol ping.
    Ping,
    /// The protocol ping went unanswered.
    Pong,
    /// The link was silent for a probe interval.
    Probe,
    /// The probe went unanswered.
    ProbeMissed,
}

impl Timer {
    pub(super) const ALL: [Self; 5] =
        [Self::Stage, Self::Ping, Self::Pong, Self::Probe, Self::ProbeMissed];
}

/// When each timer falls due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// Stops the timer and says whether it was due.
    pub(super) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        self.0[timer as usize].take_if(|at| *at <= now).is_some()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }
}
