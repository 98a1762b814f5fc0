//! Runs of the process, and the leases they leave behind.

use rusqlite::{Connection, params};

use super::{fault::Refusal, session, sql, writer::Tx};
use crate::record::{BootRecord, EndOfBoot, NewBoot};

/// Runs remembered: a service that restarts every ten seconds for a day.
const BOOTS_KEPT: i64 = 8_640;

pub(super) fn begin(tx: &Tx<'_>, boot: &NewBoot) -> Result<BootRecord, Refusal> {
    let read = "SELECT boot_id, started_ms, reason, version FROM boot ORDER BY id DESC LIMIT 1";
    let previous = sql::one(tx.conn, read, [], |row| {
        Ok(BootRecord {
            previous_id: row.get(0)?,
            previous_started_ms: row.get(1)?,
            previous_end: row.get(2)?,
            previous_version: row.get(3)?,
            ..BootRecord::default()
        })
    })?;
    // The clock may have been set back while nobody looked: then events are from the future.
    let newest = "SELECT received_ms FROM inbox ORDER BY id DESC LIMIT 1";
    let newest_ms: Option<i64> = sql::one(tx.conn, newest, [], |row| row.get(0))?;
    let started_ms = previous.as_ref().map(|previous| previous.previous_started_ms);
    let back_ms = newest_ms.max(started_ms).map_or(0, |known_ms| known_ms - boot.at_ms);
    if back_ms > 0 {
        set_back(tx, back_ms)?;
    }
    let previous_id = previous.as_ref().map_or("", |previous| previous.previous_id.as_str());
    let suspended = session::restarted(tx, boot.at_ms, previous_id)?;
    let close = "UPDATE boot SET ended_ms = ?1 WHERE ended_ms IS NULL";
    sql::exec(tx.conn, close, [boot.at_ms])?;
    let insert = "INSERT INTO boot (boot_id, version, pid, started_ms) VALUES (?1, ?2, ?3, ?4)";
    sql::exec(tx.conn, insert, params![boot.boot_id, boot.version, boot.pid, boot.at_ms])?;
    let count = tx.conn.last_insert_rowid();
    sql::exec(tx.conn, "DELETE FROM boot WHERE id <= ?1", [count - BOOTS_KEPT])?;
    Ok(BootRecord {
        count: count.unsigned_abs(),
        released: release(tx, None)?,
        suspended,
        ..previous.unwrap_or_default()
    })
}

pub(super) fn since(conn: &Connection, since_ms: i64) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM boot WHERE started_ms >= ?1";
    Ok(sql::one(conn, count, [since_ms], |row| sql::count(row, 0))?.unwrap_or_default())
}

pub(super) fn end(tx: &Tx<'_>, end: &EndOfBoot) -> Result<(), Refusal> {
    let update = "UPDATE boot SET ended_ms = ?2, reason = ?3 WHERE boot_id = ?1";
    sql::exec(tx.conn, update, params![end.boot_id, end.at_ms, end.reason])?;
    Ok(())
}

/// Brings nearer what is due, by as much as the clock was set back. A `ready_ms` of 0 stays
/// "now", and none becomes it before it has been claimed or promoted.
pub(super) fn set_back(tx: &Tx<'_>, by_ms: i64) -> Result<(), Refusal> {
    for update in [
        "UPDATE task SET ready_ms = max(1, ready_ms - ?1) WHERE ready_ms > 0",
        "UPDATE task SET due_ms = max(0, due_ms - ?1) WHERE state = 'queued' AND due_ms > 0",
        "UPDATE task SET until_ms = until_ms - ?1 WHERE state = 'awaiting'",
        "UPDATE outbox SET ready_ms = max(1, ready_ms - ?1) WHERE ready_ms > 0",
        "UPDATE outbox SET due_ms = max(0, due_ms - ?1) WHERE state = 'queued' AND due_ms > 0",
        // Else the platform's hour for a `uuid` would seem to last longer by it.
        "UPDATE outbox SET first_ms = first_ms - ?1 WHERE state = 'queued' AND first_ms > 0",
    ] {
        sql::exec(tx.conn, update, [by_ms])?;
    }
    Ok(())
}

/// Frees the leases of one owner, or all of them. Their attempts stay counted.
pub(super) fn release(tx: &Tx<'_>, owner: Option<&str>) -> Result<u64, Refusal> {
    let tasks = "UPDATE task SET ready_ms = 0, owner = NULL
        WHERE ready_ms IS NOT NULL AND owner IS NOT NULL AND (?1 IS NULL OR owner = ?1)";
    let outbox = "UPDATE outbox SET ready_ms = 0, owner = NULL
        WHERE ready_ms IS NOT NULL AND owner IS NOT NULL AND (?1 IS NULL OR owner = ?1)";
    let freed = sql::exec(tx.conn, tasks, [owner])? + sql::exec(tx.conn, outbox, [owner])?;
    Ok(freed as u64)
}
