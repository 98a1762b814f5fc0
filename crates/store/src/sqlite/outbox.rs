//! Outbox lanes: heads, leases, fences, and whose turn it is.
//!
//! Built as the task lanes are (see [`super::task`]); what differs is the order: by priority and
//! row within a lane, by priority and last service between lanes.

// tidy: long file: every statement about one table

use rusqlite::{Connection, params};

use super::{
    dead::Death,
    fault::Refusal,
    ledger::{Note, note, shift},
    sql,
    writer::Tx,
};
use crate::{
    inbox::InboxId,
    outbox::{
        ClaimedOutbox, MadeFor, NewOutbox, OutboxClaim, OutboxId, OutboxLease, OutboxSettlement,
        OutboxStage, OutboxState,
    },
    task::TaskId,
};

/// Where an insertion ended.
pub(super) struct Inserted {
    pub(super) id: i64,
    /// False when the key was stored before.
    pub(super) is_new: bool,
}

/// Stores a row, unless its key is there. The caller counts new rows for their event. One that is
/// more urgent than the head of its lane, which nobody has claimed, takes its place.
pub(super) fn insert(
    tx: &Tx<'_>,
    new: &NewOutbox,
    inbox: Option<i64>,
    task: Option<i64>,
) -> Result<Inserted, Refusal> {
    let insert = "INSERT INTO outbox (key, app, lane, inbox, task, uuid, priority, preview,
            created_ms, served_ms, body, due_ms, boot_id, ready_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11,
            coalesce((SELECT boot_id FROM boot ORDER BY id DESC LIMIT 1), ''),
            CASE WHEN EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_lane
                WHERE app = ?2 AND lane = ?3 AND state = 'queued') THEN NULL ELSE ?11 END)
        ON CONFLICT (key) DO NOTHING RETURNING id, ready_ms";
    let columns = params![
        new.key,
        new.app,
        new.lane,
        inbox,
        task,
        new.uuid,
        new.priority,
        new.preview,
        new.created_ms,
        new.body,
        new.due_ms.max(0),
    ];
    let inserted = sql::one(tx.conn, insert, columns, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
    })?;
    if let Some((id, ready_ms)) = inserted {
        let place = Place { priority: i64::from(new.priority), id };
        if ready_ms.is_none() && becomes_head(tx, (&new.app, &new.lane), place)? {
            sql::exec(tx.conn, "UPDATE outbox SET ready_ms = due_ms WHERE id = ?1", [id])?;
        }
        return Ok(Inserted { id, is_new: true });
    }
    let find = "SELECT id FROM outbox WHERE key = ?1";
    let id = sql::one(tx.conn, find, [&new.key], |row| row.get(0))?;
    Ok(Inserted { id: id.unwrap_or_default(), is_new: false })
}

pub(super) fn enqueue(tx: &mut Tx<'_>, rows: &[NewOutbox]) -> Result<Vec<OutboxId>, Refusal> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        // An event that was pruned takes nothing with it: the message still goes out.
        let known = "SELECT id FROM inbox WHERE id = ?1";
        let inbox = match row.inbox {
            Some(InboxId(id)) => sql::one(tx.conn, known, [id], |row| row.get(0))?,
            None => None,
        };
        let inserted = insert(tx, row, inbox, row.task.map(|task| task.0))?;
        if inserted.is_new
            && let Some(inbox) = inbox
        {
            shift(tx, inbox, 1, 0, row.created_ms)?;
        }
        ids.push(OutboxId(inserted.id));
    }
    Ok(ids)
}

