//! The store beside a model of a page: random operations, the same answers.
//!
//! The model keeps lists and works out each verdict from the beginning; the store keeps counts.
//! They agree on what a claim returns and in which order, on which lease is still good, on what
//! waits behind it, on what is due next, and on the equation.

mod lanes;
mod merge;
mod op;

use std::collections::BTreeMap;

use larkline_store::{
    SqliteStore, Store, StoreError,
    inbox::{Accepted, Decision, InboxId, NewEvent, RouteDecision, Ruling},
    outbox::{NewOutbox, OutboxClaim, OutboxLease, OutboxSettlement},
    record::{DeadItem, NewBoot},
    task::{NewTask, TaskClaim, TaskLease, TaskSettlement},
};
use proptest::prelude::*;

use self::lanes::{Lanes, State, Work};
use self::op::{Op, op};
use crate::{event, fresh, message};

/// How long a claim lasts, ms; steps of the clock are a little shorter or longer.
const LEASE_MS: i64 = 100;

struct Pair {
    store: SqliteStore,
    now_ms: i64,
    received: u64,
    repeats: u64,
    /// Row of each event number, and whether it was routed; `Some(false)` is filtered.
    events: BTreeMap<i64, i64>,
    routed: BTreeMap<i64, bool>,
    tasks: Lanes,
    rows: Lanes,
    task_leases: Vec<TaskLease>,
    row_leases: Vec<OutboxLease>,
}

impl Pair {
    async fn run(&mut self, op: Op) {
        match op {
            Op::Accept { n, lanes } => self.accept(n, lanes).await,
            Op::Route { pick, lanes } => self.route(pick, lanes).await,
            Op::Claim { limit } => self.claim(limit).await,
            Op::Settle { pick, how, replies } => self.settle(pick, how, replies).await,
            Op::Merge { pick, count } => self.merge(pick, count).await,
            Op::ClaimRows { limit } => self.claim_rows(limit).await,
            Op::SettleRow { pick, how } => self.settle_row(pick, how).await,
            Op::Advance { ms } => self.now_ms += ms,
            Op::Expire => self.expire().await,
            Op::Boot => self.boot().await,
            Op::Withdraw { pick } => self.withdraw(pick).await,
            Op::Retry { pick } => self.by_hand(pick, true).await,
            Op::Drop { pick } => self.by_hand(pick, false).await,
        }
    }

    async fn accept(&mut self, n: i64, lanes: Option<Vec<u8>>) {
        self.received += 1;
        let ruling = lanes.as_ref().map(|lanes| self.ruling(lanes));
        let waits = self.events.values().any(|id| !self.routed.contains_key(id));
        let event = NewEvent { ruling, ..event(n) };
        let accepted = self.store.accept(vec![event].into()).await.unwrap()[0];
        match (accepted, self.events.get(&n)) {
            (Accepted::New(InboxId(id)), None) => {
                assert!(lanes.is_none() || !waits, "decided before an older event");
                self.events.insert(n, id);
                if let Some(lanes) = lanes {
                    self.ruled(id, lanes);
                }
            }
            (Accepted::Undecided(InboxId(id)), None) => {
                assert!(lanes.is_some() && waits, "nothing older waits");
                self.events.insert(n, id);
            }
            (Accepted::Duplicate { of: InboxId(of), .. }, Some(id)) => {
                assert_eq!(of, *id);
                self.repeats += 1;
            }
            other => panic!("event {n}: {other:?}"),
        }
    }

    async fn route(&mut self, pick: usize, lanes: Vec<u8>) {
        let mut open: Vec<_> = self.events.values().copied().collect();
        open.retain(|id| !self.routed.contains_key(id));
        let Some(inbox) = open.get(pick % open.len().max(1)).copied() else { return };
        let ruling = self.ruling(&lanes);
        self.store.route(vec![RouteDecision { inbox: InboxId(inbox), ruling }]).await.unwrap();
        self.ruled(inbox, lanes);
    }

