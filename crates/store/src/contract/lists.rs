//! Boots, lists, facts, forgetting, closing.

use super::{
    APP, HANDLER, accepted, claim, claim_one, claim_row, dead, decide, delivered, done, event,
    message, new_task, queued, undeliverable, verdicts,
};
use crate::{
    Store, StoreError,
    inbox::Decision,
    outbox::{ASIDE, NewOutbox},
    record::{EndOfBoot, MessageQuery, NewBoot},
};

pub(super) fn boot(boot_id: &str, at_ms: i64) -> NewBoot {
    NewBoot { boot_id: boot_id.into(), version: "0.1.0".into(), pid: 7, at_ms }
}

/// An orderly end is told to the next run; a crash is the lack of one.
pub async fn a_boot_knows_how_the_previous_one_ended(store: &dyn Store) {
    let one = store.begin_boot(boot("one", 1)).await.unwrap();
    assert_eq!((one.count, one.previous_id.as_str(), one.previous_end), (1, "", None));
    let (boot_id, reason) = ("one".into(), "signal SIGTERM".into());
    store.end_boot(EndOfBoot { boot_id, at_ms: 2, reason }).await.unwrap();
    let two = store.begin_boot(boot("two", 3)).await.unwrap();
    assert_eq!((two.count, two.previous_id.as_str(), two.previous_started_ms), (2, "one", 1));
    assert_eq!(two.previous_end.as_deref(), Some("signal SIGTERM"));
    let three = store.begin_boot(boot("three", 4)).await.unwrap();
    assert_eq!((three.previous_id.as_str(), three.previous_end), ("two", None));
}

/// Starts are counted from a moment on, also those that never ended.
pub async fn starts_are_counted(store: &dyn Store) {
    for (n, at_ms) in [(1, 100), (2, 200), (3, 300)] {
        store.begin_boot(boot(&format!("b{n}"), at_ms)).await.unwrap();
    }
    for (since_ms, count) in [(0, 3), (200, 2), (301, 0)] {
        assert_eq!(store.boots_since(since_ms).await.unwrap(), count, "since {since_ms}");
    }
}

/// What a killed process held is free for the next one, which sees the attempts it made.
pub async fn a_boot_gives_back_what_the_previous_one_held(store: &dyn Store) {
    queued(store, 1, "a").await;
    store.enqueue(vec![message("1", "x")]).await.unwrap();
    let task = claim_one(store, 10).await;
    let row = claim_row(store, 10).await;
    assert_eq!(store.begin_boot(boot("two", 11)).await.unwrap().released, 2);
    let late = store.settle_task(task.lease, done(Vec::new(), 12)).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(claim_one(store, 12).await.attempt, 2);
    let again = claim_row(store, 12).await;
    assert_eq!((again.attempt, again.uuid), (2, row.uuid));
}

/// A stop frees what its own process held, at once.
pub async fn an_owner_gives_back_its_leases(store: &dyn Store) {
    queued(store, 1, "a").await;
    let task = claim_one(store, 10).await;
    assert_eq!(store.release_leases("somebody else".into()).await.unwrap(), 0);
    assert_eq!(store.release_leases("boot-1".into()).await.unwrap(), 1);
    let late = store.extend_task(task.lease, 50).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    claim_one(store, 10).await;
}

/// Workers sleep until the earliest start, retry or lapse to come; what is due already does
/// not hide it.
pub async fn the_next_due_moment_is_the_earliest_to_come(store: &dyn Store) {
    assert_eq!(store.next_due(0).await.unwrap(), None);
    let inbox = accepted(store, event(1)).await;
    decide(store, inbox, Decision::Queue(vec![new_task("echo", "a", 500)])).await;
    assert_eq!(store.next_due(499).await.unwrap(), Some(500));
    assert_eq!(store.next_due(500).await.unwrap(), None);
    queued(store, 2, "b").await;
    store.enqueue(vec![message("1", "x")]).await.unwrap();
    assert_eq!(store.next_due(10).await.unwrap(), Some(500), "a task and a row are due already");
    claim_one(store, 10).await;
    assert!(store.next_due(10).await.unwrap() <= Some(500));
}

