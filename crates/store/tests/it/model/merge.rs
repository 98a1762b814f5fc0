//! Merging what waits behind a task in hand.

use larkline_store::{
    Store, StoreError,
    inbox::InboxId,
    task::{TaskId, WaitingTask},
};

use super::{
    Pair,
    lanes::{Lanes, State},
};

impl Pair {
    /// Merges some of what is told to wait behind a claim, which may be lost by now.
    pub(super) async fn merge(&mut self, pick: usize, count: usize) {
        let Some(lease) = self.task_leases.get(pick % self.task_leases.len().max(1)).copied()
        else {
            return;
        };
        let head = self.tasks.works.iter().position(|work| work.id == lease.task.0).unwrap();
        let lane = self.tasks.works[head].lane.clone();
        let told = self.store.tasks_behind("echo".into(), lane, lease.task, count).await.unwrap();
        let mut expected = behind(&self.tasks, head);
        expected.truncate(count);
        assert_eq!(events(&told), self.events_of(&expected));
        let ids: Vec<_> = told.iter().map(|waiting| waiting.task).collect();
        let merged = self.store.merge_tasks(lease, ids.clone(), self.now_ms).await;
        if self.tasks.held(lease.task.0, lease.epoch).is_none() {
            return assert!(matches!(merged, Err(StoreError::Fenced)), "{merged:?}");
        }
        assert_eq!(merged.unwrap(), ids);
        let into = self.tasks.works[head].inbox;
        for (at, TaskId(id)) in expected.into_iter().zip(ids) {
            let work = &mut self.tasks.works[at];
            work.id = id;
            work.state =
                if work.inbox == into { State::Ended } else { State::Merged { into, head } };
        }
        let is_told = |at: &usize| match self.tasks.works[*at].state {
            State::Merged { into: it, .. } => it == into,
            State::Queued
            | State::Awaiting { .. }
            | State::Ended
            | State::Dead
            | State::Dropped => false,
        };
        let mut expected: Vec<_> = (0..self.tasks.works.len()).filter(is_told).collect();
        expected.sort_by_key(|at| self.tasks.place(*at, true));
        let told = self.store.merged_into(InboxId(into), "echo".into()).await.unwrap();
        assert_eq!(events(&told), self.events_of(&expected));
    }

    fn events_of(&self, works: &[usize]) -> Vec<i64> {
        works.iter().map(|at| self.tasks.works[*at].inbox).collect()
    }
}

fn events(told: &[WaitingTask]) -> Vec<i64> {
    told.iter().map(|waiting| waiting.item.id.0).collect()
}

/// What waits in the lane of a task behind its place, in order.
fn behind(tasks: &Lanes, head: usize) -> Vec<usize> {
    let waits = |at: &usize| {
        let (work, place) = (&tasks.works[*at], tasks.place(*at, true));
        work.lane == tasks.works[head].lane
            && work.state == State::Queued
            && work.lease.is_none()
            && place > tasks.place(head, true)
    };
    let mut behind: Vec<_> = (0..tasks.works.len()).filter(waits).collect();
    behind.sort_by_key(|at| tasks.place(*at, true));
    behind
}