    /// A decision for these lanes; a task's route is its place among the model's tasks.
    fn ruling(&self, lanes: &[u8]) -> Ruling {
        let task = |(route, lane): (usize, &u8)| NewTask {
            route: route.to_string(),
            handler: "echo".into(),
            lane: lane.to_string(),
            due_ms: 0,
        };
        let decision = if lanes.is_empty() {
            Decision::Filtered { why: "no_route" }
        } else {
            Decision::Queue((self.tasks.works.len()..).zip(lanes).map(task).collect())
        };
        Ruling { at_ms: self.now_ms, decision, notice: None }
    }

    /// The model's side of [`Self::ruling`], when the store has taken it.
    fn ruled(&mut self, inbox: i64, lanes: Vec<u8>) {
        self.routed.insert(inbox, !lanes.is_empty());
        for lane in lanes {
            let at = self.tasks.works.len();
            self.tasks.works.push(self.work(inbox, lane.to_string()));
            self.tasks.enter(at, true);
        }
    }

    fn work(&self, inbox: i64, lane: String) -> Work {
        Work {
            id: 0,
            inbox,
            lane,
            state: State::Queued,
            due_ms: 0,
            lease: None,
            attempts: 0,
            claimed: false,
            priority: 0,
            served_ms: self.now_ms,
        }
    }

    async fn claim(&mut self, limit: usize) {
        let mut due = self.tasks.claimable(self.now_ms);
        due.sort_by_key(|at| self.tasks.place(*at, true));
        due.truncate(limit);
        let (handler, owner, without) = ("echo".into(), "boot".into(), Vec::new());
        let (now_ms, until_ms) = (self.now_ms, self.now_ms + LEASE_MS);
        let claim = TaskClaim { handler, without, limit, now_ms, until_ms, owner, once: false };
        let claimed = self.store.claim_tasks(claim).await.unwrap();
        let got: Vec<usize> = claimed.iter().map(|task| task.route.parse().unwrap()).collect();
        assert_eq!(got, due);
        for (task, at) in claimed.iter().zip(due) {
            self.tasks.claimed(at, task.lease.task.0, task.lease.epoch, now_ms);
            assert_eq!(task.attempt, self.tasks.works[at].attempts);
            self.task_leases.push(task.lease);
        }
    }

    async fn settle(&mut self, pick: usize, how: u8, count: usize) {
        let Some(lease) = self.task_leases.get(pick % self.task_leases.len().max(1)).copied()
        else {
            return;
        };
        let at_ms = self.now_ms;
        let (due_ms, until_ms, code) = (at_ms + 30, at_ms + 60, "exit_1".to_owned());
        let from = self.rows.works.len();
        let replies: Vec<_> = (from..from + count).map(|at| self.reply(at)).collect();
        let (settlement, state, sent) = match how {
            0..3 => (TaskSettlement::Done { replies, at_ms }, Some(State::Ended), count),
            3 => {
                let state = Some(State::Awaiting { until_ms });
                (TaskSettlement::Await { replies, at_ms, until_ms }, state, count)
            }
            4 => (TaskSettlement::Retry { at_ms, due_ms, code, error: String::new() }, None, 0),
            5 => (TaskSettlement::Release, None, 0),
            _ => {
                let error = String::new();
                let dead = TaskSettlement::Dead { at_ms, code, error, notices: replies };
                (dead, Some(State::Dead), count)
            }
        };
        let outcome = self.store.settle_task(lease, settlement).await.map(drop);
        let Some(at) = self.tasks.held(lease.task.0, lease.epoch) else {
            return assert!(matches!(outcome, Err(StoreError::Fenced)), "{outcome:?}");
        };
        outcome.unwrap();
        match (state, how) {
            (Some(state), _) => self.tasks.end(at, state, true),
            (None, 4) => self.tasks.put_back(at, due_ms, true),
            (None, _) => self.tasks.put_back(at, 0, false),
        }
        for row in from..from + sent {
            let mut work = self.work(self.tasks.works[at].inbox, lane_of(row));
            work.priority = priority_of(row);
            self.rows.works.push(work);
            self.rows.enter(row, false);
        }
    }

