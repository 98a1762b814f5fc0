//! Task lanes: order, leases, fences, endings.

use larkline_proto::id::MessageId;

use super::{
    APP, HANDLER, accepted, claim, claim_one, claim_row, claim_rows, dead, decide, done, event,
    message, new_task, queued, verdicts,
};
use crate::{
    Store, StoreError,
    inbox::{Decision, InboxItem},
    record::DeadItem,
    task::{Before, ClaimedTask, LateReply, TaskClaim, TaskSettlement},
};

fn retry(at_ms: i64, due_ms: i64) -> TaskSettlement {
    TaskSettlement::Retry { at_ms, due_ms, code: "exit_1".into(), error: "exit 1".into() }
}

/// Tasks of a lane run one after the other in order of their events, however they were routed.
pub async fn a_lane_runs_one_task_at_a_time_in_order_of_events(store: &dyn Store) {
    let mut ids = Vec::new();
    for n in 1..=3 {
        ids.push(accepted(store, event(n)).await);
    }
    for id in ids.iter().rev() {
        decide(store, *id, Decision::Queue(vec![new_task("echo", "a", 0)])).await;
    }
    for id in ids {
        let task = claim_one(store, 10).await;
        assert_eq!((task.item.id, task.attempt, task.lane.as_str()), (id, 1, "a"));
        assert_eq!(task.item.payload, format!("payload {}", task.item.received_ms).as_bytes());
        assert!(claim(store, 10, 10).await.is_empty(), "its lane is busy");
        store.settle_task(task.lease, done(Vec::new(), 11)).await.unwrap();
    }
    assert!(claim(store, 10, 10).await.is_empty());
}

/// With less room than lanes, the lanes with the oldest events are served.
pub async fn the_oldest_lanes_go_first(store: &dyn Store) {
    for (n, lane) in [(1, "a"), (2, "a"), (3, "b"), (4, "c")] {
        queued(store, n, lane).await;
    }
    let served: Vec<_> = claim(store, 2, 10).await.into_iter().map(|task| task.lane).collect();
    assert_eq!(served, ["a", "b"]);
    let served: Vec<_> = claim(store, 2, 10).await.into_iter().map(|task| task.lane).collect();
    assert_eq!(served, ["c"]);
}

/// The same lane name under two handlers is two lanes.
pub async fn a_lane_belongs_to_one_handler(store: &dyn Store) {
    let inbox = accepted(store, event(1)).await;
    let both = vec![new_task("mail", "a", 0), new_task("echo", "a", 0)];
    decide(store, inbox, Decision::Queue(both)).await;
    assert_eq!(claim_one(store, 10).await.handler, "echo");
    let (handler, owner) = ("mail".into(), "boot-1".into());
    let rest = TaskClaim {
        handler,
        without: Vec::new(),
        limit: 10,
        now_ms: 10,
        until_ms: 20,
        owner,
        once: true,
    };
    assert_eq!(store.claim_tasks(rest).await.unwrap().len(), 1);
}

/// A task with a later start is not claimed before it, and is claimed then.
pub async fn a_task_waits_until_it_is_due(store: &dyn Store) {
    let inbox = accepted(store, event(1)).await;
    decide(store, inbox, Decision::Queue(vec![new_task("echo", "a", 50)])).await;
    assert!(claim(store, 10, 49).await.is_empty());
    claim_one(store, 50).await;
}

/// What waits for an app that nobody serves is not claimed, and can be asked for.
pub async fn tasks_of_apps_that_nobody_serves_stay_and_are_named(store: &dyn Store) {
    queued(store, 1, "a").await;
    accepted(store, event(2)).await;
    store.enqueue(vec![message("k", "a")]).await.unwrap();
    assert_eq!(store.waiting_apps().await.unwrap(), [(APP.to_owned(), 3)]);
    let (handler, owner) = (HANDLER.into(), "boot-1".into());
    let claim = TaskClaim {
        handler,
        without: vec!["another".into(), APP.into()],
        limit: 10,
        now_ms: 10,
        until_ms: 20,
        owner,
        once: false,
    };
    assert!(store.claim_tasks(claim.clone()).await.unwrap().is_empty());
    let claim = TaskClaim { without: vec!["another".into()], ..claim };
    assert_eq!(store.claim_tasks(claim).await.unwrap().len(), 1);
}

