//! Tasks that are answered with the head of their lane.
//!
//! A merged task leaves its lane at once and never runs. Its event is answered when the head's
//! event is: it waits while that waits, and has its verdict and reason. Only what is behind the
//! head can be merged into it, so an event follows older ones only, and never itself.

use rusqlite::{Connection, params};

use super::{
    fault::Refusal,
    inbox::{self, ITEM},
    ledger::{Note, Turn, note, shift},
    sql, task,
    writer::Tx,
};
use crate::inbox::InboxId;
use crate::task::{TaskId, TaskLease, WaitingTask};

pub(super) fn behind(
    conn: &Connection,
    (handler, lane): (&str, &str),
    TaskId(after): TaskId,
    limit: usize,
) -> rusqlite::Result<Vec<WaitingTask>> {
    let place = "SELECT inbox FROM task WHERE id = ?1";
    let Some(inbox) = sql::one(conn, place, [after], |row| row.get::<_, i64>(0))? else {
        return Ok(Vec::new());
    };
    let select = format!(
        "SELECT t.id, {ITEM} FROM task t INDEXED BY task_lane
            JOIN inbox i ON i.id = t.inbox JOIN payload p ON p.inbox = t.inbox
        WHERE t.handler = ?1 AND t.lane = ?2 AND t.state = 'queued' AND t.owner IS NULL
            AND (t.inbox, t.id) > (?3, ?4)
        ORDER BY t.inbox, t.id LIMIT ?5"
    );
    let params = params![handler, lane, inbox, after, sql::limit(limit)];
    sql::all(conn, &select, params, waiting)
}

fn waiting(row: &rusqlite::Row<'_>) -> rusqlite::Result<WaitingTask> {
    Ok(WaitingTask { task: TaskId(row.get(0)?), item: inbox::item(row, 1)? })
}

/// Merges what can be merged into the task in hand; answers which that were.
pub(super) fn merge(
    tx: &mut Tx<'_>,
    lease: TaskLease,
    followers: &[TaskId],
    at_ms: i64,
) -> Result<Vec<TaskId>, Refusal> {
    let head = task::held(tx, lease)?;
    let mut merged = Vec::with_capacity(followers.len());
    for follower in followers {
        let read = "SELECT inbox FROM task WHERE id = ?1 AND handler = ?2 AND lane = ?3
            AND state = 'queued' AND owner IS NULL AND (inbox, id) > (?4, ?5)";
        let place = params![follower.0, head.handler, head.lane, head.inbox, head.id];
        let Some(inbox) = sql::one(tx.conn, read, place, |row| row.get::<_, i64>(0))? else {
            continue;
        };
        let update = "UPDATE task SET state = 'merged', merged = ?2, ready_ms = NULL WHERE id = ?1";
        sql::exec(tx.conn, update, [follower.0, head.id])?;
        let detail = format!("merged into task {}", head.id);
        let task = Some(follower.0);
        let it = Note { at_ms, what: "merged", task, detail: &detail, ..Note::default() };
        note(tx, inbox, &it)?;
        if inbox == head.inbox {
            // The same event by another route: it has nothing to wait for but itself.
            let end = "UPDATE task SET merged = NULL, state = 'done', ended_ms = ?2 WHERE id = ?1";
            sql::exec(tx.conn, end, [follower.0, at_ms])?;
            shift(tx, inbox, -1, 0, at_ms)?;
        }
        merged.push(*follower);
    }
    Ok(merged)
}

pub(super) fn merged_into(
    conn: &Connection,
    InboxId(event): InboxId,
    handler: &str,
) -> rusqlite::Result<Vec<WaitingTask>> {
    let select = format!(
        "SELECT t.id, {ITEM} FROM task t INDEXED BY task_merged
            JOIN inbox i ON i.id = t.inbox JOIN payload p ON p.inbox = t.inbox
        WHERE t.merged IN (SELECT id FROM task WHERE inbox = ?1 AND handler = ?2)
        ORDER BY t.inbox, t.id"
    );
    sql::all(conn, &select, params![event, handler], waiting)
}

/// Lets the tasks that were merged into those of an event follow its verdict; answers the events
/// they belong to, once for each.
pub(super) fn follow(tx: &Tx<'_>, turn: &Turn, at_ms: i64) -> rusqlite::Result<Vec<i64>> {
    let update = "UPDATE task INDEXED BY task_merged SET ended_ms = ?2, code = ?3
        WHERE merged IN (SELECT id FROM task WHERE inbox = ?1) RETURNING inbox";
    let ended_ms = turn.is_decided.then_some(at_ms);
    sql::all(tx.conn, update, params![turn.inbox, ended_ms, turn.why], |row| row.get(0))
}
