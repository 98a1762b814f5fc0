//! Outbox lanes: order, fairness, leases, endings.

use super::{APP, claim_row, claim_rows, delivered, message, queued, undeliverable};
use crate::{
    Store, StoreError,
    outbox::{NewOutbox, OutboxClaim, OutboxSettlement, OutboxStage, OutboxState},
    record::{DeadItem, MessageQuery},
};

async fn enqueue(store: &dyn Store, rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(key, lane)| message(key, lane)).collect();
    store.enqueue(rows).await.unwrap();
}

fn retry(due_ms: i64, counts: bool) -> OutboxSettlement {
    let (code, error, log_id) = ("230020".into(), "slow down".into(), "log-3".into());
    OutboxSettlement::Retry { at_ms: 11, due_ms, code, error, log_id, counts }
}

/// Rows of a lane leave one after the other, in the order they were stored.
pub async fn a_lane_sends_one_row_at_a_time_in_order(store: &dyn Store) {
    enqueue(store, &[("1", "a"), ("2", "a"), ("3", "a")]).await;
    for key in ["1", "2", "3"] {
        let row = claim_row(store, 10).await;
        assert_eq!((row.uuid, row.lane.as_str(), row.attempt), (format!("uuid-{key}"), "a", 1));
        assert_eq!((row.body, row.first_attempt_ms), (format!("body {key}").into_bytes(), 10));
        assert!(claim_rows(store, 10, 10).await.is_empty(), "its lane is busy");
        store.settle_outbox(row.lease, delivered("om_9", 11)).await.unwrap();
    }
}

/// A lane whose head is urgent goes before older ones whose head is not.
pub async fn priority_goes_before_age(store: &dyn Store) {
    let progress = NewOutbox { priority: -1, ..message("1", "a") };
    store.enqueue(vec![progress, message("2", "b")]).await.unwrap();
    let order: Vec<_> = claim_rows(store, 10, 10).await.into_iter().map(|row| row.lane).collect();
    assert_eq!(order, ["b", "a"]);
}

/// A row that is due later is in nobody's hands before, and is named as the next that is due.
pub async fn what_is_due_later_waits_also_at_the_head_of_its_lane(store: &dyn Store) {
    let later = |key, priority| NewOutbox { due_ms: 30, priority, ..message(key, "a") };
    store.enqueue(vec![later("1", 0), later("2", 0)]).await.unwrap();
    assert!(claim_rows(store, 10, 29).await.is_empty());
    assert_eq!(store.next_due(29).await.unwrap(), Some(30));
    // One that takes the place of the head waits as well.
    store.enqueue(vec![later("3", 1)]).await.unwrap();
    assert!(claim_rows(store, 10, 29).await.is_empty());
    for expected in ["uuid-3", "uuid-1", "uuid-2"] {
        let row = claim_row(store, 30).await;
        assert_eq!((row.uuid.as_str(), row.attempt), (expected, 1));
        store.settle_outbox(row.lease, delivered("om_9", 31)).await.unwrap();
    }
}

/// Those of a lane whose head is due later do not leave by then; one in hand does.
pub async fn only_what_is_due_by_then_is_leaving(store: &dyn Store) {
    let later = NewOutbox { due_ms: 5_000, ..message("b1", "b") };
    store.enqueue(vec![message("a1", "a"), later, message("b2", "b")]).await.unwrap();
    let leaving =
        async |app: &str, until_ms| store.leaving(vec![app.to_owned()], until_ms).await.unwrap();
    assert_eq!((leaving(APP, 4_999).await, leaving(APP, 5_000).await), (1, 3));
    assert_eq!(leaving("another", 5_000).await, 0);
    let row = claim_row(store, 10).await;
    assert_eq!(leaving(APP, 0).await, 1, "it is in hand");
    store.settle_outbox(row.lease, delivered("om_9", 11)).await.unwrap();
    assert_eq!(leaving(APP, 4_999).await, 0);
}

