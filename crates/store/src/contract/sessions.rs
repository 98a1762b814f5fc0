//! Conversations: their states, what is known of them, and how they are put aside.

use super::{conversations::said, lists::boot};
use crate::{
    Store, StoreError,
    record::EndOfBoot,
    session::{
        Change, IDLE, NewSession, REPLACED, RESTART, Session, SessionId, SessionMove, SessionPatch,
        SessionQuery, SessionState, SessionStep,
    },
    task::TaskId,
};

pub(super) const KEY: &str = "claude/main/oc_1";

/// Begins a session, or meets the current one.
pub(super) async fn begin(store: &dyn Store, key: &str, at_ms: i64) -> Session {
    let new = NewSession {
        key: key.into(),
        handler: "claude".into(),
        cwd: Some("/srv/shop".into()),
        model: None,
        at_ms,
        cause: "message".into(),
    };
    store.begin_session(new).await.unwrap()
}

pub(super) async fn go(
    store: &dyn Store,
    id: SessionId,
    to: SessionState,
    at_ms: i64,
) -> Result<Session, StoreError> {
    let (cause, patch) = (format!("to {to}"), SessionPatch::default());
    let step = SessionMove { to, cause, detail: String::new(), at_ms, patch };
    store.step_session(id, step).await
}

/// Begins a session that had a turn and was used last at `at_ms`.
pub(super) async fn active(store: &dyn Store, key: &str, at_ms: i64) -> SessionId {
    let id = begin(store, key, at_ms).await.id;
    go(store, id, SessionState::Active, at_ms).await.unwrap();
    id
}

pub(super) async fn patched(
    store: &dyn Store,
    id: SessionId,
    patch: SessionPatch,
    at_ms: i64,
) -> Session {
    store.patch_session(id, patch, at_ms).await.unwrap()
}

pub(super) fn known_as(id: &str) -> SessionPatch {
    SessionPatch { agent_session: Change::To(id.into()), ..SessionPatch::default() }
}

pub(super) async fn steps(store: &dyn Store, id: SessionId) -> Vec<SessionStep> {
    store.session_steps(id).await.unwrap()
}

async fn state(store: &dyn Store, id: SessionId) -> SessionState {
    store.session_by_id(id).await.unwrap().unwrap().state
}

/// A key goes on with its current session, however often it is begun; the one after it has a
/// number of its own, and the old one stays known.
pub async fn a_key_has_one_current_session_after_another(store: &dyn Store) {
    assert_eq!(store.session(KEY.into()).await.unwrap(), None);
    let first = begin(store, KEY, 10).await;
    assert_eq!(
        (first.state, first.turns, first.agent_session.as_deref()),
        (SessionState::New, 0, None)
    );
    assert_eq!((first.created_ms, first.used_ms), (10, 10));
    assert_eq!(first.cwd.as_deref(), Some("/srv/shop"));
    assert_eq!(begin(store, KEY, 20).await, first, "returned as it is");
    assert_ne!(begin(store, "claude/main/oc_2", 20).await.id, first.id);
    go(store, first.id, SessionState::Active, 30).await.unwrap();
    assert_eq!(store.session(KEY.into()).await.unwrap().unwrap().id, first.id);
    go(store, first.id, SessionState::Completed, 40).await.unwrap();
    assert_eq!(store.session(KEY.into()).await.unwrap(), None);
    let second = begin(store, KEY, 50).await;
    assert!(second.id > first.id, "{second:?}");
    assert_eq!(second.state, SessionState::New);
    assert_eq!(state(store, first.id).await, SessionState::Completed);
    assert_eq!(store.session_by_id(SessionId(99)).await.unwrap(), None);
}

/// All that became of a session is known with its time, its cause and particulars.
pub async fn every_step_has_its_time_and_cause(store: &dyn Store) {
    use SessionState::{Active, New, Processing, Suspended};
    let id = begin(store, KEY, 10).await.id;
    go(store, id, Active, 11).await.unwrap();
    go(store, id, Processing, 12).await.unwrap();
    let stop = SessionMove {
        to: Suspended,
        cause: "stop".into(),
        detail: "signal SIGTERM".into(),
        at_ms: 13,
        patch: SessionPatch::default(),
    };
    let stopped = store.step_session(id, stop).await.unwrap();
    assert_eq!((stopped.state, stopped.used_ms), (Suspended, 13));
    assert_eq!(store.session_by_id(id).await.unwrap(), Some(stopped));
    go(store, id, Processing, 14).await.unwrap();
    let step = |at_ms, from, to, cause: &str, detail: &str| SessionStep {
        at_ms,
        from,
        to,
        cause: cause.into(),
        detail: detail.into(),
    };
    let expected = [
        step(10, None, New, "message", ""),
        step(11, Some(New), Active, "to active", ""),
        step(12, Some(Active), Processing, "to processing", ""),
        step(13, Some(Processing), Suspended, "stop", "signal SIGTERM"),
        step(14, Some(Suspended), Processing, "to processing", ""),
    ];
    assert_eq!(steps(store, id).await, expected);
}

