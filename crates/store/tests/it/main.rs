//! The store from outside: its laws on SQLite, and what SQLite alone can show.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod crowd;
mod durability;
mod failures;
mod laws;
mod model;
mod sessions;

use larkline_store::{
    SqliteOptions, SqliteStore,
    inbox::{NewEvent, event_key},
    outbox::NewOutbox,
};
use tempfile::TempDir;

/// A store in a folder that lives as long as the second value.
fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("line.db"), SqliteOptions::default());
    (store.unwrap(), folder)
}

/// The `n`-th event of one app.
fn event(n: i64) -> NewEvent {
    let event_id = format!("ev_{n}");
    NewEvent {
        app: "main".into(),
        keys: vec![event_key(&event_id)],
        event_id: event_id.into(),
        kind: "im.message.receive_v1".into(),
        received_ms: n,
        payload: b"{}".to_vec(),
        ..NewEvent::default()
    }
}

/// An outgoing message under a key of its own.
fn message(key: &str, lane: &str) -> NewOutbox {
    NewOutbox {
        app: "main".into(),
        inbox: None,
        task: None,
        key: key.into(),
        lane: lane.into(),
        uuid: format!("uuid-{key}"),
        priority: 0,
        preview: String::new(),
        body: b"{}".to_vec(),
        created_ms: 1,
        due_ms: 0,
    }
}