/// Depths are what waits now.
pub async fn depths_count_what_waits(store: &dyn Store) {
    store.accept(vec![event(5), event(6)].into()).await.unwrap();
    queued(store, 7, "a").await;
    store.enqueue(vec![message("1", "x")]).await.unwrap();
    let depths = store.depths().await.unwrap();
    assert_eq!((depths.unrouted, depths.tasks, depths.outbox), (2, 1, 1));
    assert_eq!((depths.awaiting, depths.dead, depths.oldest_ms), (0, 0, Some(5)));
}

/// What waits is told oldest first with the routes that took it, until it has its verdict; of
/// what has one, the last that a handler brought about is known.
pub async fn what_waits_and_what_was_handled_last_are_known(store: &dyn Store) {
    assert_eq!(store.last_handled().await.unwrap(), None);
    let one = queued(store, 1, "a").await;
    let two = accepted(store, event(2)).await;
    let aside = accepted(store, event(3)).await;
    decide(store, aside, Decision::Filtered { why: "no_route" }).await;
    let waiting = store.oldest_waiting(10).await.unwrap();
    let told: Vec<_> = waiting.iter().map(|w| (w.id, w.received_ms, w.routes.len())).collect();
    assert_eq!(told, [(one, 1, 1), (two, 2, 0)]);
    assert_eq!((waiting[0].routes[0].as_str(), waiting[0].message_id.as_str()), ("all", "om_1"));
    assert_eq!(store.oldest_waiting(1).await.unwrap().len(), 1);
    let task = claim_one(store, 10).await;
    store.settle_task(task.lease, done(Vec::new(), 11)).await.unwrap();
    let last = store.last_handled().await.unwrap().unwrap();
    assert_eq!(
        (last.at_ms, last.event_id.as_str(), last.verdict.as_str()),
        (11, "ev_1", "replied")
    );
    assert_eq!(store.oldest_waiting(10).await.unwrap().len(), 1);
}

/// When events of an app arrived is told oldest first, and jobs are no events of people.
pub async fn arrivals_are_told_oldest_first(store: &dyn Store) {
    for n in [3, 5, 8] {
        accepted(store, event(n)).await;
    }
    accepted(store, crate::inbox::NewEvent { app: "other".into(), ..event(9) }).await;
    accepted(store, crate::inbox::NewEvent { kind: crate::job::JOB.into(), ..event(10) }).await;
    assert_eq!(store.arrivals("main".into(), 10).await.unwrap(), [3, 5, 8]);
    assert_eq!(store.arrivals("main".into(), 3).await.unwrap(), [8], "of the newest events");
}

/// Lists mix what came in and what went out, newest first, and can be narrowed.
pub async fn records_are_listed_newest_first(store: &dyn Store) {
    store.begin_boot(boot("boot-1", 1)).await.unwrap();
    let one = accepted(store, event(1)).await;
    decide(store, one, Decision::Filtered { why: "not_mentioned" }).await;
    let mut elsewhere = event(2);
    elsewhere.chat_id = Some("oc_2".into());
    accepted(store, elsewhere).await;
    let answer = NewOutbox { created_ms: 3, ..message("1", "oc_1") };
    store.enqueue(vec![answer]).await.unwrap();

    let list = async |query: MessageQuery| {
        let records = store.records(query).await.unwrap();
        records.into_iter().map(|record| (record.direction, record.at_ms)).collect::<Vec<_>>()
    };
    let line = |direction: &str, at_ms| (direction.to_owned(), at_ms);
    let all = MessageQuery { limit: 10, ..MessageQuery::default() };
    assert_eq!(list(all.clone()).await, [line("out", 3), line("in", 2), line("in", 1)]);
    let newest = MessageQuery { limit: 1, ..all.clone() };
    assert_eq!(list(newest).await, [line("out", 3)]);
    let chat = MessageQuery { chat: Some("oc_1".into()), ..all.clone() };
    assert_eq!(list(chat).await, [line("out", 3), line("in", 1)]);
    for (verdict, at_ms) in [("filtered", 1), ("waiting", 2)] {
        let of = MessageQuery { verdict: Some(verdict.into()), ..all.clone() };
        assert_eq!(list(of).await, [line("in", at_ms)]);
    }
    let text = MessageQuery { text: Some("ext 2".into()), ..all.clone() };
    assert_eq!(list(text).await, [line("in", 2)]);

    let records = store.records(all).await.unwrap();
    assert!(records.iter().all(|record| record.boot_id == "boot-1"));
    let (out, filtered) = (&records[0], &records[2]);
    assert_eq!((out.outcome.as_str(), out.chat_id.as_str()), ("queued", "oc_1"));
    assert_eq!((filtered.outcome.as_str(), filtered.why.as_str()), ("filtered", "not_mentioned"));
    assert_eq!((filtered.event_id.as_str(), filtered.message_id.as_str()), ("ev_1", "om_1"));
}

