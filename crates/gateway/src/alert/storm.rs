//! A link that comes and goes: how often it was verified again within the last minutes.

use std::collections::VecDeque;

/// Reconnects are counted over so long.
const WITHIN_MS: i64 = 10 * 60 * 1000;

/// The reconnects of one app's link.
#[derive(Debug)]
pub(super) struct Storm {
    /// When how many had been, oldest first; only where the number changed.
    seen: VecDeque<(i64, u64)>,
}

impl Storm {
    /// At the first look of a run that began then. An older run that is looked at for the first time
    /// has a past of which nothing is known.
    pub(super) fn begin(started_ms: i64, now_ms: i64, connects: u64) -> Self {
        let is_young = now_ms - started_ms < WITHIN_MS;
        let before = if is_young { 0 } else { reconnects(connects) };
        Self { seen: VecDeque::from([(now_ms, before)]) }
    }

    /// How often it was verified again within the last minutes; `connects` is how often ever.
    pub(super) fn look(&mut self, now_ms: i64, connects: u64) -> u64 {
        let reconnects = reconnects(connects);
        // A clock that was set back shall not hold anything up.
        self.seen.iter_mut().for_each(|(at, _)| *at = (*at).min(now_ms));
        if self.seen.back().is_none_or(|(_, last)| *last != reconnects) {
            self.seen.push_back((now_ms, reconnects));
        }
        // The oldest stays as what was there before.
        while self.seen.get(1).is_some_and(|(at, _)| now_ms - at > WITHIN_MS) {
            self.seen.pop_front();
        }
        let before = self.seen.front().map_or(reconnects, |(_, before)| *before);
        reconnects.saturating_sub(before)
    }
}

/// The first connection is none.
fn reconnects(connects: u64) -> u64 {
    connects.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1000;
    const DAY: i64 = 24 * 3600 * SECOND;

    #[test]
    fn the_first_connection_is_no_reconnect() {
        let mut storm = Storm::begin(0, SECOND, 0);
        assert_eq!([0, 1, 2, 4].map(|connects| storm.look(2 * SECOND, connects)), [0, 0, 1, 3]);
        let mut at_once = Storm::begin(0, SECOND, 3);
        assert_eq!(at_once.look(SECOND, 3), 2, "before the first look");
        let mut unknown = Storm::begin(0, DAY, 300);
        assert_eq!([300, 302].map(|connects| unknown.look(DAY, connects)), [0, 2]);
    }

    #[test]
    fn what_was_longer_ago_does_not_count_and_a_clock_that_is_set_back_keeps_nothing_for_ever() {
        let mut storm = Storm::begin(DAY, DAY, 1);
        assert_eq!(storm.look(DAY, 1), 0);
        assert_eq!(storm.look(DAY + SECOND, 6), 5);
        assert_eq!(storm.look(SECOND, 8), 7, "set back by a day");
        assert_eq!(storm.look(SECOND + WITHIN_MS, 8), 7);
        assert_eq!(storm.look(2 * SECOND + WITHIN_MS, 8), 0);
    }
}
