//! What the model knows of lanes: lists, heads, and who holds what.

use std::collections::BTreeMap;

use super::LEASE_MS;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Queued,
    Awaiting {
        until_ms: i64,
    },
    /// Follows the event `into`; `head` is the place of that event's task.
    Merged {
        into: i64,
        head: usize,
    },
    Ended,
    Dead,
    Dropped,
}

/// A task or an outbox row: both live in lanes.
#[derive(Debug)]
pub(super) struct Work {
    /// Its number in the store, once a claim told it.
    pub(super) id: i64,
    pub(super) inbox: i64,
    pub(super) lane: String,
    pub(super) state: State,
    pub(super) due_ms: i64,
    /// Epoch and end of the last claim, while it is held.
    pub(super) lease: Option<(i64, i64)>,
    pub(super) attempts: u32,
    pub(super) claimed: bool,
    /// Outbox only.
    pub(super) priority: i32,
    pub(super) served_ms: i64,
}

impl Work {
    pub(super) fn free_ms(&self) -> i64 {
        self.lease.map_or(self.due_ms, |(_, until_ms)| until_ms)
    }
}

/// A kind of work with its lanes' heads; `works` is in order of creation.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) works: Vec<Work>,
    pub(super) heads: BTreeMap<String, usize>,
}

impl Lanes {
    /// Order within a lane: by event, then by creation, or by priority, then by creation.
    pub(super) fn place(&self, at: usize, by_event: bool) -> (i64, usize) {
        let work = &self.works[at];
        (if by_event { work.inbox } else { -i64::from(work.priority) }, at)
    }

    pub(super) fn enter(&mut self, at: usize, by_event: bool) {
        let head = self.heads.get(&self.works[at].lane).copied();
        let goes_first = head.is_none_or(|head| {
            !self.works[head].claimed && self.place(at, by_event) < self.place(head, by_event)
        });
        if goes_first {
            self.heads.insert(self.works[at].lane.clone(), at);
        }
    }

    pub(super) fn end(&mut self, at: usize, state: State, by_event: bool) {
        let work = &mut self.works[at];
        (work.state, work.lease) = (state, None);
        let (lane, served_ms) = (work.lane.clone(), work.served_ms);
        let same =
            |at: &usize| self.works[*at].lane == lane && self.works[*at].state == State::Queued;
        let next = (0..self.works.len()).filter(same).min_by_key(|at| self.place(*at, by_event));
        if self.heads.get(&lane) != Some(&at) {
            return;
        }
        self.heads.remove(&lane);
        if let Some(next) = next {
            self.works[next].served_ms = served_ms;
            self.heads.insert(lane, next);
        }
    }

    pub(super) fn put_back(&mut self, at: usize, due_ms: i64, counts: bool) {
        let work = &mut self.works[at];
        (work.lease, work.due_ms) = (None, due_ms);
        work.attempts -= u32::from(!counts);
    }

    /// Heads that may be claimed now.
    pub(super) fn claimable(&self, now_ms: i64) -> Vec<usize> {
        self.heads.values().copied().filter(|at| self.works[*at].free_ms() <= now_ms).collect()
    }

    pub(super) fn claimed(&mut self, at: usize, id: i64, epoch: i64, now_ms: i64) {
        let work = &mut self.works[at];
        assert!(!work.claimed || work.id == id, "a number changed");
        (work.id, work.claimed, work.served_ms) = (id, true, now_ms);
        work.lease = Some((epoch, now_ms + LEASE_MS));
        work.attempts += 1;
    }

    /// The work a lease is good for.
    pub(super) fn held(&self, id: i64, epoch: i64) -> Option<usize> {
        let good = |work: &Work| {
            work.id == id
                && work.state == State::Queued
                && work.lease.is_some_and(|(held, _)| held == epoch)
        };
        self.works.iter().position(good)
    }

    pub(super) fn revive(&mut self, at: usize, now_ms: i64, by_event: bool) {
        let work = &mut self.works[at];
        (work.state, work.due_ms, work.attempts, work.served_ms) = (State::Queued, 0, 0, now_ms);
        self.enter(at, by_event);
    }
}
