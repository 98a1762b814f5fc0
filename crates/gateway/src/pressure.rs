//! Memory and processor time of the gateway and its children, against thresholds.
//!
//! An alert is raised when a threshold was exceeded for the configured time without a break, and over
//! when it was undercut by a tenth for as long: a value around the threshold is one alert, not many.
//! Who is told of an alert is not decided here.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Whose use of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// `gateway`, or the handler and task of a child.
    pub who: String,
    /// `memory` or `cpu`.
    pub what: &'static str,
}

/// A value of a subject.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Whose.
    pub subject: Subject,
    /// Bytes, or percent of one processor.
    pub value: u64,
    /// From where on it is too much.
    pub limit: u64,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Too much for too long.
    Raised {
        /// Who uses what.
        subject: Subject,
        /// So much.
        value: u64,
        /// Of so much.
        limit: u64,
    },
    /// Fine again, or gone.
    Over(Subject),
}

/// Watches subjects over time.
#[derive(Debug, Default)]
pub struct Watch {
    known: BTreeMap<Subject, State>,
}

#[derive(Debug)]
struct State {
    raised: bool,
    /// Since when the value has been on the side that would change `raised`.
    since: Option<Instant>,
}

impl Watch {
    /// Takes all readings of one moment; subjects that are not among them are gone.
    pub fn look(&mut self, now: Instant, readings: &[Reading], after: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        self.known.retain(|subject, state| {
            let is_there = readings.iter().any(|reading| reading.subject == *subject);
            if !is_there && state.raised {
                changes.push(Change::Over(subject.clone()));
            }
            is_there
        });
        for Reading { subject, value, limit } in readings {
            let state =
                self.known.entry(subject.clone()).or_insert(State { raised: false, since: None });
            let would_change = match state.raised {
                false => value > limit,
                true => *value < limit - limit / 10,
            };
            if !would_change {
                state.since = None;
                continue;
            }
            let since = *state.since.get_or_insert(now);
            if now.duration_since(since) < after {
                continue;
            }
            (state.raised, state.since) = (!state.raised, None);
            let subject = subject.clone();
            changes.push(match state.raised {
                true => Change::Raised { subject, value: *value, limit: *limit },
                false => Change::Over(subject),
            });
        }
        changes
    }

    /// How many alerts are raised for this.
    pub fn raised(&self, what: &str) -> usize {
        self.known.iter().filter(|(subject, state)| state.raised && subject.what == what).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(60);

    fn reading(value: u64) -> Vec<Reading> {
        let subject = Subject { who: "gateway".to_owned(), what: "memory" };
        vec![Reading { subject, value, limit: 100 }]
    }

    /// One reading each ten seconds; what changed at each.
    fn changes(values: &[u64]) -> Vec<(usize, bool)> {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let mut seen = Vec::new();
        for (n, value) in values.iter().enumerate() {
            let now = start + Duration::from_secs(10) * u32::try_from(n).unwrap();
            for change in watch.look(now, &reading(*value), AFTER) {
                seen.push((n, matches!(change, Change::Raised { .. })));
            }
        }
        seen
    }

    #[test]
    fn a_peak_is_no_alert() {
        assert_eq!(changes(&[50, 200, 200, 50, 200, 200, 200, 200, 50]), []);
    }

    #[test]
    fn too_much_for_long_enough_is_one_alert_and_one_end() {
        let values = [[200; 8].as_slice(), &[50; 8]].concat();
        assert_eq!(changes(&values), [(6, true), (14, false)]);
    }

    #[test]
    fn a_value_around_the_threshold_does_not_flutter() {
        let around = [101, 99, 95, 101, 91, 99, 101, 95];
        let values = [[200; 7].as_slice(), &around, &around].concat();
        assert_eq!(changes(&values), [(6, true)]);
    }

    #[test]
    fn whoever_is_gone_is_over() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        watch.look(start, &reading(200), AFTER);
        assert_eq!(watch.look(start + AFTER, &reading(200), AFTER).len(), 1);
        assert_eq!(watch.raised("memory"), 1);
        let changes = watch.look(start + AFTER * 2, &[], AFTER);
        assert!(matches!(&changes[..], [Change::Over(_)]), "{changes:?}");
        assert_eq!(watch.raised("memory"), 0);
    }
}
