//! One event with everything that hangs on it, and how to find it.

use rusqlite::{Connection, params};

use super::{
    list::{self, IN, SEARCHED},
    sql,
};
use crate::{
    inbox::{InboxId, event_key, message_key},
    outbox::OutboxId,
    record::{History, LogEntry, OutboxFacts, Record, TaskFacts},
    task::TaskId,
};

/// Rows read from each table for one history.
const ROWS: i64 = 500;
/// Events that a search by words answers.
const FOUND: usize = 20;

pub(super) fn of(conn: &Connection, InboxId(id): InboxId) -> rusqlite::Result<Option<History>> {
    let select = format!("SELECT {IN}, repeats, routed_ms, verdict_ms FROM inbox WHERE id = ?1");
    let (journaled_ms, acked_ms) = acked(conn, id)?.unzip();
    let history = sql::one(conn, &select, [id], |row| {
        Ok(History {
            record: list::record(row, "in")?,
            repeats: sql::small(row, 12)?,
            journaled_ms,
            acked_ms,
            routed_ms: row.get(13)?,
            verdict_ms: row.get(14)?,
            tasks: Vec::new(),
            outbox: Vec::new(),
            log: Vec::new(),
        })
    })?;
    let Some(history) = history else { return Ok(None) };
    Ok(Some(History {
        tasks: tasks(conn, id)?,
        outbox: outbox(conn, id)?,
        log: log(conn, id)?,
        ..history
    }))
}

pub(super) fn is_over(conn: &Connection, InboxId(id): InboxId) -> rusqlite::Result<bool> {
    let select = "SELECT NOT EXISTS (SELECT 1 FROM inbox WHERE id = ?1 AND verdict_ms IS NULL)";
    Ok(sql::one(conn, select, [id], |row| row.get(0))?.unwrap_or(true))
}

/// When the event was known to be on disk, and when its ack left. Lines do not overlap: the one that
/// begins last before it is the only one that can hold it.
fn acked(conn: &Connection, id: i64) -> rusqlite::Result<Option<(i64, i64)>> {
    let select =
        "SELECT journaled_ms, acked_ms FROM (SELECT last, journaled_ms, acked_ms FROM acked
            WHERE first <= ?1 ORDER BY first DESC LIMIT 1)
        WHERE last >= ?1";
    sql::one(conn, select, [id], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn tasks(conn: &Connection, id: i64) -> rusqlite::Result<Vec<TaskFacts>> {
    let select = "SELECT id, route, handler, state, attempts, claimed_ms, ended_ms, until_ms, code,
            error
        FROM task WHERE inbox = ?1 ORDER BY id LIMIT ?2";
    sql::all(conn, select, [id, ROWS], |row| {
        Ok(TaskFacts {
            id: TaskId(row.get(0)?),
            route: row.get(1)?,
            handler: row.get(2)?,
            state: row.get(3)?,
            attempts: sql::small(row, 4)?,
            claimed_ms: row.get(5)?,
            ended_ms: row.get(6)?,
            until_ms: row.get(7)?,
            code: row.get(8)?,
            error: row.get(9)?,
        })
    })
}

fn outbox(conn: &Connection, id: i64) -> rusqlite::Result<Vec<OutboxFacts>> {
    let select = "SELECT id, lane, preview, state, created_ms, attempts, claimed_ms, ended_ms,
            coalesce(message_id, ''), log_id, code, error
        FROM outbox WHERE inbox = ?1 ORDER BY id LIMIT ?2";
    sql::all(conn, select, [id, ROWS], |row| {
        Ok(OutboxFacts {
            id: OutboxId(row.get(0)?),
            lane: row.get(1)?,
            preview: row.get(2)?,
            state: row.get(3)?,
            created_ms: row.get(4)?,
            attempts: sql::small(row, 5)?,
            claimed_ms: row.get(6)?,
            ended_ms: row.get(7)?,
            message_id: row.get(8)?,
            log_id: row.get(9)?,
            code: row.get(10)?,
            error: row.get(11)?,
        })
    })
}

fn log(conn: &Connection, id: i64) -> rusqlite::Result<Vec<LogEntry>> {
    let select = "SELECT at_ms, stage, task, outbox, attempt, from_ms, code, log_id, detail
        FROM log WHERE inbox = ?1 ORDER BY id LIMIT ?2";
    sql::all(conn, select, [id, ROWS], |row| {
        Ok(LogEntry {
            at_ms: row.get(0)?,
            what: row.get(1)?,
            task: row.get::<_, Option<i64>>(2)?.map(TaskId),
            outbox: row.get::<_, Option<i64>>(3)?.map(OutboxId),
            attempt: sql::small(row, 4)?,
            from_ms: row.get(5)?,
            code: row.get(6)?,
            log_id: row.get(7)?,
            detail: row.get(8)?,
        })
    })
}

/// What a text may mean: by dedupe keys, by a message of ours that answered, by first words.
pub(super) fn find(conn: &Connection, text: &str) -> rusqlite::Result<Vec<Record>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let ids = ids(conn, text)?;
    let select = format!("SELECT {IN} FROM inbox WHERE id = ?1");
    let record = |id: i64| sql::one(conn, &select, [id], |row| list::record(row, "in"));
    ids.into_iter().filter_map(|id| record(id).transpose()).collect()
}

fn ids(conn: &Connection, text: &str) -> rusqlite::Result<Vec<i64>> {
    let id = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let by_key = "SELECT DISTINCT inbox FROM seen WHERE key IN (?1, ?2) ORDER BY inbox DESC";
    let found = sql::all(conn, by_key, [event_key(text), message_key(text)], id)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let by_answer = "SELECT inbox FROM outbox WHERE message_id = ?1 AND inbox IS NOT NULL";
    let found = sql::all(conn, by_answer, [text], id)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let asked = "SELECT id FROM (SELECT id, preview FROM inbox ORDER BY id DESC LIMIT ?2)
        WHERE instr(preview, ?1) > 0 LIMIT ?3";
    let answered = "SELECT DISTINCT inbox FROM
            (SELECT inbox, preview FROM outbox ORDER BY id DESC LIMIT ?2)
        WHERE inbox IS NOT NULL AND instr(preview, ?1) > 0 LIMIT ?3";
    let words = params![text, SEARCHED, sql::limit(FOUND)];
    let mut found = sql::all(conn, asked, words, id)?;
    found.extend(sql::all(conn, answered, words, id)?);
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.dedup();
    found.truncate(FOUND);
    Ok(found)
}