/// What the table of states does not know is refused as a whole: no state, no step, no change.
pub async fn an_illegal_step_is_refused_and_writes_nothing(store: &dyn Store) {
    let id = active(store, KEY, 10).await;
    let before = (store.session_by_id(id).await.unwrap(), steps(store, id).await);
    let step = SessionMove {
        to: SessionState::Suspended,
        cause: "stop".into(),
        detail: String::new(),
        at_ms: 20,
        patch: SessionPatch { turns: 1, ..known_as("s-1") },
    };
    let refused = store.step_session(id, step.clone()).await.unwrap_err();
    let (from, to) = (SessionState::Active, SessionState::Suspended);
    assert!(
        matches!(refused, StoreError::SessionStep { session, from: f, to: t } if (session, f, t) == (id, from, to)),
        "{refused:?}"
    );
    assert!(refused.is_refusal());
    assert_eq!((store.session_by_id(id).await.unwrap(), steps(store, id).await), before);
    let unknown = SessionId(id.0 + 1);
    let refusals = [
        store.step_session(unknown, step).await.map(drop),
        store.patch_session(unknown, known_as("s-1"), 20).await.map(drop),
        store.say_in_session(unknown, vec![said(1, "user", 20)]).await,
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(StoreError::NoSession { session }) if session == unknown));
    }
    go(store, id, SessionState::Terminated, 30).await.unwrap();
    for to in SessionState::ALL {
        assert!(go(store, id, to, 40).await.is_err(), "terminated is for good, not {to}");
    }
}

/// `/resume` of an older conversation puts the current one aside in the same step, unless that is
/// in a turn.
pub async fn a_session_that_was_chosen_again_takes_the_place_of_the_current_one(store: &dyn Store) {
    let old = active(store, KEY, 10).await;
    go(store, old, SessionState::Completed, 20).await.unwrap();
    let new = active(store, KEY, 30).await;
    go(store, new, SessionState::Processing, 31).await.unwrap();
    let refused = go(store, old, SessionState::Active, 32).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::SessionStep { session, .. } if session == new),
        "{refused:?}"
    );
    assert_eq!(state(store, old).await, SessionState::Completed);
    go(store, new, SessionState::Active, 33).await.unwrap();
    let chosen = go(store, old, SessionState::Active, 40).await.unwrap();
    assert_eq!(store.session(KEY.into()).await.unwrap(), Some(chosen));
    assert_eq!(state(store, new).await, SessionState::Completed);
    let steps = steps(store, new).await;
    let aside = steps.last().unwrap();
    assert_eq!((aside.at_ms, aside.to), (40, SessionState::Completed));
    assert_eq!(
        (aside.cause.as_str(), aside.detail.clone()),
        ("to active", format!("session {} was chosen", old.0))
    );
    go(store, old, SessionState::Completed, 50).await.unwrap();
    go(store, old, SessionState::Active, 51).await.unwrap();
}

/// A turn adds to what is known with its step or beside it; what is not named stays.
pub async fn what_is_known_of_a_session_grows_with_its_turns(store: &dyn Store) {
    let id = active(store, KEY, 10).await;
    let begins = SessionPatch {
        task: Some(TaskId(7)),
        event: Some("ev_1".into()),
        model: Change::To("opus".into()),
        ..SessionPatch::default()
    };
    let (to, cause) = (SessionState::Processing, "turn".to_owned());
    let step = SessionMove { to, cause, detail: String::new(), at_ms: 20, patch: begins };
    store.step_session(id, step).await.unwrap();
    patched(store, id, known_as("s-1"), 21).await;
    let used = SessionPatch {
        turns: 1,
        cost_microusd: 775,
        tokens_in: 120,
        tokens_out: 7,
        ..SessionPatch::default()
    };
    let (to, cause) = (SessionState::Active, "done".to_owned());
    let step = SessionMove { to, cause, detail: String::new(), at_ms: 30, patch: used.clone() };
    store.step_session(id, step).await.unwrap();
    let session = patched(store, id, SessionPatch { cwd: Change::Clear, ..used }, 31).await;
    let expected = Session {
        id,
        key: KEY.into(),
        handler: "claude".into(),
        state: SessionState::Active,
        agent_session: Some("s-1".into()),
        cwd: None,
        model: Some("opus".into()),
        turns: 2,
        cost_microusd: 1_550,
        tokens_in: 240,
        tokens_out: 14,
        task: Some(TaskId(7)),
        event: Some("ev_1".into()),
        created_ms: 10,
        used_ms: 31,
    };
    assert_eq!(session, expected);
    assert_eq!(store.session(KEY.into()).await.unwrap(), Some(expected));
    let beyond = SessionPatch { cost_microusd: u64::MAX, ..SessionPatch::default() };
    patched(store, id, beyond.clone(), 32).await;
    let most = patched(store, id, beyond, 33).await.cost_microusd;
    assert!(most >= i64::MAX.unsigned_abs(), "counts stop at their greatest value");
    assert_eq!(patched(store, id, SessionPatch::default(), 34).await.tokens_in, 240);
}

