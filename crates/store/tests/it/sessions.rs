//! Sessions beside a model of them: random operations, the same answers, also after the file was
//! closed and opened again.

use std::collections::BTreeMap;

use larkline_store::{
    SqliteOptions, SqliteStore, Store, StoreError,
    record::NewBoot,
    session::{
        Change, NewSession, Session, SessionId, SessionMove, SessionPatch, SessionQuery,
        SessionState, SessionStep,
    },
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::fresh;

const KEYS: i64 = 3;

/// What may happen; a `pick` is reduced to the sessions there are.
#[derive(Clone, Debug)]
enum Op {
    Begin { key: i64 },
    Step { pick: i64, to: SessionState },
    Patch { pick: i64, id: u8 },
    EndIdle { ago_ms: i64 },
    Prune { ago_ms: i64 },
    Advance { ms: i64 },
    Boot { reopen: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let to = prop::sample::select(SessionState::ALL.to_vec());
    prop_oneof![
        4 => (0..KEYS).prop_map(|key| Op::Begin { key }),
        8 => (0..64_i64, to).prop_map(|(pick, to)| Op::Step { pick, to }),
        3 => (0..64_i64, 0..3_u8).prop_map(|(pick, id)| Op::Patch { pick, id }),
        1 => (0..200_i64).prop_map(|ago_ms| Op::EndIdle { ago_ms }),
        1 => (0..200_i64).prop_map(|ago_ms| Op::Prune { ago_ms }),
        2 => (1..150_i64).prop_map(|ms| Op::Advance { ms }),
        1 => any::<bool>().prop_map(|reopen| Op::Boot { reopen }),
    ]
}

/// A session as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    key: i64,
    state: SessionState,
    agent: Option<String>,
    used_ms: i64,
    /// Time, from, to; in which a replaced id leaves the state as it is.
    steps: Vec<(i64, Option<SessionState>, SessionState)>,
}

impl Known {
    fn go(&mut self, to: SessionState, at_ms: i64) {
        self.steps.push((at_ms, Some(self.state), to));
        self.state = to;
    }
}

struct Pair {
    store: SqliteStore,
    folder: TempDir,
    now_ms: i64,
    made: i64,
    known: BTreeMap<i64, Known>,
}

impl Pair {
    async fn run(&mut self, op: Op) {
        match op {
            Op::Begin { key } => self.begin(key).await,
            Op::Step { pick, to } => self.step(pick, to).await,
            Op::Patch { pick, id } => self.patch(pick, id).await,
            Op::EndIdle { ago_ms } => self.end_idle(self.now_ms - ago_ms).await,
            Op::Prune { ago_ms } => self.prune(self.now_ms - ago_ms).await,
            Op::Advance { ms } => self.now_ms += ms,
            Op::Boot { reopen } => self.boot(reopen).await,
        }
    }

    fn current(&self, key: i64) -> Option<i64> {
        let is = |(_, known): &(&i64, &Known)| known.key == key && known.state.is_current();
        let mut current = self.known.iter().filter(is).map(|(id, _)| *id);
        let first = current.next();
        assert_eq!(current.next(), None, "one of a key is current");
        first
    }

    /// A session that there is, or one number beyond.
    fn pick(&self, pick: i64) -> i64 {
        pick % (self.made + 1) + 1
    }

    async fn begin(&mut self, key: i64) {
        let new = NewSession {
            key: key.to_string(),
            handler: "claude".into(),
            cwd: None,
            model: None,
            at_ms: self.now_ms,
            cause: "message".into(),
        };
        let begun = self.store.begin_session(new).await.unwrap();
        if let Some(current) = self.current(key) {
            return assert_eq!(begun.id, SessionId(current));
        }
        self.made += 1;
        assert_eq!(begun.id, SessionId(self.made), "numbers are not used twice");
        let state = SessionState::New;
        let (used_ms, steps) = (self.now_ms, vec![(self.now_ms, None, state)]);
        self.known.insert(self.made, Known { key, state, agent: None, used_ms, steps });
    }

    async fn step(&mut self, pick: i64, to: SessionState) {
        let (id, at_ms) = (self.pick(pick), self.now_ms);
        let (cause, patch) = ("test".to_owned(), SessionPatch::default());
        let step = SessionMove { to, cause, detail: String::new(), at_ms, patch };
        let stepped = self.store.step_session(SessionId(id), step).await;
        let Some(known) = self.known.get(&id) else {
            return assert!(matches!(stepped, Err(StoreError::NoSession { .. })), "{stepped:?}");
        };
        let other = (!known.state.is_current() && to.is_current())
            .then(|| self.current(known.key))
            .flatten();
        let aside = SessionState::Completed;
        let may = known.state.may_become(to)
            && other.is_none_or(|other| self.known[&other].state.may_become(aside));
        if !may {
            return assert!(matches!(stepped, Err(StoreError::SessionStep { .. })), "{stepped:?}");
        }
        assert_eq!(stepped.unwrap().state, to);
        if let Some(other) = other {
            self.known.get_mut(&other).unwrap().go(aside, at_ms);
        }
        let known = self.known.get_mut(&id).unwrap();
        known.go(to, at_ms);
        if to.is_current() {
            known.used_ms = at_ms;
        }
    }

    async fn patch(&mut self, pick: i64, agent: u8) {
        let (id, at_ms) = (self.pick(pick), self.now_ms);
        let agent = (agent > 0).then(|| agent.to_string());
        let agent_session = agent.clone().map_or(Change::Clear, Change::To);
        let patch = SessionPatch { agent_session, ..SessionPatch::default() };
        let patched = self.store.patch_session(SessionId(id), patch, at_ms).await;
        let Some(known) = self.known.get_mut(&id) else {
            return assert!(matches!(patched, Err(StoreError::NoSession { .. })), "{patched:?}");
        };
        patched.unwrap();
        if known.agent.is_some() && known.agent != agent {
            known.go(known.state, at_ms);
        }
        (known.agent, known.used_ms) = (agent, at_ms);
    }

    async fn end_idle(&mut self, before_ms: i64) {
        let mut ended = 0;
        for known in self.known.values_mut() {
            let to = SessionState::Completed;
            if known.state.is_current() && known.state.may_become(to) && known.used_ms < before_ms {
                known.go(to, self.now_ms);
                ended += 1;
            }
        }
        assert_eq!(
            self.store.end_sessions_idle("claude".into(), before_ms, self.now_ms).await.unwrap(),
            ended
        );
    }

    async fn prune(&mut self, before_ms: i64) {
        let before = self.known.len();
        self.known.retain(|_, known| {
            let goes = !known.state.is_current() || known.state == SessionState::New;
            !goes || known.used_ms >= before_ms
        });
        let pruned = self.store.prune(before_ms).await.unwrap().sessions;
        assert_eq!(pruned, (before - self.known.len()) as u64);
    }

    async fn boot(&mut self, reopen: bool) {
        if reopen {
            self.store.close().await.unwrap();
            let path = self.folder.path().join("line.db");
            self.store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
        }
        let (boot_id, version) = ("boot".into(), String::new());
        let boot = NewBoot { boot_id, version, pid: 1, at_ms: self.now_ms };
        self.store.begin_boot(boot).await.unwrap();
        for known in self.known.values_mut() {
            if known.state == SessionState::Processing {
                known.go(SessionState::Suspended, self.now_ms);
            }
        }
    }

    /// What must be true after every operation.
    async fn check(&self) {
        let query = SessionQuery { limit: 1_000, ..SessionQuery::default() };
        let listed = self.store.sessions(query).await.unwrap();
        let mut told: Vec<_> = listed.iter().map(summary).collect();
        told.sort();
        let expected = self.known.iter().map(|(id, known)| {
            (*id, known.key.to_string(), known.state.word(), known.agent.clone(), known.used_ms)
        });
        assert_eq!(told, expected.collect::<Vec<_>>());
        for key in 0..KEYS {
            let current = self.store.session(key.to_string()).await.unwrap();
            assert_eq!(current.map(|session| session.id.0), self.current(key));
        }
        for (id, known) in &self.known {
            let steps = self.store.session_steps(SessionId(*id)).await.unwrap();
            let told = steps.iter().map(|step| (step.at_ms, step.from, step.to));
            assert_eq!(told.collect::<Vec<_>>(), known.steps);
            assert!(steps.iter().all(is_legal), "{steps:?}");
        }
    }
}

fn summary(session: &Session) -> (i64, String, &'static str, Option<String>, i64) {
    let Session { id, key, state, agent_session, used_ms, .. } = session.clone();
    (id.0, key, state.word(), agent_session, used_ms)
}

fn is_legal(step: &SessionStep) -> bool {
    let goes = step.from.is_none_or(|from| from == step.to || from.may_become(step.to));
    goes && !step.cause.is_empty() && step.at_ms > 0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sessions_do_what_the_model_does(ops in prop::collection::vec(op(), 1..100)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (store, folder) = fresh();
            let (now_ms, made, known) = (1_000, 0, BTreeMap::new());
            let mut pair = Pair { store, folder, now_ms, made, known };
            for op in ops {
                pair.run(op).await;
                pair.check().await;
            }
        });
    }
}

