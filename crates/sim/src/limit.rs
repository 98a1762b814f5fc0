//! Sliding windows: how often something happened in the last second or minute.
//!
//! A sliding window is the strictest reading of "5 per second"; a client that keeps to it
//! keeps to any other.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use larkline_proto::id::{ChatId, MessageId};

use crate::world::AppIx;

/// Keys a table may hold before idle ones are swept out.
const KEYS_MAX: usize = 4_096;

/// The windows of every limited thing.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Per app and API.
    pub(crate) api: Table<(AppIx, &'static str, &'static str)>,
    /// Per chat.
    pub(crate) chat: Table<ChatId>,
    /// Per updated card.
    pub(crate) card: Table<MessageId>,
    /// Per card entity.
    pub(crate) entity: Table<String>,
    /// Per hook of a group.
    pub(crate) hook: Table<String>,
}

/// Times of recent events per key, newest at the back.
#[derive(Debug)]
pub(crate) struct Table<K>(HashMap<K, VecDeque<u64>>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq> Table<K> {
    /// Counts one event unless a window is full; then says when it has room, in milliseconds.
    /// `windows` are pairs of length in milliseconds and count, shortest window at the front.
    pub(crate) fn admit(&mut self, key: K, now_ms: u64, windows: &[(u64, u32)]) -> Result<(), u64> {
        if windows.iter().all(|(_, most)| *most == u32::MAX) {
            return Ok(());
        }
        let longest = windows.iter().map(|(ms, _)| *ms).max().unwrap_or_default();
        if self.0.len() >= KEYS_MAX {
            self.0.retain(|_, times| times.back().is_some_and(|t| t + longest > now_ms));
        }
        let times = self.0.entry(key).or_default();
        while times.front().is_some_and(|t| t + longest <= now_ms) {
            times.pop_front();
        }
        for (ms, most) in windows {
            let most = usize::try_from(*most).unwrap_or(usize::MAX);
            let inside = times.iter().rev().take_while(|t| **t + ms > now_ms).count();
            if inside >= most {
                let leaves = times.iter().rev().nth(most.saturating_sub(1)).copied();
                return Err(leaves.unwrap_or(now_ms) + ms - now_ms);
            }
        }
        times.push_back(now_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_in_a_second_waits_until_the_oldest_leaves() {
        let mut table = Table::default();
        for at in [0, 100, 200, 300, 400] {
            assert_eq!(table.admit("chat", at, &[(1_000, 5)]), Ok(()));
        }
        assert_eq!(table.admit("chat", 500, &[(1_000, 5)]), Err(500));
        assert_eq!(table.admit("other", 500, &[(1_000, 5)]), Ok(()));
        assert_eq!(table.admit("chat", 1_000, &[(1_000, 5)]), Ok(()));
    }

    #[test]
    fn the_minute_is_full_though_the_second_is_not() {
        let mut table = Table::default();
        for at in 0..10 {
            assert_eq!(table.admit((), at * 1_000, &[(1_000, 5), (60_000, 10)]), Ok(()));
        }
        assert_eq!(table.admit((), 20_000, &[(1_000, 5), (60_000, 10)]), Err(40_000));
    }
}
