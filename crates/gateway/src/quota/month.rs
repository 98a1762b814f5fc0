//! The calls of one month, what they may come to, and how far that is from a quota. Pure: time is an
//! argument.

use std::collections::BTreeMap;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};

/// The platform's home: it begins its months there, as far as is known.
const HOME: Offset = Offset::constant(8);
/// A rate is not taken from less than a day: an hour of a busy start is no month.
const RATE_OVER_MIN_MS: i64 = 24 * 3_600_000;
/// Percents of a quota that are said, each once a month.
pub(super) const STEPS: [u64; 3] = [50, 80, 100];

/// The calls of one month, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Month {
    /// `2026-08`; empty before anything was counted.
    pub(super) name: String,
    /// Since when it was counted, Unix ms: the month's begin, or the first start in it.
    pub(super) since_ms: i64,
    /// By endpoint.
    pub(super) calls: BTreeMap<String, u64>,
    /// The highest step of the quota that was said.
    pub(super) said: u64,
}

/// A month of the platform's calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bounds {
    name: String,
    from_ms: i64,
    until_ms: i64,
}

/// The day of a moment as the platform counts days; empty for one beyond the calendar.
pub fn day(at_ms: i64) -> String {
    at_home(at_ms).map_or_else(String::new, |at| at.date().to_string())
}

fn at_home(at_ms: i64) -> Option<Zoned> {
    Some(Timestamp::from_millisecond(at_ms).ok()?.to_zoned(TimeZone::fixed(HOME)))
}

fn bounds(at_ms: i64) -> Option<Bounds> {
    let at = at_home(at_ms)?;
    let from = at.first_of_month().ok()?.start_of_day().ok()?;
    let until = from.checked_add(1.month()).ok()?;
    Some(Bounds {
        name: from.strftime("%Y-%m").to_string(),
        from_ms: from.timestamp().as_millisecond(),
        until_ms: until.timestamp().as_millisecond(),
    })
}

impl Month {
    /// Adds calls; a new month begins with them. A clock that is set back into the month before
    /// changes nothing of that.
    pub(super) fn add(&mut self, calls: &BTreeMap<&'static str, u64>, now_ms: i64) {
        if let Some(bounds) = bounds(now_ms).filter(|bounds| bounds.name > self.name) {
            // Of the first month that is ever counted, what came before is not known.
            let since_ms = if self.name.is_empty() { now_ms } else { bounds.from_ms };
            *self = Self { name: bounds.name, since_ms, ..Self::default() };
        }
        for (endpoint, count) in calls {
            let calls = self.calls.entry((*endpoint).to_owned()).or_default();
            *calls = calls.saturating_add(*count);
        }
    }

    /// Takes up what an earlier run stored, with what this one has counted since.
    pub(super) fn take_up(&mut self, stored: Self) {
        let counted = std::mem::replace(self, stored);
        if counted.name > self.name {
            let since_ms = if self.name.is_empty() {
                counted.since_ms
            } else {
                bounds(counted.since_ms).map_or(counted.since_ms, |bounds| bounds.from_ms)
            };
            *self = Self { since_ms, ..counted };
            return;
        }
        for (endpoint, count) in counted.calls {
            let calls = self.calls.entry(endpoint).or_default();
            *calls = calls.saturating_add(count);
        }
    }

    /// All calls.
    pub(super) fn used(&self) -> u64 {
        self.calls.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// What it comes to by the month's end, if it goes on as it went so far.
    pub(super) fn projected(&self, now_ms: i64) -> u64 {
        let used = self.used();
        let Some(bounds) = bounds(now_ms).filter(|bounds| bounds.name == self.name) else {
            return used;
        };
        let counted_ms = self.counted_ms(now_ms);
        let left_ms = (bounds.until_ms - now_ms).max(0);
        let rest = u128::from(used) * u128::from(left_ms.unsigned_abs())
            / u128::from(counted_ms.unsigned_abs());
        used.saturating_add(u64::try_from(rest).unwrap_or(u64::MAX))
    }

    /// When a quota will be used up, if it goes on as it went so far; none when that is not in this
    /// month, and when it is already.
    pub(super) fn used_up(&self, quota: u64, now_ms: i64) -> Option<i64> {
        let used = self.used();
        if used >= quota {
            return None;
        }
        let bounds = bounds(now_ms).filter(|bounds| bounds.name == self.name)?;
        let counted_ms = u128::from(self.counted_ms(now_ms).unsigned_abs());
        let left_ms =
            u128::from(quota - used).saturating_mul(counted_ms).checked_div(used.into())?;
        let at_ms = now_ms.checked_add(i64::try_from(left_ms).ok()?)?;
        (at_ms < bounds.until_ms).then_some(at_ms)
    }

    /// For how long calls were counted, as far as a rate is taken from it.
    fn counted_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.since_ms).max(RATE_OVER_MIN_MS)
    }

    /// The highest step that the calls have passed and nobody was told, which it is now; none
    /// without a quota.
    pub(super) fn news(&mut self, quota: Option<u64>) -> Option<u64> {
        let step = quota.map_or(0, |quota| passed(self.used(), quota));
        // A quota that grew makes its steps worth saying again.
        let is_new = step > self.said;
        self.said = step;
        is_new.then_some(step)
    }
}

