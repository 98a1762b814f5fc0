//! `uuid`s of sends, and the messages they created.
//!
//! Inside the window a `uuid` stands for one message (open API, 2.2).

use std::collections::{HashMap, VecDeque};

use larkline_proto::id::MessageId;

use crate::world::AppIx;

/// One app's idempotency key.
pub(crate) type Key = (AppIx, String);

/// The keys inside the window, and at most as many as the ledger keeps rows.
#[derive(Debug, Default)]
pub(crate) struct SentOnce {
    messages: HashMap<Key, (MessageId, u64)>,
    order: VecDeque<(Key, u64)>,
}

impl SentOnce {
    /// The message a key created, while its window lasts.
    pub(crate) fn get(&self, key: &Key, now_ms: u64, window_ms: u64) -> Option<&MessageId> {
        let (message, at_ms) = self.messages.get(key)?;
        (at_ms.saturating_add(window_ms) > now_ms).then_some(message)
    }

    /// Remembers a key, and forgets those out of their window or beyond the bound.
    pub(crate) fn put(
        &mut self,
        key: Key,
        message: MessageId,
        now_ms: u64,
        window_ms: u64,
        most: usize,
    ) {
        while let Some((_, at_ms)) = self.order.front()
            && (at_ms.saturating_add(window_ms) <= now_ms || self.order.len() >= most.max(1))
        {
            self.forget_oldest();
        }
        self.order.push_back((key.clone(), now_ms));
        self.messages.insert(key, (message, now_ms));
    }

    fn forget_oldest(&mut self) {
        let Some((key, at_ms)) = self.order.pop_front() else { return };
        // A key used again after its window has a younger entry of its own.
        if self.messages.get(&key).is_some_and(|(_, put_ms)| *put_ms == at_ms) {
            self.messages.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(uuid: &str) -> Key {
        (AppIx(0), uuid.to_owned())
    }

    #[test]
    fn a_key_stands_for_its_message_until_the_window_ends() {
        let mut sent = SentOnce::default();
        sent.put(key("u"), "om_1".into(), 1_000, 500, 10);
        assert_eq!(sent.get(&key("u"), 1_499, 500), Some(&"om_1".into()));
        assert_eq!(sent.get(&key("u"), 1_500, 500), None);
        assert_eq!(sent.get(&(AppIx(1), "u".to_owned()), 1_000, 500), None);
    }

    #[test]
    fn memory_is_bounded_by_time_and_by_number() {
        let mut sent = SentOnce::default();
        sent.put(key("old"), "om_1".into(), 0, 500, 10);
        sent.put(key("old"), "om_2".into(), 600, 500, 10);
        assert_eq!((sent.messages.len(), sent.order.len()), (1, 1));
        assert_eq!(sent.get(&key("old"), 700, 500), Some(&"om_2".into()));
        for n in 0..20 {
            sent.put(key(&n.to_string()), "om_3".into(), 700, 500, 10);
        }
        assert_eq!((sent.messages.len(), sent.order.len()), (10, 10));
        assert_eq!(sent.get(&key("19"), 700, 500), Some(&"om_3".into()));
    }
}
