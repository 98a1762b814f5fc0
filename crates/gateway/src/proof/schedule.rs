//! When to ask the platform for a proof. Pure: time is an argument.
//!
//! The calls are metered, so they follow suspicions and no fast timer: one after the start, one
//! when the link is back after a real loss, and one when nothing was heard for longer and longer
//! (each wait is twice the one before, up to a day's worth). A proof that fails is asked for
//! again sooner, and less and less often too. How long the first silence may be follows the app's own
//! rhythm (`rhythm`), within bounds. An event is the strongest proof and costs nothing.

use std::time::Duration;

/// A loss shorter than this is routine: nothing is suspected after it.
pub const LOSS_MIN: Duration = Duration::from_secs(60);
/// The longest wait is so many of the waits that begin the series.
const GROWTH_MAX: u32 = 24;
/// The silence that is suspect is at least so much of the configured one: ten minutes of an hour.
const LEARNT_MIN: u32 = 6;
/// A failed proof is asked for again after this long, or after the first wait if that is shorter.
const AGAIN: Duration = Duration::from_secs(60);

/// Why a proof is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The link is verified for the first time.
    Start,
    /// It is verified again after a loss.
    Back,
    /// Nothing was heard for long.
    Silence,
    /// The proof before this one failed.
    Failed,
}

/// The schedule of one app's proofs. Times are since an epoch of the caller's.
#[derive(Clone, Debug)]
pub struct Schedule {
    quiet: Duration,
    suspect: Duration,
    verified: Option<Duration>,
    asked: Option<Duration>,
    heard: Duration,
    wait: Duration,
    again: Option<Duration>,
    back: bool,
}

impl Schedule {
    /// A schedule whose first silence is suspect after `quiet`, until something else is learnt.
    pub fn new(quiet: Duration) -> Self {
        Self {
            quiet,
            suspect: quiet,
            verified: None,
            asked: None,
            heard: Duration::ZERO,
            wait: quiet,
            again: None,
            back: false,
        }
    }

    /// The first silence is suspect after so long, within bounds; `None` is what was configured. It
    /// holds from the next event on, and now where nothing was asked yet.
    pub fn suspect_after(&mut self, learnt: Option<Duration>) {
        let bounds = (self.quiet / LEARNT_MIN, self.quiet * GROWTH_MAX);
        self.suspect = learnt.map_or(self.quiet, |learnt| learnt.clamp(bounds.0, bounds.1));
        if self.asked.is_none() {
            self.wait = self.suspect;
        }
    }

    /// The silence that is suspect.
    pub fn suspect(&self) -> Duration {
        self.suspect
    }

    /// The link is verified; `lost_for` when it was before.
    pub fn verified(&mut self, now: Duration, lost_for: Option<Duration>) {
        self.verified = Some(now);
        self.back |= lost_for.is_some_and(|lost| lost >= LOSS_MIN);
    }

    /// The link is not verified: nothing can be asked about it.
    pub fn lost(&mut self) {
        self.verified = None;
    }

    /// An event came.
    pub fn heard(&mut self, at: Duration) {
        if at > self.heard {
            self.heard = at;
            self.wait = self.suspect;
            self.again = None;
        }
    }

    /// When to ask next, and why; not while the link is down.
    pub fn due(&self) -> Option<(Duration, Reason)> {
        let verified = self.verified?;
        let Some(asked) = self.asked else { return Some((verified, Reason::Start)) };
        if let Some(again) = self.again {
            return Some((verified.max(asked + again), Reason::Failed));
        }
        if self.back {
            return Some((verified.max(asked + self.quiet), Reason::Back));
        }
        Some((asked.max(self.heard).max(verified) + self.wait, Reason::Silence))
    }