/// Chats are known from their events; a name is kept.
pub async fn chats_are_counted_and_named(store: &dyn Store) {
    let mut direct = event(9);
    (direct.chat_id, direct.chat_type) = (Some("oc_2".into()), Some("p2p".into()));
    store.accept(vec![event(1), event(2), direct].into()).await.unwrap();
    store.name_chat("main".into(), "oc_1".into(), "Ops".into()).await.unwrap();
    let chats = store.chats().await.unwrap();
    let told: Vec<_> = chats.iter().map(|chat| (chat.chat_id.as_str(), chat.events)).collect();
    assert_eq!(told, [("oc_2", 1), ("oc_1", 2)]);
    assert_eq!((chats[0].chat_type.as_str(), chats[0].last_ms), ("p2p", 9));
    assert_eq!((chats[1].name.as_str(), chats[1].chat_type.as_str()), ("Ops", "group"));
}

/// A fact is kept under its name until another takes its place.
pub async fn a_fact_is_kept_under_its_name(store: &dyn Store) {
    assert_eq!(store.fact("cleanup_ms".into()).await.unwrap(), None);
    for (name, value) in [("cleanup_ms", "1"), ("other", ""), ("cleanup_ms", "2")] {
        store.put_fact(name.into(), value.into()).await.unwrap();
    }
    store.begin_boot(boot("two", 3)).await.unwrap();
    assert_eq!(store.fact("cleanup_ms".into()).await.unwrap().as_deref(), Some("2"));
    assert_eq!(store.fact("other".into()).await.unwrap().as_deref(), Some(""));
}

/// Retention takes finished events with all that hangs on them, nothing unfinished, no counts.
pub async fn pruning_takes_what_is_finished_and_old(store: &dyn Store) {
    let finished = queued(store, 1, "a").await;
    let task = claim_one(store, 2).await;
    store.settle_task(task.lease, done(Vec::new(), 3)).await.unwrap();
    let unfinished = queued(store, 2, "a").await;
    let recent = accepted(store, event(100)).await;
    decide(store, recent, Decision::Filtered { why: "no_route" }).await;
    store.enqueue(vec![message("sent", "x"), message("waits", "y")]).await.unwrap();
    let row = claim(store, 0, 3).await;
    assert!(row.is_empty(), "a limit of nothing is nothing");
    let rows = super::claim_rows(store, 1, 4).await;
    store.settle_outbox(rows[0].lease, delivered("om_9", 5)).await.unwrap();
    let before = verdicts(store).await;

    let pruned = store.prune(100).await.unwrap();
    assert_eq!((pruned.events, pruned.outbox, pruned.keys), (1, 1, 2));
    assert_eq!(store.history(finished).await.unwrap(), None);
    for kept in [unfinished, recent] {
        assert!(store.history(kept).await.unwrap().is_some());
    }
    assert_eq!(verdicts(store).await, before);
    assert_eq!(store.depths().await.unwrap().outbox, 1);
    let again = accepted(store, event(1)).await;
    assert!(again > recent, "numbers are not used twice");
    assert_eq!(store.prune(100).await.unwrap(), crate::record::Pruned::default());
}