/// The id that a run told before its process died is the one that the next run resumes.
#[tokio::test]
async fn an_agents_id_outlives_the_process() {
    let (store, folder) = fresh();
    let new = NewSession {
        key: "claude/main/oc_1".into(),
        handler: "claude".into(),
        cwd: None,
        model: None,
        at_ms: 1,
        cause: "message".into(),
    };
    let id = store.begin_session(new.clone()).await.unwrap().id;
    for (to, at_ms) in [(SessionState::Active, 2), (SessionState::Processing, 3)] {
        let (cause, patch) = ("turn".to_owned(), SessionPatch::default());
        let step = SessionMove { to, cause, detail: String::new(), at_ms, patch };
        store.step_session(id, step).await.unwrap();
    }
    let agent_session = Change::To("5d1c".to_owned());
    let patch = SessionPatch { agent_session, ..SessionPatch::default() };
    store.patch_session(id, patch, 4).await.unwrap();
    // No goodbye: the file is opened as a death of the process leaves it.
    let again = SqliteStore::open(folder.path().join("line.db"), SqliteOptions::default()).unwrap();
    drop(store);
    let (boot_id, version) = ("two".into(), String::new());
    again.begin_boot(NewBoot { boot_id, version, pid: 1, at_ms: 5 }).await.unwrap();
    let session = again.begin_session(NewSession { at_ms: 6, ..new }).await.unwrap();
    assert_eq!((session.id, session.state), (id, SessionState::Suspended));
    assert_eq!(session.agent_session.as_deref(), Some("5d1c"));
}
