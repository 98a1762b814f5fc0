//! Pushing events: one random connection, an ack within the patience, the redelivery schedule.
//!
//! Reference: long connection, 5.3 and 5.6. Unknowns, as chosen here: every push has a fresh
//! frame `message_id`; an ack on another connection than the push is ignored; a late 200 does
//! not take back a redelivery that is already planned; a push that finds no connection counts
//! as a failed attempt.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use bytes::Bytes;
use larkline_proto::frame::{Frame, Header, METHOD_DATA};
use larkline_proto::header::{MESSAGE_ID, SEQ, SUM, TRACE_ID, TYPE};
use larkline_proto::id::{EventId, MessageId};
use tokio::sync::mpsc;

use crate::armed::FragmentRule;
use crate::connection::{ConnId, Out};
use crate::console::LONG_CONNECTION;
use crate::ledger::{Delivery, EventRow};
use crate::press::{Callback, CallbackEnd};
use crate::timer::Timer;
use crate::world::{AppIx, World};
use crate::ws;

/// Settled events kept for [`crate::Fault::Duplicate`], and pushes kept to recognise late acks.
const SETTLED_MAX: usize = 20_000;

/// Malformed frames whose ack is still expected.
const SCRIPTED_MAX: usize = 1_000;

/// A live connection, as the platform sees it.
pub(crate) struct Conn {
    pub(crate) app: AppIx,
    pub(crate) tx: mpsc::Sender<Out>,
    pub(crate) row: u64,
}

/// An event the platform still knows.
pub(crate) struct Stored {
    app: AppIx,
    pub(crate) row: u64,
    payload: Bytes,
    pub(crate) attempts: usize,
    pub(crate) settled: bool,
    pub(crate) callback: Option<Callback>,
    pub(crate) is_callback: bool,
}

/// One attempt, waiting for its ack or remembered after it.
pub(crate) struct Pushed {
    pub(crate) event: EventId,
    pub(crate) delivery: usize,
    pub(crate) conn: ConnId,
    /// The frame of part 0, without its payload.
    pub(crate) template: Frame,
    pub(crate) parts: usize,
    pub(crate) acked: bool,
    pub(crate) expired: bool,
}

/// Events on their way.
#[derive(Default)]
pub(crate) struct Deliveries {
    pub(crate) events: HashMap<EventId, Stored>,
    settled_order: VecDeque<EventId>,
    pub(crate) pushed: HashMap<String, Pushed>,
    pushed_order: VecDeque<String>,
    pub(crate) timers: BinaryHeap<Reverse<(u64, Timer)>>,
    frames: u64,
    /// Pushes held back so that others can overtake them.
    pub(crate) held: Vec<EventId>,
    /// Ids of malformed frames: a client may ack those it could read.
    pub(crate) scripted: VecDeque<String>,
}

impl Deliveries {
    /// When the next timer is due.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// Expects, without insisting, an ack of a frame that no event is behind.
    pub(crate) fn expect_ack(&mut self, frame_id: String) {
        if self.scripted.len() >= SCRIPTED_MAX {
            self.scripted.pop_front();
        }
        self.scripted.push_back(frame_id);
    }

    /// Looks at a card entity when its streaming ends.
    pub(crate) fn stop_streaming_at(&mut self, at_ms: u64, card: &str) {
        self.timers.push(Reverse((at_ms, Timer::StopStreaming(card.to_owned()))));
    }

    /// Forgets what is under way; acks that are still on their way are nobody's fault.
    pub(crate) fn clear(&mut self) {
        let old = std::mem::replace(self, Self { frames: self.frames, ..Self::default() });
        let cards =
            old.timers.into_iter().filter(|Reverse((_, t))| matches!(t, Timer::StopStreaming(_)));
        self.timers = cards.collect();
        let under_way = old.pushed.into_iter().filter(|(_, p)| !p.acked).map(|(id, _)| id);
        under_way.for_each(|id| self.expect_ack(id));
    }
}

/// An event ready to be pushed.
pub(crate) struct NewEvent {
    pub(crate) app: AppIx,
    pub(crate) event_id: EventId,
    pub(crate) kind: String,
    pub(crate) message_id: Option<MessageId>,
    pub(crate) payload: Bytes,
    pub(crate) callback: Option<Callback>,
}