/// Within a lane the urgent goes first too, each kind in its order; what was claimed already is not
/// overtaken, also when it comes back.
pub async fn an_urgent_row_goes_before_others_of_its_lane(store: &dyn Store) {
    let row = |key, priority| NewOutbox { priority, ..message(key, "a") };
    store.enqueue(vec![row("1", -1), row("2", -1), row("3", 0), row("4", -1)]).await.unwrap();
    store.enqueue(vec![row("5", 0)]).await.unwrap();
    let first = claim_row(store, 10).await;
    assert_eq!(first.uuid, "uuid-3");
    store.enqueue(vec![row("6", 1)]).await.unwrap();
    store.settle_outbox(first.lease, retry(20, false)).await.unwrap();
    let mut order = Vec::new();
    for now_ms in 20..26 {
        let row = claim_row(store, now_ms).await;
        order.push(row.uuid.trim_start_matches("uuid-").to_owned());
        store.settle_outbox(row.lease, delivered("om_9", now_ms)).await.unwrap();
    }
    assert_eq!(order, ["3", "6", "5", "1", "2", "4"]);
}

/// What waits can be made newer, as long as nothing of it may have arrived.
pub async fn what_waits_is_replaced_until_it_was_tried(store: &dyn Store) {
    enqueue(store, &[("1", "a"), ("2", "a")]).await;
    let replace = async |key: &str, body: &str| {
        store.replace_queued(key.into(), body.into(), format!("about {body}")).await.unwrap()
    };
    assert!(!replace("9", "of nobody").await);
    assert!(replace("2", "newer").await);
    let row = claim_row(store, 10).await;
    assert!(!replace("1", "too late").await, "it is in hand");
    store.settle_outbox(row.lease, retry(20, false)).await.unwrap();
    assert!(replace("1", "put back").await, "nothing of it was sent");
    let row = claim_row(store, 20).await;
    assert_eq!(row.body, b"put back");
    store.settle_outbox(row.lease, retry(30, true)).await.unwrap();
    assert!(!replace("1", "again").await, "under its uuid the platform may know the old words");
    let row = claim_row(store, 30).await;
    store.settle_outbox(row.lease, delivered("om_1", 31)).await.unwrap();
    assert!(!replace("1", "done").await);
    assert_eq!(claim_row(store, 40).await.body, b"newer");
    let query = MessageQuery { limit: 1, ..MessageQuery::default() };
    assert_eq!(store.records(query).await.unwrap()[0].preview, "about newer");
}

/// However much one lane holds, the others have their turn between its rows.
pub async fn a_busy_lane_takes_turns_with_the_others(store: &dyn Store) {
    enqueue(store, &[("1", "a"), ("2", "a"), ("3", "a"), ("4", "b"), ("5", "c"), ("6", "b")]).await;
    let mut order = String::new();
    for now_ms in 10..16 {
        let row = claim_rows(store, 1, now_ms).await.remove(0);
        order.push_str(&row.lane);
        store.settle_outbox(row.lease, delivered("om_9", now_ms)).await.unwrap();
    }
    assert_eq!(order, "abcaba");
}

/// A sender gets the rows of its app, and a lane name under two apps is two lanes.
pub async fn an_app_sees_its_own_rows(store: &dyn Store) {
    let other = NewOutbox { app: "second".into(), ..message("2", "a") };
    store.enqueue(vec![message("1", "a"), other]).await.unwrap();
    assert_eq!(claim_row(store, 10).await.app, APP);
    let (app, owner) = ("second".into(), "boot-1".into());
    let rest = OutboxClaim { app, limit: 10, now_ms: 10, until_ms: 20, owner };
    assert_eq!(store.claim_outbox(rest).await.unwrap().len(), 1);
}

/// A key is stored once, and the answer names the row it has.
pub async fn a_repeated_key_inserts_nothing(store: &dyn Store) {
    let once = store.enqueue(vec![message("1", "a")]).await.unwrap();
    let twice = store.enqueue(vec![message("1", "b"), message("2", "b")]).await.unwrap();
    assert_eq!(twice[0], once[0]);
    assert_ne!(twice[1], once[0]);
    assert_eq!(store.depths().await.unwrap().outbox, 2);
}

