//! Jobs as lists show them, and those that are withdrawn before they begin.

use rusqlite::{Connection, Row, named_params};

use super::{
    fault::Refusal,
    inbox::{self, ITEM},
    ledger::{Note, note, shift},
    sql, task,
    writer::Tx,
};
use crate::{
    job::{JobQuery, JobRecord, JobTask},
    outbox::NewOutbox,
    record::TaskFacts,
    task::TaskId,
};

/// Jobs of one list.
const LINES: usize = 1_000;

pub(super) fn list(conn: &Connection, query: &JobQuery) -> rusqlite::Result<Vec<JobRecord>> {
    // The kind is spelt out, so that SQLite sees that the partial index fits.
    let select = format!(
        "SELECT {ITEM}, coalesce(i.chat_id, ''), i.verdict, i.why,
            t.id, t.route, t.handler, t.state, t.attempts, t.claimed_ms, t.ended_ms, t.until_ms,
            t.code, t.error, t.owner IS NOT NULL, t.due_ms
        FROM (SELECT * FROM inbox INDEXED BY inbox_job WHERE kind = 'larkline.job'
                AND (:id IS NULL OR id = :id) AND (:chat IS NULL OR chat_id = :chat)
                AND (:app IS NULL OR app = :app) ORDER BY id DESC LIMIT :limit) i
            JOIN payload p ON p.inbox = i.id LEFT JOIN task t ON t.inbox = i.id
        ORDER BY i.id DESC"
    );
    let params = named_params! {
        ":id": query.id.map(|id| id.0),
        ":chat": query.chat,
        ":app": query.app,
        ":limit": sql::limit(query.limit.min(LINES)),
    };
    sql::all(conn, &select, params, |row| {
        Ok(JobRecord {
            item: inbox::item(row, 0)?,
            chat_id: row.get(7)?,
            verdict: row.get(8)?,
            why: row.get(9)?,
            task: job_task(row)?,
        })
    })
}

fn job_task(row: &Row<'_>) -> rusqlite::Result<Option<JobTask>> {
    let Some(id) = row.get::<_, Option<i64>>(10)? else { return Ok(None) };
    let facts = TaskFacts {
        id: TaskId(id),
        route: row.get(11)?,
        handler: row.get(12)?,
        state: row.get(13)?,
        attempts: sql::small(row, 14)?,
        claimed_ms: row.get(15)?,
        ended_ms: row.get(16)?,
        until_ms: row.get(17)?,
        code: row.get(18)?,
        error: row.get(19)?,
    };
    Ok(Some(JobTask { facts, is_running: row.get(20)?, due_ms: row.get(21)? }))
}

pub(super) fn withdraw(
    tx: &mut Tx<'_>,
    TaskId(id): TaskId,
    replies: &[NewOutbox],
    at_ms: i64,
) -> Result<bool, Refusal> {
    let Some(waiting) = task::waiting(tx, id)? else { return Ok(false) };
    task::end(tx, &waiting, "withdrawn", at_ms, ("", ""))?;
    let detail = format!("t{id} was withdrawn before it was done");
    let it = Note { at_ms, what: "withdrawn", task: Some(id), detail: &detail, ..Note::default() };
    note(tx, waiting.inbox, &it)?;
    let sent = task::replied(tx, waiting.inbox, id, replies)?;
    shift(tx, waiting.inbox, sent - 1, 0, at_ms)?;
    Ok(true)
}