impl World {
    /// Takes an event over and pushes it. Events of an app whose mode is another go elsewhere.
    pub(crate) fn publish(&mut self, now_ms: u64, event: NewEvent) {
        let mode = &self.app(event.app).spec.console.event_mode;
        if event.callback.is_none() && mode != LONG_CONNECTION {
            return;
        }
        let row = EventRow {
            event_id: event.event_id.clone(),
            message_id: event.message_id,
            kind: event.kind,
            app_id: self.app_id(event.app),
            at_ms: now_ms,
            done: false,
            given_up: false,
            deliveries: Vec::new(),
        };
        let row = self.ledger.events.push(row, self.options.ledger_rows_max);
        let stored = Stored {
            app: event.app,
            row,
            payload: event.payload,
            attempts: 0,
            settled: false,
            is_callback: event.callback.is_some(),
            callback: event.callback,
        };
        self.deliveries.events.insert(event.event_id.clone(), stored);
        self.push(now_ms, &event.event_id);
    }

    /// One attempt, unless a fault has other plans.
    pub(crate) fn push(&mut self, now_ms: u64, event: &EventId) {
        if !self.faults.touch_pushes() || !self.detour(now_ms, event) {
            self.push_straight(now_ms, event);
        }
    }

    /// One attempt: to a random connection of the app.
    pub(crate) fn push_straight(&mut self, now_ms: u64, event: &EventId) {
        let Some(app) = self.deliveries.events.get(event).map(|s| s.app) else { return };
        let live: Vec<_> =
            self.conns.iter().filter(|(_, c)| c.app == app).map(|(id, _)| *id).collect();
        let Some(conn) = self.rng.choice(live) else {
            return self.push_to_nobody(now_ms, event);
        };
        let frames = self.push_frames(now_ms, event, conn);
        let faulty = self.faults.touch_pushes();
        if faulty && self.is_dropped(conn) {
            return;
        }
        let Some(tx) = self.conns.get(&conn).map(|c| c.tx.clone()) else { return };
        for frame in frames {
            if tx.try_send(Out::Bytes(frame)).is_err() {
                // The client reads slower than events come: as lost as on a dead link; the
                // patience for the ack runs out and the schedule takes over.
                tracing::debug!(conn_id = %conn, "the connection's queue is full; a frame is lost");
            }
        }
        if faulty {
            self.cut_behind_push(conn);
        }
    }

    pub(crate) fn push_to_nobody(&mut self, now_ms: u64, event: &EventId) {
        let rows = &mut self.ledger.events;
        if let Some(stored) = self.deliveries.events.get_mut(event) {
            stored.attempts += 1;
            if let Some(row) = rows.get_mut(stored.row) {
                row.deliveries.push(Delivery { at_ms: now_ms, ..Delivery::default() });
            }
        }
        self.failed(now_ms, event, || CallbackEnd::NoConnection);
    }

    /// Books an attempt on this connection and returns its WebSocket messages.
    pub(crate) fn push_frames(&mut self, now_ms: u64, event: &EventId, conn: ConnId) -> Vec<Bytes> {
        let frame_id = self.uuid();
        let log_id = self.rng.u64(7_000_000_000_000_000_000..9_000_000_000_000_000_000);
        let Some(stored) = self.deliveries.events.get_mut(event) else { return Vec::new() };
        stored.attempts += 1;
        let (app, payload, row) = (stored.app, stored.payload.clone(), stored.row);
        let rule = self.fragment_rule();
        let chunks: Vec<Bytes> = match rule.bytes {
            0 => vec![payload],
            bytes => payload.chunks(bytes).map(|c| payload.slice_ref(c)).collect(),
        };
        let template = Frame {
            seq_id: self.deliveries.frames + 1,
            log_id,
            service: self.app(app).service_id,
            method: METHOD_DATA,
            headers: data_headers(&frame_id, event, chunks.len(), now_ms),
            ..Frame::default()
        };
        self.deliveries.frames += chunks.len() as u64;
        let parts = chunks.len();
        let mut frames: Vec<_> = chunks
            .into_iter()
            .enumerate()
            .map(|(seq, chunk)| {
                let part = Frame { payload: Some(chunk), ..part_of(&template, seq) };
                ws::binary(part.into_bytes())
            })
            .collect();
        if rule.duplicate
            && let Some(again) = self.rng.choice(&frames).cloned()
        {
            frames.push(again);
        }
        if rule.shuffle {
            self.rng.shuffle(&mut frames);
        }
        let delivery = Delivery {
            at_ms: now_ms,
            conn: conn.to_string(),
            frame_message_id: frame_id.clone(),
            ..Delivery::default()
        };
        let index = self.ledger.events.get_mut(row).map_or(0, |row| {
            row.deliveries.push(delivery);
            row.deliveries.len() - 1
        });
        if let Some(row) = self.conns.get(&conn).map(|c| c.row)
            && let Some(row) = self.ledger.connections.get_mut(row)
        {
            row.frames_out += frames.len() as u64;
        }
        let due = now_ms + self.options.ack_patience_ms();
        self.deliveries.timers.push(Reverse((due, Timer::AckTimeout(frame_id.clone()))));
        let pushed = Pushed {
            event: event.clone(),
            delivery: index,
            conn,
            template,
            parts,
            acked: false,
            expired: false,
        };
        self.remember(frame_id, pushed);
        frames
    }

