//! Connections: how the file is opened, and what every connection is told.
//!
//! `synchronous=FULL` is not a setting: an ack promises that the event is on disk. The writer
//! leaves it for groups in which nothing is promised, see [`super::late`].

use std::{fs, os::unix::fs::OpenOptionsExt, path::Path};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{SqliteOptions, fault, late::WRITE_BACK_PAGES, migrate};
use crate::StoreError;

/// How long a connection waits for another process (a backup, a shell) to let go.
const BUSY_MS: u64 = 5_000;
/// Statements kept prepared; above the number this crate has.
const STATEMENTS: usize = 128;
/// Pages in the WAL before a commit also writes back what [`super::late`] has not: seldom much,
/// and then the WAL begins anew.
const CHECKPOINT_PAGES: u32 = 2 * WRITE_BACK_PAGES;
/// What is left of the WAL file after it was written back, bytes.
const WAL_BYTES_KEPT: u32 = 32 << 20;
/// Page cache of the writer, KiB: the upper levels of the dedupe tree at ten million keys.
const WRITER_CACHE_KIB: u32 = 8_192;
/// Page cache of a reader, KiB.
const READER_CACHE_KIB: u32 = 2_048;

/// Opens the one connection that writes; makes the file on need and brings its schema up.
pub(super) fn writer(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    create(path).map_err(|error| fault::from_io("open", &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(path, flags).map_err(|error| fault::from_sqlite("open", &error))?;
    prepare_writer(&conn).map_err(|error| fault::from_sqlite("open", &error))?;
    migrate::run(&mut conn)?;
    // Not before: a step may need room that it gives back.
    bound(&conn, options).map_err(|error| fault::from_sqlite("open", &error))?;
    Ok(conn)
}

/// Opens a connection that cannot write; the writer has been opened before it.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let conn = connect(path, flags)?;
        conn.pragma_update(None, "cache_size", -i64::from(READER_CACHE_KIB))?;
        Ok(conn)
    };
    open().map_err(|error| fault::from_sqlite("open", &error))
}

/// Opens a connection that writes the WAL back and nothing else.
pub(super) fn beside(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connect(path, flags)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

/// Makes an empty file that others cannot read (messages are private), and makes its name as
/// durable as its content will be.
fn create(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // Plans must not depend on bound values, or each new value compiles its statement again.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

fn prepare_writer(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", -i64::from(WRITER_CACHE_KIB))?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    Ok(())
}

fn bound(conn: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    if let Some(bytes) = options.bytes_max {
        let page: u64 =
            conn.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))?.into();
        let pages = i64::try_from(bytes / page).unwrap_or(i64::MAX).max(1);
        conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}
