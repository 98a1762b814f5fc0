//! Dead letters: what was given up, and what a person does about it.

use rusqlite::Connection;

use super::{fault::Refusal, ledger::note, outbox, sql, task, writer::Tx};
use crate::{
    outbox::OutboxId,
    record::{DeadItem, DeadLetter},
    task::TaskId,
};

pub(super) fn list(conn: &Connection, limit: usize) -> rusqlite::Result<Vec<DeadLetter>> {
    let tasks = "SELECT t.id, t.ended_ms, i.app, t.handler, coalesce(i.chat_id, ''),
            coalesce(i.message_id, ''), i.preview, t.attempts, t.code, t.error
        FROM task t JOIN inbox i ON i.id = t.inbox
        WHERE t.state = 'dead' ORDER BY t.ended_ms DESC, t.id DESC LIMIT ?1";
    let mut letters = sql::all(conn, tasks, [sql::limit(limit)], |row| {
        letter(row, DeadItem::Task(TaskId(row.get(0)?)))
    })?;
    let outbox = "SELECT o.id, o.ended_ms, o.app, '', coalesce(i.chat_id, o.lane),
            coalesce(i.message_id, ''), o.preview, o.attempts, o.code, o.error
        FROM outbox o LEFT JOIN inbox i ON i.id = o.inbox
        WHERE o.state = 'dead' ORDER BY o.ended_ms DESC, o.id DESC LIMIT ?1";
    letters.extend(sql::all(conn, outbox, [sql::limit(limit)], |row| {
        letter(row, DeadItem::Outbox(OutboxId(row.get(0)?)))
    })?);
    letters.sort_by_key(|letter| std::cmp::Reverse(letter.at_ms));
    letters.truncate(limit);
    Ok(letters)
}

fn letter(row: &rusqlite::Row<'_>, item: DeadItem) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        item,
        at_ms: row.get(1)?,
        app: row.get(2)?,
        handler: row.get(3)?,
        chat_id: row.get(4)?,
        message_id: row.get(5)?,
        preview: row.get(6)?,
        attempts: sql::small(row, 7)?,
        code: row.get(8)?,
        error: row.get(9)?,
    })
}

pub(super) fn retry(tx: &mut Tx<'_>, item: DeadItem, now_ms: i64) -> Result<bool, Refusal> {
    match item {
        DeadItem::Task(TaskId(id)) => task::revive(tx, id, now_ms),
        DeadItem::Outbox(OutboxId(id)) => outbox::revive(tx, id, now_ms),
    }
}

/// A dropped row still counts as one that died: the verdict of its event stands.
pub(super) fn close(tx: &Tx<'_>, item: DeadItem, now_ms: i64) -> Result<bool, Refusal> {
    let (update, id, name) = match item {
        DeadItem::Task(TaskId(id)) => (
            "UPDATE task SET state = 'dropped' WHERE id = ?1 AND state = 'dead' RETURNING inbox",
            id,
            't',
        ),
        DeadItem::Outbox(OutboxId(id)) => (
            "UPDATE outbox SET state = 'dropped' WHERE id = ?1 AND state = 'dead' RETURNING inbox",
            id,
            'o',
        ),
    };
    let closed = sql::one(tx.conn, update, [id], |row| row.get::<_, Option<i64>>(0))?;
    if let Some(Some(inbox)) = closed {
        note(tx, inbox, now_ms, "dropped", &format!("{name}{id}: by hand"))?;
    }
    Ok(closed.is_some())
}
