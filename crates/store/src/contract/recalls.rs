//! Messages that are taken back by whoever wrote them.

use larkline_proto::id::MessageId;

use super::{
    APP, HANDLER, accepted, claim, claim_one, decide, done, event, new_task, queued, verdicts,
};
use crate::{
    Store,
    inbox::{Decision, InboxId, Recalled},
    task::TaskSettlement,
};

async fn recall(store: &dyn Store, n: i64, at_ms: i64) -> Recalled {
    let messages = vec![MessageId::from(format!("om_{n}").as_str())];
    store.recall(APP.into(), messages, at_ms).await.unwrap()
}

fn over(recalled: &Recalled) -> Vec<(InboxId, &str, &str)> {
    let ends = recalled.concluded.iter();
    ends.map(|end| (end.inbox, end.verdict.as_str(), end.why.as_str())).collect()
}

/// What nobody works on is ended, its lane goes on, and every event has a verdict.
pub async fn a_recalled_message_leaves_its_lane(store: &dyn Store) {
    let first = queued(store, 1, "a").await;
    let second = queued(store, 2, "a").await;
    let undecided = accepted(store, event(3)).await;
    let recalled = recall(store, 1, 10).await;
    assert_eq!(over(&recalled), [(first, "filtered", "recalled")]);
    assert_eq!(over(&recall(store, 3, 11).await), [(undecided, "filtered", "recalled")]);
    assert_eq!(recall(store, 1, 12).await, Recalled::default(), "it is over");
    assert_eq!(recall(store, 9, 12).await, Recalled::default(), "nobody knows it");
    let other = store.recall("other".into(), vec![MessageId::from("om_2")], 12).await.unwrap();
    assert_eq!(other, Recalled::default(), "another app's");
    decide(store, undecided, Decision::Queue(vec![new_task(HANDLER, "b", 0)])).await;
    let next = claim_one(store, 13).await;
    assert_eq!(next.item.id, second);
    store.settle_task(next.lease, done(Vec::new(), 14)).await.unwrap();
    assert_eq!(verdicts(store).await, [("filtered".into(), 2), ("replied".into(), 1)].into());
    let history = store.history(first).await.unwrap().unwrap();
    assert!(history.log.iter().any(|entry| entry.what == "recalled"), "{:?}", history.log);
}

/// Nobody did what was taken back.
pub async fn a_recalled_task_is_withdrawn_not_done(store: &dyn Store) {
    let inbox = queued(store, 1, "a").await;
    recall(store, 1, 10).await;
    let task = store.history(inbox).await.unwrap().unwrap().tasks.remove(0);
    assert_eq!((task.state.as_str(), task.attempts, task.ended_ms), ("withdrawn", 0, Some(10)));
}

/// What somebody works on goes on, and so does what was merged into it.
pub async fn a_recalled_message_in_hand_is_told_and_goes_on(store: &dyn Store) {
    queued(store, 1, "a").await;
    let merged = queued(store, 2, "a").await;
    let held = claim_one(store, 10).await;
    let behind = store.tasks_behind(HANDLER.into(), "a".into(), held.lease.task, 9).await.unwrap();
    let followers = behind.iter().map(|task| task.task).collect();
    store.merge_tasks(held.lease, followers, 11).await.unwrap();
    for n in [1, 2] {
        let recalled = recall(store, n, 12).await;
        assert_eq!(over(&recalled), []);
        assert_eq!(recalled.running, [held.lease.task]);
    }
    // Put back, it still answers for the one that was merged into it.
    store.settle_task(held.lease, TaskSettlement::Release).await.unwrap();
    assert_eq!(over(&recall(store, 1, 13).await), []);
    let again = claim_one(store, 14).await;
    store.settle_task(again.lease, done(Vec::new(), 15)).await.unwrap();
    assert_eq!(verdicts(store).await, [("replied".into(), 2)].into());
    assert!(store.history(merged).await.unwrap().is_some());
}

/// An event of which one route's task is done keeps the verdict of that one.
pub async fn a_recalled_message_that_was_half_answered_keeps_its_answer(store: &dyn Store) {
    let inbox = accepted(store, event(1)).await;
    let tasks = vec![new_task(HANDLER, "a", 0), new_task("other", "b", 0)];
    decide(store, inbox, Decision::Queue(tasks)).await;
    let held = claim_one(store, 10).await;
    store.settle_task(held.lease, done(Vec::new(), 11)).await.unwrap();
    let recalled = recall(store, 1, 12).await;
    assert_eq!(over(&recalled), [(inbox, "replied", "")]);
    assert!(claim(store, 10, 13).await.is_empty());
    assert_eq!(store.depths().await.unwrap().tasks, 0);
}