/// An attempt with an unknown end is repeated under the same `uuid`, before what came later.
pub async fn a_retry_keeps_its_uuid_and_blocks_its_lane(store: &dyn Store) {
    enqueue(store, &[("1", "a"), ("2", "a")]).await;
    let row = claim_row(store, 10).await;
    store.settle_outbox(row.lease, retry(50, true)).await.unwrap();
    assert!(claim_rows(store, 10, 49).await.is_empty());
    let again = claim_row(store, 50).await;
    assert_eq!((&again.uuid, again.lease.row), (&row.uuid, row.lease.row));
    assert_eq!((again.attempt, again.first_attempt_ms), (2, 10));
}

/// Waiting for a limit or for the link is no attempt, and begins the time of no `uuid`; what an
/// earlier attempt began goes on.
pub async fn a_throttled_attempt_does_not_count(store: &dyn Store) {
    enqueue(store, &[("1", "a")]).await;
    let row = claim_row(store, 10).await;
    store.settle_outbox(row.lease, retry(50, false)).await.unwrap();
    let row = claim_row(store, 50).await;
    assert_eq!((row.attempt, row.first_attempt_ms), (1, 50));
    store.settle_outbox(row.lease, retry(60, true)).await.unwrap();
    let row = claim_row(store, 60).await;
    store.settle_outbox(row.lease, retry(70, false)).await.unwrap();
    let row = claim_row(store, 70).await;
    assert_eq!((row.attempt, row.first_attempt_ms), (2, 50));
}

/// Another form of the same message takes its place at once, with a key of its own.
pub async fn a_replacement_is_due_at_once_with_its_own_uuid(store: &dyn Store) {
    enqueue(store, &[("1", "a"), ("2", "a")]).await;
    let row = claim_row(store, 10).await;
    let (code, error) = ("230099".into(), "no such card".into());
    let (log_id, body, uuid) = ("log-3".into(), b"plain".to_vec(), "uuid-plain".into());
    let replace = OutboxSettlement::Replace { at_ms: 11, code, error, log_id, body, uuid };
    store.settle_outbox(row.lease, replace).await.unwrap();
    let again = claim_row(store, 12).await;
    assert_eq!((again.lease.row, again.body.as_slice()), (row.lease.row, &b"plain"[..]));
    assert_eq!((again.uuid.as_str(), again.first_attempt_ms), ("uuid-plain", 12));
    assert_eq!(again.attempt, 2);
}

/// A look at the history ends a row that was there, and gives one that was not a new `uuid`
/// whose time begins anew; the story has both.
pub async fn what_was_looked_for_is_delivered_or_sent_anew(store: &dyn Store) {
    let inbox = super::accepted(store, super::event(1)).await;
    let row = NewOutbox { inbox: Some(inbox), ..message("1", "a") };
    store.enqueue(vec![row, message("2", "a")]).await.unwrap();
    let looked = |at_ms, found: Option<&str>, code: &str| OutboxSettlement::Looked {
        at_ms,
        found: found.map(str::to_owned),
        uuid: "uuid-anew".into(),
        code: code.into(),
        detail: "seen".into(),
        log_id: "log-4".into(),
    };
    let row = claim_row(store, 10).await;
    store.settle_outbox(row.lease, looked(20, None, "absent")).await.unwrap();
    let row = claim_row(store, 21).await;
    assert_eq!(
        (row.uuid.as_str(), row.first_attempt_ms, row.inbox),
        ("uuid-anew", 21, Some(inbox))
    );
    assert!(store.delivered_among(vec!["om_9".into()]).await.unwrap().is_empty());
    store.settle_outbox(row.lease, looked(30, Some("om_9"), "found")).await.unwrap();
    assert_eq!(claim_row(store, 31).await.uuid, "uuid-2", "its lane goes on");
    let ids = vec!["om_8".into(), "om_9".into()];
    assert_eq!(store.delivered_among(ids).await.unwrap(), ["om_9"]);
    let history = store.history(inbox).await.unwrap().unwrap();
    let log: Vec<_> = history.log.iter().map(|e| (e.what.as_str(), e.code.as_str())).collect();
    assert_eq!(log, [("looked", "absent"), ("looked", "found")]);
    assert_eq!(history.outbox[0].message_id, "om_9");
}