pub(super) fn claim(tx: &Tx<'_>, claim: &OutboxClaim) -> Result<Vec<ClaimedOutbox>, Refusal> {
    let promote = "UPDATE outbox SET ready_ms = 0 WHERE ready_ms > 0 AND ready_ms <= ?1";
    sql::exec(tx.conn, promote, [claim.now_ms])?;
    let select = "SELECT id, epoch, attempts, first_ms, inbox, lane, uuid, body, claimed_ms
        FROM outbox INDEXED BY outbox_ready
        WHERE ready_ms = 0 AND app = ?1 ORDER BY priority DESC, served_ms, id LIMIT ?2";
    let heads = sql::all(tx.conn, select, params![claim.app, sql::limit(claim.limit)], |row| {
        let head = ClaimedOutbox {
            lease: OutboxLease { row: OutboxId(row.get(0)?), epoch: row.get::<_, i64>(1)? + 1 },
            attempt: sql::small(row, 2)?.saturating_add(1),
            first_attempt_ms: row.get::<_, Option<i64>>(3)?.unwrap_or(claim.now_ms),
            app: claim.app.clone(),
            inbox: row.get::<_, Option<i64>>(4)?.map(InboxId),
            lane: row.get(5)?,
            uuid: row.get(6)?,
            body: row.get(7)?,
        };
        Ok((head, row.get::<_, Option<i64>>(8)?))
    })?;
    let mut claimed = Vec::with_capacity(heads.len());
    for (head, unsettled_ms) in heads {
        let update = "UPDATE outbox SET ready_ms = ?2, owner = ?3, epoch = ?4, attempts = ?5,
            first_ms = ?6, claimed_ms = ?7, served_ms = ?7 WHERE id = ?1";
        let OutboxLease { row: OutboxId(id), epoch } = head.lease;
        let until_ms = claim.until_ms.max(1);
        let (attempt, first_ms) = (head.attempt, head.first_attempt_ms);
        let columns = params![id, until_ms, claim.owner, epoch, attempt, first_ms, claim.now_ms];
        sql::exec(tx.conn, update, columns)?;
        if let (Some(at_ms), Some(inbox)) = (unsettled_ms, head.inbox) {
            let cut = Note {
                at_ms: claim.now_ms,
                what: "send_cut_off",
                outbox: Some(id),
                attempt: i64::from(attempt) - 1,
                from_ms: Some(at_ms),
                ..Note::default()
            };
            note(tx, inbox.0, &cut)?;
        }
        claimed.push(head);
    }
    Ok(claimed)
}

pub(super) fn extend(tx: &Tx<'_>, lease: OutboxLease, until_ms: i64) -> Result<(), Refusal> {
    let update = "UPDATE outbox SET ready_ms = ?3
        WHERE id = ?1 AND epoch = ?2 AND owner IS NOT NULL AND state = 'queued'";
    match sql::exec(tx.conn, update, [lease.row.0, lease.epoch, until_ms.max(1)])? {
        0 => Err(Refusal::Fenced),
        _ => Ok(()),
    }
}

/// A row whose lease was found to be held.
struct Held {
    id: i64,
    app: String,
    lane: String,
    inbox: Option<i64>,
    attempts: i64,
    served_ms: i64,
    code: String,
    claimed_ms: Option<i64>,
}

fn held(tx: &Tx<'_>, lease: OutboxLease) -> Result<Held, Refusal> {
    let read = "SELECT id, app, lane, inbox, attempts, served_ms, code, claimed_ms FROM outbox
        WHERE id = ?1 AND epoch = ?2 AND owner IS NOT NULL AND state = 'queued'";
    let held = sql::one(tx.conn, read, [lease.row.0, lease.epoch], |row| {
        Ok(Held {
            id: row.get(0)?,
            app: row.get(1)?,
            lane: row.get(2)?,
            inbox: row.get(3)?,
            attempts: row.get(4)?,
            served_ms: row.get(5)?,
            code: row.get(6)?,
            claimed_ms: row.get(7)?,
        })
    })?;
    held.ok_or(Refusal::Fenced)
}

pub(super) fn settle(
    tx: &mut Tx<'_>,
    lease: OutboxLease,
    settlement: &OutboxSettlement,
) -> Result<(), Refusal> {
    let held = held(tx, lease)?;
    match settlement {
        OutboxSettlement::Delivered { at_ms, message_id, log_id } => {
            delivered(tx, &held, *at_ms, (message_id, log_id))
        }
        OutboxSettlement::Retry { at_ms, due_ms, code, error, log_id, counts } => {
            let attempts = held.attempts - i64::from(!counts);
            let update = "UPDATE outbox SET ready_ms = ?2, due_ms = ?2, owner = NULL,
                claimed_ms = NULL, attempts = ?3, code = ?4, error = ?5, log_id = ?6,
                first_ms = CASE WHEN NOT ?7 AND first_ms = claimed_ms THEN NULL ELSE first_ms END
                WHERE id = ?1";
            // What does not count did not arrive: the time of its `uuid` has not begun by it.
            let columns = params![held.id, due_ms.max(&0), attempts, code, error, log_id, counts];
            sql::exec(tx.conn, update, columns)?;
            // What waits for a limit of our own for a day shall not fill the story with one line.
            if *counts || *code != held.code || !log_id.is_empty() {
                failed(tx, &held, *at_ms, (code, error, log_id))?;
            }
            Ok(())
        }
        OutboxSettlement::Replace { at_ms, code, error, log_id, body, uuid } => {
            let update = "UPDATE outbox SET ready_ms = 0, due_ms = 0, owner = NULL,
                claimed_ms = NULL, first_ms = NULL, code = ?2, error = ?3, body = ?4, uuid = ?5
                WHERE id = ?1";
            sql::exec(tx.conn, update, params![held.id, code, error, body, uuid])?;
            failed(tx, &held, *at_ms, (code, error, log_id))
        }
        OutboxSettlement::Looked { at_ms, found, uuid, code, detail, log_id } => {
            looked(tx, &held, *at_ms, (code, detail, log_id))?;
            let Some(message_id) = found else {
                let update = "UPDATE outbox SET ready_ms = 0, due_ms = 0, owner = NULL,
                    claimed_ms = NULL, first_ms = NULL, uuid = ?2 WHERE id = ?1";
                sql::exec(tx.conn, update, params![held.id, uuid])?;
                return Ok(());
            };
            // This claim was used to look, and is no attempt to send.
            sql::exec(tx.conn, "UPDATE outbox SET claimed_ms = NULL WHERE id = ?1", [held.id])?;
            delivered(tx, &held, *at_ms, (message_id, log_id))
        }
        OutboxSettlement::Dead { at_ms, code, error, log_id } => {
            let update = "UPDATE outbox SET state = 'dead', ready_ms = NULL, owner = NULL,
                ended_ms = ?2, code = ?3, error = ?4, log_id = ?5 WHERE id = ?1";
            sql::exec(tx.conn, update, params![held.id, at_ms, code, error, log_id])?;
            ended(tx, &held, 1, *at_ms)
        }
    }
}

