//! A wall clock that is set back: what moves with it, and what does not.

use super::{
    accepted, claim, claim_one, claim_row, claim_rows, done, event, lists::boot, message, queued,
};
use crate::{
    Store,
    outbox::OutboxSettlement,
    record::SetBack,
    task::{TaskId, TaskSettlement},
};

/// The clock stands at `now_ms` since `since_ms`, and a lease made now ends at `lease_until_ms`.
async fn set_back(store: &dyn Store, by_ms: i64, since_ms: i64, now_ms: i64, lease_until_ms: i64) {
    store.clock_set_back(SetBack { by_ms, since_ms, now_ms, lease_until_ms }).await.unwrap();
}

fn retry(at_ms: i64, due_ms: i64) -> TaskSettlement {
    TaskSettlement::Retry { at_ms, due_ms, code: "exit_1".into(), error: "exit 1".into() }
}

fn send_again(due_ms: i64) -> OutboxSettlement {
    let (code, error, log_id) = ("230020".into(), "slow down".into(), "log-3".into());
    OutboxSettlement::Retry { at_ms: 11, due_ms, code, error, log_id, counts: true }
}

/// When the clock is set back, nobody waits until it is where it was: neither while this runs nor
/// from one run to the next.
pub async fn what_waits_follows_a_clock_that_is_set_back(store: &dyn Store) {
    queued(store, 1, "a").await;
    let task = claim_one(store, 100_000).await;
    store.settle_task(task.lease, retry(100_000, 100_500)).await.unwrap();
    set_back(store, 90_000, 10_000, 10_000, 11_000).await;
    assert!(claim(store, 10, 10_499).await.is_empty());
    let task = claim_one(store, 10_500).await;
    store.settle_task(task.lease, retry(10_500, 11_000)).await.unwrap();
    store.begin_boot(boot("one", 20_000)).await.unwrap();
    assert!(claim(store, 10, 10_999).await.is_empty(), "no clock was set back");
    store.begin_boot(boot("two", 5_000)).await.unwrap();
    assert_eq!(claim(store, 10, 5_000).await.len(), 1);
}

/// Neither a task nor a row can be claimed by another while its holder keeps it, whether he
/// claimed or extended it by the clock before or by the one after, noticed or not.
pub async fn what_is_in_hand_outlives_a_clock_that_is_set_back(store: &dyn Store) {
    for (n, lane) in [(1, "a"), (2, "b")] {
        queued(store, n, lane).await;
        store.enqueue(vec![message(lane, lane)]).await.unwrap();
    }
    let (before, row_before) =
        (claim(store, 1, 100_000).await, claim_rows(store, 1, 100_000).await);
    store.extend_task(before[0].lease, 11_000).await.unwrap();
    store.extend_outbox(row_before[0].lease, 11_000).await.unwrap();
    let (after, row_after) = (claim(store, 9, 10_000).await, claim_rows(store, 9, 10_000).await);
    assert_eq!((after.len(), row_after.len()), (1, 1));
    set_back(store, 90_000, 9_900, 10_100, 11_100).await;
    assert!(claim(store, 9, 10_999).await.is_empty(), "all are in hand");
    assert!(claim_rows(store, 9, 10_999).await.is_empty(), "all are being sent");
    store.settle_task(before[0].lease, done(Vec::new(), 10_200)).await.unwrap();
    store.settle_task(after[0].lease, done(Vec::new(), 10_200)).await.unwrap();
}

/// Whose holder is gone is not kept until the clock is where it was.
pub async fn a_lease_that_nobody_holds_lapses_by_the_clock_as_it_is(store: &dyn Store) {
    queued(store, 1, "a").await;
    store.enqueue(vec![message("1", "a")]).await.unwrap();
    claim_one(store, 100_000).await;
    claim_row(store, 100_000).await;
    set_back(store, 90_000, 10_000, 10_000, 11_000).await;
    assert!(
        claim(store, 9, 10_999).await.is_empty() && claim_rows(store, 9, 10_999).await.is_empty()
    );
    claim_one(store, 11_000).await;
    claim_row(store, 11_000).await;
}

/// Makes a promise of 500 ms at this moment.
async fn promised(store: &dyn Store, n: i64, at_ms: i64) -> TaskId {
    queued(store, n, &n.to_string()).await;
    let task = claim_one(store, at_ms).await;
    let awaits = TaskSettlement::Await { replies: Vec::new(), at_ms, until_ms: at_ms + 500 };
    store.settle_task(task.lease, awaits).await.unwrap();
    task.lease.task
}

/// A promise, or a first attempt, of the time between the jump and its discovery is not moved with those of before.
pub async fn what_was_stamped_by_the_clock_as_it_is_stays(store: &dyn Store) {
    let before = promised(store, 1, 100_000).await;
    let after = promised(store, 2, 10_000).await;
    store.enqueue(vec![message("1", "a")]).await.unwrap();
    let row = claim_row(store, 10_000).await;
    store.settle_outbox(row.lease, send_again(0)).await.unwrap();
    set_back(store, 90_000, 9_500, 10_400, 11_400).await;
    assert_eq!(claim_row(store, 10_450).await.first_attempt_ms, 10_000);
    let told = |_: &_, _| None;
    assert!(store.expire_awaiting(10_499, told).await.unwrap().is_empty());
    assert_eq!(store.expire_awaiting(10_500, told).await.unwrap().len(), 2);
    assert!(store.awaiting(before).await.unwrap().is_none());
    assert!(store.awaiting(after).await.unwrap().is_none());
}

/// How long ago a `uuid` was first tried does not depend on a clock that is set back.
pub async fn the_time_of_a_uuid_follows_a_clock_that_is_set_back(store: &dyn Store) {
    store.enqueue(vec![message("1", "a")]).await.unwrap();
    let row = claim_row(store, 10_000).await;
    store.settle_outbox(row.lease, send_again(10_500)).await.unwrap();
    set_back(store, 9_000, 1_400, 1_400, 2_400).await;
    assert_eq!(claim_row(store, 1_500).await.first_attempt_ms, 1_000);
}

/// What has been moved once is not moved again by starts, while run and events of the clock as it
/// was are still of the future. Found while it runs or by a start is the same.
pub async fn a_clock_found_set_back_is_not_found_so_by_each_start(store: &dyn Store) {
    store.begin_boot(boot("ahead", 100_000)).await.unwrap();
    accepted(store, event(100_100)).await;
    set_back(store, 90_000, 10_000, 10_000, 11_000).await;
    queued(store, 1, "a").await;
    let due = async |now_ms| {
        let task = claim_one(store, now_ms).await;
        store.settle_task(task.lease, retry(now_ms, now_ms + 500)).await.unwrap();
    };
    due(10_100).await;
    store.begin_boot(boot("two", 10_200)).await.unwrap();
    assert!(claim(store, 9, 10_599).await.is_empty(), "found while it ran, and again by a start");
    due(10_600).await;
    store.begin_boot(boot("three", 10_650)).await.unwrap();
    store.begin_boot(boot("back", 5_000)).await.unwrap();
    store.begin_boot(boot("four", 5_010)).await.unwrap();
    store.begin_boot(boot("five", 5_020)).await.unwrap();
    assert!(
        claim(store, 9, 5_449).await.is_empty(),
        "found by a start, and again by the next ones"
    );
    due(5_450).await;
    accepted(store, event(5_500)).await;
    store.begin_boot(boot("once more", 2_000)).await.unwrap();
    assert!(claim(store, 9, 2_449).await.is_empty());
    due(2_450).await;
}
