//! One event's history, and how an event is found.

use super::{
    accepted, claim_one, claim_row, decide, delivered, done, event, lists, message, new_task,
    queued, undeliverable,
};
use crate::{
    Store,
    inbox::{AckTimes, Decision, InboxId, NewEvent, event_key},
    outbox::{NewOutbox, OutboxSettlement},
    record::{DeadItem, LogEntry},
    task::TaskSettlement,
};

/// What laws look at of a log entry.
fn short(entry: &LogEntry) -> (i64, &str, u32, Option<i64>, &str, &str) {
    let LogEntry { at_ms, what, attempt, from_ms, code, log_id, .. } = entry;
    (*at_ms, what, *attempt, *from_ms, code, log_id)
}

/// An event is over when it has its verdict, not before; one that is not known is over too.
pub async fn an_event_is_over_with_its_verdict_and_when_it_is_gone(store: &dyn Store) {
    let id = accepted(store, event(1)).await;
    let is_over = async || store.is_over(id).await.unwrap();
    assert!(!is_over().await);
    decide(store, id, Decision::Queue(vec![new_task("echo", "a", 0)])).await;
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, done(vec![message("1", "oc_1")], 11)).await.unwrap();
    assert!(!is_over().await, "its answer is not out");
    let row = claim_row(store, 12).await;
    store.settle_outbox(row.lease, delivered("om_1", 13)).await.unwrap();
    assert!(is_over().await);
    assert!(store.is_over(InboxId(i64::MAX)).await.unwrap());
}

/// A history has the times and particulars of all that happened, also of what rows forget:
/// failed attempts with their codes, redeliveries, deaths before a retry by hand.
pub async fn a_history_forgets_nothing(store: &dyn Store) {
    let id = accepted(store, event(1)).await;
    let times = AckTimes { inbox: id, journaled_ms: 2, acked_ms: 3 };
    store.mark_acked(vec![times]).await.unwrap();
    let again = NewEvent { received_ms: 4, ..event(1) };
    store.accept(vec![again].into()).await.unwrap();
    decide(store, id, Decision::Queue(vec![new_task("echo", "a", 0)])).await;
    let task = claim_one(store, 10).await;
    let (code, error) = ("exit".into(), "no such file".into());
    let retry = TaskSettlement::Retry { at_ms: 11, due_ms: 12, code, error };
    store.settle_task(task.lease, retry).await.unwrap();
    let task = claim_one(store, 12).await;
    let reply = NewOutbox { created_ms: 13, ..message("1", "oc_1") };
    store.settle_task(task.lease, done(vec![reply], 13)).await.unwrap();
    let row = claim_row(store, 14).await;
    let throttled = OutboxSettlement::Retry {
        at_ms: 15,
        due_ms: 16,
        code: "230020".into(),
        error: "slow down".into(),
        log_id: "log-0".into(),
        counts: false,
    };
    store.settle_outbox(row.lease, throttled).await.unwrap();
    let row = claim_row(store, 16).await;
    store.settle_outbox(row.lease, undeliverable("230002", 17)).await.unwrap();
    assert!(store.retry_dead(DeadItem::Outbox(row.lease.row), 18).await.unwrap());
    let row = claim_row(store, 19).await;
    store.settle_outbox(row.lease, delivered("om_answer", 20)).await.unwrap();

    let history = store.history(id).await.unwrap().unwrap();
    assert_eq!((history.record.at_ms, history.repeats), (1, 1));
    assert_eq!((history.journaled_ms, history.acked_ms), (Some(2), Some(3)));
    assert_eq!(history.verdict_ms, Some(20));
    assert_eq!((history.tasks.len(), history.outbox.len()), (1, 1));
    let (told, sent) = (&history.tasks[0], &history.outbox[0]);
    assert_eq!((told.route.as_str(), told.handler.as_str(), told.attempts), ("all", "echo", 2));
    assert_eq!((told.claimed_ms, told.ended_ms), (Some(12), Some(13)));
    assert_eq!((sent.created_ms, sent.claimed_ms, sent.ended_ms), (13, Some(19), Some(20)));
    assert_eq!((sent.message_id.as_str(), sent.log_id.as_str()), ("om_answer", "log-1"));
    let log: Vec<_> = history.log.iter().map(short).collect();
    let expected = [
        (4, "redelivered", 1, None, "", ""),
        (11, "attempt_failed", 1, Some(10), "exit", ""),
        (15, "send_failed", 1, Some(14), "230020", "log-0"),
        (17, "dead", 1, Some(16), "230002", "log-2"),
        (18, "retried", 0, None, "", ""),
    ];
    assert_eq!(log, expected);
    assert_eq!(history.log[1].detail, "no such file");
    assert_eq!((history.log[1].task, history.log[2].outbox), (Some(told.id), Some(sent.id)));
    assert_eq!(store.history(InboxId(99)).await.unwrap(), None);
}

