//! What a destination that failed is tried with next, and when: pure, with the moment as an argument.
//!
//! A notice that fails steps aside, so that one the other side does not take holds up no other. How long
//! a destination is left alone depends on how many of them failed since it last took one: many are its
//! own failure, and it is tried as seldom as each of them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// First and longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// How it went with the notices of one destination that it has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// By the id of the notice.
    failed: BTreeMap<String, Failed>,
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct Failed {
    times: u32,
    /// Since the destination last took something.
    row: u32,
    again: Instant,
}

impl Patience {
    /// Which of the notices that are due is tried now, the first of those that failed least; the others
    /// are forgotten. None while all of them have to wait.
    pub(super) fn choose<'a>(
        &mut self,
        due: impl Iterator<Item = &'a str> + Clone,
        now: Instant,
    ) -> Option<&'a str> {
        let all: Vec<&str> = due.clone().collect();
        self.failed.retain(|id, _| all.contains(&id.as_str()));
        if self.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        let may = |id: &&str| self.failed.get(*id).is_none_or(|failed| failed.again <= now);
        due.filter(may).min_by_key(|id| self.failed.get(*id).map_or(0, |failed| failed.times))
    }

    /// The destination did not take this one; tells how long it is not tried again.
    pub(super) fn failed(&mut self, id: &str, now: Instant) -> Duration {
        let failed =
            self.failed.entry(id.to_owned()).or_insert(Failed { times: 0, row: 0, again: now });
        failed.times = failed.times.saturating_add(1);
        failed.row = failed.row.saturating_add(1);
        let wait = pause(failed.row);
        failed.again = now + wait;
        let many = self.failed.values().filter(|failed| failed.row > 0).count();
        self.rests_until = Some(now + pause(u32::try_from(many).unwrap_or(u32::MAX)));
        wait
    }

    /// The destination took this one: there is no need to wait with what failed before.
    pub(super) fn took(&mut self, id: &str, now: Instant) {
        self.failed.remove(id);
        self.failed.values_mut().for_each(|failed| (failed.row, failed.again) = (0, now));
        self.rests_until = None;
    }
}

/// After so many failures in a row.
fn pause(row: u32) -> Duration {
    PAUSE.0.saturating_mul(2_u32.saturating_pow(row.saturating_sub(1))).min(PAUSE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of notices that are due all the time; what was tried when, by whether it was taken.
    fn hour(due: &[&'static str], taken: impl Fn(&str, u64) -> bool) -> Vec<(u64, &'static str)> {
        let (mut patience, begin) = (Patience::default(), Instant::now());
        let (mut due, mut tried) = (due.to_vec(), Vec::new());
        for second in 0..3600 {
            let now = begin + Duration::from_secs(second);
            let Some(id) = patience.choose(due.iter().copied(), now) else { continue };
            tried.push((second, id));
            if taken(id, second) {
                patience.took(id, now);
                due.retain(|other| *other != id);
            } else {
                patience.failed(id, now);
            }
        }
        tried
    }

    #[test]
    fn what_the_other_side_does_not_take_steps_aside_and_is_tried_again_seldom() {
        let tried = hour(&["refused", "second", "third"], |id, _| id != "refused");
        assert_eq!(tried[..3], [(0, "refused"), (1, "second"), (2, "third")]);
        let again: Vec<u64> = tried[3..].iter().map(|(second, _)| *second).collect();
        assert_eq!(again[..6], [3, 4, 6, 10, 18, 34]);
        assert!(again.len() < 25, "{again:?}");
    }

    #[test]
    fn a_destination_that_is_dead_is_tried_as_seldom_whatever_waits_for_it() {
        let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        for due in [&many[..1], &many[..3], &many] {
            let last: Vec<_> = hour(due, |_, _| false).into_iter().filter(|t| t.0 > 1800).collect();
            assert!((6..=21).contains(&last.len()), "{} in half an hour", last.len());
        }
        let back = hour(&many, |_, second| second > 1800);
        let first = back.iter().position(|(second, _)| *second > 1800).unwrap();
        assert!(back[first].0 < 1800 + 301, "{back:?}");
        assert_eq!(back.last().unwrap().0, back[first].0 + 11, "then all of it, one by one");
    }

    #[test]
    fn what_is_new_is_tried_although_another_waits_long() {
        let (mut patience, begin) = (Patience::default(), Instant::now());
        for second in [0, 10, 100, 1000] {
            patience.failed("old", begin + Duration::from_secs(second));
        }
        let due = ["old", "new"];
        let at = |second| begin + Duration::from_secs(second);
        assert_eq!(patience.choose(due.into_iter(), at(1000)), None);
        assert_eq!(patience.choose(due.into_iter(), at(1001)), Some("new"));
    }
}