/// An id that was replaced, because the agent rejected it, or cleared, stays in the history of its
/// session; the same id told again is no news.
pub async fn an_agents_former_id_stays_known(store: &dyn Store) {
    let id = active(store, KEY, 10).await;
    for (n, patch) in [known_as("s-1"), known_as("s-1"), known_as("s-2")].into_iter().enumerate() {
        patched(store, id, patch, 20 + i64::try_from(n).unwrap()).await;
    }
    go(store, id, SessionState::Processing, 30).await.unwrap();
    let (to, cause) = (SessionState::Active, "done".to_owned());
    let patch = SessionPatch { agent_session: Change::Clear, ..SessionPatch::default() };
    let step = SessionMove { to, cause, detail: String::new(), at_ms: 31, patch };
    assert_eq!(store.step_session(id, step).await.unwrap().agent_session, None);
    let mut steps = steps(store, id).await;
    steps.retain(|step| step.cause == REPLACED);
    let told: Vec<_> = steps.iter().map(|step| (step.at_ms, step.detail.as_str())).collect();
    assert_eq!(told, [(22, "s-1"), (31, "s-2")]);
    assert!(steps.iter().all(|step| step.from == Some(step.to)), "{steps:?}");
}

/// A turn that a crash cut off leaves its session resumable, with its id; others stay as they are.
pub async fn a_session_left_in_a_turn_is_suspended_by_the_next_boot(store: &dyn Store) {
    store.begin_boot(boot("one", 1)).await.unwrap();
    let cut = active(store, KEY, 10).await;
    let idle = active(store, "claude/main/oc_2", 10).await;
    go(store, cut, SessionState::Processing, 11).await.unwrap();
    patched(store, cut, known_as("s-1"), 12).await;
    store.begin_boot(boot("two", 20)).await.unwrap();
    let session = store.session(KEY.into()).await.unwrap().unwrap();
    assert_eq!((session.id, session.state), (cut, SessionState::Suspended));
    assert_eq!((session.agent_session.as_deref(), session.used_ms), (Some("s-1"), 12));
    let steps = steps(store, cut).await;
    let last = steps.last().unwrap();
    assert_eq!((last.at_ms, last.from), (20, Some(SessionState::Processing)));
    assert_eq!(last.cause, RESTART);
    assert!(last.detail.contains("run one"), "{last:?}");
    assert_eq!(state(store, idle).await, SessionState::Active);
    go(store, cut, SessionState::Processing, 21).await.unwrap();
}

/// However often the process starts within the retention, orderly or not, no id is cleared.
pub async fn starting_often_clears_nothing(store: &dyn Store) {
    const RETENTION_MS: i64 = 1_000;
    let id = active(store, KEY, 10).await;
    let known = patched(store, id, known_as("s-1"), 20).await;
    for start in 1..=40 {
        let (boot_id, at_ms) = (format!("boot {start}"), 20 + start * 20);
        store.begin_boot(boot(&boot_id, at_ms)).await.unwrap();
        assert_eq!(
            store.end_sessions_idle("claude".into(), at_ms - RETENTION_MS, at_ms).await.unwrap(),
            0
        );
        assert_eq!(store.prune(at_ms - RETENTION_MS).await.unwrap().sessions, 0);
        if start % 2 == 0 {
            let (at_ms, reason) = (at_ms + 10, "signal SIGTERM".into());
            store.end_boot(EndOfBoot { boot_id, at_ms, reason }).await.unwrap();
        }
    }
    assert_eq!(store.session(KEY.into()).await.unwrap(), Some(known));
}