/// What failed for good is there however old it is, with its event; decided, it goes as all else does.
pub async fn pruning_leaves_dead_letters_until_somebody_decides(store: &dyn Store) {
    let [task, row] = [queued(store, 1, "a").await, queued(store, 2, "b").await];
    let tasks = claim(store, 9, 3).await;
    store.settle_task(tasks[0].lease, dead("exit_1", 4)).await.unwrap();
    store.settle_task(tasks[1].lease, done(vec![message("answer", "b")], 4)).await.unwrap();
    store.enqueue(vec![message("alone", "c")]).await.unwrap();
    for row in super::claim_rows(store, 9, 5).await {
        store.settle_outbox(row.lease, undeliverable("230002", 6)).await.unwrap();
    }
    accepted(store, event(100)).await;
    assert_eq!(store.prune(100).await.unwrap(), crate::record::Pruned::default());
    let letters = store.dead(9).await.unwrap();
    assert_eq!(letters.len(), 3);
    for event in [task, row] {
        assert!(store.history(event).await.unwrap().is_some());
    }
    for letter in &letters {
        assert!(store.drop_dead(letter.item, 7).await.unwrap());
    }
    let pruned = store.prune(100).await.unwrap();
    assert_eq!((pruned.events, pruned.outbox), (2, 1));
    assert!(store.dead(9).await.unwrap().is_empty());
}

/// A retry by hand answers again for the messages that were merged into what died.
pub async fn what_follows_a_dead_letter_is_kept_with_it(store: &dyn Store) {
    queued(store, 1, "a").await;
    let merged = queued(store, 2, "a").await;
    let head = claim_one(store, 3).await;
    let behind = store.tasks_behind(HANDLER.into(), "a".into(), head.lease.task, 9).await.unwrap();
    store.merge_tasks(head.lease, vec![behind[0].task], 4).await.unwrap();
    store.settle_task(head.lease, dead("exit_1", 5)).await.unwrap();
    accepted(store, event(100)).await;
    assert_eq!(store.prune(100).await.unwrap().events, 0);
    assert!(store.retry_dead(store.dead(1).await.unwrap()[0].item, 6).await.unwrap());
    let again = claim_one(store, 7).await;
    let told = store.merged_into(again.item.id, HANDLER.into()).await.unwrap();
    assert_eq!(told.iter().map(|task| task.item.id).collect::<Vec<_>>(), [merged]);
    store.settle_task(again.lease, dead("exit_1", 8)).await.unwrap();
    assert!(store.drop_dead(store.dead(1).await.unwrap()[0].item, 9).await.unwrap());
    assert_eq!(store.prune(100).await.unwrap().events, 2);
}

/// A reaction is a row of the outbox and no message.
pub async fn what_is_done_to_messages_is_not_listed_among_them(store: &dyn Store) {
    let reaction = message("reaction", &format!("{ASIDE}om_1"));
    store.enqueue(vec![reaction, message("said", "oc_1")]).await.unwrap();
    let all = MessageQuery { limit: 10, ..MessageQuery::default() };
    let listed = store.records(all).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.chat_id.as_str()).collect::<Vec<_>>(), ["oc_1"]);
}

/// The number of the newest event is not given again, however old it is when others are forgotten.
pub async fn a_number_is_not_used_twice(store: &dyn Store) {
    for n in 1..=2 {
        let newest = accepted(store, event(n)).await;
        decide(store, newest, Decision::Filtered { why: "no_route" }).await;
    }
    assert_eq!(store.prune(i64::MAX).await.unwrap().events, 1);
    let kept = store.find("ev_2".into()).await.unwrap();
    let next = accepted(store, event(3)).await;
    assert!(kept.iter().all(|newest| newest.row < next.0), "{kept:?}, then {next:?}");
    decide(store, next, Decision::Filtered { why: "no_route" }).await;
    assert_eq!(store.prune(i64::MAX).await.unwrap().events, 1, "it goes when it is not the newest");
}

/// After closing, every call is refused, and none hangs.
pub async fn a_closed_store_says_so(store: &dyn Store) {
    accepted(store, event(1)).await;
    store.probe().await.unwrap();
    store.turn().await.unwrap();
    store.close().await.unwrap();
    let write = store.accept(vec![event(2)].into()).await;
    assert!(matches!(write, Err(StoreError::Closed)), "{write:?}");
    let read = store.unrouted(APP.into(), 10).await;
    assert!(matches!(read, Err(StoreError::Closed)), "{read:?}");
    let turn = store.turn().await;
    assert!(matches!(turn, Err(StoreError::Closed)), "{turn:?}");
    let again = store.close().await;
    assert!(matches!(again, Err(StoreError::Closed)), "{again:?}");
}
