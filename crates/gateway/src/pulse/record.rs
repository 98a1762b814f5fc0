//! The marks of one day, and how they are stored. Pure: time is an argument.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{MINUTES, Mark, Run};

/// A day in minutes, as moments are counted.
const DAY: i64 = MINUTES as i64;

/// What this version writes; another one's marks may mean something else.
const VERSION: u32 = 1;
/// Minutes of a clock in milliseconds: beyond it is no moment, and no room to count on.
const MINUTE_MAX: i64 = i64::MAX / 60_000;
/// So many minutes a clock may be set back and what it shows still belongs to the newest minute: the
/// steps by which a clock is kept right make no gap.
const STEP_BACK: i64 = 2;

/// The marks of the last day.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The minute of the last look, since 1970.
    newest: i64,
    /// Of each minute that has one. Those after `newest` were made by a clock that was ahead of this
    /// one. They are not shown, and count again once this clock jumps over them: then it was behind.
    /// Where it comes to them minute by minute, what really was takes their place.
    marks: BTreeMap<i64, Mark>,
    /// Where the run before ended, while the clock is behind that.
    ended: Option<i64>,
}

/// A record as the store has it: a letter a minute, so never more than two days have.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(flatten)]
    known: Block,
    /// What lies ahead of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    later: Option<Block>,
}

/// Minutes in a row.
#[derive(Serialize, Deserialize)]
struct Block {
    newest: i64,
    marks: String,
}

/// Why what was stored is no record.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it is not what this gateway writes: {0}")]
    Form(#[from] serde_json::Error),
    #[error("it is of form {0}, and this gateway knows {VERSION}")]
    Version(u32),
    #[error("{0:?} is no mark")]
    Mark(char),
    #[error("it ends in minute {0}, which is no moment")]
    Minute(i64),
}

impl Mark {
    fn letter(self) -> char {
        match self {
            Self::Off => '-',
            Self::Verified => 'v',
            Self::Suspect => 's',
            Self::Away => 'a',
            Self::Down => 'd',
        }
    }

    fn of(letter: char) -> Result<Self, Unreadable> {
        Ok(match letter {
            '-' => Self::Off,
            'v' => Self::Verified,
            's' => Self::Suspect,
            'a' => Self::Away,
            'd' => Self::Down,
            other => return Err(Unreadable::Mark(other)),
        })
    }
}

impl Record {
    /// Notes a mark; minutes that nobody looked at since the one before have none.
    pub(super) fn put(&mut self, minute: i64, mark: Mark) {
        let minute = self.settled(minute);
        if minute > self.newest {
            self.marks.remove(&minute);
        }
        if let Some(end) = self.ended.take_if(|end| *end <= minute) {
            self.worsen(end + 1..=minute, Mark::Away);
        }
        self.worsen(minute..=minute, mark);
        self.newest = minute;
        self.prune();
    }

    /// The minute that a moment belongs to.
    fn settled(&self, minute: i64) -> i64 {
        let back = self.newest - minute;
        if (1..=STEP_BACK).contains(&back) { self.newest } else { minute }
    }

    /// Each of these minutes, of the day that they end, was at best so.
    fn worsen(&mut self, minutes: RangeInclusive<i64>, mark: Mark) {
        let (first, last) = minutes.into_inner();
        for minute in first.max(last - DAY + 1)..=last {
            let known = self.marks.entry(minute).or_insert(mark);
            *known = (*known).max(mark);
        }
    }

    /// Keeps the day up to the last look, and of what lies ahead the newest day.
    fn prune(&mut self) {
        self.marks = self.marks.split_off(&(self.newest - DAY + 1));
        let last = self.marks.last_key_value().map_or(0, |(minute, _)| *minute);
        self.marks.retain(|minute, _| *minute <= self.newest || *minute > last - DAY);
    }

    /// The day up to a minute, from its beginning to its end without a hole.
    pub(super) fn runs(&self, minute: i64) -> Vec<Run> {
        let last = self.settled(minute);
        let mut runs: Vec<Run> = Vec::new();
        for (first, minute) in (last - DAY + 1..=last).enumerate() {
            let mark = self.mark(minute);
            match runs.last_mut() {
                Some(run) if run.mark == mark => run.minutes += 1,
                _ => runs.push(Run { mark, first, minutes: 1 }),
            }
        }
        runs
    }

    fn mark(&self, minute: i64) -> Mark {
        self.marks.get(&minute).copied().unwrap_or(Mark::Off)
    }

    /// Puts the record of the run before in front of this one's. From its end to the start of this
    /// run nothing ran, and not for all of the minute of the start.
    pub(super) fn take_up(&mut self, mut stored: Self, started: i64) {
        if stored.marks.is_empty() {
            return;
        }
        stored.begin(started);
        let own = std::mem::replace(self, stored);
        for (minute, mark) in own.marks {
            self.put(minute, mark);
        }
    }

