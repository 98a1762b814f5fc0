//! Task lanes: heads, leases, fences.
//!
//! A lane is not a row but the queued tasks of one handler and lane name. One of them is the
//! head and has `ready_ms`; a head that was claimed stays the head until it is settled for good.

use rusqlite::{Connection, Row, params};

use super::{
    dead::Death,
    fault::Refusal,
    inbox::{self, ITEM},
    ledger::{Note, note, shift},
    outbox, sql,
    writer::Tx,
};
use crate::{
    inbox::InboxItem,
    outbox::NewOutbox,
    task::{Before, ClaimedTask, NewTask, TaskClaim, TaskId, TaskLease, TaskSettlement},
};

/// Waiting tasks that one transaction gives up.
const GIVE_UP_MAX: i64 = 256;

pub(super) fn insert(tx: &Tx<'_>, inbox: i64, new: &NewTask) -> Result<(), Refusal> {
    let due_ms = new.due_ms.max(0);
    // A new row has the highest number: it goes before the head only by its event.
    let ready_ms = becomes_head(tx, &new.handler, &new.lane, (inbox, i64::MAX))?.then_some(due_ms);
    let insert = "INSERT INTO task (inbox, handler, lane, route, ready_ms, due_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    sql::exec(tx.conn, insert, params![inbox, new.handler, new.lane, new.route, ready_ms, due_ms])?;
    Ok(())
}