    /// It was asked for, and held or not.
    pub fn asked(&mut self, now: Duration, reason: Reason, held: bool) {
        self.asked = Some(now);
        self.back = false;
        if held {
            self.again = None;
            if reason == Reason::Silence {
                self.wait = (self.wait * 2).min(self.quiet * GROWTH_MAX);
            }
        } else {
            let first = AGAIN.min(self.quiet);
            self.again = Some(self.again.map_or(first, |w| (w * 2).min(self.quiet.max(AGAIN))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(86_400);

    /// Asks when due until `end`; how often.
    fn run(schedule: &mut Schedule, end: Duration, held: bool) -> u32 {
        let mut calls = 0;
        while let Some((at, reason)) = schedule.due().filter(|(at, _)| *at < end) {
            schedule.asked(at, reason, held);
            calls += 1;
        }
        calls
    }

    #[test]
    fn a_silent_month_costs_a_call_a_day_and_a_failing_one_a_call_an_hour() {
        let mut silent = Schedule::new(HOUR);
        silent.verified(Duration::ZERO, None);
        let first_day = run(&mut silent, DAY, true);
        assert!(first_day <= 6, "{first_day} calls on the first day");
        let month = run(&mut silent, 31 * DAY, true);
        assert!(month <= 31, "{month} calls in a month after it");
        let mut failing = Schedule::new(HOUR);
        failing.verified(Duration::ZERO, None);
        let calls = run(&mut failing, 31 * DAY, false);
        assert!(calls <= 31 * 24 + 8, "{calls} calls in a failing month");
    }

    #[test]
    fn a_busy_month_costs_the_call_of_its_start() {
        let mut busy = Schedule::new(HOUR);
        busy.verified(Duration::ZERO, None);
        let mut calls = 0;
        for minute in 0..31 * 24 * 60 {
            let now = Duration::from_secs(60 * minute);
            busy.heard(now);
            calls += run(&mut busy, now + Duration::from_secs(1), true);
        }
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_flapping_link_is_asked_about_after_real_losses_and_once_an_hour_at_most() {
        let mut flapping = Schedule::new(HOUR);
        let mut calls = 0;
        for minute in 0..24 * 60 {
            let now = Duration::from_secs(60 * minute);
            flapping.lost();
            assert_eq!(flapping.due(), None, "nothing is asked about a link that is down");
            let lost = if minute % 2 == 0 { LOSS_MIN } else { Duration::from_secs(2) };
            flapping.verified(now, (minute > 0).then_some(lost));
            calls += run(&mut flapping, now + Duration::from_secs(1), true);
        }
        assert!((20..=25).contains(&calls), "{calls} calls in a day of losses");
    }

    #[test]
    fn what_is_learnt_stays_within_bounds_and_holds_from_the_next_event_on() {
        let mut schedule = Schedule::new(HOUR);
        schedule.verified(Duration::ZERO, None);
        schedule.asked(Duration::ZERO, Reason::Start, true);
        for (learnt, suspect) in [(HOUR / 60, HOUR / 6), (3 * HOUR, 3 * HOUR), (9 * DAY, DAY)] {
            schedule.suspect_after(Some(learnt));
            assert_eq!(schedule.suspect(), suspect);
        }
        assert_eq!(schedule.due(), Some((HOUR, Reason::Silence)), "nothing was heard yet");
        schedule.heard(HOUR);
        assert_eq!(schedule.due(), Some((HOUR + DAY, Reason::Silence)));
        schedule.suspect_after(None);
        assert_eq!(schedule.suspect(), HOUR);
    }

    #[test]
    fn an_event_ends_a_failure_and_short_losses_are_no_suspicion() {
        let mut schedule = Schedule::new(HOUR);
        schedule.verified(Duration::ZERO, None);
        schedule.asked(Duration::ZERO, Reason::Start, false);
        assert_eq!(schedule.due(), Some((AGAIN, Reason::Failed)));
        schedule.heard(Duration::from_secs(5));
        assert_eq!(schedule.due(), Some((HOUR + Duration::from_secs(5), Reason::Silence)));
        schedule.lost();
        schedule.verified(Duration::from_secs(9), Some(Duration::from_secs(3)));
        assert_eq!(schedule.due().unwrap().1, Reason::Silence);
    }
}