/// A head that is to be tried again keeps its place: the lane waits for it, others do not.
pub async fn a_retrying_head_blocks_its_lane(store: &dyn Store) {
    let head = queued(store, 1, "a").await;
    queued(store, 2, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, retry(11, 50)).await.unwrap();
    assert!(claim(store, 10, 49).await.is_empty());
    queued(store, 3, "b").await;
    assert_eq!(claim_one(store, 49).await.lane, "b");
    let again = claim_one(store, 50).await;
    assert_eq!((again.item.id, again.attempt), (head, 2));
}

/// A task that was given up does not hold up those behind it, and is listed.
pub async fn a_dead_head_lets_its_lane_go_on(store: &dyn Store) {
    queued(store, 1, "a").await;
    let next = queued(store, 2, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, dead("exit_1", 11)).await.unwrap();
    assert_eq!(claim_one(store, 12).await.item.id, next);
    let letters = store.dead(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].code.as_str(), letters[0].attempts), ("exit_1", 1));
    assert_eq!((letters[0].handler.as_str(), letters[0].message_id.as_str()), ("echo", "om_1"));
}

/// What lives again has its place before the head in hand, and waits; whatever ends behind that head,
/// however it ends, nobody else begins before the head has ended.
pub async fn a_head_in_hand_stays_the_only_head(store: &dyn Store) {
    let again = queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, dead("exit_1", 11)).await.unwrap();
    for n in 2..=4 {
        queued(store, n, "a").await;
    }
    let head = claim_one(store, 12).await;
    assert!(store.retry_dead(store.dead(1).await.unwrap()[0].item, 13).await.unwrap());
    assert!(claim(store, 10, 13).await.is_empty(), "retried");
    store.recall(APP.into(), vec![MessageId::from("om_3")], 14).await.unwrap();
    assert!(claim(store, 10, 14).await.is_empty(), "another was recalled");
    let last = store.tasks_behind(HANDLER.into(), "a".into(), head.lease.task, 9).await.unwrap();
    assert!(store.withdraw(last[0].task, Vec::new(), 15).await.unwrap());
    assert!(claim(store, 10, 15).await.is_empty(), "another was withdrawn");
    store.settle_task(head.lease, done(Vec::new(), 16)).await.unwrap();
    assert_eq!(claim_one(store, 17).await.item.id, again);
}

/// When all that waits is given up, one after the other heads the lane until nothing is left, and
/// what comes then is its head.
pub async fn a_lane_that_is_given_up_has_a_head_again(store: &dyn Store) {
    for n in 1..=3 {
        queued(store, n, "a").await;
    }
    assert_eq!(store.give_up(HANDLER.into(), 7).await.unwrap(), 3);
    let next = queued(store, 4, "a").await;
    assert_eq!(claim_one(store, 8).await.item.id, next);
}

/// A claim that lapsed can be had by another, the attempt counts, and its old holder is refused.
pub async fn a_lapsed_lease_is_claimed_again_and_fenced(store: &dyn Store) {
    queued(store, 1, "a").await;
    let old = claim_one(store, 10).await;
    assert!(claim(store, 10, 1_009).await.is_empty());
    let new = claim_one(store, 1_010).await;
    assert_eq!((new.lease.task, new.attempt), (old.lease.task, 2));
    assert!(new.lease.epoch > old.lease.epoch);
    let late = store.settle_task(old.lease, done(Vec::new(), 1_011)).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let late = store.extend_task(old.lease, 5_000).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    store.settle_task(new.lease, done(Vec::new(), 1_012)).await.unwrap();
    let twice = store.settle_task(new.lease, done(Vec::new(), 1_013)).await;
    assert!(matches!(twice, Err(StoreError::Fenced)), "{twice:?}");
}

/// A lease can be kept as long as its holder says so, also when its end just passed.
pub async fn an_extended_lease_does_not_lapse(store: &dyn Store) {
    queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.extend_task(task.lease, 5_000).await.unwrap();
    assert!(claim(store, 10, 4_999).await.is_empty());
    store.extend_task(task.lease, 9_000).await.unwrap();
    assert!(claim(store, 10, 5_000).await.is_empty());
    store.settle_task(task.lease, done(Vec::new(), 5_001)).await.unwrap();
}