/// Whether a task at `place` (event, task) shall head its lane; an unclaimed head behind it
/// steps back.
fn becomes_head(
    tx: &Tx<'_>,
    handler: &str,
    lane: &str,
    place: (i64, i64),
) -> Result<bool, Refusal> {
    let read = "SELECT id, inbox, epoch FROM task INDEXED BY task_lane
        WHERE handler = ?1 AND lane = ?2 AND state = 'queued' AND ready_ms IS NOT NULL
        ORDER BY inbox, id LIMIT 1";
    let head = sql::one(tx.conn, read, [handler, lane], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    match head {
        None => Ok(true),
        Some((id, inbox, 0)) if place < (inbox, id) => {
            sql::exec(tx.conn, "UPDATE task SET ready_ms = NULL WHERE id = ?1", [id])?;
            Ok(true)
        }
        Some(_) => Ok(false),
    }
}

pub(super) fn claim(tx: &Tx<'_>, claim: &TaskClaim) -> Result<Vec<ClaimedTask>, Refusal> {
    let promote = "UPDATE task SET ready_ms = 0 WHERE ready_ms > 0 AND ready_ms <= ?1";
    sql::exec(tx.conn, promote, [claim.now_ms])?;
    let select = format!(
        "SELECT t.id, t.epoch, t.attempts, t.route, t.lane, t.claimed_ms, t.stops, t.code, t.error,
            t.cut_offs, {ITEM}
        FROM task t INDEXED BY task_ready
            JOIN inbox i ON i.id = t.inbox JOIN payload p ON p.inbox = t.inbox
        WHERE t.ready_ms = 0 AND t.handler = ?1
            AND (?3 IS NULL OR i.app NOT IN (SELECT value FROM json_each(?3)))
        ORDER BY t.inbox, t.id LIMIT ?2"
    );
    let without = (!claim.without.is_empty())
        .then(|| serde_json::Value::from(claim.without.clone()).to_string());
    let heads = sql::all(
        tx.conn,
        &select,
        params![claim.handler, sql::limit(claim.limit), without],
        |row| {
            let unsettled_ms: Option<i64> = row.get(5)?;
            let task = ClaimedTask {
                lease: TaskLease { task: TaskId(row.get(0)?), epoch: row.get::<_, i64>(1)? + 1 },
                attempt: sql::small(row, 2)?.saturating_add(1),
                stops: sql::small(row, 6)?,
                cut_offs: sql::small(row, 9)?.saturating_add(u32::from(unsettled_ms.is_some())),
                before: match (unsettled_ms, row.get::<_, String>(7)?) {
                    (Some(_), _) => Before::CutOff,
                    (None, code) if code.is_empty() => Before::Nothing,
                    (None, code) => Before::Failed { code, error: row.get(8)? },
                },
                route: row.get(3)?,
                handler: claim.handler.clone(),
                lane: row.get(4)?,
                item: inbox::item(row, 10)?,
            };
            Ok((task, unsettled_ms))
        },
    )?;
    let mut claimed = Vec::with_capacity(heads.len());
    for (task, unsettled_ms) in heads {
        let update = "UPDATE task SET ready_ms = ?2, owner = ?3, epoch = ?4, attempts = ?5,
            claimed_ms = ?6, cut_offs = ?7 WHERE id = ?1";
        let TaskLease { task: TaskId(id), epoch } = task.lease;
        // An end that is no later than now lapses at once; 0 would mean "not leased".
        let until_ms = claim.until_ms.max(1);
        let (attempt, at_ms, cut_offs) = (task.attempt, claim.now_ms, task.cut_offs);
        let columns = params![id, until_ms, claim.owner, epoch, attempt, at_ms, cut_offs];
        sql::exec(tx.conn, update, columns)?;
        if let Some(at_ms) = unsettled_ms {
            cut_off(tx, task.item.id.0, id, i64::from(task.attempt) - 1, (at_ms, claim.now_ms))?;
        }
        claimed.push(task);
    }
    Ok(claimed)
}

/// Notes an attempt that nobody settled: its process died, or lost the claim.
fn cut_off(
    tx: &Tx<'_>,
    inbox: i64,
    task: i64,
    attempt: i64,
    (from_ms, at_ms): (i64, i64),
) -> Result<(), Refusal> {
    let (task, from_ms) = (Some(task), Some(from_ms));
    let cut = Note { at_ms, what: "attempt_cut_off", task, attempt, from_ms, ..Note::default() };
    Ok(note(tx, inbox, &cut)?)
}

pub(super) fn extend(tx: &Tx<'_>, lease: TaskLease, until_ms: i64) -> Result<(), Refusal> {
    let update = "UPDATE task SET ready_ms = ?3
        WHERE id = ?1 AND epoch = ?2 AND owner IS NOT NULL AND state = 'queued'";
    match sql::exec(tx.conn, update, [lease.task.0, lease.epoch, until_ms.max(1)])? {
        0 => Err(Refusal::Fenced),
        _ => Ok(()),
    }
}

/// A task whose lease was found to be held.
pub(super) struct Held {
    pub(super) id: i64,
    pub(super) inbox: i64,
    pub(super) handler: String,
    pub(super) lane: String,
    attempts: i64,
    claimed_ms: Option<i64>,
}

pub(super) fn held(tx: &Tx<'_>, lease: TaskLease) -> Result<Held, Refusal> {
    let read = "SELECT id, inbox, handler, lane, attempts, claimed_ms FROM task
        WHERE id = ?1 AND epoch = ?2 AND owner IS NOT NULL AND state = 'queued'";
    sql::one(tx.conn, read, [lease.task.0, lease.epoch], read_held)?.ok_or(Refusal::Fenced)
}

/// A task that nobody works on, so that it can be ended in its place.
pub(super) fn waiting(tx: &Tx<'_>, id: i64) -> Result<Option<Held>, Refusal> {
    let read = "SELECT id, inbox, handler, lane, attempts, claimed_ms FROM task
        WHERE id = ?1 AND owner IS NULL AND state = 'queued'";
    Ok(sql::one(tx.conn, read, [id], read_held)?)
}

fn read_held(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        id: row.get(0)?,
        inbox: row.get(1)?,
        handler: row.get(2)?,
        lane: row.get(3)?,
        attempts: row.get(4)?,
        claimed_ms: row.get(5)?,
    })
}

