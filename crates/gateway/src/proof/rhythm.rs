//! The app's own rhythm of events: how long a silence is usual that begins at this time of day. Pure:
//! times are arguments.
//!
//! Of each of the last days the longest silence counts that began within an hour of that time. The
//! longest of all is left out where there are enough, since a holiday or an outage is no habit; twice
//! the longest of the others is unusual.

use std::collections::BTreeMap;
use std::time::Duration;

const HOUR_MS: i64 = 3_600_000;
/// A day has so many.
const HOURS: i64 = 24;
/// Days remembered; the store keeps seven by default.
const DAYS: i64 = 14;
/// Fewer days say nothing about a time of day.
const DAYS_MIN: usize = 3;
/// From so many days on the longest silence is left out.
const DAYS_ROBUST: usize = 5;
/// A silence is unusual that is so many times as long as the longest usual one.
const UNUSUAL: i64 = 2;
/// Events of the journal that are read at each look with news, many of them again: some 300 kB, and weeks of a team's bot.
pub(super) const EVENTS_READ: usize = 20_000;

/// The longest silences of the last days, by the hour in which they began: at most one for each
/// hour that is remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Rhythm {
    longest_ms: BTreeMap<i64, i64>,
    last_ms: Option<i64>,
}

impl Rhythm {
    /// An event came. Those that come late, by a clock that was set back, are left out, as are those that
    /// were heard already.
    pub(super) fn heard(&mut self, at_ms: i64) {
        let Some(last_ms) = self.last_ms.replace(at_ms) else { return };
        if at_ms < last_ms {
            self.last_ms = Some(last_ms);
            return;
        }
        let longest = self.longest_ms.entry(last_ms.div_euclid(HOUR_MS)).or_default();
        *longest = (*longest).max(at_ms - last_ms);
        let oldest = at_ms.div_euclid(HOUR_MS) - DAYS * HOURS;
        self.longest_ms = self.longest_ms.split_off(&oldest);
    }

