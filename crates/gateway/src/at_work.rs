//! The tasks that handlers work on and the messages that are being sent, and the claims that keep
//! them ours.
//!
//! A claim lapses by the wall clock, which may jump: a machine that slept wakes up with every
//! claim lapsed and every handler still at work. So before anything is claimed, what is in hand
//! is extended; neither can ever be claimed beside its own running attempt. A clock that was set back
//! is dealt with while nobody claims: nobody claims by a moment of the clock before it afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_store::outbox::OutboxLease;
use larkline_store::task::{TaskId, TaskLease};
use larkline_store::{Store, StoreError};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::clock::{ms, now_ms};

/// Claims are extended when a third of their time has gone.
const PARTS: u32 = 3;

/// What is in hand.
#[derive(Debug, Default)]
pub struct AtWork {
    held: Held,
    /// Read by who claims, written by who deals with a clock that was set back.
    clock: RwLock<()>,
}

/// A moment to extend and to claim by. A clock that is set back meanwhile is dealt with when this is
/// dropped.
#[derive(Debug)]
#[must_use = "what is done by the moment has to be done before it is dropped"]
pub struct Moment<'a> {
    /// The moment, Unix ms.
    pub now_ms: i64,
    _clock: RwLockReadGuard<'a, ()>,
}

type Held = Arc<Mutex<InHand>>;

#[derive(Debug, Default)]
struct InHand {
    tasks: BTreeMap<i64, TaskLease>,
    rows: BTreeMap<i64, OutboxLease>,
    /// When all was extended last.
    extended_ms: i64,
    /// The clock by which somebody last began to extend.
    looked_ms: i64,
    /// How often a claim that was made before that clock came after that look.
    late: u64,
}

/// A task or a message is being worked on.
#[derive(Debug)]
#[must_use = "dropping the guard ends the work"]
pub struct AtWorkGuard {
    held: Held,
    item: Item,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Task(TaskLease),
    Row(OutboxLease),
}

impl InHand {
    /// Something is in hand by a claim of this moment. When the clock has jumped since, and all else
    /// was extended by the new time, this was not.
    fn began(&mut self, claimed_ms: i64) {
        if claimed_ms < self.looked_ms {
            self.late += 1;
            self.extended_ms = 0;
        }
    }
}

impl AtWork {
    /// Now, for who claims.
    pub async fn moment(&self) -> Moment<'_> {
        // Read when it is ours: by a moment of the clock before it was set back all would lapse.
        let clock = self.clock.read().await;
        Moment { now_ms: now_ms(), _clock: clock }
    }

    /// Waits until nobody extends or claims; nobody begins to until this is dropped.
    pub async fn clock_set_back(&self) -> RwLockWriteGuard<'_, ()> {
        self.clock.write().await
    }

    /// Counts a task until the guard is dropped. From the claim on, with nothing in between: a
    /// task that is claimed and not counted would lapse when the clock jumps, and run twice.
    pub fn begin(&self, lease: TaskLease, claimed_ms: i64) -> AtWorkGuard {
        let mut held = lock(&self.held);
        held.tasks.insert(lease.task.0, lease);
        held.began(claimed_ms);
        AtWorkGuard { held: Arc::clone(&self.held), item: Item::Task(lease) }
    }

    /// Counts a message in the same way.
    pub fn begin_row(&self, lease: OutboxLease, claimed_ms: i64) -> AtWorkGuard {
        let mut held = lock(&self.held);
        held.rows.insert(lease.row.0, lease);
        held.began(claimed_ms);
        AtWorkGuard { held: Arc::clone(&self.held), item: Item::Row(lease) }
    }

    /// The numbers of the tasks.
    pub fn tasks(&self) -> Vec<i64> {
        lock(&self.held).tasks.keys().copied().collect()
    }

    /// Whether a handler works on this task.
    pub fn has(&self, task: TaskId) -> bool {
        lock(&self.held).tasks.contains_key(&task.0)
    }

    /// Extends what is in hand, when it is time to. `false` when the store refused: then
    /// nothing may be claimed, because what lapsed meanwhile would be claimed too.
    pub async fn keep(&self, store: &dyn Store, lease: Duration, now_ms: i64) -> bool {
        let (tasks, rows, late): (Vec<TaskLease>, Vec<OutboxLease>, u64) = {
            let mut held = lock(&self.held);
            if (0..ms(lease / PARTS)).contains(&(now_ms - held.extended_ms)) {
                return true;
            }
            held.looked_ms = now_ms;
            let rows = held.rows.values().copied().collect();
            (held.tasks.values().copied().collect(), rows, held.late)
        };
        for one in tasks {
            if !kept(store.extend_task(one, now_ms + ms(lease)).await) {
                return false;
            }
        }
        for one in rows {
            if !kept(store.extend_outbox(one, now_ms + ms(lease)).await) {
                return false;
            }
        }
        let mut held = lock(&self.held);
        if held.late == late {
            held.extended_ms = now_ms;
        }
        true
    }
}

/// Whether a claim is kept, or need not be because it was settled meanwhile.
fn kept(extended: Result<(), StoreError>) -> bool {
    match extended {
        Ok(()) | Err(StoreError::Fenced) => true,
        Err(error) => {
            tracing::warn!(code = error.code(), "claims not extended: {error}");
            false
        }
    }
}

