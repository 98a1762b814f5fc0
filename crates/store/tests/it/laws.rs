//! Every law of the contract on a fresh SQLite file.

use std::future::Ready;

use larkline_store::SqliteStore;
use tempfile::TempDir;

fn open() -> Ready<(SqliteStore, TempDir)> {
    std::future::ready(super::fresh())
}

larkline_store::store_laws!(open);