    /// A silence that is unusual after the last event; `None` where too little is known about this
    /// time of day.
    pub(super) fn unusual(&self) -> Option<Duration> {
        let now = self.last_ms?.div_euclid(HOUR_MS);
        let mut days: BTreeMap<i64, i64> = BTreeMap::new();
        for (hour, longest_ms) in &self.longest_ms {
            // One more, so that an hour before and after this time fall into one day.
            let from = hour - now + 1;
            if from.rem_euclid(HOURS) <= 2 {
                let day = days.entry(from.div_euclid(HOURS)).or_default();
                *day = (*day).max(*longest_ms);
            }
        }
        let mut longest: Vec<i64> = days.into_values().collect();
        longest.sort_unstable();
        if longest.len() < DAYS_MIN {
            return None;
        }
        if longest.len() >= DAYS_ROBUST {
            longest.pop();
        }
        let unusual_ms = longest.last()?.saturating_mul(UNUSUAL);
        Some(Duration::from_millis(u64::try_from(unusual_ms).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::{Reason, Schedule};
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const DAY_MS: i64 = HOURS * HOUR_MS;
    const HOUR: Duration = Duration::from_secs(3600);

    /// Events of a team: every few minutes from nine to six on five days of the week, from a seed.
    fn office(days: std::ops::Range<i64>, seed: u64) -> Vec<i64> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut events = Vec::new();
        for day in days.filter(|day| day % 7 < 5) {
            let mut at = day * DAY_MS + 9 * HOUR_MS;
            while at < day * DAY_MS + 18 * HOUR_MS {
                at += random.i64(1..=12) * MINUTE_MS;
                events.push(at);
            }
        }
        events
    }

    fn rhythm(events: &[i64]) -> Rhythm {
        let mut rhythm = Rhythm::default();
        events.iter().for_each(|at| rhythm.heard(*at));
        rhythm
    }

    #[test]
    fn a_journal_that_is_read_again_at_every_look_teaches_what_each_event_would() {
        let mut random = fastrand::Rng::with_seed(5);
        let events = office(0..10, 5);
        let (mut each, mut looks) = (Rhythm::default(), Rhythm::default());
        for (n, at) in events.iter().enumerate() {
            each.heard(*at);
            if random.u8(..) < 8 {
                events[..=n].iter().for_each(|at| looks.heard(*at));
                assert_eq!(looks.unusual(), each.unusual(), "at the look after {n}");
            }
        }
        assert!(looks.unusual().is_some());
    }

    /// The proofs that are asked for while these events come, until `until_ms`: when and why.
    fn asked(events: &[i64], until_ms: i64, learns: bool) -> Vec<(i64, Reason)> {
        let (mut rhythm, mut schedule) = (Rhythm::default(), Schedule::new(HOUR));
        let since = |ms: i64| Duration::from_millis(ms.unsigned_abs());
        schedule.verified(Duration::ZERO, None);
        let mut asked = Vec::new();
        for at in events.iter().copied().chain([until_ms]) {
            while let Some((due, why)) = schedule.due().filter(|(due, _)| *due < since(at)) {
                asked.push((i64::try_from(due.as_millis()).unwrap(), why));
                schedule.asked(due, why, true);
            }
            rhythm.heard(at);
            if learns {
                schedule.suspect_after(rhythm.unusual());
            }
            schedule.heard(since(at));
        }
        asked
    }

    #[test]
    fn too_little_history_says_nothing() {
        assert_eq!(Rhythm::default().unusual(), None);
        assert_eq!(rhythm(&office(0..2, 1)).unusual(), None);
        assert!(rhythm(&office(0..5, 1)).unusual().is_some());
    }

    #[test]
    fn a_time_of_day_has_its_own_silence() {
        for seed in 0..50 {
            let mut events = office(0..12, seed);
            let evening = rhythm(&events).unusual().unwrap();
            assert!(evening > 20 * HOUR, "{evening:?} after work, with a weekend left out");
            events.retain(|at| at % DAY_MS < 11 * HOUR_MS || *at < 11 * DAY_MS);
            let morning = rhythm(&events).unusual().unwrap();
            assert!(morning <= HOUR / 2, "{morning:?} in the morning");
        }
    }

    #[test]
    fn a_deaf_morning_is_suspected_within_the_hour_and_nights_are_not() {
        let month_ms = 28 * DAY_MS;
        for seed in 0..20 {
            let mut events = office(0..24, seed);
            // From eleven on the link hears nothing, and the bot is not usually silent then.
            let deaf_ms = 23 * DAY_MS + 11 * HOUR_MS;
            events.retain(|at| *at < deaf_ms);
            let learnt = asked(&events, deaf_ms + 2 * HOUR_MS, true);
            let first = learnt.iter().find(|(at, _)| *at > deaf_ms - 15 * MINUTE_MS).unwrap().0;
            assert!(
                first < deaf_ms + 30 * MINUTE_MS,
                "found {} min late",
                (first - deaf_ms) / MINUTE_MS
            );
            // A month of such a bot costs the calls of its weekends, not of its nights.
            let month = office(0..28, seed);
            let (fixed, learnt) = (asked(&month, month_ms, false), asked(&month, month_ms, true));
            assert!(learnt.len() * 2 < fixed.len(), "{} of {}", learnt.len(), fixed.len());
            assert!(learnt.len() <= 40, "{} calls in a month", learnt.len());
        }
    }

    #[test]
    fn one_holiday_is_no_habit() {
        let every_hour =
            |hours: std::ops::Range<i64>| hours.map(|h| h * HOUR_MS).collect::<Vec<_>>();
        let mut events = every_hour(0..10 * HOURS);
        let usual = rhythm(&events).unusual();
        assert_eq!(usual, Some(2 * HOUR));
        events.retain(|at| !(4 * DAY_MS..5 * DAY_MS).contains(at));
        assert_eq!(rhythm(&events).unusual(), usual);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_clock_set_back_does_no_harm() {
        let mut rhythm = Rhythm::default();
        (0..100 * HOURS * 60).for_each(|minute| rhythm.heard(minute * MINUTE_MS));
        assert!(rhythm.longest_ms.len() <= usize::try_from(DAYS * HOURS + 1).unwrap());
        let before = rhythm.unusual();
        rhythm.heard(5);
        assert_eq!(rhythm.unusual(), before);
        assert_eq!(before, Some(Duration::from_secs(120)));
    }
}
