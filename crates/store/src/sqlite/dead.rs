//! Dead letters: what was given up, and what a person does about it.

use rusqlite::Connection;

use super::{
    fault::Refusal,
    ledger::{Note, note},
    outbox, sql, task,
    writer::Tx,
};
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

/// How something died that lives again: its row forgets it.
pub(super) struct Death {
    pub(super) attempt: i64,
    pub(super) from_ms: Option<i64>,
    pub(super) at_ms: Option<i64>,
    pub(super) code: String,
    pub(super) log_id: String,
    pub(super) detail: String,
}

impl Death {
    /// Writes down the death, then `retried`, which names what lives again.
    pub(super) fn note(&self, tx: &Tx<'_>, inbox: i64, retried: &Note<'_>) -> Result<(), Refusal> {
        let death = Note {
            at_ms: self.at_ms.unwrap_or(retried.at_ms),
            what: "dead",
            task: retried.task,
            outbox: retried.outbox,
            attempt: self.attempt,
            from_ms: self.from_ms,
            code: &self.code,
            log_id: &self.log_id,
            detail: &self.detail,
        };
        note(tx, inbox, &death)?;
        Ok(note(tx, inbox, retried)?)
    }
}

/// A dropped row still counts as one that died: the verdict of its event stands.
pub(super) fn close(tx: &Tx<'_>, item: DeadItem, now_ms: i64) -> Result<bool, Refusal> {
    let it = Note { at_ms: now_ms, what: "dropped", ..Note::default() };
    let (update, id, it) = match item {
        DeadItem::Task(TaskId(id)) => (
            "UPDATE task SET state = 'dropped' WHERE id = ?1 AND state = 'dead' RETURNING inbox",
            id,
            Note { task: Some(id), ..it },
        ),
        DeadItem::Outbox(OutboxId(id)) => (
            "UPDATE outbox SET state = 'dropped' WHERE id = ?1 AND state = 'dead' RETURNING inbox",
            id,
            Note { outbox: Some(id), ..it },
        ),
    };
    let closed = sql::one(tx.conn, update, [id], |row| row.get::<_, Option<i64>>(0))?;
    if let Some(Some(inbox)) = closed {
        note(tx, inbox, &it)?;
    }
    Ok(closed.is_some())
}