/// Settling is one step: a refused one leaves no reply behind.
pub async fn a_fenced_settlement_writes_nothing(store: &dyn Store) {
    queued(store, 1, "a").await;
    let old = claim_one(store, 10).await;
    let new = claim_one(store, 2_000).await;
    let late = store.settle_task(old.lease, done(vec![message("t:0", "oc_1")], 2_001)).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert!(claim_rows(store, 10, 2_002).await.is_empty());
    store.settle_task(new.lease, done(vec![message("t:0", "oc_1")], 2_003)).await.unwrap();
    let row = claim_row(store, 2_004).await;
    assert_eq!(row.inbox, Some(new.item.id), "a reply belongs to its event");
}

/// A task that was put back untouched is due at once and has lost no attempt.
pub async fn a_release_uses_up_no_attempt(store: &dyn Store) {
    queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, TaskSettlement::Release).await.unwrap();
    let again = claim_one(store, 10).await;
    assert_eq!(again.attempt, 1);
    assert!(again.lease.epoch > task.lease.epoch);
}

/// A claim tells how the attempt before ended, and how many were ended by a stop; a retry by hand
/// begins anew.
pub async fn a_claim_tells_how_the_attempt_before_ended(store: &dyn Store) {
    queued(store, 1, "a").await;
    let heard = |task: &ClaimedTask| (task.attempt, task.stops, task.cut_offs, task.before.clone());
    let first = claim_one(store, 10).await;
    assert_eq!(heard(&first), (1, 0, 0, Before::Nothing));
    let (code, error) = ("cancelled".to_owned(), "stopped".to_owned());
    let stopped = TaskSettlement::Stopped { at_ms: 11, code, error };
    store.settle_task(first.lease, stopped.clone()).await.unwrap();
    let second = claim_one(store, 12).await;
    assert_eq!(heard(&second), (2, 1, 0, Before::Nothing), "due again at once");
    store.settle_task(second.lease, retry(13, 13)).await.unwrap();
    let third = claim_one(store, 14).await;
    let (code, error) = ("exit_1".to_owned(), "exit 1".to_owned());
    assert_eq!(heard(&third), (3, 1, 0, Before::Failed { code, error }));
    let fourth = claim_one(store, 2_000).await;
    assert_eq!(heard(&fourth), (4, 1, 1, Before::CutOff), "its lease lapsed");
    store.settle_task(fourth.lease, TaskSettlement::Postpone { due_ms: 2_100 }).await.unwrap();
    assert!(claim(store, 10, 2_099).await.is_empty(), "not before it is due");
    let fourth = claim_one(store, 2_100).await;
    let (code, error) = ("exit_1".to_owned(), "exit 1".to_owned());
    assert_eq!(heard(&fourth), (4, 1, 1, Before::Failed { code, error }), "untouched");
    store.settle_task(fourth.lease, stopped).await.unwrap();
    let fifth = claim_one(store, 2_101).await;
    assert_eq!(heard(&fifth), (5, 2, 1, Before::Nothing));
    store.settle_task(fifth.lease, dead("exit_1", 2_102)).await.unwrap();
    let item = DeadItem::Task(fifth.lease.task);
    assert!(store.retry_dead(item, 2_103).await.unwrap());
    assert_eq!(heard(&claim_one(store, 2_104).await), (1, 0, 0, Before::Nothing));
}

/// Replies are keyed: a run that wrote them and was cut off writes no second copy.
pub async fn a_second_run_repeats_no_reply(store: &dyn Store) {
    queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.enqueue(vec![message("t:0", "oc_1")]).await.unwrap();
    let replies = vec![message("t:0", "oc_1"), message("t:1", "oc_1")];
    store.settle_task(task.lease, done(replies, 11)).await.unwrap();
    assert_eq!(store.depths().await.unwrap().outbox, 2);
}

fn awaiting(until_ms: i64) -> TaskSettlement {
    TaskSettlement::Await { replies: Vec::new(), at_ms: 11, until_ms }
}

/// A handler that answers later frees its lane, and its one late answer is stored.
pub async fn a_late_reply_completes_its_task_once(store: &dyn Store) {
    queued(store, 1, "a").await;
    let next = queued(store, 2, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, awaiting(100)).await.unwrap();
    assert_eq!(claim_one(store, 12).await.item.id, next);
    assert_eq!(store.depths().await.unwrap().awaiting, 1);
    let waits = store.awaiting(task.lease.task).await.unwrap().unwrap();
    assert_eq!((waits.item.id, waits.handler), (task.item.id, task.handler.clone()));
    let late = |key| store.late_reply(task.lease.task, vec![message(key, "oc_1")], 20);
    assert_eq!(late("t:0").await.unwrap(), LateReply::Stored);
    assert_eq!(late("t:1").await.unwrap(), LateReply::NotWaiting);
    assert!(store.awaiting(task.lease.task).await.unwrap().is_none());
    assert_eq!(claim_row(store, 21).await.inbox, Some(task.item.id));
}