    /// A clock that has not been set yet stands before the end of the run before: then it ran until
    /// there all the same, and the time between is known when the clock is right.
    fn begin(&mut self, started: i64) {
        let started = self.settled(started);
        if let Some((last, _)) = self.marks.range(..=started).next_back() {
            self.worsen((last + 1).min(started)..=started, Mark::Away);
        }
        self.ended = self.marks.last_key_value().map(|(last, _)| *last).filter(|l| *l > started);
        self.newest = started;
        self.prune();
    }

    /// For the store.
    pub(super) fn to_stored(&self) -> String {
        let (known, later) =
            (self.block(i64::MIN..=self.newest), self.block(self.newest + 1..=i64::MAX));
        let known = known.unwrap_or(Block { newest: self.newest, marks: String::new() });
        let stored = Stored { version: VERSION, known, later };
        // Numbers and letters always have a form.
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// What is known of these minutes, from its first to its last.
    fn block(&self, minutes: RangeInclusive<i64>) -> Option<Block> {
        let mut known = self.marks.range(minutes).map(|(minute, _)| *minute);
        let first = known.next()?;
        let newest = known.next_back().unwrap_or(first);
        let marks = (first..=newest).map(|minute| self.mark(minute).letter()).collect();
        Some(Block { newest, marks })
    }

    /// Of what was stored, whoever wrote it.
    pub(super) fn of_stored(text: &str) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Form {
            version: u32,
        }
        let Form { version } = serde_json::from_str(text)?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let stored: Stored = serde_json::from_str(text)?;
        let mut record = Self { newest: stored.known.newest, ..Self::default() };
        for block in [Some(stored.known), stored.later].into_iter().flatten() {
            record.marks.extend(block.minutes()?);
        }
        record.prune();
        Ok(record)
    }
}