/// The highest step that so many calls have passed; 0 is none.
pub(super) fn passed(used: u64, quota: u64) -> u64 {
    let percent = percent(used, quota);
    STEPS.into_iter().rev().find(|step| percent >= *step).unwrap_or(0)
}

/// How much of a quota so many calls are.
pub(super) fn percent(used: u64, quota: u64) -> u64 {
    let percent = u128::from(used) * 100 / u128::from(quota.max(1));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 3_600_000;
    /// 2026-06-01 00:00 at +08:00.
    const JUNE_MS: i64 = 1_780_243_200_000;

    fn calls(count: u64) -> BTreeMap<&'static str, u64> {
        [("reply", count)].into()
    }

    fn counted(from_ms: i64, count: u64) -> Month {
        let mut month = Month::default();
        month.add(&calls(count), from_ms);
        month
    }

    #[test]
    fn a_month_begins_at_the_platforms_midnight_and_forgets_the_one_before() {
        let mut month = counted(JUNE_MS - 1, 7);
        assert_eq!((month.name.as_str(), month.used()), ("2026-05", 7));
        month.add(&calls(2), JUNE_MS);
        assert_eq!((month.name.as_str(), month.used()), ("2026-06", 2));
        assert_eq!(month.since_ms, JUNE_MS);
        month.add(&calls(1), JUNE_MS - DAY_MS);
        assert_eq!(
            (month.name.as_str(), month.used()),
            ("2026-06", 3),
            "a clock that was set back"
        );
    }

    #[test]
    fn the_projection_goes_on_as_the_month_went() {
        let mut month = counted(JUNE_MS - DAY_MS, 0);
        month.add(&calls(300), JUNE_MS);
        assert_eq!(month.projected(JUNE_MS + 3 * DAY_MS), 3000);
        assert_eq!(month.projected(JUNE_MS + 30 * DAY_MS - 1), 300);
        // The first hour of a first month is taken for a day.
        let first = counted(JUNE_MS + 20 * DAY_MS, 10);
        assert_eq!(first.projected(JUNE_MS + 20 * DAY_MS + 3_600_000), 10 + 99);
        assert_eq!(Month::default().projected(JUNE_MS), 0);
        // Whatever a store holds is no panic.
        let name = "2026-06".to_owned();
        let torn = Month { name, since_ms: i64::MIN, calls: counted(0, u64::MAX).calls, said: 9 };
        assert_eq!(torn.projected(JUNE_MS), u64::MAX);
        assert_eq!(torn.used_up(u64::MAX, JUNE_MS), None);
        assert_eq!(day(JUNE_MS - 1) + &day(i64::MAX), "2026-05-31");
    }

    #[test]
    fn when_a_quota_is_used_up_is_told_if_it_is_this_month() {
        let mut month = counted(JUNE_MS - DAY_MS, 0);
        month.add(&calls(300), JUNE_MS);
        let now_ms = JUNE_MS + 3 * DAY_MS;
        assert_eq!(month.used_up(1000, now_ms), Some(JUNE_MS + 10 * DAY_MS));
        let late = month.used_up(2999, now_ms);
        assert!(late.is_some_and(|at_ms| at_ms < JUNE_MS + 30 * DAY_MS), "{late:?}");
        assert_eq!(month.used_up(3000, now_ms), None, "the month ends just then");
        assert_eq!([300, 1].map(|quota| month.used_up(quota, now_ms)), [None; 2]);
        assert_eq!(month.used_up(u64::MAX, now_ms), None);
        assert_eq!(counted(JUNE_MS, 0).used_up(5, JUNE_MS), None, "nothing called");
    }

    #[test]
    fn each_step_of_the_quota_is_said_once_a_month() {
        let mut month = Month::default();
        let mut said = Vec::new();
        for day in 0..70 {
            month.add(&calls(100), JUNE_MS + day * DAY_MS);
            said.extend(month.news(Some(2000)).map(|step| (day, step)));
        }
        assert_eq!(said, [(9, 50), (15, 80), (19, 100), (39, 50), (45, 80), (49, 100)]);
        assert_eq!(month.news(Some(1 << 40)), None);
        assert_eq!(month.news(Some(100)), Some(100), "a smaller quota is said again");
        assert_eq!(month.news(None), None, "none is none");
    }

    #[test]
    fn what_was_stored_is_taken_up_with_what_came_meanwhile() {
        let stored = counted(JUNE_MS, 40);
        let mut month = counted(JUNE_MS + DAY_MS, 2);
        month.take_up(stored.clone());
        assert_eq!((month.used(), month.since_ms), (42, JUNE_MS));
        let mut next = counted(JUNE_MS + 31 * DAY_MS, 5);
        next.take_up(stored);
        assert_eq!((next.name.as_str(), next.used()), ("2026-07", 5));
        assert_eq!(
            next.since_ms,
            JUNE_MS + 30 * DAY_MS,
            "nothing ran in between, so nothing called"
        );
        let mut first = counted(JUNE_MS + DAY_MS, 3);
        first.take_up(Month::default());
        assert_eq!((first.used(), first.since_ms), (3, JUNE_MS + DAY_MS));
    }
}
