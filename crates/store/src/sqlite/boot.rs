//! Runs of the process, and the leases they leave behind.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{fact, fault::Refusal, session, sql, writer::Tx};
use crate::record::{BootRecord, EndOfBoot, NewBoot, SetBack};

/// Name of the fact that says when the clock was last found set back.
const RECKONING: &str = "clock_set_back";

/// Where the clock stood when it was last found set back, and the last rows that have times of the
/// clock before it: they say nothing about the clock any more. Else every start would find it set
/// back again, until it is where it was.
#[derive(Serialize, Deserialize)]
struct Reckoning {
    now_ms: i64,
    boot: i64,
    inbox: i64,
}

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
    // The clock may have been set back while nobody looked: then what is known is of the future.
    let by_ms = known_ms(tx)?.map_or(0, |known_ms| known_ms - boot.at_ms);
    if by_ms > 0 {
        // Nobody has used the clock as it is; what is leased is given back below.
        let (since_ms, now_ms, lease_until_ms) = (i64::MAX, boot.at_ms, boot.at_ms);
        set_back(tx, SetBack { by_ms, since_ms, now_ms, lease_until_ms })?;
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
pub(super) fn set_back(tx: &Tx<'_>, back: SetBack) -> Result<(), Refusal> {
    let SetBack { by_ms, since_ms, now_ms, lease_until_ms } = back;
    for due in [
        "UPDATE task SET ready_ms = max(1, ready_ms - ?1) WHERE ready_ms > 0 AND owner IS NULL",
        "UPDATE task SET due_ms = max(0, due_ms - ?1) WHERE state = 'queued' AND due_ms > 0",
        "UPDATE outbox SET ready_ms = max(1, ready_ms - ?1) WHERE ready_ms > 0 AND owner IS NULL",
        "UPDATE outbox SET due_ms = max(0, due_ms - ?1) WHERE state = 'queued' AND due_ms > 0",
    ] {
        sql::exec(tx.conn, due, [by_ms])?;
    }
    // By which clock a lease was made or extended cannot be told, so it is not moved: one of the
    // new clock would lapse under its holder's hands.
    for lease in [
        "UPDATE task SET ready_ms = min(ready_ms, ?1) WHERE ready_ms > 0 AND owner IS NOT NULL",
        "UPDATE outbox SET ready_ms = min(ready_ms, ?1) WHERE ready_ms > 0 AND owner IS NOT NULL",
    ] {
        sql::exec(tx.conn, lease, [lease_until_ms.max(1)])?;
    }
    for stamped in [
        "UPDATE task SET until_ms = until_ms - ?1
            WHERE state = 'awaiting' AND coalesce(ended_ms, 0) NOT BETWEEN ?2 AND ?3",
        // Else the platform's hour for a `uuid` would seem to last longer by it.
        "UPDATE outbox SET first_ms = first_ms - ?1
            WHERE state = 'queued' AND first_ms > 0 AND first_ms NOT BETWEEN ?2 AND ?3",
    ] {
        sql::exec(tx.conn, stamped, [by_ms, since_ms, now_ms])?;
    }
    let last =
        "SELECT coalesce((SELECT max(id) FROM boot), 0), coalesce((SELECT max(id) FROM inbox), 0)";
    let last = sql::one(tx.conn, last, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (boot, inbox) = last.unwrap_or_default();
    let reckoning = serde_json::to_string(&Reckoning { now_ms, boot, inbox }).unwrap_or_default();
    fact::put(tx, RECKONING, &reckoning)
}

/// The newest moment by the clock as it was last known to go.
fn known_ms(tx: &Tx<'_>) -> Result<Option<i64>, Refusal> {
    let told = fact::get(tx.conn, RECKONING)?.and_then(|text| serde_json::from_str(&text).ok());
    let since: Option<Reckoning> = told;
    let (boot, inbox) = since.as_ref().map_or((0, 0), |since| (since.boot, since.inbox));
    let started = "SELECT started_ms FROM boot WHERE id > ?1 ORDER BY id DESC LIMIT 1";
    let received = "SELECT received_ms FROM inbox WHERE id > ?1 ORDER BY id DESC LIMIT 1";
    let started_ms: Option<i64> = sql::one(tx.conn, started, [boot], |row| row.get(0))?;
    let received_ms: Option<i64> = sql::one(tx.conn, received, [inbox], |row| row.get(0))?;
    Ok(since.map(|since| since.now_ms).max(started_ms).max(received_ms))
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
