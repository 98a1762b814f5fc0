//! What the platform does when a time has come.

use std::cmp::Reverse;

use larkline_proto::id::EventId;

use crate::press::CallbackEnd;
use crate::world::World;

/// A deed of its own for each time that is waited for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    AckTimeout(String),
    Redeliver(EventId, usize),
    StopStreaming(String),
    Release,
}

impl World {
    /// Runs every timer that is due.
    pub(crate) fn run_timers(&mut self, now_ms: u64) {
        while self.deliveries.next_due_ms().is_some_and(|due| due <= now_ms) {
            let Some(Reverse((_, timer))) = self.deliveries.timers.pop() else { return };
            match timer {
                Timer::AckTimeout(frame_id) => {
                    let Some(pushed) = self.deliveries.pushed.get_mut(&frame_id) else { continue };
                    if !pushed.acked {
                        pushed.expired = true;
                        let event = pushed.event.clone();
                        self.failed(now_ms, &event, || CallbackEnd::TimedOut);
                    }
                }
                Timer::Release => self.release(now_ms),
                Timer::StopStreaming(card) => self.stop_streaming(now_ms, &card),
                Timer::Redeliver(event, attempts) => {
                    let stored = self.deliveries.events.get(&event);
                    if stored.is_some_and(|s| !s.settled && s.attempts == attempts) {
                        self.push(now_ms, &event);
                    }
                }
            }
        }
    }
}
