//! Every statement that the laws run, looked at as SQLite plans it: none may walk a table that
//! grows with the number of messages.
//!
//! Plans do not depend on sizes here (no `ANALYZE`, no bound values), so what is a range of an
//! index with five rows is one with ten million.

use std::{collections::BTreeSet, future::Ready, sync::Mutex};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{SqliteOptions, SqliteStore};

/// Tables that grow for ever, with the names that statements give them.
const GROWING: &[&str] = &[
    "inbox",
    "i",
    "payload",
    "p",
    "seen",
    "task",
    "t",
    "outbox",
    "o",
    "log",
    "acked",
    "session",
    "session_step",
    "utterance",
];
/// Partial indexes that hold what waits, not what was.
const WAITING: &[&str] = &[
    "inbox_unrouted",
    "inbox_undecided",
    "inbox_waiting",
    "task_lane",
    "task_ready",
    "task_awaiting",
    "task_dead",
    "outbox_lane",
    "outbox_ready",
    "outbox_dead",
];

static CHECKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Refuses a statement that walks a growing table without a bound.
pub(super) fn check(conn: &Connection, sql: &str) {
    let first_time = CHECKED.lock().unwrap().insert(sql.to_owned());
    // Searches by words look at the newest rows, and say how many.
    let bounded = sql.contains("ORDER BY id DESC LIMIT")
        || sql.contains("ORDER BY used_ms DESC, id DESC LIMIT");
    if !first_time || bounded {
        return;
    }
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Vec<_>>();
    for step in steps {
        let step = step.unwrap();
        let words: Vec<_> = step.split_whitespace().collect();
        let walks = matches!(words[..], ["SCAN", table, ..] if GROWING.contains(&table));
        let small = words.last().is_some_and(|index| WAITING.contains(index));
        assert!(!walks || small, "{step}\n  in {sql}");
    }
}

fn open() -> Ready<(SqliteStore, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.db");
    std::future::ready((SqliteStore::open(path, SqliteOptions::default()).unwrap(), folder))
}

crate::store_laws!(open);

#[test]
#[should_panic(expected = "SCAN task")]
fn a_walk_over_a_growing_table_is_refused() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../../migrations/0001_line.sql")).unwrap();
    check(&conn, "SELECT id FROM task WHERE error = ?1");
}
