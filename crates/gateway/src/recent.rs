//! Which events are surely new, told without asking the journal.
//!
//! An event whose keys were seen a moment ago may be a repetition, and is left to the journal to
//! recognise. One that was seen longer ago is taken for new here; the journal knows better and
//! drops what was decided about it. So this need not be right, only right nearly always.

use std::collections::hash_map::RandomState;
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher as _;

/// The keys of the last events.
#[derive(Debug, Default)]
pub struct Recent {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    /// Keys remembered: two for each event of a quarter of a minute at 500 a second, after which
    /// the platform repeats what it got no ack for.
    const KEYS_MAX: usize = 16_384;

    /// Remembers the keys of an event; `true` when none of them was known.
    pub fn is_first(&mut self, keys: &[String]) -> bool {
        let mut first = true;
        for key in keys {
            let hash = self.hasher.hash_one(key);
            if !self.known.insert(hash) {
                first = false;
                continue;
            }
            self.order.push_back(hash);
            if self.order.len() > Self::KEYS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(n: usize) -> Vec<String> {
        vec![format!("e:{n}"), format!("m:{n}")]
    }

    #[test]
    fn an_event_is_new_one_time() {
        let mut recent = Recent::default();
        assert!(recent.is_first(&keys(1)) && recent.is_first(&keys(2)));
        assert!(!recent.is_first(&keys(1)));
        let replayed = ["e:other".to_owned(), "m:2".to_owned()];
        assert!(!recent.is_first(&replayed), "one known key is enough");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go() {
        let mut recent = Recent::default();
        assert!((0..Recent::KEYS_MAX).all(|n| recent.is_first(&keys(n))));
        assert_eq!((recent.known.len(), recent.order.len()), (Recent::KEYS_MAX, Recent::KEYS_MAX));
        assert!(recent.is_first(&keys(0)), "forgotten");
        assert!(!recent.is_first(&keys(Recent::KEYS_MAX - 1)), "the newest are known");
    }
}