pub(super) fn settle(
    tx: &mut Tx<'_>,
    lease: TaskLease,
    settlement: &TaskSettlement,
) -> Result<(), Refusal> {
    let held = held(tx, lease)?;
    match settlement {
        TaskSettlement::Done { replies, at_ms } => {
            end(tx, &held, "done", *at_ms, ("", ""))?;
            let sent = replied(tx, held.inbox, held.id, replies)?;
            shift(tx, held.inbox, sent - 1, 0, *at_ms)
        }
        TaskSettlement::Await { replies, at_ms, until_ms } => {
            end(tx, &held, "awaiting", *at_ms, ("", ""))?;
            let update = "UPDATE task SET until_ms = ?2 WHERE id = ?1";
            sql::exec(tx.conn, update, [held.id, *until_ms])?;
            let sent = replied(tx, held.inbox, held.id, replies)?;
            shift(tx, held.inbox, sent, 0, *at_ms)
        }
        TaskSettlement::Retry { at_ms, due_ms, code, error } => {
            put_back(tx, &held, *due_ms, held.attempts)?;
            let update = "UPDATE task SET code = ?2, error = ?3 WHERE id = ?1";
            sql::exec(tx.conn, update, params![held.id, code, error])?;
            return failed(tx, &held, *at_ms, (code, error));
        }
        TaskSettlement::Stopped { at_ms, code, error } => {
            put_back(tx, &held, 0, held.attempts)?;
            let update = "UPDATE task SET stops = stops + 1, code = '', error = '' WHERE id = ?1";
            sql::exec(tx.conn, update, [held.id])?;
            return failed(tx, &held, *at_ms, (code, error));
        }
        TaskSettlement::Release => return put_back(tx, &held, 0, held.attempts - 1),
        TaskSettlement::Postpone { due_ms } => {
            return put_back(tx, &held, *due_ms, held.attempts - 1);
        }
        TaskSettlement::Dead { at_ms, code, error, notices } => {
            end(tx, &held, "dead", *at_ms, (code, error))?;
            let sent = replied(tx, held.inbox, held.id, notices)?;
            shift(tx, held.inbox, sent - 1, 1, *at_ms)
        }
    }
    .map(drop)
}

/// Notes an attempt after which there is another.
fn failed(tx: &Tx<'_>, held: &Held, at_ms: i64, why: (&str, &str)) -> Result<(), Refusal> {
    let (code, detail) = why;
    let (task, attempt, from_ms) = (Some(held.id), held.attempts, held.claimed_ms);
    let what = "attempt_failed";
    let it = Note { at_ms, what, task, attempt, from_ms, code, detail, ..Note::default() };
    Ok(note(tx, held.inbox, &it)?)
}

pub(super) fn replied(
    tx: &Tx<'_>,
    inbox: i64,
    task: i64,
    rows: &[NewOutbox],
) -> Result<i64, Refusal> {
    let mut fresh = 0;
    for row in rows {
        if outbox::insert(tx, row, Some(inbox), Some(task))?.is_new {
            fresh += 1;
        }
    }
    Ok(fresh)
}

/// Takes a task out of its lane, and lets the next one head it if this one did. Whatever ends behind or
/// before a head is none of its business: a task that lives again has its place before the head that is in hand.
pub(super) fn end(
    tx: &Tx<'_>,
    held: &Held,
    state: &str,
    at_ms: i64,
    (code, error): (&str, &str),
) -> Result<(), Refusal> {
    let heads = "SELECT ready_ms IS NOT NULL FROM task WHERE id = ?1";
    let was_head = sql::one(tx.conn, heads, [held.id], |row| row.get(0))?.unwrap_or(false);
    let update = "UPDATE task SET state = ?2, ended_ms = ?3, code = ?4, error = ?5,
        ready_ms = NULL, owner = NULL WHERE id = ?1";
    sql::exec(tx.conn, update, params![held.id, state, at_ms, code, error])?;
    if was_head {
        let advance = "UPDATE task SET ready_ms = due_ms WHERE id = (
            SELECT id FROM task INDEXED BY task_lane
            WHERE handler = ?1 AND lane = ?2 AND state = 'queued' ORDER BY inbox, id LIMIT 1)";
        sql::exec(tx.conn, advance, [&held.handler, &held.lane])?;
    }
    Ok(())
}

