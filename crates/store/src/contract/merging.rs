//! Tasks that are answered with the head of their lane: what leaves the line, and whose verdict
//! it has.

use super::{
    HANDLER, accepted, claim, claim_one, claim_row, claim_rows, dead, decide, delivered, done,
    event, lists, message, new_task, queued, undeliverable, verdicts,
};
use crate::{
    Store, StoreError,
    inbox::{Decision, InboxId},
    record::DeadItem,
    task::{TaskId, TaskLease, TaskSettlement, WaitingTask},
};

async fn behind(store: &dyn Store, lane: &str, after: TaskId) -> Vec<TaskId> {
    let waiting = store.tasks_behind(HANDLER.into(), lane.into(), after, 10).await.unwrap();
    waiting.into_iter().map(|waiting| waiting.task).collect()
}

/// Merges all that waits behind a task in lane `a`; answers which that were.
async fn merge_all(store: &dyn Store, lease: TaskLease) -> Vec<TaskId> {
    let waiting = behind(store, "a", lease.task).await;
    let merged = store.merge_tasks(lease, waiting.clone(), 11).await.unwrap();
    assert_eq!(merged, waiting);
    merged
}

/// The verdict of one event and its reason.
async fn verdict(store: &dyn Store, id: InboxId) -> (String, String) {
    let history = store.history(id).await.unwrap().unwrap();
    (history.record.outcome, history.record.why)
}

/// All of these events have one verdict.
async fn all_are(store: &dyn Store, ids: &[InboxId], word: &str, why: &str) {
    for id in ids {
        assert_eq!(verdict(store, *id).await, (word.into(), why.into()), "event {id:?}");
    }
}

/// What waits behind a task of its own lane is told in the order it would run, with its events;
/// no other lane's, and no other handler's.
pub async fn those_behind_the_head_are_told_in_order(store: &dyn Store) {
    for n in 1..=3 {
        accepted(store, event(n)).await;
    }
    for id in [3, 1, 2] {
        decide(store, InboxId(id), Decision::Queue(vec![new_task(HANDLER, "a", 0)])).await;
    }
    queued(store, 4, "b").await;
    let other = accepted(store, event(5)).await;
    decide(store, other, Decision::Queue(vec![new_task("mail", "a", 0)])).await;
    let head = claim_one_of(store, "a").await;
    let waiting = async |limit| {
        let lane = ("a".to_owned(), head.task);
        store.tasks_behind(HANDLER.into(), lane.0, lane.1, limit).await.unwrap()
    };
    let told = |waiting: &[WaitingTask]| {
        waiting.iter().map(|waiting| waiting.item.received_ms).collect::<Vec<_>>()
    };
    let all = waiting(10).await;
    assert_eq!(told(&all), [2, 3]);
    assert_eq!(all[0].item.payload, b"payload 2");
    assert_eq!(told(&waiting(1).await), [2]);
    assert_eq!(behind(store, "a", all[0].task).await, [all[1].task]);
    assert!(behind(store, "a", TaskId(99)).await.is_empty(), "behind nothing is nothing");
    store.settle_task(head, done(Vec::new(), 11)).await.unwrap();
    let next = claim_one_of(store, "a").await;
    assert_eq!(next.task, all[0].task);
    assert!(behind(store, "a", head.task).await.iter().all(|task| *task != next.task), "in hand");
}

/// Claims the head of a lane while others may be claimed too.
async fn claim_one_of(store: &dyn Store, lane: &str) -> TaskLease {
    let tasks = claim(store, 10, 10).await;
    tasks.iter().find(|task| task.lane == lane).unwrap().lease
}

/// What was merged is out of the line: it is not claimed, not counted and not given up, and what
/// came after it is next.
pub async fn a_merged_task_leaves_its_lane_and_never_runs(store: &dyn Store) {
    let head = queued(store, 1, "a").await;
    let follower = queued(store, 2, "a").await;
    let task = claim_one(store, 10).await;
    assert_eq!(task.item.id, head);
    let merged = merge_all(store, task.lease).await;
    assert_eq!(store.depths().await.unwrap().tasks, 1);
    let last = queued(store, 3, "a").await;
    assert!(claim(store, 10, 10).await.is_empty(), "the head is in hand");
    store.settle_task(task.lease, done(Vec::new(), 12)).await.unwrap();
    assert_eq!(claim_one(store, 13).await.item.id, last);
    assert_eq!(store.give_up(HANDLER.into(), 14).await.unwrap(), 0);
    let history = store.history(follower).await.unwrap().unwrap();
    let told = &history.tasks[0];
    assert_eq!((told.id, told.state.as_str(), told.attempts), (merged[0], "merged", 0));
    assert_eq!(told.ended_ms, Some(12), "with the task that answered it");
    let [note] = &history.log[..] else { unreachable!("one note: {:?}", history.log) };
    assert_eq!((note.at_ms, note.what.as_str(), note.task), (11, "merged", Some(told.id)));
    assert_eq!(note.detail, format!("merged into task {}", task.lease.task.0));
}