fn delivered(
    tx: &mut Tx<'_>,
    held: &Held,
    at_ms: i64,
    (message_id, log_id): (&str, &str),
) -> Result<(), Refusal> {
    let message_id = Some(message_id).filter(|id| !id.is_empty());
    let update = "UPDATE outbox SET state = 'delivered', ready_ms = NULL, owner = NULL,
        ended_ms = ?2, message_id = ?3, log_id = ?4, code = '', error = '' WHERE id = ?1";
    sql::exec(tx.conn, update, params![held.id, at_ms, message_id, log_id])?;
    ended(tx, held, 0, at_ms)
}

/// Lets the next row head the lane, which was served when this one was claimed.
fn ended(tx: &mut Tx<'_>, held: &Held, dead: i64, at_ms: i64) -> Result<(), Refusal> {
    let advance = "UPDATE outbox SET ready_ms = due_ms, served_ms = ?3 WHERE id = (
        SELECT id FROM outbox INDEXED BY outbox_lane
        WHERE app = ?1 AND lane = ?2 AND state = 'queued' ORDER BY priority DESC, id LIMIT 1)";
    sql::exec(tx.conn, advance, params![held.app, held.lane, held.served_ms])?;
    if let Some(inbox) = held.inbox {
        shift(tx, inbox, -1, dead, at_ms)?;
    }
    Ok(())
}

fn failed(tx: &Tx<'_>, held: &Held, at_ms: i64, why: (&str, &str, &str)) -> Result<(), Refusal> {
    noted(tx, held, "send_failed", at_ms, why)
}

fn looked(tx: &Tx<'_>, held: &Held, at_ms: i64, seen: (&str, &str, &str)) -> Result<(), Refusal> {
    noted(tx, held, "looked", at_ms, seen)
}

fn noted(
    tx: &Tx<'_>,
    held: &Held,
    what: &'static str,
    at_ms: i64,
    (code, error, log_id): (&str, &str, &str),
) -> Result<(), Refusal> {
    let Some(inbox) = held.inbox else { return Ok(()) };
    let failed = Note {
        at_ms,
        what,
        task: None,
        outbox: Some(held.id),
        attempt: held.attempts,
        from_ms: held.claimed_ms,
        code,
        log_id,
        detail: error,
    };
    Ok(note(tx, inbox, &failed)?)
}

/// Makes a dead row due again, before younger rows of its lane and priority that nobody has claimed.
pub(super) fn revive(tx: &mut Tx<'_>, id: i64, now_ms: i64) -> Result<bool, Refusal> {
    let read = "SELECT app, lane, inbox, attempts, claimed_ms, ended_ms, code, log_id, error,
        priority FROM outbox WHERE id = ?1 AND state = 'dead'";
    let dead = sql::one(tx.conn, read, [id], |row| {
        let lane: (String, String) = (row.get(0)?, row.get(1)?);
        let death = Death {
            attempt: row.get(3)?,
            from_ms: row.get(4)?,
            at_ms: row.get(5)?,
            code: row.get(6)?,
            log_id: row.get(7)?,
            detail: row.get(8)?,
        };
        let place = Place { priority: row.get(9)?, id };
        Ok((lane, place, row.get::<_, Option<i64>>(2)?, death))
    })?;
    let Some(((app, lane), place, inbox, death)) = dead else { return Ok(false) };
    let ready_ms = becomes_head(tx, (&app, &lane), place)?.then_some(0);
    let update = "UPDATE outbox SET state = 'queued', ready_ms = ?2, due_ms = 0, attempts = 0,
        served_ms = ?3, claimed_ms = NULL, ended_ms = NULL, code = '', error = '', log_id = ''
        WHERE id = ?1";
    sql::exec(tx.conn, update, params![id, ready_ms, now_ms])?;
    if let Some(inbox) = inbox {
        let it = Note { at_ms: now_ms, what: "retried", outbox: Some(id), ..Note::default() };
        death.note(tx, inbox, &it)?;
        shift(tx, inbox, 1, -1, now_ms)?;
    }
    Ok(true)
}

