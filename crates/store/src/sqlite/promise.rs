//! Answers that a handler promised for later: what awaits them, what comes of them.

use rusqlite::Connection;

use super::{
    fault::Refusal,
    inbox::{self, ITEM},
    ledger::{Note, note, shift},
    outbox, sql,
    task::replied,
    writer::Tx,
};
use crate::{
    inbox::InboxItem,
    outbox::NewOutbox,
    task::{AwaitingTask, LateReply, TaskId},
};

/// Awaiting tasks that one call ends; the next call takes the next ones.
const EXPIRE_MAX: i64 = 256;

pub(super) fn awaiting(
    conn: &Connection,
    TaskId(id): TaskId,
) -> rusqlite::Result<Option<AwaitingTask>> {
    let select = format!(
        "SELECT t.handler, {ITEM} FROM task t JOIN inbox i ON i.id = t.inbox
            JOIN payload p ON p.inbox = t.inbox
        WHERE t.id = ?1 AND t.state = 'awaiting'"
    );
    sql::one(conn, &select, [id], |row| {
        Ok(AwaitingTask { handler: row.get(0)?, item: inbox::item(row, 1)? })
    })
}

pub(super) fn late_reply(
    tx: &mut Tx<'_>,
    TaskId(id): TaskId,
    replies: &[NewOutbox],
    now_ms: i64,
) -> Result<LateReply, Refusal> {
    let read = "SELECT inbox, ended_ms FROM task WHERE id = ?1 AND state = 'awaiting'";
    let awaiting = sql::one(tx.conn, read, [id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((inbox, promised_ms)) = awaiting else { return Ok(LateReply::NotWaiting) };
    promised(tx, inbox, id, promised_ms)?;
    let update = "UPDATE task SET state = 'done', ended_ms = ?2 WHERE id = ?1";
    sql::exec(tx.conn, update, [id, now_ms])?;
    let sent = replied(tx, inbox, id, replies)?;
    shift(tx, inbox, sent - 1, 0, now_ms)?;
    Ok(LateReply::Stored)
}

/// Notes when a task began to await what ends it now: its row forgets that.
fn promised(tx: &Tx<'_>, inbox: i64, task: i64, at_ms: Option<i64>) -> Result<(), Refusal> {
    let Some(at_ms) = at_ms else { return Ok(()) };
    let it = Note { at_ms, what: "promised", task: Some(task), ..Note::default() };
    Ok(note(tx, inbox, &it)?)
}

pub(super) fn expire_awaiting(
    tx: &mut Tx<'_>,
    now_ms: i64,
    notice: fn(&InboxItem, i64) -> Option<NewOutbox>,
) -> Result<Vec<InboxItem>, Refusal> {
    let select = format!(
        "SELECT t.id, t.ended_ms, {ITEM} FROM task t JOIN inbox i ON i.id = t.inbox
            JOIN payload p ON p.inbox = t.inbox
        WHERE t.state = 'awaiting' AND t.until_ms <= ?1 ORDER BY t.until_ms LIMIT ?2"
    );
    let late = sql::all(tx.conn, &select, [now_ms, EXPIRE_MAX], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, inbox::item(row, 2)?))
    })?;
    let mut items = Vec::with_capacity(late.len());
    for (id, promised_ms, item) in late {
        promised(tx, item.id.0, id, promised_ms)?;
        let update = "UPDATE task SET state = 'dead', code = 'no_reply',
            error = 'the handler promised an answer that did not come', ended_ms = ?2
            WHERE id = ?1";
        sql::exec(tx.conn, update, [id, now_ms])?;
        shift(tx, item.id.0, -1, 1, now_ms)?;
        if let Some(notice) = notice(&item, now_ms) {
            outbox::insert(tx, &notice, None, None)?;
        }
        items.push(item);
    }
    Ok(items)
}