/// An attempt whose process died is not forgotten either.
pub async fn a_history_tells_what_was_cut_off(store: &dyn Store) {
    let id = queued(store, 1, "a").await;
    claim_one(store, 10).await;
    store.begin_boot(lists::boot("two", 20)).await.unwrap();
    let task = claim_one(store, 21).await;
    store.settle_task(task.lease, done(vec![message("1", "oc_1")], 22)).await.unwrap();
    claim_row(store, 23).await;
    store.begin_boot(lists::boot("three", 30)).await.unwrap();
    claim_row(store, 31).await;
    let history = store.history(id).await.unwrap().unwrap();
    let log: Vec<_> = history.log.iter().map(short).collect();
    let expected =
        [(21, "attempt_cut_off", 1, Some(10), "", ""), (31, "send_cut_off", 1, Some(23), "", "")];
    assert_eq!(log, expected);
}

/// An event is found by event id (also that of a redelivery), message id, the id of an answer, or words of either; words
/// find all they are in, newest first.
pub async fn an_event_is_found_by_every_id_and_by_words(store: &dyn Store) {
    let find = async |text: &str| {
        let found = store.find(text.into()).await.unwrap();
        found.into_iter().map(|record| record.row).collect::<Vec<_>>()
    };
    let id = queued(store, 1, "a").await.0;
    let task = claim_one(store, 2).await;
    let answer = NewOutbox { preview: "well said".into(), ..message("1", "oc_1") };
    store.settle_task(task.lease, done(vec![answer], 3)).await.unwrap();
    let row = claim_row(store, 4).await;
    store.settle_outbox(row.lease, delivered("om_answer", 5)).await.unwrap();
    let other = accepted(store, event(2)).await.0;
    let mut again = event(1);
    (again.event_id, again.keys[0]) = ("ev_again".into(), event_key("ev_again"));
    store.accept(vec![again].into()).await.unwrap();
    for text in ["ev_1", "ev_again", "om_1", "om_answer", "ext 1", "ell sai"] {
        assert_eq!(find(text).await, [id], "by {text}");
    }
    assert_eq!(find("ext").await, [other, id]);
    for text in ["", "nothing like it"] {
        assert!(find(text).await.is_empty(), "by {text:?}");
    }
    assert_eq!(store.prune(2).await.unwrap().keys, 3, "no key outlives its event");
}

/// Each event keeps the times of its own ack, also of acks that left together or in another order,
/// and none is taken for acked because its neighbours are.
pub async fn each_event_has_the_times_of_its_own_ack(store: &dyn Store) {
    let mut ids = Vec::new();
    for n in 1..=6 {
        ids.push(accepted(store, event(n)).await);
    }
    let times =
        |n: usize, at_ms| AckTimes { inbox: ids[n], journaled_ms: at_ms, acked_ms: at_ms + 1 };
    // The third one waits for its handler, the last one is never acked.
    store.mark_acked(vec![times(0, 10), times(1, 10), times(3, 10), times(4, 12)]).await.unwrap();
    store.mark_acked(vec![times(2, 30)]).await.unwrap();
    let mut known = Vec::new();
    for id in ids {
        let history = store.history(id).await.unwrap().unwrap();
        known.push((history.journaled_ms, history.acked_ms));
    }
    let at = |ms| (Some(ms), Some(ms + 1));
    assert_eq!(known, [at(10), at(10), at(30), at(10), at(12), (None, None)]);
}
