//! Permits at an instant: a sliding window that cannot overrun the platform's counter.
//!
//! A permit counts against the window from the moment it is taken until `period` after its
//! call *completed*. The platform counts a call when it arrives, which lies between the two,
//! so however the network delays single calls, no window of the platform's ever holds more
//! calls than `limit`. (Spacing calls by their start would: one delayed call and its
//! successor can arrive together.)
//!
//! Time is nanoseconds since an epoch of the caller's choice.

use std::collections::VecDeque;
use std::time::Duration;

/// Nanoseconds since the caller's epoch.
pub type Nanos = u64;

/// A limit: so many calls in any window of `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    limit: usize,
    period: Nanos,
    block: Nanos,
}

/// A rate of zero calls or no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate needs at least one call and a period above zero")]
pub struct InvalidRate;

/// When a permit may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// At once.
    Now,
    /// At this moment, unless a hint moves it.
    At(Nanos),
    /// When a call in flight completes.
    OnCompletion,
}

/// The recent calls under one rate.
#[derive(Clone, Debug)]
pub struct Window {
    rate: Rate,
    in_flight: usize,
    /// Completion times, oldest at the front; at most `limit` of them.
    done: VecDeque<Nanos>,
    blocked_until: Nanos,
}

impl Rate {
    /// `limit` calls in any window of `period`.
    ///
    /// # Errors
    /// [`InvalidRate`] when either is zero.
    pub fn new(limit: u32, period: Duration) -> Result<Self, InvalidRate> {
        let rate = Self { limit: limit as usize, period: nanos(period), block: 0 };
        if rate.limit == 0 || rate.period == 0 { Err(InvalidRate) } else { Ok(rate) }
    }

    /// The same rate for what has to leave a fifth of it to others, at least one call.
    #[must_use]
    pub fn four_fifths(mut self) -> Self {
        self.limit = (self.limit - self.limit / 5).saturating_sub(1).max(1);
        self
    }

    /// After the limit was reached, grants nothing for at least `block`.
    #[must_use]
    pub fn with_block(mut self, block: Duration) -> Self {
        self.block = nanos(block);
        self
    }
}

impl Window {
    /// An empty window.
    pub fn new(rate: Rate) -> Self {
        Self { rate, in_flight: 0, done: VecDeque::new(), blocked_until: 0 }
    }

    /// When a permit may be taken. Forgets calls that have left the window.
    pub fn ready(&mut self, now: Nanos) -> Ready {
        while self.done.front().is_some_and(|at| at.saturating_add(self.rate.period) <= now) {
            self.done.pop_front();
        }
        if self.blocked_until > now {
            return Ready::At(self.blocked_until);
        }
        if self.in_flight + self.done.len() < self.rate.limit {
            return Ready::Now;
        }
        match self.done.front() {
            Some(oldest) => Ready::At(oldest.saturating_add(self.rate.period)),
            None => Ready::OnCompletion,
        }
    }

    /// Takes a permit; call only when [`Window::ready`] said [`Ready::Now`]. Each take is
    /// followed by one [`Window::complete`] or [`Window::cancel`].
    pub fn take(&mut self, now: Nanos) {
        self.in_flight += 1;
        if self.rate.block > 0 && self.in_flight + self.done.len() >= self.rate.limit {
            self.block(now.saturating_add(self.rate.block));
        }
    }

    /// The call was made and is over.
    pub fn complete(&mut self, now: Nanos) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.done.push_back(now);
        if self.done.len() > self.rate.limit {
            self.done.pop_front();
        }
    }

    /// The call was never made.
    pub fn cancel(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Grants nothing before `until`: the platform's reset hint.
    pub fn block(&mut self, until: Nanos) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// True when the window is as good as new and may be forgotten.
    pub fn is_idle(&mut self, now: Nanos) -> bool {
        self.ready(now) == Ready::Now && self.in_flight == 0 && self.done.is_empty()
    }
}

/// A duration in nanoseconds; 584 years at most.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