pub(super) fn leaving(conn: &Connection, apps: &[String], until_ms: i64) -> rusqlite::Result<u64> {
    // The head of a lane: one that is leased is in hand.
    let count = "SELECT count(*) FROM outbox o WHERE o.state = 'queued' AND o.app = ?1 AND EXISTS (
        SELECT 1 FROM outbox h WHERE h.app = o.app AND h.lane = o.lane AND h.state = 'queued'
            AND h.ready_ms IS NOT NULL AND (h.owner IS NOT NULL OR h.ready_ms <= ?2))";
    apps.iter().try_fold(0, |sum, app| {
        let leave = sql::one(conn, count, params![app, until_ms], |row| sql::count(row, 0))?;
        Ok(sum + leave.unwrap_or(0))
    })
}

pub(super) fn delivered_among(conn: &Connection, ids: &[String]) -> rusqlite::Result<Vec<String>> {
    let find = "SELECT message_id FROM outbox WHERE message_id = ?1 LIMIT 1";
    ids.iter().filter_map(|id| sql::one(conn, find, [id], |row| row.get(0)).transpose()).collect()
}

pub(super) fn by_key(conn: &Connection, key: &str) -> rusqlite::Result<Option<OutboxState>> {
    let read = "SELECT id, state, message_id, body FROM outbox WHERE key = ?1";
    sql::one(conn, read, [key], |row| {
        Ok(OutboxState {
            id: OutboxId(row.get(0)?),
            stage: stage(&row.get::<_, String>(1)?),
            message_id: row.get(2)?,
            body: row.get(3)?,
        })
    })
}

pub(super) fn made_for(
    conn: &Connection,
    InboxId(event): InboxId,
) -> rusqlite::Result<Vec<MadeFor>> {
    let read = "SELECT key, app, lane, task, body FROM outbox WHERE inbox = ?1
        ORDER BY id LIMIT 1000";
    sql::all(conn, read, [event], |row| {
        Ok(MadeFor {
            key: row.get(0)?,
            app: row.get(1)?,
            lane: row.get(2)?,
            task: row.get::<_, Option<i64>>(3)?.map(TaskId),
            body: row.get(4)?,
        })
    })
}

fn stage(word: &str) -> OutboxStage {
    match word {
        "delivered" => OutboxStage::Delivered,
        "dead" => OutboxStage::Dead,
        "dropped" => OutboxStage::Dropped,
        _ => OutboxStage::Queued,
    }
}

/// Where a row stands in its lane.
#[derive(Clone, Copy)]
struct Place {
    priority: i64,
    id: i64,
}

impl Place {
    fn is_before(self, other: Self) -> bool {
        (-self.priority, self.id) < (-other.priority, other.id)
    }
}

/// Whether a row at `place` shall head its lane; an unclaimed head behind it steps back. That one is
/// the first of those that wait; another head was claimed, and stays.
fn becomes_head(tx: &Tx<'_>, (app, lane): (&str, &str), place: Place) -> Result<bool, Refusal> {
    let read = "SELECT id, priority, epoch, ready_ms FROM outbox INDEXED BY outbox_lane
        WHERE app = ?1 AND lane = ?2 AND state = 'queued' AND id <> ?3
        ORDER BY priority DESC, id LIMIT 1";
    let first = sql::one(tx.conn, read, params![app, lane, place.id], |row| {
        let place = Place { id: row.get(0)?, priority: row.get(1)? };
        let is_unclaimed_head =
            row.get::<_, i64>(2)? == 0 && row.get::<_, Option<i64>>(3)?.is_some();
        Ok((place, is_unclaimed_head))
    })?;
    match first {
        None => Ok(true),
        Some((head, true)) if place.is_before(head) => {
            sql::exec(tx.conn, "UPDATE outbox SET ready_ms = NULL WHERE id = ?1", [head.id])?;
            Ok(true)
        }
        Some(_) => Ok(false),
    }
}

pub(super) fn replace_queued(
    tx: &Tx<'_>,
    key: &str,
    body: &[u8],
    preview: &str,
) -> Result<bool, Refusal> {
    let update = "UPDATE outbox SET body = ?2, preview = ?3
        WHERE key = ?1 AND state = 'queued' AND owner IS NULL AND first_ms IS NULL";
    Ok(sql::exec(tx.conn, update, params![key, body, preview])? > 0)
}