    fn reply(&self, at: usize) -> NewOutbox {
        let created_ms = self.now_ms;
        // Refused settlements use a number again, under which nothing was stored.
        NewOutbox {
            created_ms,
            due_ms: 0,
            priority: priority_of(at),
            ..message(&at.to_string(), &lane_of(at))
        }
    }

    async fn claim_rows(&mut self, limit: usize) {
        let mut due = self.rows.claimable(self.now_ms);
        due.sort_by_key(|at| {
            let row = &self.rows.works[*at];
            (-row.priority, row.served_ms, *at)
        });
        due.truncate(limit);
        let (app, owner) = ("main".into(), "boot".into());
        let (now_ms, until_ms) = (self.now_ms, self.now_ms + LEASE_MS);
        let claim = OutboxClaim { app, limit, now_ms, until_ms, owner };
        let claimed = self.store.claim_outbox(claim).await.unwrap();
        let got: Vec<_> = claimed.iter().map(|row| row.uuid.clone()).collect();
        assert_eq!(got, due.iter().map(|at| format!("uuid-{at}")).collect::<Vec<_>>());
        for (row, at) in claimed.iter().zip(due) {
            self.rows.claimed(at, row.lease.row.0, row.lease.epoch, now_ms);
            assert_eq!(row.attempt, self.rows.works[at].attempts);
            assert_eq!(row.inbox, Some(InboxId(self.rows.works[at].inbox)));
            self.row_leases.push(row.lease);
        }
    }

    async fn settle_row(&mut self, pick: usize, how: u8) {
        let Some(lease) = self.row_leases.get(pick % self.row_leases.len().max(1)).copied() else {
            return;
        };
        let (at_ms, due_ms, counts) = (self.now_ms, self.now_ms + 30, how == 3);
        let (code, error, log_id) = ("230020".to_owned(), String::new(), String::new());
        let settlement = match how {
            0..3 => OutboxSettlement::Delivered { at_ms, message_id: String::new(), log_id },
            3 | 4 => OutboxSettlement::Retry { at_ms, due_ms, code, error, log_id, counts },
            _ => OutboxSettlement::Dead { at_ms, code, error, log_id },
        };
        let outcome = self.store.settle_outbox(lease, settlement).await.map(drop);
        let Some(at) = self.rows.held(lease.row.0, lease.epoch) else {
            return assert!(matches!(outcome, Err(StoreError::Fenced)), "{outcome:?}");
        };
        outcome.unwrap();
        match how {
            0..3 => self.rows.end(at, State::Ended, false),
            3 | 4 => self.rows.put_back(at, due_ms, counts),
            _ => self.rows.end(at, State::Dead, false),
        }
    }

    async fn expire(&mut self) {
        let late = |work: &&mut Work| match work.state {
            State::Awaiting { until_ms } => until_ms <= self.now_ms,
            State::Queued | State::Merged { .. } | State::Ended | State::Dead | State::Dropped => {
                false
            }
        };
        let mut inboxes = Vec::new();
        for work in self.tasks.works.iter_mut().filter(late) {
            work.state = State::Dead;
            inboxes.push(work.inbox);
        }
        let expired = self.store.expire_awaiting(self.now_ms, |_, _| None).await.unwrap();
        let mut expired: Vec<_> = expired.into_iter().map(|item| item.id.0).collect();
        expired.sort_unstable();
        inboxes.sort_unstable();
        assert_eq!(expired, inboxes);
    }

    async fn boot(&mut self) {
        let mut held = 0;
        for work in self.tasks.works.iter_mut().chain(&mut self.rows.works) {
            if work.lease.take().is_some() {
                work.due_ms = 0;
                held += 1;
            }
        }
        let (boot_id, version) = ("boot".into(), String::new());
        let boot = NewBoot { boot_id, version, pid: 1, at_ms: self.now_ms };
        assert_eq!(self.store.begin_boot(boot).await.unwrap().released, held);
    }