/// A cleanup completes what was used last before the retention, and keeps its id; what was used
/// since, what is in a turn, and what was terminated stay as they are.
pub async fn only_what_is_idle_longer_is_completed(store: &dyn Store) {
    let old = active(store, "old", 10).await;
    patched(store, old, known_as("s-1"), 99).await;
    let unused = begin(store, "unused", 20).await.id;
    let cut = active(store, "cut", 30).await;
    let running = active(store, "running", 30).await;
    for id in [cut, running] {
        go(store, id, SessionState::Processing, 31).await.unwrap();
    }
    go(store, cut, SessionState::Suspended, 32).await.unwrap();
    let gone = active(store, "gone", 33).await;
    go(store, gone, SessionState::Terminated, 34).await.unwrap();
    let used = active(store, "used", 40).await;
    patched(store, used, SessionPatch::default(), 100).await;
    assert_eq!(store.end_sessions_idle("another".into(), 100, 200).await.unwrap(), 0);
    assert_eq!(store.end_sessions_idle("claude".into(), 100, 200).await.unwrap(), 3);
    assert_eq!(store.end_sessions_idle("claude".into(), 100, 201).await.unwrap(), 0);
    for id in [old, unused, cut] {
        let session = store.session_by_id(id).await.unwrap().unwrap();
        assert_eq!(session.state, SessionState::Completed);
        assert!(session.used_ms < 100, "to be put aside is no use");
        let steps = steps(store, id).await;
        let last = steps.last().unwrap();
        assert_eq!((last.at_ms, last.cause.as_str()), (200, IDLE));
    }
    let kept = store.session_by_id(old).await.unwrap().unwrap();
    assert_eq!(kept.agent_session.as_deref(), Some("s-1"));
    for (id, expected) in [
        (running, SessionState::Processing),
        (gone, SessionState::Terminated),
        (used, SessionState::Active),
    ] {
        assert_eq!(state(store, id).await, expected);
    }
}

/// Who has idle sessions is known without a configuration that names them.
pub async fn handlers_with_idle_sessions_are_known(store: &dyn Store) {
    let over = active(store, "over", 10).await;
    go(store, over, SessionState::Completed, 10).await.unwrap();
    assert!(store.idle_handlers(100).await.unwrap().is_empty());
    let running = active(store, "running", 10).await;
    go(store, running, SessionState::Processing, 11).await.unwrap();
    assert!(store.idle_handlers(100).await.unwrap().is_empty(), "it is in a turn");
    for key in ["one", "two"] {
        active(store, key, 20).await;
    }
    assert_eq!(store.idle_handlers(20).await.unwrap(), [""; 0]);
    assert_eq!(store.idle_handlers(21).await.unwrap(), ["claude"]);
}

/// Lists begin with what was used last, and can be narrowed in every way and all at once.
pub async fn sessions_are_listed_by_their_last_use(store: &dyn Store) {
    let one = active(store, "claude/main/oc_1", 10).await;
    go(store, one, SessionState::Completed, 11).await.unwrap();
    let two = active(store, "claude/main/oc_1", 20).await;
    let new = NewSession {
        key: "qwen/main/oc_2".into(),
        handler: "qwen".into(),
        cwd: None,
        model: None,
        at_ms: 30,
        cause: "message".into(),
    };
    let three = store.begin_session(new).await.unwrap().id;
    patched(store, two, SessionPatch::default(), 40).await;
    let all = SessionQuery { limit: 10, ..SessionQuery::default() };
    let of = |name: &str| Some(name.to_owned());
    let queries = [
        (all.clone(), vec![two, three, one]),
        (SessionQuery { limit: 1, ..all.clone() }, vec![two]),
        (SessionQuery { key: of("claude/main/oc_1"), ..all.clone() }, vec![two, one]),
        (SessionQuery { handler: of("qwen"), ..all.clone() }, vec![three]),
        (SessionQuery { state: Some(SessionState::New), ..all.clone() }, vec![three]),
        (SessionQuery { text: of("oc_1"), ..all.clone() }, vec![two, one]),
        (SessionQuery { text: of("nothing"), ..all.clone() }, vec![]),
        (
            SessionQuery {
                key: of("claude/main/oc_1"),
                handler: of("claude"),
                state: Some(SessionState::Completed),
                text: of("oc"),
                ..all
            },
            vec![one],
        ),
    ];
    for (query, expected) in queries {
        let listed = store.sessions(query.clone()).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|session| session.id).collect();
        assert_eq!(listed, expected, "{query:?}");
    }
}