/// Whoever is still sending keeps his claim; one that lost it keeps nothing.
pub async fn an_extended_send_does_not_lapse(store: &dyn Store) {
    enqueue(store, &[("1", "a")]).await;
    let old = claim_row(store, 10).await;
    store.extend_outbox(old.lease, 5_000).await.unwrap();
    assert!(claim_rows(store, 10, 4_999).await.is_empty());
    claim_row(store, 5_000).await;
    let late = store.extend_outbox(old.lease, 9_000).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
}

/// A row that was given up does not hold up those behind it, and is listed.
pub async fn a_dead_row_lets_its_lane_go_on(store: &dyn Store) {
    enqueue(store, &[("1", "oc_1"), ("2", "oc_1")]).await;
    let row = claim_row(store, 10).await;
    store.settle_outbox(row.lease, undeliverable("230002", 11)).await.unwrap();
    assert_eq!(claim_row(store, 12).await.uuid, "uuid-2");
    let letters = store.dead(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].code.as_str(), letters[0].chat_id.as_str()), ("230002", "oc_1"));
}

/// A send whose claim lapsed is claimed again under its `uuid`; its old holder is refused.
pub async fn a_lapsed_send_is_claimed_again_and_fenced(store: &dyn Store) {
    enqueue(store, &[("1", "a")]).await;
    let old = claim_row(store, 10).await;
    assert!(claim_rows(store, 10, 1_009).await.is_empty());
    let new = claim_row(store, 1_010).await;
    assert_eq!((&new.uuid, new.attempt, new.first_attempt_ms), (&old.uuid, 2, 10));
    let late = store.settle_outbox(old.lease, undeliverable("x", 1_011)).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    store.settle_outbox(new.lease, delivered("om_9", 1_012)).await.unwrap();
    let twice = store.settle_outbox(new.lease, delivered("om_9", 1_013)).await;
    assert!(matches!(twice, Err(StoreError::Fenced)), "{twice:?}");
}

/// What was said about an event is known in its order, and nothing else with it.
pub async fn rows_are_found_by_their_event(store: &dyn Store) {
    let (one, other) = (queued(store, 1, "x").await, queued(store, 2, "y").await);
    let row = |key, inbox| NewOutbox { inbox: Some(inbox), ..message(key, "a") };
    let rows = vec![row("1", one), row("2", other), row("3", one), message("4", "a")];
    store.enqueue(rows).await.unwrap();
    let made = store.made_for(one).await.unwrap();
    let told: Vec<_> = made.iter().map(|row| (row.key.as_str(), row.body.as_slice())).collect();
    assert_eq!(told, [("1", &b"body 1"[..]), ("3", b"body 3")]);
    assert_eq!((made[0].app.as_str(), made[0].lane.as_str(), made[0].task), (APP, "a", None));
}

/// Who updates a message in place finds what it became, wherever its row stands.
pub async fn a_row_is_found_by_its_key_with_what_became_of_it(store: &dyn Store) {
    let state = async |key: &str| store.outbox_by_key(key.into()).await.unwrap();
    assert_eq!(state("card").await, None);
    let ids = store.enqueue(vec![message("card", "x"), message("other", "y")]).await.unwrap();
    let queued = OutboxState {
        id: ids[0],
        stage: OutboxStage::Queued,
        message_id: None,
        body: b"body card".to_vec(),
    };
    assert_eq!(state("card").await, Some(queued.clone()));
    for row in claim_rows(store, 10, 10).await {
        let settlement = match row.lane.as_str() {
            "x" => delivered("om_card", 11),
            _ => undeliverable("230002", 11),
        };
        store.settle_outbox(row.lease, settlement).await.unwrap();
    }
    let message_id = Some("om_card".into());
    let sent = OutboxState { stage: OutboxStage::Delivered, message_id, ..queued };
    assert_eq!(state("card").await, Some(sent));
    assert_eq!(state("other").await.unwrap().stage, OutboxStage::Dead);
    assert!(store.drop_dead(DeadItem::Outbox(ids[1]), 12).await.unwrap());
    assert_eq!(state("other").await.unwrap().stage, OutboxStage::Dropped);
}
