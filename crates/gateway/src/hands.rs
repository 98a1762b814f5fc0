//! How much each handler has in hand, over reloads: the worker of before goes on with what it has, and
//! the new one takes no more than the cap leaves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::MutexGuard;

/// The hands of all handlers, by name.
#[derive(Debug, Default)]
pub struct Hands(Mutex<BTreeMap<String, Arc<Hand>>>);

/// What the workers of one handler share.
#[derive(Debug, Default)]
pub struct Hand {
    busy: AtomicUsize,
    /// One worker counts and claims at a time.
    claiming: tokio::sync::Mutex<()>,
}

/// Something in hand; dropping it says that it is not any more.
#[derive(Debug)]
#[must_use = "dropping it frees its place"]
pub struct Busy(Arc<Hand>);

impl Hands {
    /// That of a handler, the same for each of its workers.
    pub fn of(&self, handler: &str) -> Arc<Hand> {
        let mut hands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hands.entry(handler.to_owned()).or_default())
    }
}

impl Hand {
    /// How many more fit below the cap. The answer holds until the guard is dropped.
    pub async fn room(&self, cap: usize) -> (usize, MutexGuard<'_, ()>) {
        let claiming = self.claiming.lock().await;
        (cap.saturating_sub(self.busy.load(Ordering::Relaxed)), claiming)
    }

    /// Takes one more.
    pub fn take(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
