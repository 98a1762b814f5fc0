//! What was said in conversations, and how they are forgotten.

use super::{
    lists::boot,
    sessions::{KEY, active, begin, go, known_as, patched, steps},
};
use crate::{
    Store,
    session::{SessionFact, SessionState, Utterance},
    task::TaskId,
};

pub(super) fn said(task: i64, role: &str, at_ms: i64) -> Utterance {
    let text = format!("{role} at {at_ms}");
    Utterance { task: TaskId(task), role: role.into(), text, tokens: 5, at_ms }
}

/// What is over, or never had a turn, is forgotten with its steps and words when it was used last
/// before the cutoff; a conversation that goes on is not, however old.
pub async fn sessions_that_are_over_or_unused_are_forgotten(store: &dyn Store) {
    let over = active(store, "over", 10).await;
    store.say_in_session(over, vec![said(1, "user", 10)]).await.unwrap();
    go(store, over, SessionState::Completed, 150).await.unwrap();
    let ended = active(store, "ended", 10).await;
    go(store, ended, SessionState::Terminated, 11).await.unwrap();
    let unused = begin(store, "unused", 10).await.id;
    let goes_on = active(store, "goes on", 10).await;
    store.say_in_session(goes_on, vec![said(2, "user", 10)]).await.unwrap();
    let recent = active(store, "recent", 100).await;
    go(store, recent, SessionState::Completed, 101).await.unwrap();
    assert_eq!(store.prune(100).await.unwrap().sessions, 3);
    for id in [over, ended, unused] {
        assert_eq!(store.session_by_id(id).await.unwrap(), None);
        assert!(steps(store, id).await.is_empty());
        assert!(store.utterances(id, 10).await.unwrap().is_empty());
    }
    for id in [goes_on, recent] {
        assert!(store.session_by_id(id).await.unwrap().is_some());
        assert!(!steps(store, id).await.is_empty());
    }
    assert_eq!(store.utterances(goes_on, 10).await.unwrap().len(), 1);
    assert_eq!(store.prune(100).await.unwrap().sessions, 0);
    assert!(begin(store, "over", 200).await.id > recent, "numbers are not used twice");
}

/// Facts of a session go with it, and no others.
pub async fn a_session_is_forgotten_with_its_facts(store: &dyn Store) {
    let (old, kept) = (begin(store, "old", 10).await.id, begin(store, "kept", 100).await.id);
    let names = |id| SessionFact::ALL.map(|fact| fact.of(id));
    for name in names(old).into_iter().chain(names(kept)).chain(["cleaned".to_owned()]) {
        store.put_fact(name, "known".into()).await.unwrap();
    }
    assert_eq!(store.prune(100).await.unwrap().sessions, 1);
    for name in names(old) {
        assert_eq!(store.fact(name.clone()).await.unwrap(), None, "{name}");
    }
    for name in names(kept).into_iter().chain(["cleaned".to_owned()]) {
        assert!(store.fact(name.clone()).await.unwrap().is_some(), "{name}");
    }
}

/// What was said is there after a restart, newest last; a new session of the same key knows
/// nothing of it, and `/resume` brings it back.
pub async fn a_conversation_goes_on_after_a_restart_and_begins_anew_with_its_session(
    store: &dyn Store,
) {
    let id = active(store, KEY, 10).await;
    let first = [said(1, "user", 10), said(1, "assistant", 11)];
    store.say_in_session(id, first.to_vec()).await.unwrap();
    store.begin_boot(boot("two", 20)).await.unwrap();
    let next = [said(2, "user", 21), said(2, "assistant", 22)];
    store.say_in_session(id, next.to_vec()).await.unwrap();
    let all = [first.clone(), next.clone()].concat();
    assert_eq!(store.utterances(id, 10).await.unwrap(), all);
    assert_eq!(store.utterances(id, 3).await.unwrap(), all[1..]);
    go(store, id, SessionState::Completed, 30).await.unwrap();
    let anew = begin(store, KEY, 31).await.id;
    assert!(store.utterances(anew, 10).await.unwrap().is_empty());
    store.say_in_session(anew, vec![said(3, "user", 32)]).await.unwrap();
    go(store, id, SessionState::Active, 40).await.unwrap();
    assert_eq!(store.utterances(id, 10).await.unwrap(), all);
}

/// A run says what it said in place of what an earlier run of its task did, at the end; what other
/// tasks said stays, and so does what the same task said in another session.
pub async fn a_second_run_does_not_double_what_was_said(store: &dyn Store) {
    let id = active(store, KEY, 10).await;
    let other = active(store, "qwen/main/oc_1", 10).await;
    let one = vec![said(1, "user", 10), said(1, "tool", 11), said(1, "assistant", 12)];
    store.say_in_session(id, one.clone()).await.unwrap();
    store.say_in_session(other, one.clone()).await.unwrap();
    let two = vec![said(2, "user", 20)];
    store.say_in_session(id, two.clone()).await.unwrap();
    store.say_in_session(id, two.clone()).await.unwrap();
    let again = vec![said(1, "user", 30), said(1, "assistant", 31)];
    store.say_in_session(id, again.clone()).await.unwrap();
    assert_eq!(store.utterances(id, 10).await.unwrap(), [two, again].concat());
    assert_eq!(store.utterances(other, 10).await.unwrap(), one);
    store.say_in_session(id, Vec::new()).await.unwrap();
    assert_eq!(store.utterances(id, 10).await.unwrap().len(), 3);
}

/// A conversation that lives for years forgets its beginning, and so does its list of steps.
pub async fn a_long_conversation_keeps_its_newest_part(store: &dyn Store) {
    const KEPT: usize = 1_000;
    let id = active(store, KEY, 10).await;
    for task in 1..=11 {
        let all: Vec<_> = (0..100).map(|n| said(task, "user", task * 100 + n)).collect();
        store.say_in_session(id, all).await.unwrap();
    }
    let told = store.utterances(id, 2 * KEPT).await.unwrap();
    assert_eq!(told.len(), KEPT);
    assert_eq!((told[0].at_ms, told[KEPT - 1].at_ms), (200, 1_199));
    for n in 0..1_002 {
        patched(store, id, known_as(&n.to_string()), 20).await;
    }
    let steps = steps(store, id).await;
    assert_eq!(steps.len(), KEPT);
    assert_eq!((steps[0].detail.as_str(), steps[KEPT - 1].detail.as_str()), ("1", "1000"));
}
