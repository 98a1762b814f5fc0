//! Accepting and routing.

use super::{APP, accepted, claim, claim_row, decide, event, message, new_task, verdicts};
use crate::{
    Store,
    inbox::{Accepted, Decision, InboxId, NewEvent, RouteDecision, Ruling},
    outbox::NewOutbox,
};

/// What was accepted can be read back: same order, same bytes, also bytes that are no text.
pub async fn accepted_events_come_back_in_order_as_they_were(store: &dyn Store) {
    let mut events: Vec<_> = (1..=5).map(event).collect();
    events[2].payload = vec![0, 255, 10, 0];
    let accepted = store.accept(events.clone().into()).await.unwrap();
    let read = store.unrouted(APP.into(), 10).await.unwrap();
    assert_eq!(read.len(), events.len());
    for ((item, event), accepted) in read.iter().zip(&events).zip(accepted) {
        assert_eq!(accepted, Accepted::New(item.id));
        assert_eq!(
            (&item.app, &item.event_id, &item.kind),
            (&event.app, &event.event_id, &event.kind)
        );
        assert_eq!((item.received_ms, &item.payload), (event.received_ms, &event.payload));
    }
    assert!(read.is_sorted_by_key(|item| item.id));
    assert_eq!(store.unrouted(APP.into(), 2).await.unwrap().len(), 2, "the limit is kept");
    assert!(store.unrouted("second".into(), 10).await.unwrap().is_empty(), "each app its own");
}

/// A redelivery makes no row, names the original and is counted, whichever key gives it away.
pub async fn a_repeated_key_makes_no_second_event(store: &dyn Store) {
    let of = accepted(store, event(1)).await;
    let mut same_message = event(2);
    same_message.keys = vec!["e:another".into(), "m:om_1".into()];
    let again = store.accept(vec![event(1)].into()).await.unwrap();
    let third = store.accept(vec![same_message].into()).await.unwrap();
    assert_eq!(again, [Accepted::Duplicate { of, times: 1 }]);
    assert_eq!(third, [Accepted::Duplicate { of, times: 2 }]);
    assert_eq!(store.unrouted(APP.into(), 10).await.unwrap().len(), 1);
    decide(store, of, Decision::Queue(vec![new_task("echo", "a", 0)])).await;
    let late = store.accept(vec![event(1)].into()).await.unwrap();
    assert_eq!(late, [Accepted::Duplicate { of, times: 3 }], "its state does not matter");
}

/// Two deliveries of one event in one batch are one event.
pub async fn a_batch_recognises_its_own_repeats(store: &dyn Store) {
    let answers = store.accept(vec![event(1), event(2), event(1)].into()).await.unwrap();
    let [Accepted::New(one), Accepted::New(two), third] = answers[..] else {
        unreachable!("unexpected {answers:?}");
    };
    assert!(one < two);
    assert_eq!(third, Accepted::Duplicate { of: one, times: 1 });
}

/// A redelivery under a new event id is found by that id too; the key that was new never leads to
/// an event that does not exist.
pub async fn a_new_key_beside_a_known_one_leads_to_the_known_event(store: &dyn Store) {
    let of = accepted(store, event(1)).await;
    let replayed = NewEvent { keys: vec!["e:replayed".into(), "m:om_1".into()], ..event(9) };
    let fresh = event(2);
    let answers = store.accept(vec![replayed, fresh].into()).await.unwrap();
    let [Accepted::Duplicate { of: original, .. }, Accepted::New(next)] = answers[..] else {
        unreachable!("unexpected {answers:?}");
    };
    assert_eq!(original, of);
    let alone = NewEvent { keys: vec!["e:replayed".into()], ..event(9) };
    let again = store.accept(vec![alone].into()).await.unwrap();
    assert_eq!(again, [Accepted::Duplicate { of, times: 2 }]);
    let found = store.find("replayed".into()).await.unwrap();
    assert_eq!(found.iter().map(|one| one.row).collect::<Vec<_>>(), [of.0]);
    assert!(store.history(next).await.unwrap().is_some());
}

