//! Who waits for a handler that is at its cap: nothing is refused, and the chat hears its place.
//!
//! A burst that is gone in a moment is not worth a word: a chat is told when its message has
//! waited for `limits.tell_position_after`, one time for each message.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_proto::event::Event;
use larkline_store::inbox::InboxItem;
use larkline_store::outbox::NewOutbox;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock::{ms, now_ms};
use crate::outgoing;
use crate::shared::Shared;
use crate::words::{self, Lang};

/// Places in the line that are told; whoever is further back is told when he comes nearer.
const TOLD_MAX: usize = 64;
/// The line is looked at no more often than this, and so often while the handler is at its cap: who
/// comes into it meanwhile wakes nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The line before one handler.
#[derive(Debug, Default)]
pub struct Line {
    told: Mutex<BTreeSet<i64>>,
    is_full: watch::Sender<bool>,
}

impl Line {
    /// Whether the handler is at its cap.
    pub fn full(&self, is_full: bool) {
        self.is_full.send_if_modified(|full| std::mem::replace(full, is_full) != is_full);
    }

    /// Tells, while the handler is at its cap, the chats of messages that have waited long enough;
    /// until it is dropped.
    pub async fn watch(&self, shared: &Shared, handler: &str) -> Infallible {
        let mut full = self.is_full.subscribe();
        loop {
            // The sender lives in `self`.
            drop(full.wait_for(|full| *full).await);
            self.tell(shared, handler, now_ms()).await;
            sleep(LOOK_EVERY).await;
        }
    }

    async fn tell(&self, shared: &Shared, handler: &str, now_ms: i64) {
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
        self.told().extend(fresh.iter().map(|(_, item)| item.id.0));
    }

    /// Those who have waited since `since_ms` and were not told, with their places from 1.
    fn untold<'i>(&self, items: &'i [InboxItem], since_ms: i64) -> Vec<(usize, &'i InboxItem)> {
        let mut told = self.told();
        told.retain(|id| items.iter().any(|item| item.id.0 == *id));
        let waits = |item: &InboxItem| item.received_ms <= since_ms;
        let places = (1..).zip(items);
        places.filter(|(_, item)| waits(item) && !told.contains(&item.id.0)).collect()
    }

    fn told(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keyed by the event: a process that starts anew says nothing twice.
fn notice(lang: Lang, place: usize, item: &InboxItem, now_ms: i64) -> Option<NewOutbox> {
    let event = Event::parse(&item.payload).ok()?;
    let text = words::place_in_line(lang, place);
    outgoing::notice(&item.app, &event, "queued", &text, now_ms)
}
