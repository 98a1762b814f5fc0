//! Card entities of messages that grow: their ids, and the next sequence of each.
//!
//! The platform takes an operation on a card only if its sequence is greater than that of the one
//! before, also across restarts. A sequence here is the number of tenths of a second since 2026, or
//! one more than the last: it needs no memory to be greater after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larkline_proto::event::MESSAGE_RECALLED as RECALLED;
use larkline_proto::id::MessageId;
use larkline_store::inbox::NewEvent;

use crate::clock::now_ms;

/// Cards remembered; beyond it they are forgotten and asked for again. More than run at once.
const CARDS_MAX: usize = 2048;
/// 2026-01-01, Unix ms.
const EPOCH_MS: i64 = 1_767_225_600_000;
/// Tenths of a second, so that a 32-bit number lasts until 2032.
const TICK_MS: i64 = 100;

/// A day: whoever used a greater sequence had a clock that was ahead.
const JUMP: i32 = 864_000;

/// What is known of cards that are being changed.
#[derive(Debug, Default)]
pub struct Cards {
    known: Mutex<HashMap<MessageId, Known>>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    card: Option<String>,
    sequence: i32,
    /// Its message was taken back. Its entity may still take operations that nobody sees.
    recalled: bool,
    /// It has its last form, as far as anybody knows.
    is_over: bool,
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

    /// The platform has seen a greater sequence than the last: the next one is far greater.
    pub fn is_behind(&self, message: &MessageId) {
        self.entry(message, |known| known.sequence = known.sequence.saturating_add(JUMP));
    }

    /// Takes note of messages that were taken back while their cards grow.
    pub fn heard(&self, events: &[NewEvent]) {
        let recalled = events.iter().filter(|event| event.kind == RECALLED);
        for message in recalled.filter_map(|event| event.message_id.as_ref()) {
            if let Some(known) = self.lock().get_mut(message) {
                known.recalled = true;
            }
        }
    }

    /// Whether the message of a growing card was taken back.
    pub fn is_recalled(&self, message: &MessageId) -> bool {
        self.lock().get(message).is_some_and(|known| known.recalled)
    }

    /// The message's card has its last form, as far as is known. It is remembered while there is
    /// room: one that is changed again at once needs a greater sequence than the last.
    pub fn forget(&self, message: &MessageId) {
        if let Some(known) = self.lock().get_mut(message) {
            known.is_over = true;
        }
    }

    fn entry(&self, message: &MessageId, change: impl FnOnce(&mut Known)) {
        let mut known = self.lock();
        if known.len() >= CARDS_MAX && !known.contains_key(message) {
            known.retain(|_, known| !known.is_over);
            if known.len() >= CARDS_MAX {
                known.clear();
            }
        }
        let entry = known.entry(message.clone()).or_default();
        entry.is_over = false;
        change(entry);
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
    fn a_sequence_that_was_too_small_is_left_far_behind() {
        let (cards, message) = (Cards::default(), MessageId::new("om_1"));
        let small = cards.next_sequence(&message);
        cards.is_behind(&message);
        assert!(cards.next_sequence(&message) > small + JUMP / 2);
    }

    #[test]
    fn a_recall_counts_for_a_card_that_grows() {
        let (cards, message) = (Cards::default(), MessageId::new("om_1"));
        let recall = |id: &str, kind: &str| NewEvent {
            kind: kind.to_owned(),
            message_id: Some(MessageId::new(id)),
            ..NewEvent::default()
        };
        cards.learned(&message, "7");
        cards.heard(&[recall("om_1", "im.message.reaction.created_v1"), recall("om_2", RECALLED)]);
        assert!(!cards.is_recalled(&message));
        cards.heard(&[recall("om_1", RECALLED)]);
        assert!(cards.is_recalled(&message));
        assert!(!cards.is_recalled(&MessageId::new("om_2")), "nothing of it is kept");
    }

    #[test]
    fn a_card_that_is_changed_again_after_its_last_form_goes_on_counting() {
        let (cards, message) = (Cards::default(), MessageId::new("om_1"));
        cards.learned(&message, "7");
        let sequences: Vec<i32> = (0..20)
            .map(|_| {
                let sequence = cards.next_sequence(&message);
                cards.forget(&message);
                sequence
            })
            .collect();
        assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");
        assert_eq!(cards.card(&message).as_deref(), Some("7"));
    }

    #[test]
    fn those_that_are_over_make_room_first() {
        let (cards, growing) = (Cards::default(), MessageId::new("om_growing"));
        cards.learned(&growing, "7");
        for n in 0..2 * CARDS_MAX {
            let message = MessageId::new(format!("om_{n}"));
            cards.learned(&message, "8");
            cards.forget(&message);
        }
        assert_eq!(cards.card(&growing).as_deref(), Some("7"));
        assert!(cards.lock().len() <= CARDS_MAX);
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