    fn remember(&mut self, frame_id: String, pushed: Pushed) {
        let deliveries = &mut self.deliveries;
        if deliveries.pushed_order.len() >= SETTLED_MAX
            && let Some(oldest) = deliveries.pushed_order.front()
            && deliveries.pushed.get(oldest).is_none_or(|p| p.acked || p.expired)
            && let Some(oldest) = deliveries.pushed_order.pop_front()
        {
            deliveries.pushed.remove(&oldest);
        }
        deliveries.pushed_order.push_back(frame_id.clone());
        deliveries.pushed.insert(frame_id, pushed);
    }

    fn fragment_rule(&self) -> FragmentRule {
        let bytes = self.options.fragment_bytes.unwrap_or_default();
        let plain = FragmentRule { bytes, shuffle: false, duplicate: false };
        self.faults.fragment.unwrap_or(plain)
    }

    /// Every event that waits for its next attempt, oldest at the front.
    pub(crate) fn waiting(&self, app: Option<AppIx>) -> Vec<EventId> {
        let under_way: std::collections::HashSet<_> = self
            .deliveries
            .pushed
            .values()
            .filter(|p| !p.acked && !p.expired)
            .map(|p| &p.event)
            .collect();
        let mut waiting: Vec<_> = self
            .deliveries
            .events
            .iter()
            .filter(|(id, s)| {
                !s.settled && app.is_none_or(|a| a == s.app) && !under_way.contains(id)
            })
            .map(|(id, s)| (s.row, id.clone()))
            .collect();
        waiting.sort();
        waiting.into_iter().map(|(_, id)| id).collect()
    }

    /// The payload of a known event and its app.
    pub(crate) fn event_payload(&self, event: &EventId) -> Option<(AppIx, Bytes)> {
        self.deliveries.events.get(event).map(|s| (s.app, s.payload.clone()))
    }

    pub(crate) fn failed(
        &mut self,
        now_ms: u64,
        event: &EventId,
        end: impl FnOnce() -> CallbackEnd,
    ) {
        let Some(stored) = self.deliveries.events.get_mut(event) else { return };
        if stored.settled {
            return;
        }
        let (attempts, is_callback) = (stored.attempts, stored.is_callback);
        if let Some(callback) = stored.callback.take() {
            self.end_callback(now_ms, event, callback, end());
        }
        let wait = self.options.redelivery.get(attempts.saturating_sub(1)).copied();
        match wait.filter(|_| !is_callback) {
            Some(wait) => {
                let due = now_ms + millis(wait);
                let timer = Timer::Redeliver(event.clone(), attempts);
                self.deliveries.timers.push(Reverse((due, timer)));
            }
            None => self.settle(event, false),
        }
    }

    pub(crate) fn settle(&mut self, event: &EventId, done: bool) {
        let deliveries = &mut self.deliveries;
        let Some(stored) = deliveries.events.get_mut(event) else { return };
        if !stored.settled {
            stored.settled = true;
            deliveries.settled_order.push_back(event.clone());
        }
        if let Some(row) = self.ledger.events.get_mut(stored.row) {
            row.done = done;
            row.given_up = !done;
        }
        if deliveries.settled_order.len() > SETTLED_MAX
            && let Some(oldest) = deliveries.settled_order.pop_front()
        {
            deliveries.events.remove(&oldest);
        }
    }
}

fn data_headers(frame_id: &str, event: &EventId, sum: usize, now_ms: u64) -> Vec<Header> {
    [
        (TYPE, "event".to_owned()),
        (MESSAGE_ID, frame_id.to_owned()),
        (SUM, sum.to_string()),
        (SEQ, "0".to_owned()),
        (TRACE_ID, event.to_string()),
        ("timestamp", now_ms.to_string()),
        ("instance_id", "sim-1".to_owned()),
    ]
    .map(|(key, value)| Header { key: key.to_owned(), value })
    .into()
}

/// The frame of one part, without its payload.
pub(crate) fn part_of(template: &Frame, seq: usize) -> Frame {
    let mut part = template.clone();
    part.seq_id += seq as u64;
    for header in part.headers.iter_mut().filter(|h| h.key == SEQ) {
        header.value = seq.to_string();
    }
    part
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
