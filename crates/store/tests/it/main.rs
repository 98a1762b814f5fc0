//! The store from outside: its laws on SQLite, and what SQLite alone can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod laws;

use larkline_store::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// A store in a folder that lives as long as the second value.
fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("line.db"), SqliteOptions::default());
    (store.unwrap(), folder)
}
