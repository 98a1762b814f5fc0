//! Who waits for a handler that is at its cap: nothing is refused, and the chat hears its place.
//!
//! A burst that is gone in a moment is not worth a word: a chat is told when its message has
//! waited for `limits.tell_position_after`, one time for each message.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larkline_proto::event::Event;
use larkline_store::inbox::InboxItem;
use larkline_store::outbox::NewOutbox;

use crate::clock::ms;
use crate::outgoing;
use crate::shared::Shared;
use crate::words::{self, Lang};

/// Places in the line that are told; whoever is further back is told when he comes nearer.
const TOLD_MAX: usize = 64;
/// The line is looked at no more often than this.
const LOOK_EVERY_MS: i64 = 1_000;

/// The line before one handler.
#[derive(Debug, Default)]
pub struct Line {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    looked_ms: i64,
    told: BTreeSet<i64>,
}

impl Line {
    /// Tells the chats of messages that have waited long enough; called while the handler is at
    /// its cap.
    pub async fn tell(&self, shared: &Shared, handler: &str, now_ms: i64) {
        if !self.is_time(now_ms) {
            return;
        }
        let items = match shared.store.next_in_line(handler.to_owned(), TOLD_MAX).await {
            Ok(items) => items,
            Err(error) => return shared.store_health.failed("next_in_line", &error),
        };
        let config = shared.config.load_full();
        let after_ms = ms(config.limits.tell_position_after);
        let fresh = self.untold(&items, now_ms - after_ms);
        let notices: Vec<NewOutbox> = fresh
            .iter()
            .filter_map(|(place, item)| notice(config.language, *place, item, now_ms))
            .collect();
        if !notices.is_empty() {
            match shared.store.enqueue(notices).await {
                Ok(_) => shared.delivery.notify_waiters(),
                Err(error) => return shared.store_health.failed("enqueue", &error),
            }
        }
        self.state().told.extend(fresh.iter().map(|(_, item)| item.id.0));
    }

    fn is_time(&self, now_ms: i64) -> bool {
        let mut state = self.state();
        // A clock that was set back is no reason to be silent.
        let is_time = !(0..LOOK_EVERY_MS).contains(&(now_ms - state.looked_ms));
        if is_time {
            state.looked_ms = now_ms;
        }
        is_time
    }

    /// Those who have waited since `since_ms` and were not told, with their places from 1.
    fn untold<'i>(&self, items: &'i [InboxItem], since_ms: i64) -> Vec<(usize, &'i InboxItem)> {
        let mut state = self.state();
        state.told.retain(|id| items.iter().any(|item| item.id.0 == *id));
        let waits = |item: &InboxItem| item.received_ms <= since_ms;
        let places = (1..).zip(items);
        places.filter(|(_, item)| waits(item) && !state.told.contains(&item.id.0)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keyed by the event: a process that starts anew says nothing twice.
fn notice(lang: Lang, place: usize, item: &InboxItem, now_ms: i64) -> Option<NewOutbox> {
    let event = Event::parse(&item.payload).ok()?;
    let text = words::place_in_line(lang, place);
    outgoing::notice(&item.app, &event, "queued", &text, now_ms)
}