/// Whose tasks wait can be told by name, so that a name nobody knows is seen.
pub async fn waiting_tasks_are_counted_by_handler(store: &dyn Store) {
    assert!(store.waiting_handlers().await.unwrap().is_empty());
    let id = accepted(store, event(1)).await;
    decide(store, id, Decision::Queue(vec![new_task("gone", "a", 0)])).await;
    queued(store, 2, "a").await;
    queued(store, 3, "a").await;
    let waiting = store.waiting_handlers().await.unwrap();
    assert_eq!(waiting, [(HANDLER.to_owned(), 2), ("gone".to_owned(), 1)]);
}

/// The line before a handler is what it would be given, in that order; what is in hand or behind
/// its own lane's head is not in it.
pub async fn those_next_in_line_are_told_in_order(store: &dyn Store) {
    for (n, lane) in [(1, "a"), (2, "a"), (3, "b"), (4, "c")] {
        queued(store, n, lane).await;
    }
    let line = async |limit| {
        let items = store.next_in_line(HANDLER.into(), limit).await.unwrap();
        items.into_iter().map(|item| item.received_ms).collect::<Vec<_>>()
    };
    assert_eq!(line(10).await, [1, 3, 4]);
    let first = claim(store, 1, 10).await.remove(0);
    assert_eq!(line(10).await, [3, 4]);
    assert_eq!(line(1).await, [3]);
    store.settle_task(first.lease, done(Vec::new(), 11)).await.unwrap();
    assert_eq!(line(10).await, [2, 3, 4]);
}

/// A promise that is not kept in time is a dead letter, and said so once: with its notice.
pub async fn an_awaiting_task_dies_when_its_time_is_over(store: &dyn Store) {
    queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, awaiting(100)).await.unwrap();
    let told = |item: &InboxItem, _| Some(message(item.event_id.as_str(), "a"));
    assert!(store.expire_awaiting(99, told).await.unwrap().is_empty());
    let expired = store.expire_awaiting(100, told).await.unwrap();
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].id, task.item.id);
    assert!(store.expire_awaiting(100, told).await.unwrap().is_empty());
    assert_eq!(claim_rows(store, 10, 100).await.len(), 1);
    assert_eq!(store.dead(10).await.unwrap()[0].code, "no_reply");
    let late = store.late_reply(task.lease.task, Vec::new(), 101).await.unwrap();
    assert_eq!(late, LateReply::NotWaiting);
}

/// What waits for a handler that is gone can be given up: dead letters with a verdict, which live
/// again by hand. What is being worked on goes on, and other handlers lose nothing.
pub async fn waiting_tasks_of_a_handler_can_be_given_up(store: &dyn Store) {
    let running = queued(store, 1, "a").await;
    let held = claim_one(store, 1).await;
    for (n, lane) in [(2, "a"), (3, "b"), (4, "b")] {
        queued(store, n, lane).await;
    }
    let other = accepted(store, event(5)).await;
    decide(store, other, Decision::Queue(vec![new_task("other", "a", 0)])).await;
    assert_eq!(store.give_up(HANDLER.into(), 7).await.unwrap(), 3);
    assert_eq!(store.give_up(HANDLER.into(), 8).await.unwrap(), 0);
    assert!(claim(store, 10, 8).await.is_empty(), "what is being worked on is nobody else's");
    let letters = store.dead(10).await.unwrap();
    let told: Vec<_> = letters.iter().map(|l| (l.at_ms, l.code.as_str())).collect();
    assert_eq!(told, [(7, "handler_removed"); 3]);
    let counts = [("failed".to_owned(), 3), ("waiting".to_owned(), 2)];
    assert_eq!(verdicts(store).await, counts.into());
    store.settle_task(held.lease, done(Vec::new(), 9)).await.unwrap();
    assert_eq!(store.history(running).await.unwrap().unwrap().record.outcome, "replied");
    assert!(store.retry_dead(letters[2].item, 10).await.unwrap());
    assert_eq!(claim(store, 10, 11).await.len(), 1, "it lives again");
}
