//! What faults do to events on their way out: lost, stolen, held back, twice, cut off.

use std::cmp::Reverse;

use larkline_proto::id::EventId;

use crate::armed::Deaf;
use crate::connection::{ConnId, Out};
use crate::fault::Fault;
use crate::ledger::Delivery;
use crate::timer::Timer;
use crate::world::{AppIx, World};

/// Longest time a push is held back for others to overtake it.
const HELD_MS_MAX: u64 = 500;
/// The ledger's name for whoever took a stolen event.
const ANOTHER_INSTANCE: &str = "another instance";

impl World {
    /// Whether a fault keeps this push from going straight to a connection.
    pub(crate) fn detour(&mut self, now_ms: u64, event: &EventId) -> bool {
        match self.faults.deaf {
            Some(Deaf::Lost) => {
                self.push_to_nobody(now_ms, event);
                return true;
            }
            Some(Deaf::Stolen) => {
                self.stolen(now_ms, event);
                return true;
            }
            None => {}
        }
        if let Some(window) = self.faults.reorder {
            self.deliveries.held.push(event.clone());
            if self.deliveries.held.len() >= window {
                self.release(now_ms);
            } else {
                let due = now_ms + HELD_MS_MAX;
                self.deliveries.timers.push(Reverse((due, Timer::Release)));
            }
            return true;
        }
        if self.faults.take(|f| matches!(f, Fault::DuplicatePush { .. }).then_some(())).is_some() {
            self.push_straight(now_ms, event);
        }
        false
    }

    /// Pushes what was held back, in random order.
    pub(crate) fn release(&mut self, now_ms: u64) {
        let mut held = std::mem::take(&mut self.deliveries.held);
        self.rng.shuffle(&mut held);
        for event in held {
            self.push_straight(now_ms, &event);
        }
    }

    fn stolen(&mut self, now_ms: u64, event: &EventId) {
        let row = self.deliveries.events.get(event).map(|stored| stored.row);
        if let Some(row) = row.and_then(|row| self.ledger.events.get_mut(row)) {
            row.deliveries.push(Delivery {
                at_ms: now_ms,
                conn: ANOTHER_INSTANCE.to_owned(),
                ..Delivery::default()
            });
        }
        self.settle(event, true);
    }

    /// Whether a push is lost between here and the client.
    pub(crate) fn is_dropped(&mut self, conn: ConnId) -> bool {
        self.faults.strikes(conn, |f| matches!(f, Fault::DropPush { .. }))
    }

    /// Cuts the line behind a push, when that was asked for.
    pub(crate) fn cut_behind_push(&mut self, conn: ConnId) {
        if self.faults.strikes(conn, |f| matches!(f, Fault::CutOnPush { .. }))
            && let Some(conn) = self.conns.get(&conn)
            && conn.tx.try_send(Out::Cut).is_err()
        {
            tracing::warn!("the connection's queue is full; it is not cut");
        }
    }

    /// Gives a new connection the events of the recent past again.
    pub(crate) fn replay(&mut self, now_ms: u64, app: AppIx) {
        let Some(replay) = self.faults.replay else { return };
        let since_ms = now_ms.saturating_sub(replay.ms);
        let app_id = self.app_id(app);
        let rows = self.ledger.events.iter();
        let recent: Vec<_> = rows
            .filter(|e| e.done && e.app_id == app_id && e.at_ms >= since_ms)
            .filter(|e| e.kind != "card.action.trigger")
            .map(|e| e.event_id.clone())
            .collect();
        for event in recent {
            if let Err(error) = self.duplicate(now_ms, &event, replay.new_event_id) {
                tracing::debug!(%error, "an event of the past is forgotten");
            }
        }
    }
}