impl Block {
    /// The last day of it, minute by minute.
    fn minutes(&self) -> Result<Vec<(i64, Mark)>, Unreadable> {
        if !(0..=MINUTE_MAX).contains(&self.newest) {
            return Err(Unreadable::Minute(self.newest));
        }
        let marks = self.marks.chars().rev().map(Mark::of).collect::<Result<Vec<_>, _>>()?;
        Ok((self.newest - DAY + 1..=self.newest).rev().zip(marks).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mark: Mark, first: usize, minutes: usize) -> Run {
        Run { mark, first, minutes }
    }

    fn record(marks: &[(i64, Mark)]) -> Record {
        let mut record = Record::default();
        marks.iter().for_each(|(minute, mark)| record.put(*minute, *mark));
        record
    }

    #[test]
    fn a_minute_is_as_its_worst_moment_and_unseen_minutes_are_off() {
        let (off, verified, down) = (Mark::Off, Mark::Verified, Mark::Down);
        let marks = [(5000, verified), (5000, down), (5000, verified), (5001, verified)];
        let record = record(&[&marks[..], &[(5004, verified), (5003, Mark::Suspect)]].concat());
        let expected = [
            run(off, 0, 1434),
            run(down, 1434, 1),
            run(verified, 1435, 1),
            run(off, 1436, 2),
            run(Mark::Suspect, 1438, 1),
            run(off, 1439, 1),
        ];
        assert_eq!(record.runs(5005), expected, "a clock set back makes no new minute");
    }

    #[test]
    fn a_day_is_kept_and_no_more() {
        let marks: Vec<_> = (1000..5000).map(|minute| (minute, Mark::Verified)).collect();
        let record = record(&marks);
        assert_eq!(record.marks.len(), MINUTES);
        assert!(record.to_stored().len() < MINUTES + 100, "a letter a minute");
        assert_eq!(record.runs(4999), [run(Mark::Verified, 0, MINUTES)]);
        let later = [run(Mark::Verified, 0, MINUTES - 10), run(Mark::Off, MINUTES - 10, 10)];
        assert_eq!(record.runs(5009), later);
        assert_eq!(record.runs(90_000), [run(Mark::Off, 0, MINUTES)]);
        assert_eq!(Record::default().runs(0), [run(Mark::Off, 0, MINUTES)]);
    }

    #[test]
    fn what_was_stored_comes_back_and_the_time_between_is_not_called_well() {
        let before = record(&[(5000, Mark::Verified), (5001, Mark::Down), (5002, Mark::Verified)]);
        let back = || Record::of_stored(&before.to_stored()).unwrap();
        assert_eq!(back(), before);
        // Marks of this run that came before the store could be read stay behind those of the last.
        let mut now = record(&[(5006, Mark::Verified), (5008, Mark::Verified)]);
        now.take_up(back(), 5006);
        let expected = [
            run(Mark::Off, 0, 1431),
            run(Mark::Verified, 1431, 1),
            run(Mark::Down, 1432, 1),
            run(Mark::Verified, 1433, 1),
            run(Mark::Away, 1434, 4),
            run(Mark::Off, 1438, 1),
            run(Mark::Verified, 1439, 1),
        ];
        assert_eq!(now.runs(5008), expected);
        let mut same_minute = Record::default();
        same_minute.take_up(back(), 5002);
        assert_eq!(same_minute.runs(5002).last(), Some(&run(Mark::Away, 1439, 1)));
        let mut days_later = Record::default();
        days_later.take_up(back(), 50_000);
        assert_eq!(days_later.runs(50_000), [run(Mark::Away, 0, MINUTES)]);
        let mut first = Record::default();
        first.take_up(Record::default(), 5000);
        assert_eq!(first.runs(5000), [run(Mark::Off, 0, MINUTES)], "there was no run before");
    }

    /// Marks of one kind in a row.
    fn row(minutes: RangeInclusive<i64>, mark: Mark) -> Vec<(i64, Mark)> {
        minutes.map(|minute| (minute, mark)).collect()
    }

    #[test]
    fn what_happens_after_the_clock_was_set_back_is_noted_in_its_own_minutes() {
        let mut record = record(&row(5000..=5180, Mark::Verified));
        row(5001..=5120, Mark::Down).iter().for_each(|(minute, mark)| record.put(*minute, *mark));
        let expected =
            [run(Mark::Off, 0, 1319), run(Mark::Verified, 1319, 1), run(Mark::Down, 1320, 120)];
        assert_eq!(record.runs(5120), expected, "what lies ahead is not shown");
        // Set right, it is what it was.
        record.put(5182, Mark::Verified);
        let expected = [
            run(Mark::Off, 0, 1257),
            run(Mark::Verified, 1257, 1),
            run(Mark::Down, 1258, 120),
            run(Mark::Verified, 1378, 60),
            run(Mark::Off, 1438, 1),
            run(Mark::Verified, 1439, 1),
        ];
        assert_eq!(record.runs(5182), expected);
    }

    #[test]
    fn a_start_with_a_clock_that_is_behind_loses_nothing_of_the_day() {
        let before =
            || record(&[row(5000..=5001, Mark::Down), row(5002..=5003, Mark::Verified)].concat());
        let expected = [
            run(Mark::Off, 0, 1429),
            run(Mark::Down, 1429, 2),
            run(Mark::Verified, 1431, 2),
            run(Mark::Away, 1433, 7),
        ];
        let mut now = Record::default();
        now.take_up(before(), 70);
        row(70..=72, Mark::Verified).iter().for_each(|(minute, mark)| now.put(*minute, *mark));
        assert_eq!(now.runs(72), [run(Mark::Off, 0, 1437), run(Mark::Verified, 1437, 3)]);
        let stored = now.to_stored();
        now.put(5010, Mark::Verified);
        assert_eq!(now.runs(5010), expected, "its clock is set right");
        // Neither does a kill before that, and one more.
        let mut next = Record::default();
        next.take_up(Record::of_stored(&stored).unwrap(), 71);
        next.put(80, Mark::Verified);
        let stored = next.to_stored();
        let mut right = Record::default();
        right.take_up(Record::of_stored(&stored).unwrap(), 5010);
        assert_eq!(right.runs(5010), expected);
    }

    #[test]
    fn a_clock_that_ran_ahead_gives_way_to_what_really_was() {
        let ahead = record(&row(5000..=5009, Mark::Down));
        let mut now = record(&[(4990, Mark::Verified)]);
        now.take_up(ahead, 4990);
        row(4991..=5020, Mark::Verified).iter().for_each(|(minute, mark)| now.put(*minute, *mark));
        assert_eq!(now.runs(5020), [run(Mark::Off, 0, 1409), run(Mark::Verified, 1409, 31)]);
    }

    #[test]
    fn a_clock_that_jumps_about_fills_no_more_than_two_days() {
        let mut record = Record::default();
        for minutes in [5000..=9000, 100..=4000, 2000..=2001, 8000..=8001, 3..=4] {
            row(minutes, Mark::Down).iter().for_each(|(minute, mark)| record.put(*minute, *mark));
            let stored = record.to_stored();
            assert!(stored.len() < 2 * MINUTES + 200, "{}", stored.len());
            assert_eq!(Record::of_stored(&stored).unwrap().to_stored(), stored);
        }
    }

    #[test]
    fn whatever_is_stored_is_a_record_or_is_said_to_be_none() {
        for bad in [
            "",
            "[]",
            "null",
            "{\"version\":1}",
            "{\"version\":2,\"newest\":5,\"days\":[]}",
            "{\"version\":1,\"newest\":5,\"marks\":\"vvx\"}",
            "{\"version\":1,\"newest\":-5,\"marks\":\"v\"}",
            "{\"version\":1,\"newest\":9223372036854775807,\"marks\":\"v\"}",
            "{\"version\":1,\"newest\":5,\"marks\":\"v\",\"later\":{\"newest\":-9,\"marks\":\"v\"}}",
        ] {
            assert!(Record::of_stored(bad).is_err(), "{bad}");
        }
        let long = format!("{{\"version\":1,\"newest\":5000,\"marks\":\"{}\"}}", "d".repeat(9999));
        assert_eq!(Record::of_stored(&long).unwrap().marks.len(), MINUTES);
        let mut odd = Record::of_stored("{\"version\":1,\"newest\":0,\"marks\":\"vv\"}").unwrap();
        odd.take_up(Record::default(), 3);
        assert_eq!(odd.runs(1).len(), 3);
    }
}
