//! The marks of one day, and how they are stored. Pure: time is an argument.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{MINUTES, Mark, Run};

/// What this version writes; another one's marks may mean something else.
const VERSION: u32 = 1;
/// Minutes of a clock in milliseconds: beyond it is no moment, and no room to count on.
const MINUTE_MAX: i64 = i64::MAX / 60_000;

/// The marks of the last day, without a hole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The minute of the newest mark, since 1970.
    newest: i64,
    marks: VecDeque<Mark>,
}

/// A record as the store has it: a letter a minute, so never more than a day has.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
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
        self.put_after(minute, mark, Mark::Off);
    }

    fn put_after(&mut self, minute: i64, mark: Mark, between: Mark) {
        let passed = usize::try_from(minute - self.newest).unwrap_or(0);
        match self.marks.back_mut() {
            // Also when the clock was set back.
            Some(newest) if passed == 0 => *newest = (*newest).max(mark),
            Some(_) => {
                let unseen = (passed - 1).min(MINUTES);
                self.marks.extend(std::iter::repeat_n(between, unseen));
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

    /// The day up to a minute, from its beginning to its end without a hole.
    pub(super) fn runs(&self, minute: i64) -> Vec<Run> {
        let behind = usize::try_from(minute - self.newest).unwrap_or(0).min(MINUTES);
        let known = self.marks.len().min(MINUTES - behind);
        let before = MINUTES - behind - known;
        let off = |n: usize| std::iter::repeat_n(Mark::Off, n);
        let newest = self.marks.iter().skip(self.marks.len() - known).copied();
        let mut runs: Vec<Run> = Vec::new();
        for (first, mark) in off(before).chain(newest).chain(off(behind)).enumerate() {
            match runs.last_mut() {
                Some(run) if run.mark == mark => run.minutes += 1,
                _ => runs.push(Run { mark, first, minutes: 1 }),
            }
        }
        runs
    }

    /// Puts the record of the run before in front of this one's. From its end to the start of this
    /// run nothing ran, and not for all of the minute of the start.
    pub(super) fn take_up(&mut self, mut stored: Self, started: i64) {
        stored.forget_after(started);
        if stored.marks.is_empty() {
            return;
        }
        stored.put_after(started, Mark::Away, Mark::Away);
        let own = std::mem::replace(self, stored);
        let first = own.newest - i64::try_from(own.marks.len()).unwrap_or(0) + 1;
        for (minute, mark) in (first..).zip(own.marks) {
            self.put(minute, mark);
        }
    }

    /// A clock that ran ahead has made marks of a time that is still to come.
    fn forget_after(&mut self, minute: i64) {
        let ahead = usize::try_from(self.newest - minute).unwrap_or(0).min(self.marks.len());
        self.marks.truncate(self.marks.len() - ahead);
        self.newest = self.newest.min(minute);
    }

    /// For the store.
    pub(super) fn to_stored(&self) -> String {
        let marks = self.marks.iter().map(|mark| mark.letter()).collect();
        let stored = Stored { version: VERSION, newest: self.newest, marks };
        // Numbers and letters always have a form.
        serde_json::to_string(&stored).unwrap_or_default()
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
        if !(0..=MINUTE_MAX).contains(&stored.newest) {
            return Err(Unreadable::Minute(stored.newest));
        }
        let marks: VecDeque<Mark> = stored.marks.chars().map(Mark::of).collect::<Result<_, _>>()?;
        let surplus = marks.len().saturating_sub(MINUTES);
        Ok(Self { newest: stored.newest, marks: marks.into_iter().skip(surplus).collect() })
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

    #[test]
    fn marks_of_a_clock_that_ran_ahead_are_forgotten() {
        let ahead = || record(&[(5000, Mark::Down), (5001, Mark::Down), (5002, Mark::Verified)]);
        let mut now = Record::default();
        now.take_up(ahead(), 5001);
        assert_eq!(now.runs(5001).last(), Some(&run(Mark::Down, 1438, 2)));
        let mut now = record(&[(70, Mark::Verified)]);
        now.take_up(ahead(), 70);
        assert_eq!(now.runs(70).last(), Some(&run(Mark::Verified, 1439, 1)));
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
