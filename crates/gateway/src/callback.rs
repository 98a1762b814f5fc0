//! Callbacks that wait for an answer inside their ack.
//!
//! A pressed button is journaled like a message and goes the same way through router and
//! handler; the only difference is that its ack waits, for a bounded time, for what the
//! handler says. Late or absent answers become the neutral `{}`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use larkline_store::inbox::InboxId;
use tokio::sync::oneshot;

/// Acks that wait at the same time; beyond it a callback is answered neutrally at once.
const WAITING_MAX: usize = 1024;

/// The neutral answer: accepted, nothing to show.
pub const NEUTRAL: &[u8] = b"{}";

/// The acks that wait.
#[derive(Debug, Default)]
pub struct Callbacks {
    waiting: Mutex<HashMap<InboxId, oneshot::Sender<Bytes>>>,
}

impl Callbacks {
    /// Registers an ack that waits for its event's answer; `None` when too many wait.
    pub fn wait_for(&self, event: InboxId) -> Option<oneshot::Receiver<Bytes>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Receivers that gave up leave their senders behind.
        waiting.retain(|_, sender| !sender.is_closed());
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        waiting.insert(event, sender);
        Some(receiver)
    }

    /// Gives the answer; `false` when nobody waits (any more).
    pub fn answer(&self, event: InboxId, data: Bytes) -> bool {
        let sender = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&event);
        sender.is_some_and(|s| s.send(data).is_ok())
    }
}
