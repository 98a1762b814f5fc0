//! What was answered is on disk: a process is killed at any moment, and the file is read.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use larkline_store::{
    SqliteOptions, SqliteStore, Store,
    inbox::{Accepted, Decision, RouteDecision, Ruling},
    outbox::{OutboxClaim, OutboxSettlement},
    record::NewBoot,
    task::{NewTask, TaskClaim, TaskSettlement},
};

use crate::{event, message};

/// Names the file to the child, which is this test binary again.
const CHILD: &str = "LARKLINE_STORE_CHILD";

/// Lines after which a round's child is killed.
const ROUNDS: [usize; 5] = [1, 17, 60, 150, 333];

/// Does nothing unless it is the child: then it moves messages until it is killed, and says
/// each step once the store has answered.
#[tokio::test]
async fn child() {
    let Some(path) = env::var_os(CHILD) else { return };
    let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
    // Each child has numbers of its own.
    let from = i64::from(std::process::id()) * 10_000;
    let mut out = std::io::stdout();
    for n in from.. {
        let accepted = store.accept(vec![event(n)].into()).await.unwrap();
        let [Accepted::New(inbox)] = accepted[..] else { panic!("{accepted:?}") };
        writeln!(out, "accepted {}", inbox.0).unwrap();
        let task =
            NewTask { route: "all".into(), handler: "echo".into(), lane: "a".into(), due_ms: 0 };
        let decision = Decision::Queue(vec![task]);
        store
            .route(vec![RouteDecision {
                inbox,
                ruling: Ruling { at_ms: 1, decision, notice: None },
            }])
            .await
            .unwrap();
        let (owner, handler) = ("boot".to_owned(), "echo".into());
        let claim = TaskClaim {
            handler,
            without: Vec::new(),
            limit: 1,
            now_ms: 1,
            until_ms: i64::MAX,
            owner,
            once: true,
        };
        for task in store.claim_tasks(claim.clone()).await.unwrap() {
            let replies = vec![message(&format!("{}:0", task.lease.task.0), "a")];
            let done = TaskSettlement::Done { replies, at_ms: 1 };
            store.settle_task(task.lease, done).await.unwrap();
        }
        let (app, owner) = ("main".into(), claim.owner);
        let claim = OutboxClaim { app, limit: 1, now_ms: 1, until_ms: i64::MAX, owner };
        for row in store.claim_outbox(claim).await.unwrap() {
            let (message_id, log_id) = (format!("om_answer_{n}"), String::new());
            let delivered = OutboxSettlement::Delivered { at_ms: 1, message_id, log_id };
            store.settle_outbox(row.lease, delivered).await.unwrap();
            writeln!(out, "delivered {}", row.inbox.unwrap().0).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_answered_survives_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.db");
    for lines in ROUNDS {
        let said = run_and_kill(&path, lines);
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let boot_id = format!("after {lines}");
        let boot = NewBoot { boot_id, version: String::new(), pid: 1, at_ms: 2 };
        store.begin_boot(boot).await.unwrap();
        for line in &said {
            let (word, id) = line.split_once(' ').unwrap();
            let row = larkline_store::inbox::InboxId(id.parse().unwrap());
            let history = store.history(row).await.unwrap();
            let history = history.unwrap_or_else(|| panic!("event {id} was accepted and is lost"));
            if word == "delivered" {
                assert_eq!(history.record.outcome, "replied", "event {id}");
            }
        }
        let counted: u64 = store.tally().await.unwrap().iter().map(|line| line.count).sum();
        let rows = rusqlite::Connection::open(&path).unwrap();
        let rows: u64 = rows
            .query_row("SELECT count(*) FROM inbox", [], |row| row.get::<_, i64>(0))
            .unwrap()
            .unsigned_abs();
        assert_eq!(counted, rows, "the equation holds after a kill");
        store.close().await.unwrap();
    }
}

/// Starts the child, kills it after some of its lines, and answers all it said.
fn run_and_kill(path: &std::path::Path, lines: usize) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "durability::child", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said =
        said.filter(|line| line.starts_with("accepted ") || line.starts_with("delivered "));
    let mut heard: Vec<_> = said.by_ref().take(lines).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    heard.extend(said);
    assert!(heard.len() >= lines, "the child ended by itself");
    heard
}