/// Kills a bite of the tasks that wait for a handler; answers how many.
pub(super) fn give_up(tx: &mut Tx<'_>, handler: &str, now_ms: i64) -> Result<u64, Refusal> {
    let read = "SELECT id, inbox, lane, attempts FROM task INDEXED BY task_lane
        WHERE handler = ?1 AND state = 'queued' AND owner IS NULL LIMIT ?2";
    let waiting = sql::all(tx.conn, read, params![handler, GIVE_UP_MAX], |row| {
        Ok(Held {
            id: row.get(0)?,
            inbox: row.get(1)?,
            handler: handler.to_owned(),
            lane: row.get(2)?,
            attempts: row.get(3)?,
            claimed_ms: None,
        })
    })?;
    let why = ("handler_removed", "its handler is not configured any more, and it was given up");
    for task in &waiting {
        end(tx, task, "dead", now_ms, why)?;
        shift(tx, task.inbox, -1, 1, now_ms)?;
    }
    Ok(waiting.len() as u64)
}

/// Leaves a task the head of its lane, unleased.
fn put_back(tx: &Tx<'_>, held: &Held, due_ms: i64, attempts: i64) -> Result<(), Refusal> {
    let update = "UPDATE task SET ready_ms = ?2, due_ms = ?2, attempts = ?3, owner = NULL,
        claimed_ms = NULL WHERE id = ?1";
    sql::exec(tx.conn, update, [held.id, due_ms.max(0), attempts])?;
    Ok(())
}

pub(super) fn next_in_line(
    conn: &Connection,
    handler: &str,
    limit: usize,
) -> rusqlite::Result<Vec<InboxItem>> {
    let select = format!(
        "SELECT {ITEM} FROM task t INDEXED BY task_ready
            JOIN inbox i ON i.id = t.inbox JOIN payload p ON p.inbox = t.inbox
        WHERE t.ready_ms = 0 AND t.handler = ?1 ORDER BY t.inbox, t.id LIMIT ?2"
    );
    sql::all(conn, &select, params![handler, sql::limit(limit)], |row| inbox::item(row, 0))
}

pub(super) fn waiting_handlers(conn: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let select = "SELECT handler, count(*) FROM task INDEXED BY task_lane
        WHERE state = 'queued' GROUP BY handler ORDER BY handler";
    sql::all(conn, select, [], |row| Ok((row.get(0)?, sql::count(row, 1)?)))
}

/// Makes a dead task due again, in the place that its event has in the lane.
pub(super) fn revive(tx: &mut Tx<'_>, id: i64, now_ms: i64) -> Result<bool, Refusal> {
    let read = "SELECT inbox, handler, lane, attempts, claimed_ms, ended_ms, code, error
        FROM task WHERE id = ?1 AND state = 'dead'";
    let dead = sql::one(tx.conn, read, [id], |row| {
        let lane: (String, String) = (row.get(1)?, row.get(2)?);
        let death = Death {
            attempt: row.get(3)?,
            from_ms: row.get(4)?,
            at_ms: row.get(5)?,
            code: row.get(6)?,
            detail: row.get(7)?,
            log_id: String::new(),
        };
        Ok((row.get::<_, i64>(0)?, lane, death))
    })?;
    let Some((inbox, (handler, lane), death)) = dead else { return Ok(false) };
    let ready_ms = becomes_head(tx, &handler, &lane, (inbox, id))?.then_some(0);
    let update = "UPDATE task SET state = 'queued', ready_ms = ?2, due_ms = 0, attempts = 0,
        stops = 0, cut_offs = 0, claimed_ms = NULL, until_ms = NULL, ended_ms = NULL, code = '', error = ''
        WHERE id = ?1";
    sql::exec(tx.conn, update, params![id, ready_ms])?;
    let it = Note { at_ms: now_ms, what: "retried", task: Some(id), ..Note::default() };
    death.note(tx, inbox, &it)?;
    shift(tx, inbox, 1, -1, now_ms)
}
