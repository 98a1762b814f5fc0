//! What becomes of an event, and the equation over all of them.

use super::{
    APP, accepted, claim, claim_one, claim_row, claim_rows, dead, decide, delivered, done, event,
    message, new_task, queued, undeliverable, verdicts,
};
use crate::{
    Store,
    inbox::{Decision, InboxId},
    outbox::NewOutbox,
    record::DeadItem,
};

/// The verdict of one event and its reason.
async fn verdict(store: &dyn Store, id: InboxId) -> (String, String) {
    let history = store.history(id).await.unwrap().unwrap();
    (history.record.outcome, history.record.why)
}

fn is(verdict: &str, why: &str) -> (String, String) {
    (verdict.into(), why.into())
}

/// `received = replied + filtered + failed + waiting`, where a redelivery is received too.
pub async fn the_equation_holds_after_every_step(store: &dyn Store) {
    let holds = async |received: u64| {
        assert_eq!(verdicts(store).await.values().sum::<u64>(), received);
    };
    store.accept((1..=4).map(event).collect()).await.unwrap();
    holds(4).await;
    store.accept(vec![event(1), event(5)].into()).await.unwrap();
    holds(6).await;
    let items = store.unrouted(APP.into(), 10).await.unwrap();
    decide(store, items[0].id, Decision::Filtered { why: "not_mentioned" }).await;
    let failed = Decision::Failed { why: "decode", detail: "no json".into() };
    decide(store, items[1].id, failed).await;
    for (item, lane) in items[2..].iter().zip(["a", "b", "c"]) {
        decide(store, item.id, Decision::Queue(vec![new_task("echo", lane, 0)])).await;
        holds(6).await;
    }
    let tasks = claim(store, 10, 10).await;
    store.settle_task(tasks[0].lease, done(vec![message("1", "x")], 11)).await.unwrap();
    store.settle_task(tasks[1].lease, dead("exit_1", 11)).await.unwrap();
    store.settle_task(tasks[2].lease, done(vec![message("2", "y")], 11)).await.unwrap();
    holds(6).await;
    let rows = claim_rows(store, 10, 12).await;
    store.settle_outbox(rows[0].lease, delivered("om_8", 13)).await.unwrap();
    holds(6).await;
    store.settle_outbox(rows[1].lease, undeliverable("230002", 13)).await.unwrap();
    let expected = [("replied", 1), ("filtered", 2), ("failed", 3), ("waiting", 0)];
    let mut counts = verdicts(store).await;
    counts.entry("waiting".into()).or_insert(0);
    assert_eq!(counts, expected.map(|(word, count)| (word.to_owned(), count)).into());
}

/// An event with two tasks and two replies is waiting until the last of them has ended.
pub async fn an_event_waits_for_its_last_row(store: &dyn Store) {
    let id = accepted(store, event(1)).await;
    let two = vec![new_task("echo", "a", 0), new_task("echo", "b", 0)];
    decide(store, id, Decision::Queue(two)).await;
    let tasks = claim(store, 10, 10).await;
    store.settle_task(tasks[0].lease, done(vec![message("1", "x")], 11)).await.unwrap();
    let row = claim_row(store, 12).await;
    store.settle_outbox(row.lease, delivered("om_8", 13)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("waiting", ""));
    store.settle_task(tasks[1].lease, done(vec![message("2", "x")], 14)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("waiting", ""));
    let row = claim_row(store, 15).await;
    store.settle_outbox(row.lease, delivered("om_9", 16)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("replied", ""));
}

/// A notice about an event that the router ended does not change what became of it.
pub async fn a_filtered_event_stays_filtered(store: &dyn Store) {
    let id = accepted(store, event(1)).await;
    decide(store, id, Decision::Filtered { why: "too_old" }).await;
    let notice = NewOutbox { inbox: Some(id), ..message("notice", "oc_1") };
    store.enqueue(vec![notice]).await.unwrap();
    assert_eq!(verdict(store, id).await, is("filtered", "too_old"));
    let row = claim_row(store, 10).await;
    store.settle_outbox(row.lease, delivered("om_9", 11)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("filtered", "too_old"));
}