/// An event that names a key twice is no repetition of itself.
pub async fn a_key_named_twice_is_one_key(store: &dyn Store) {
    let keys = vec!["e:1".to_owned(), "e:1".to_owned()];
    let id = accepted(store, NewEvent { keys: keys.clone(), ..event(1) }).await;
    let again = store.accept(vec![NewEvent { keys, ..event(1) }].into()).await.unwrap();
    assert_eq!(again, [Accepted::Duplicate { of: id, times: 1 }]);
}

/// Two bots in one chat receive the same message, and each has its own event.
pub async fn keys_belong_to_one_app(store: &dyn Store) {
    let mut other = event(1);
    other.app = "second".into();
    accepted(store, event(1)).await;
    accepted(store, other).await;
}

/// What an event says plays no part in recognising it.
pub async fn equal_texts_are_two_events(store: &dyn Store) {
    let mut other = event(2);
    (other.preview, other.payload) = (event(1).preview, event(1).payload);
    accepted(store, event(1)).await;
    accepted(store, other).await;
}

/// Routing again after a crash does no harm; an unknown event neither.
pub async fn a_second_decision_is_ignored(store: &dyn Store) {
    let id = accepted(store, event(1)).await;
    decide(store, id, Decision::Filtered { why: "no_route" }).await;
    decide(store, id, Decision::Queue(vec![new_task("echo", "a", 0)])).await;
    decide(store, InboxId(id.0 + 100), Decision::Filtered { why: "no_route" }).await;
    assert!(store.unrouted(APP.into(), 10).await.unwrap().is_empty());
    assert_eq!(store.depths().await.unwrap().tasks, 0);
    assert_eq!(verdicts(store).await, [("filtered".to_owned(), 1)].into());
}

/// What a chat is told about a decision is stored with it, and not with one that is ignored.
pub async fn a_notice_comes_with_its_decision(store: &dyn Store) {
    let inbox = accepted(store, event(1)).await;
    for key in ["told", "ignored"] {
        let decision = Decision::Filtered { why: "stale" };
        let notice = Some(NewOutbox { inbox: Some(inbox), ..message(key, "a") });
        store
            .route(vec![RouteDecision { inbox, ruling: Ruling { at_ms: 1, decision, notice } }])
            .await
            .unwrap();
    }
    assert_eq!(claim_row(store, 10).await.uuid, "uuid-told");
    assert_eq!(store.depths().await.unwrap().outbox, 1);
    let history = store.history(inbox).await.unwrap().unwrap();
    assert_eq!((history.outbox.len(), history.record.outcome.as_str()), (1, "filtered"));
}