/// A lease merges what waits behind it in its own lane, and nothing else; whoever lost it merges
/// nothing.
pub async fn only_what_waits_behind_in_the_lane_is_merged(store: &dyn Store) {
    for (n, lane) in [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "a")] {
        queued(store, n, lane).await;
    }
    let tasks = claim(store, 10, 10).await;
    let [a, b] = [tasks[0].lease, tasks[1].lease];
    let in_a = behind(store, "a", a.task).await;
    let in_b = behind(store, "b", b.task).await;
    assert_eq!((in_a.len(), in_b.len()), (2, 1));
    store.settle_task(a, dead("exit_1", 11)).await.unwrap();
    let late = store.merge_tasks(a, in_a.clone(), 12).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let second = claim_one(store, 12).await.lease;
    assert_eq!(second.task, in_a[0]);
    // Due again, it goes before the one in hand, and waits for it.
    assert!(store.retry_dead(DeadItem::Task(a.task), 12).await.unwrap());
    let all = vec![a.task, second.task, in_a[1], in_b[0], b.task, TaskId(99)];
    assert_eq!(store.merge_tasks(second, all.clone(), 13).await.unwrap(), [in_a[1]]);
    assert!(store.merge_tasks(second, all, 13).await.unwrap().is_empty(), "it was before");
    assert_eq!(store.depths().await.unwrap().tasks, 4);
}

/// A follower waits as long as the head's answer is under way, and is answered with it: in the
/// same step, which tells both verdicts.
pub async fn a_merged_event_gets_its_verdict_with_the_heads(store: &dyn Store) {
    let mut ids = vec![queued(store, 1, "a").await];
    for n in 2..=3 {
        ids.push(queued(store, n, "a").await);
    }
    let task = claim_one(store, 10).await;
    assert_eq!(merge_all(store, task.lease).await.len(), 2);
    all_are(store, &ids, "waiting", "").await;
    let said = store.settle_task(task.lease, done(vec![message("1", "x")], 12)).await.unwrap();
    assert!(said.is_empty(), "the answer is on its way: {said:?}");
    all_are(store, &ids, "waiting", "").await;
    let row = claim_row(store, 13).await;
    let said = store.settle_outbox(row.lease, delivered("om_9", 14)).await.unwrap();
    all_are(store, &ids, "replied", "").await;
    let told: Vec<_> = said.iter().map(|said| said.inbox).collect();
    assert_eq!(told, ids);
    assert!(said.iter().all(|said| said.verdict == "replied"));
    assert_eq!(verdicts(store).await["replied"], 3);
    assert!(store.oldest_waiting(10).await.unwrap().is_empty());
    for id in ids {
        assert_eq!(store.history(id).await.unwrap().unwrap().verdict_ms, Some(14));
    }
}

/// When the head's answer dies, its followers have failed for the same reason, with one dead
/// letter for all; what is tried again by hand is tried for all of them.
pub async fn a_merged_event_fails_and_lives_again_with_the_heads(store: &dyn Store) {
    let ids = [queued(store, 1, "a").await, queued(store, 2, "a").await];
    let task = claim_one(store, 10).await;
    merge_all(store, task.lease).await;
    let said = store.settle_task(task.lease, dead("exit_1", 12)).await.unwrap();
    assert_eq!(said.len(), 2);
    all_are(store, &ids, "failed", "exit_1").await;
    let letters = store.dead(10).await.unwrap();
    assert_eq!(letters.len(), 1, "one for both: {letters:?}");
    assert!(store.retry_dead(letters[0].item, 13).await.unwrap());
    all_are(store, &ids, "waiting", "").await;
    let again = claim_one(store, 14).await;
    assert_eq!(again.lease.task, task.lease.task);
    store.settle_task(again.lease, done(vec![message("1", "x")], 15)).await.unwrap();
    let row = claim_row(store, 16).await;
    store.settle_outbox(row.lease, undeliverable("230002", 17)).await.unwrap();
    all_are(store, &ids, "failed", "230002").await;
    let counts = [("failed".to_owned(), 2), ("waiting".to_owned(), 0)];
    let mut counted = verdicts(store).await;
    counted.entry("waiting".into()).or_insert(0);
    assert_eq!(counted, counts.into());
    assert!(store.retry_dead(DeadItem::Outbox(row.lease.row), 18).await.unwrap());
    let row = claim_row(store, 19).await;
    store.settle_outbox(row.lease, delivered("om_9", 20)).await.unwrap();
    all_are(store, &ids, "replied", "").await;
}