/// The code of what died is the reason, also while a notice about it is delivered after it.
pub async fn a_failure_keeps_its_code(store: &dyn Store) {
    let id = queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, dead("exit_1", 11)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("failed", "exit_1"));
    let notice = NewOutbox { inbox: Some(id), ..message("notice", "oc_1") };
    store.enqueue(vec![notice]).await.unwrap();
    let row = claim_row(store, 12).await;
    store.settle_outbox(row.lease, undeliverable("230002", 13)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("failed", "exit_1"));
}

/// `retry` gives a dead letter fresh attempts and its event another chance.
pub async fn a_retried_dead_letter_waits_again(store: &dyn Store) {
    let id = queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, dead("exit_1", 11)).await.unwrap();
    let item = DeadItem::Task(task.lease.task);
    assert!(store.retry_dead(item, 20).await.unwrap());
    assert!(!store.retry_dead(item, 20).await.unwrap(), "it is not dead any more");
    assert_eq!(verdict(store, id).await, is("waiting", ""));
    let again = claim_one(store, 21).await;
    assert_eq!((again.attempt, again.item.id), (1, id));
    assert!(again.lease.epoch > task.lease.epoch);
    store.settle_task(again.lease, done(vec![message("1", "x")], 22)).await.unwrap();
    let row = claim_row(store, 23).await;
    store.settle_outbox(row.lease, undeliverable("230002", 24)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("failed", "230002"));
    assert!(store.retry_dead(DeadItem::Outbox(row.lease.row), 30).await.unwrap());
    let again = claim_row(store, 31).await;
    assert_eq!((again.attempt, &again.uuid), (1, &row.uuid), "its window is open: same uuid");
    store.settle_outbox(again.lease, delivered("om_9", 32)).await.unwrap();
    assert_eq!(verdict(store, id).await, is("replied", ""));
}

/// `drop` takes a dead letter off the list and rewrites no history.
pub async fn a_dropped_dead_letter_stays_failed(store: &dyn Store) {
    let id = queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, dead("exit_1", 11)).await.unwrap();
    let item = DeadItem::Task(task.lease.task);
    assert!(store.drop_dead(item, 20).await.unwrap());
    assert!(!store.drop_dead(item, 20).await.unwrap());
    assert!(!store.retry_dead(item, 20).await.unwrap());
    assert!(store.dead(10).await.unwrap().is_empty());
    assert_eq!(store.depths().await.unwrap().dead, 0);
    assert_eq!(verdict(store, id).await, is("failed", "exit_1"));
}

/// A retry by hand keeps the `uuid` and the time of the first attempt, however late it comes: by
/// them its sender knows whether the platform may have the message and have forgotten the `uuid`.
pub async fn a_retried_row_keeps_its_uuid_and_its_first_attempt(store: &dyn Store) {
    store.enqueue(vec![message("1", "x")]).await.unwrap();
    let row = claim_row(store, 10).await;
    store.settle_outbox(row.lease, undeliverable("230002", 11)).await.unwrap();
    let later_ms = 3_600_010;
    assert!(store.retry_dead(DeadItem::Outbox(row.lease.row), later_ms).await.unwrap());
    let again = claim_row(store, later_ms).await;
    assert_eq!((again.uuid, again.first_attempt_ms, again.attempt), (row.uuid, 10, 1));
}

/// The settlement that decides a verdict says so, and no other does.
pub async fn the_settlement_that_decides_a_verdict_returns_it(store: &dyn Store) {
    let id = queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    let handled = store.settle_task(task.lease, done(vec![message("1", "x")], 11)).await.unwrap();
    assert!(handled.is_empty(), "its answer is not delivered yet");
    let row = claim_row(store, 12).await;
    let said = store.settle_outbox(row.lease, delivered("om_reply", 13)).await.unwrap();
    let [said] = &said[..] else { unreachable!("one verdict was decided: {said:?}") };
    assert_eq!((said.inbox, said.verdict.as_str(), said.why.as_str()), (id, "replied", ""));
    assert_eq!(said.event_id, event(1).event_id);
    queued(store, 2, "a").await;
    let task = claim_one(store, 20).await;
    let said = store.settle_task(task.lease, dead("exit", 21)).await.unwrap();
    let [said] = &said[..] else { unreachable!("one verdict was decided: {said:?}") };
    assert_eq!((said.verdict.as_str(), said.why.as_str()), ("failed", "exit"));
}