/// An event that is committed with its decision stands where one stands that was decided later:
/// the same story, the same counts, and its tasks and notices can be claimed.
pub async fn a_ruling_with_its_event_is_as_good_as_a_later_one(store: &dyn Store) {
    let rulings = [
        (Decision::Filtered { why: "stale" }, "filtered", 1),
        (Decision::Failed { why: "decode", detail: "no JSON".into() }, "failed", 1),
        // A notice beside a task is a message of its own.
        (Decision::Queue(vec![new_task("echo", "a", 0), new_task("other", "a", 0)]), "waiting", 0),
        (Decision::Queue(Vec::new()), "filtered", 1),
    ];
    for (n, (decision, verdict, told)) in (1..).step_by(2).zip(rulings) {
        let notice = Some(message(&format!("told-{n}"), "a"));
        let ruling = Ruling { at_ms: 7, decision, notice: notice.clone() };
        let at_once = NewEvent { ruling: Some(ruling.clone()), ..event(n) };
        let at_once = accepted(store, at_once).await;
        let later = accepted(store, event(n + 1)).await;
        let notice = Some(message(&format!("told-{}", n + 1), "a"));
        let ruling = Ruling { notice, ..ruling };
        store.route(vec![RouteDecision { inbox: later, ruling }]).await.unwrap();
        let histories = [at_once, later].map(async |id| store.history(id).await.unwrap().unwrap());
        let [one, other] = histories;
        let (one, other) = (one.await, other.await);
        assert_eq!(one.record.outcome, verdict);
        assert_eq!(one.outbox.len(), told, "{verdict}");
        let standing = |h: &crate::record::History| {
            let tasks: Vec<_> =
                h.tasks.iter().map(|t| (t.handler.clone(), t.state.clone())).collect();
            let log: Vec<_> = h.log.iter().map(|l| (l.what.clone(), l.detail.clone())).collect();
            let record = (h.record.outcome.clone(), h.record.why.clone());
            (record, h.routed_ms, h.verdict_ms, tasks, h.outbox.len(), log)
        };
        assert_eq!(standing(&one), standing(&other));
    }
    assert!(store.unrouted(APP.into(), 10).await.unwrap().is_empty());
    let counts = [("failed", 2), ("filtered", 4), ("waiting", 2)];
    assert_eq!(verdicts(store).await, counts.map(|(v, n)| (v.to_owned(), n)).into());
    assert_eq!(claim(store, 10, 10).await.len(), 1, "the second one waits in the same lane");
    assert_eq!(store.depths().await.unwrap().outbox, 8);
}

/// Events of a chat are decided in order: behind one that waits for its decision, what was ruled is
/// not taken, in the same batch or a later one. Other chats and other apps do not wait.
pub async fn an_event_is_not_decided_before_an_older_one(store: &dyn Store) {
    let ruled = |n| {
        let decision = Decision::Queue(vec![new_task("echo", "a", 0)]);
        NewEvent { ruling: Some(Ruling { at_ms: 7, decision, notice: None }), ..event(n) }
    };
    let other = NewEvent { app: "second".into(), ..ruled(9) };
    let elsewhere = NewEvent { chat_id: Some("oc_2".into()), ..ruled(8) };
    let nowhere = NewEvent { chat_id: None, ..ruled(7) };
    let batch = vec![ruled(1), event(2), ruled(3), other, elsewhere, nowhere];
    let answers = store.accept(batch.into()).await.unwrap();
    let [
        Accepted::New(_),
        Accepted::New(older),
        Accepted::Undecided(younger),
        Accepted::New(_),
        Accepted::New(_),
        Accepted::New(_),
    ] = answers[..]
    else {
        unreachable!("unexpected {answers:?}");
    };
    let later = store.accept(vec![ruled(4)].into()).await.unwrap();
    assert!(matches!(later[..], [Accepted::Undecided(_)]), "{later:?}");
    let unrouted = store.unrouted(APP.into(), 10).await.unwrap();
    assert_eq!(
        unrouted.iter().map(|item| item.id).collect::<Vec<_>>(),
        [older, younger, later[0].id()]
    );
    for item in unrouted {
        decide(store, item.id, Decision::Filtered { why: "no_route" }).await;
    }
    let next = store.accept(vec![ruled(5)].into()).await.unwrap();
    assert!(matches!(next[..], [Accepted::New(_)]), "nothing waits any more: {next:?}");
}

/// A redelivery that was taken for a new event changes nothing, whatever was decided about it.
pub async fn a_ruling_about_a_repetition_is_dropped(store: &dyn Store) {
    let of = accepted(store, event(1)).await;
    let decision = Decision::Queue(vec![new_task("echo", "a", 0)]);
    let ruling = Ruling { at_ms: 7, decision, notice: Some(message("told", "a")) };
    let again = NewEvent { ruling: Some(ruling), ..event(1) };
    let again = store.accept(vec![again].into()).await.unwrap();
    assert_eq!(again, [Accepted::Duplicate { of, times: 1 }]);
    assert_eq!(store.unrouted(APP.into(), 10).await.unwrap().len(), 1, "it waits as before");
    let depths = store.depths().await.unwrap();
    assert_eq!((depths.tasks, depths.outbox), (0, 0));
}
