//! Card entities of messages that grow: their ids, and the next sequence of each.
//!
//! The platform takes an operation on a card only if its sequence is greater than that of the one
//! before, also across restarts. A sequence here is the number of tenths of a second since 2026, or
//! one more than the last: it needs no memory to be greater after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larkline_proto::id::MessageId;

use crate::clock::now_ms;

/// Cards remembered; beyond it they are forgotten and asked for again. More than run at once.
const CARDS_MAX: usize = 2048;
/// 2026-01-01, Unix ms.
const EPOCH_MS: i64 = 1_767_225_600_000;
/// Tenths of a second, so that a 32-bit number lasts until 2032.
const TICK_MS: i64 = 100;

/// What is known of cards that are being changed.
#[derive(Debug, Default)]
pub struct Cards {
    known: Mutex<HashMap<MessageId, Known>>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    card: Option<String>,
    sequence: i32,
}

impl Cards {
    /// The entity behind a message, when it was asked for before.
    pub fn card(&self, message: &MessageId) -> Option<String> {
        self.lock().get(message)?.card.clone()
    }

    /// Remembers the entity behind a message.
    pub fn learned(&self, message: &MessageId, card: &str) {
        self.entry(message, |known| known.card = Some(card.to_owned()));
    }

    /// The sequence for the next operation on a message's card.
    pub fn next_sequence(&self, message: &MessageId) -> i32 {
        let ticks = i32::try_from((now_ms() - EPOCH_MS) / TICK_MS).unwrap_or(i32::MAX - 1).max(1);
        let mut next = ticks;
        self.entry(message, |known| {
            next = ticks.max(known.sequence.saturating_add(1));
            known.sequence = next;
        });
        next
    }

    /// The message's card has its last form.
    pub fn forget(&self, message: &MessageId) {
        self.lock().remove(message);
    }

    fn entry(&self, message: &MessageId, change: impl FnOnce(&mut Known)) {
        let mut known = self.lock();
        if known.len() >= CARDS_MAX && !known.contains_key(message) {
            known.clear();
        }
        change(known.entry(message.clone()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MessageId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_rise_also_when_many_come_in_one_tick() {
        let (cards, message) = (Cards::default(), MessageId::new("om_1"));
        let sequences: Vec<i32> = (0..50).map(|_| cards.next_sequence(&message)).collect();
        assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");
    }

    #[test]
    fn too_many_cards_are_forgotten_and_sequences_still_fit_the_clock() {
        let cards = Cards::default();
        for n in 0..=CARDS_MAX {
            cards.learned(&MessageId::new(format!("om_{n}")), "7");
        }
        assert_eq!(cards.card(&MessageId::new("om_0")), None);
        assert!(cards.next_sequence(&MessageId::new("om_0")) > 0);
    }
}
