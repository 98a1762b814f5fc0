//! What each minute of the last day was like for a link: the strip of the dashboard.
//!
//! Kept in memory, one mark a minute; a restart begins anew. It is looked at by the clock, and the
//! link's own counters tell what happened between two looks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_client::link::LinkStatus;
use larkline_proto::link::State;

use crate::clock::now_ms;
use crate::proof::weakest_failing;
use crate::shared::{AppRuntime, Shared};

/// A day.
pub const MINUTES: usize = 24 * 60;
/// How often a link is looked at; what is shorter shows in its counters.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A link that has just been started is not down yet.
const STARTING_MS: i64 = 30_000;
/// A minute in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// The worst of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nobody looked: the gateway did not run, or had just started.
    Off,
    /// The link was verified.
    Verified,
    /// Something spoke against it: a ping unanswered, a proof that failed.
    Suspect,
    /// There was no verified link.
    Down,
}

/// Minutes in a row with one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What they were like.
    pub mark: Mark,
    /// The first of them, counted from the beginning of the day that is shown.
    pub first: usize,
    /// How many.
    pub minutes: usize,
}

/// The marks of one app's link.
#[derive(Debug, Default)]
pub struct Pulse {
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// The minute of the newest mark, since 1970.
    newest: i64,
    marks: VecDeque<Mark>,
    connects: u64,
    misses: u64,
}

impl Pulse {
    /// Notes how a link is now, and what its counters say of the time since the last look.
    pub fn look(&self, link: &LinkStatus, doubted: bool, started_ms: i64, now_ms: i64) {
        let mut record = self.lock();
        let counters = &link.counters;
        let lost = record.connects > 0 && counters.connects > record.connects;
        let missed = counters.misses > record.misses;
        (record.connects, record.misses) = (counters.connects, counters.misses);
        let starting = counters.connects == 0 && now_ms - started_ms < STARTING_MS;
        let mark = match link.state {
            State::Verified if lost => Mark::Down,
            State::Verified if doubted || missed => Mark::Suspect,
            State::Verified => Mark::Verified,
            State::Stale => Mark::Suspect,
            State::Resolving
            | State::Dialing
            | State::Upgraded
            | State::Backoff
            | State::Closing
            | State::Stopped => match starting {
                true => Mark::Off,
                false => Mark::Down,
            },
        };
        record.put(now_ms / MINUTE_MS, mark);
    }

    /// The day up to now, from its beginning to its end without a hole.
    pub fn runs(&self, now_ms: i64) -> Vec<Run> {
        let record = self.lock();
        let behind = usize::try_from(now_ms / MINUTE_MS - record.newest).unwrap_or(0).min(MINUTES);
        let known = record.marks.len().min(MINUTES - behind);
        let before = MINUTES - behind - known;
        let off = |n: usize| std::iter::repeat_n(Mark::Off, n);
        let newest = record.marks.iter().skip(record.marks.len() - known).copied();
        let mut runs: Vec<Run> = Vec::new();
        for (first, mark) in off(before).chain(newest).chain(off(behind)).enumerate() {
            match runs.last_mut() {
                Some(run) if run.mark == mark => run.minutes += 1,
                _ => runs.push(Run { mark, first, minutes: 1 }),
            }
        }
        runs
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn put(&mut self, minute: i64, mark: Mark) {
        let passed = usize::try_from(minute - self.newest).unwrap_or(0);
        match self.marks.back_mut() {
            // Also when the clock was set back.
            Some(newest) if passed == 0 => *newest = (*newest).max(mark),
            Some(_) => {
                let unseen = (passed - 1).min(MINUTES);
                self.marks.extend(std::iter::repeat_n(Mark::Off, unseen));
                self.marks.push_back(mark);
                self.newest = minute;
            }
            None => {
                self.marks.push_back(mark);
                self.newest = minute;
            }
        }
        let surplus = self.marks.len().saturating_sub(MINUTES);
        self.marks.drain(..surplus);
    }
}

/// Looks at the link of one app by the clock.
#[derive(Clone)]
pub struct PulseWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Whose link.
    pub app: Arc<AppRuntime>,
}

impl PulseWatch {
    /// Watches until its owner drops it.
    pub async fn run(self) {
        loop {
            self.app.look_at_pulse(self.shared.started_ms);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl AppRuntime {
    /// Notes how the link is now.
    pub fn look_at_pulse(&self, started_ms: i64) {
        let link = self.link.status().borrow().clone();
        let doubted = weakest_failing(&self.proofs.list(&link)).is_some();
        self.pulse.look(&link, doubted, started_ms, now_ms());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mark: Mark, first: usize, minutes: usize) -> Run {
        Run { mark, first, minutes }
    }

    fn pulse(marks: &[(i64, Mark)]) -> Pulse {
        let pulse = Pulse::default();
        marks.iter().for_each(|(minute, mark)| pulse.lock().put(*minute, *mark));
        pulse
    }

    #[test]
    fn a_minute_is_as_its_worst_moment_and_unseen_minutes_are_off() {
        let (off, verified, down) = (Mark::Off, Mark::Verified, Mark::Down);
        let marks = [(5000, verified), (5000, down), (5000, verified), (5001, verified)];
        let pulse = pulse(&[&marks[..], &[(5004, verified), (5003, Mark::Suspect)]].concat());
        let expected = [
            run(off, 0, 1434),
            run(down, 1434, 1),
            run(verified, 1435, 1),
            run(off, 1436, 2),
            run(Mark::Suspect, 1438, 1),
            run(off, 1439, 1),
        ];
        assert_eq!(pulse.runs(5005 * MINUTE_MS), expected, "a clock set back makes no new minute");
    }

    #[test]
    fn a_day_is_kept_and_no_more() {
        let marks: Vec<_> = (1000..5000).map(|minute| (minute, Mark::Verified)).collect();
        let pulse = pulse(&marks);
        assert_eq!(pulse.lock().marks.len(), MINUTES);
        assert_eq!(pulse.runs(4999 * MINUTE_MS), [run(Mark::Verified, 0, MINUTES)]);
        let later = [run(Mark::Verified, 0, MINUTES - 10), run(Mark::Off, MINUTES - 10, 10)];
        assert_eq!(pulse.runs(5009 * MINUTE_MS), later);
        assert_eq!(pulse.runs(90_000 * MINUTE_MS), [run(Mark::Off, 0, MINUTES)]);
        assert_eq!(Pulse::default().runs(0), [run(Mark::Off, 0, MINUTES)]);
    }
}
