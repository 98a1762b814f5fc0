//! Connections: how the file is opened, and what every connection is told.
//!
//! `synchronous=FULL` is not a setting: an ack promises that the event is on disk. The writer
//! leaves it for groups in which nothing is promised, see [`super::late`].

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
};

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

/// What opening would say of a file that nobody has open: nothing is made, changed or written back.
pub(super) fn examine(path: &Path) -> Result<(), StoreError> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name
    };
    for name in ["", "-wal", "-shm"].map(beside) {
        match fs::OpenOptions::new().read(true).write(true).open(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(fault::from_io("open", &error));
            }
            Ok(_) | Err(_) => {}
        }
    }
    if !path.exists() {
        return Ok(());
    }
    // A reader of a file in WAL mode makes the files beside it, unless it may take it for immutable;
    // and that it may where nothing waits in the WAL.
    let waits = fs::metadata(beside("-wal")).is_ok_and(|wal| wal.len() > 0);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match waits {
        true => connect(path, flags),
        false => connect(&immutable(path), flags | OpenFlags::SQLITE_OPEN_URI),
    };
    let sql = |error: rusqlite::Error| fault::from_sqlite("open", &error);
    let conn = conn.map_err(sql)?;
    migrate::version(&conn)?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(sql)
}

/// A file as SQLite's URI, read as one that nobody changes.
fn immutable(path: &Path) -> PathBuf {
    let mut uri = b"file:".to_vec();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").into_bytes()),
            other => uri.push(other),
        }
    }
    uri.extend(b"?immutable=1");
    PathBuf::from(OsString::from_vec(uri))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{SqliteOptions, SqliteStore};

    #[tokio::test]
    async fn a_file_is_examined_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("50% of?it#1.db");
        examine(&path).unwrap();
        assert!(!path.exists(), "nothing is made");
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        crate::Store::close(&store).await.unwrap();
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = (names(), fs::read(&path).unwrap());
        examine(&path).unwrap();
        assert_eq!((names(), fs::read(&path).unwrap()), before);

        // What a newer binary wrote is known even while it waits in the WAL.
        let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(())).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(examine(&path), Err(StoreError::Newer { found: 99, .. })));
        conn.close().unwrap();
        assert!(matches!(examine(&path), Err(StoreError::Newer { found: 99, .. })));

        fs::write(
            &path,
            "no database at all, and long enough to be told from an empty one".repeat(9),
        )
        .unwrap();
        assert!(matches!(examine(&path), Err(StoreError::Corrupt { .. })));
    }
}