/// An event with two tasks follows with one of them and is answered by both; whoever follows it
/// in turn waits for all that.
pub async fn merged_events_follow_over_several_lanes(store: &dyn Store) {
    let mut ids = Vec::new();
    for (n, lanes) in [(1, &["a"][..]), (2, &["a", "b"]), (3, &["b"])] {
        let id = accepted(store, event(n)).await;
        let tasks = lanes.iter().map(|lane| new_task(HANDLER, lane, 0)).collect();
        decide(store, id, Decision::Queue(tasks)).await;
        ids.push(id);
    }
    let tasks = claim(store, 10, 10).await;
    let lease = |lane: &str| tasks.iter().find(|task| task.lane == lane).unwrap().lease;
    let (a, b) = (lease("a"), lease("b"));
    for (lease, lane) in [(a, "a"), (b, "b")] {
        let waiting = behind(store, lane, lease.task).await;
        assert_eq!(store.merge_tasks(lease, waiting, 11).await.unwrap().len(), 1);
    }
    store.settle_task(b, done(Vec::new(), 12)).await.unwrap();
    all_are(store, &ids, "waiting", "").await;
    let said = store.settle_task(a, dead("exit_1", 13)).await.unwrap();
    assert_eq!(said.len(), 3, "{said:?}");
    all_are(store, &ids, "failed", "exit_1").await;
    assert!(store.retry_dead(DeadItem::Task(a.task), 14).await.unwrap());
    all_are(store, &ids, "waiting", "").await;
    let again = claim_one(store, 15).await;
    store.settle_task(again.lease, done(Vec::new(), 16)).await.unwrap();
    all_are(store, &ids, "replied", "").await;
}

/// Two tasks of one event in one lane: the second is done with the merge, and the verdict waits
/// for the first alone.
pub async fn an_event_merged_with_itself_waits_for_nothing_else(store: &dyn Store) {
    let id = accepted(store, event(1)).await;
    let both = vec![new_task(HANDLER, "a", 0), new_task(HANDLER, "a", 0)];
    decide(store, id, Decision::Queue(both)).await;
    let task = claim_one(store, 10).await;
    assert_eq!(merge_all(store, task.lease).await.len(), 1);
    all_are(store, &[id], "waiting", "").await;
    store.settle_task(task.lease, done(Vec::new(), 12)).await.unwrap();
    all_are(store, &[id], "replied", "").await;
    assert!(claim(store, 10, 13).await.is_empty());
}

/// A run that was cut off took its followers along: the next run is told of them.
pub async fn a_second_run_answers_what_was_merged_before_it(store: &dyn Store) {
    let ids = [queued(store, 1, "a").await, queued(store, 2, "a").await];
    let task = claim_one(store, 10).await;
    let merged = merge_all(store, task.lease).await;
    store.begin_boot(lists::boot("two", 20)).await.unwrap();
    let again = claim_one(store, 21).await;
    assert_eq!((again.lease.task, again.attempt), (task.lease.task, 2));
    let told = store.merged_into(ids[0], again.handler.clone()).await.unwrap();
    let told: Vec<_> = told.iter().map(|told| (told.task, told.item.id)).collect();
    assert_eq!(told, [(merged[0], ids[1])]);
    assert!(store.merged_into(ids[1], again.handler.clone()).await.unwrap().is_empty());
    assert!(store.merged_into(ids[0], "another".into()).await.unwrap().is_empty());
    let retry = TaskSettlement::Retry {
        at_ms: 22,
        due_ms: 30,
        code: "exit_1".into(),
        error: String::new(),
    };
    store.settle_task(again.lease, retry).await.unwrap();
    all_are(store, &ids, "waiting", "").await;
    let again = claim_one(store, 30).await;
    store.settle_task(again.lease, done(Vec::new(), 31)).await.unwrap();
    all_are(store, &ids, "replied", "").await;
    assert!(claim_rows(store, 10, 32).await.is_empty());
}