    /// Ends a task that waits, wherever it is in its lane; one in hand stays.
    async fn withdraw(&mut self, pick: usize) {
        let queued = |at: &usize| self.tasks.works[*at].state == State::Queued;
        let queued: Vec<_> = (0..self.tasks.works.len()).filter(queued).collect();
        let Some(at) = queued.get(pick % queued.len().max(1)).copied() else { return };
        let work = &self.tasks.works[at];
        let history = self.store.history(InboxId(work.inbox)).await.unwrap().unwrap();
        let task = history.tasks.iter().find(|task| task.route == at.to_string()).unwrap();
        let ended = self.store.withdraw(task.id, Vec::new(), self.now_ms).await.unwrap();
        assert_eq!(ended, work.lease.is_none());
        if ended {
            self.tasks.end(at, State::Ended, true);
        }
    }

    async fn by_hand(&mut self, pick: usize, retry: bool) {
        let letters = self.store.dead(1_000).await.unwrap();
        let dead =
            |lanes: &Lanes| lanes.works.iter().filter(|work| work.state == State::Dead).count();
        assert_eq!(letters.len(), dead(&self.tasks) + dead(&self.rows));
        let Some(letter) = letters.get(pick % letters.len().max(1)) else { return };
        let (lanes, id, by_event) = match letter.item {
            DeadItem::Task(task) => (&mut self.tasks, task.0, true),
            DeadItem::Outbox(row) => (&mut self.rows, row.0, false),
        };
        let at = lanes.works.iter().position(|work| work.id == id).unwrap();
        if retry {
            lanes.revive(at, self.now_ms, by_event);
            assert!(self.store.retry_dead(letter.item, self.now_ms).await.unwrap());
        } else {
            lanes.works[at].state = State::Dropped;
            assert!(self.store.drop_dead(letter.item, self.now_ms).await.unwrap());
        }
    }

    /// What must be true after every operation.
    async fn check(&self) {
        let mut expected = BTreeMap::from([("filtered", self.repeats)]);
        for inbox in self.events.values() {
            *expected.entry(self.verdict(*inbox)).or_insert(0) += 1;
        }
        expected.retain(|_, count| *count > 0);
        let tally = self.store.tally().await.unwrap();
        let mut counted = BTreeMap::new();
        for line in &tally {
            *counted.entry(line.verdict.as_str()).or_insert(0) += line.count;
        }
        assert_eq!(counted, expected);
        assert_eq!(counted.values().sum::<u64>(), self.received);

        let now_ms = self.now_ms;
        let heads = |lanes: &Lanes| {
            let due = lanes.heads.values().map(|at| lanes.works[*at].free_ms());
            due.filter(|due| *due > now_ms).min()
        };
        let expected = [heads(&self.tasks), heads(&self.rows)].into_iter().flatten().min();
        let due = self.store.next_due(now_ms).await.unwrap();
        assert_eq!(due, expected);
    }

    fn verdict(&self, inbox: i64) -> &'static str {
        match self.routed.get(&inbox) {
            None => return "waiting",
            Some(false) => return "filtered",
            Some(true) => {}
        }
        let all = self.tasks.works.iter().chain(&self.rows.works);
        let states: Vec<_> =
            all.filter(|work| work.inbox == inbox).map(|work| work.state).collect();
        let outcomes: Vec<_> = states
            .iter()
            .map(|state| match state {
                State::Queued | State::Awaiting { .. } => "waiting",
                State::Merged { into, .. } => self.verdict(*into),
                State::Dead | State::Dropped => "failed",
                State::Ended => "replied",
            })
            .collect();
        let first = ["waiting", "failed"].into_iter().find(|word| outcomes.contains(word));
        first.unwrap_or("replied")
    }
}

fn lane_of(row: usize) -> String {
    format!("oc_{}", row % 3)
}

fn priority_of(row: usize) -> i32 {
    if row % 5 == 4 { -1 } else { 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (store, _folder) = fresh();
            let mut pair = Pair {
                store,
                now_ms: 1_000,
                received: 0,
                repeats: 0,
                events: BTreeMap::new(),
                routed: BTreeMap::new(),
                tasks: Lanes::default(),
                rows: Lanes::default(),
                task_leases: Vec::new(),
                row_leases: Vec::new(),
            };
            for op in ops {
                pair.run(op).await;
                pair.check().await;
            }
        });
    }
}