fn lock(held: &Held) -> MutexGuard<'_, InHand> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for AtWorkGuard {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        // A later claim of the same is not ours to end.
        match self.item {
            Item::Task(lease) if held.tasks.get(&lease.task.0) == Some(&lease) => {
                held.tasks.remove(&lease.task.0);
            }
            Item::Row(lease) if held.rows.get(&lease.row.0) == Some(&lease) => {
                held.rows.remove(&lease.row.0);
            }
            Item::Task(_) | Item::Row(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use larkline_store::inbox::{Accepted, Decision, NewEvent, RouteDecision, Ruling};
    use larkline_store::outbox::{NewOutbox, OutboxClaim};
    use larkline_store::task::{NewTask, TaskClaim};
    use larkline_store::{SqliteOptions, SqliteStore};

    use super::*;

    const LEASE: Duration = Duration::from_secs(60);
    const HOUR_MS: i64 = 3_600_000;

    async fn claim(store: &dyn Store, now_ms: i64) -> Vec<TaskLease> {
        let until_ms = now_ms + ms(LEASE);
        let claim = TaskClaim {
            without: Vec::new(),
            handler: "h".into(),
            limit: 9,
            now_ms,
            until_ms,
            owner: "me".into(),
            once: false,
        };
        store.claim_tasks(claim).await.unwrap().into_iter().map(|t| t.lease).collect()
    }

    /// A store with one task that is due.
    async fn queued(dir: &tempfile::TempDir) -> SqliteStore {
        let store = SqliteStore::open(dir.path().join("s.db"), SqliteOptions::default()).unwrap();
        let event = NewEvent { app: "a".into(), keys: vec!["e:1".into()], ..NewEvent::default() };
        let accepted = store.accept(vec![event].into()).await.unwrap();
        let [Accepted::New(inbox)] = accepted[..] else { panic!("{accepted:?}") };
        let task = NewTask { route: "r".into(), handler: "h".into(), lane: "l".into(), due_ms: 0 };
        let decision = Decision::Queue(vec![task]);
        store
            .route(vec![RouteDecision {
                inbox,
                ruling: Ruling { at_ms: 1, decision, notice: None },
            }])
            .await
            .unwrap();
        store
    }

    #[tokio::test]
    async fn a_task_in_hand_is_not_claimed_again_after_the_clock_has_jumped() {
        let dir = tempfile::tempdir().unwrap();
        let store = queued(&dir).await;
        let at_work = AtWork::default();
        let lease = claim(&store, 1).await[0];
        let guard = at_work.begin(lease, 1);
        assert!(at_work.keep(&store, LEASE, HOUR_MS).await);
        assert!(claim(&store, HOUR_MS).await.is_empty(), "it is still being worked on");
        drop(guard);
        assert!(at_work.keep(&store, LEASE, 2 * HOUR_MS).await);
        assert_eq!(claim(&store, 2 * HOUR_MS).await.len(), 1, "nobody works on it any more");
    }

    #[tokio::test]
    async fn nor_when_another_has_extended_between_its_claim_and_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let store = queued(&dir).await;
        let at_work = AtWork::default();
        let lease = claim(&store, 1).await[0];
        assert!(at_work.keep(&store, LEASE, HOUR_MS).await, "another worker, by the new time");
        let guard = at_work.begin(lease, 1);
        assert!(at_work.keep(&store, LEASE, HOUR_MS + 1).await);
        assert!(claim(&store, HOUR_MS + 1).await.is_empty(), "it is still being worked on");
        drop(guard);
    }

    #[tokio::test]
    async fn a_clock_set_back_is_dealt_with_while_nobody_claims_by_the_one_before() {
        let at_work = AtWork::default();
        let (one, other) = (at_work.moment().await, at_work.moment().await);
        let mut dealt_with = std::pin::pin!(at_work.clock_set_back());
        assert!(dealt_with.as_mut().now_or_never().is_none(), "two may be claiming");
        drop(one);
        assert!(dealt_with.as_mut().now_or_never().is_none(), "one may be claiming");
        drop(other);
        let dealt_with = dealt_with.await;
        let mut next = std::pin::pin!(at_work.moment());
        assert!(next.as_mut().now_or_never().is_none(), "what it would claim has not moved yet");
        drop(dealt_with);
        drop(next.await);
    }

    #[test]
    fn an_earlier_claim_that_ends_leaves_a_later_one_in_hand() {
        let at_work = AtWork::default();
        let lease = |epoch| TaskLease { task: TaskId(7), epoch };
        let earlier = at_work.begin(lease(1), 1);
        let later = at_work.begin(lease(2), 2);
        drop(earlier);
        assert!(at_work.has(TaskId(7)));
        drop(later);
        assert!(!at_work.has(TaskId(7)));
    }

    #[tokio::test]
    async fn a_message_being_sent_is_not_claimed_again_after_the_clock_has_jumped() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("s.db"), SqliteOptions::default()).unwrap();
        let row = NewOutbox {
            app: "a".into(),
            inbox: None,
            task: None,
            key: "k".into(),
            lane: "l".into(),
            uuid: "u".into(),
            priority: 0,
            preview: String::new(),
            body: Vec::new(),
            created_ms: 1,
            due_ms: 0,
        };
        store.enqueue(vec![row]).await.unwrap();
        let claim = async |now_ms: i64| {
            let until_ms = now_ms + ms(LEASE);
            let claim =
                OutboxClaim { app: "a".into(), limit: 9, now_ms, until_ms, owner: "me".into() };
            store.claim_outbox(claim).await.unwrap()
        };
        let at_work = AtWork::default();
        let lease = claim(1).await[0].lease;
        let guard = at_work.begin_row(lease, 1);
        assert!(at_work.keep(&store, LEASE, HOUR_MS).await);
        assert!(claim(HOUR_MS).await.is_empty(), "it is still being sent");
        drop(guard);
        assert!(at_work.keep(&store, LEASE, 2 * HOUR_MS).await);
        assert_eq!(claim(2 * HOUR_MS).await.len(), 1, "nobody sends it any more");
    }
}
