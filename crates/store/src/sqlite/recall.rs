//! Messages that were taken back before anybody worked on them.

use larkline_proto::id::MessageId;
use rusqlite::params;

use super::{
    fault::Refusal,
    inbox,
    ledger::{FILTERED, Note, WAITING, note, shift},
    sql, task,
    writer::Tx,
};
use crate::{
    inbox::{Concluded, InboxId, Recalled, message_key},
    task::TaskId,
};

/// Why an event ends that nobody wants answered any more.
const RECALLED: &str = "recalled";

pub(super) fn recall(
    tx: &mut Tx<'_>,
    app: &str,
    messages: &[MessageId],
    at_ms: i64,
) -> Result<Recalled, Refusal> {
    let mut recalled = Recalled::default();
    tx.concluded.clear();
    for message in messages {
        let find = "SELECT inbox FROM seen WHERE key = ?1 AND app = ?2";
        let key = message_key(message.as_str());
        let event = sql::one(tx.conn, find, params![key, app], |row| row.get::<_, i64>(0))?;
        if let Some(event) = event {
            recall_one(tx, event, at_ms, &mut recalled)?;
        }
    }
    Ok(recalled)
}

fn recall_one(
    tx: &mut Tx<'_>,
    event: i64,
    at_ms: i64,
    recalled: &mut Recalled,
) -> Result<(), Refusal> {
    let read = "SELECT app, event_id, routed_ms IS NULL FROM inbox
        WHERE id = ?1 AND verdict = 'waiting'";
    let waiting = sql::one(tx.conn, read, [event], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?))
    })?;
    let Some((app, event_id, is_undecided)) = waiting else { return Ok(()) };
    note(tx, event, &Note { at_ms, what: RECALLED, ..Note::default() })?;
    if is_undecided {
        inbox::conclude(tx, event, at_ms, FILTERED, RECALLED)?;
    } else {
        let count = "SELECT count(*) FROM task WHERE inbox = ?1";
        let all = sql::one(tx.conn, count, [event], |row| row.get::<_, i64>(0))?;
        let ended = end_queued(tx, event, at_ms)?;
        if all != Some(ended) {
            // What another task of it does or has done decides about the event.
            shift(tx, event, -ended, 0, at_ms)?;
            recalled.concluded.append(&mut tx.concluded);
            recalled.running.extend(in_hand(tx, event)?);
            return Ok(());
        }
        let update = "UPDATE inbox SET pending = 0, final = 1, verdict = ?2, why = ?3,
                verdict_ms = ?4
            WHERE id = ?1";
        sql::exec(tx.conn, update, params![event, FILTERED, RECALLED, at_ms])?;
        tx.ledger.count(&app, WAITING, "", -1);
        tx.ledger.count(&app, FILTERED, RECALLED, 1);
    }
    recalled.concluded.push(Concluded {
        app,
        inbox: InboxId(event),
        event_id: event_id.into(),
        verdict: FILTERED.to_owned(),
        why: RECALLED.to_owned(),
    });
    Ok(())
}

/// Ends the tasks of an event that nobody works on and that answer for no other; how many.
fn end_queued(tx: &mut Tx<'_>, event: i64, at_ms: i64) -> Result<i64, Refusal> {
    let read = "SELECT id FROM task t WHERE inbox = ?1 AND state = 'queued' AND owner IS NULL
        AND NOT EXISTS (SELECT 1 FROM task m INDEXED BY task_merged WHERE m.merged = t.id)";
    let queued = sql::all(tx.conn, read, [event], |row| row.get::<_, i64>(0))?;
    let mut ended = 0;
    for id in queued {
        if let Some(held) = task::waiting(tx, id)? {
            task::end(tx, &held, "withdrawn", at_ms, ("", ""))?;
            ended += 1;
        }
    }
    Ok(ended)
}

fn in_hand(tx: &mut Tx<'_>, event: i64) -> Result<Vec<TaskId>, Refusal> {
    let read = "SELECT coalesce(merged, id) FROM task WHERE inbox = ?1
        AND ((state = 'queued' AND owner IS NOT NULL) OR (state = 'merged' AND ended_ms IS NULL))";
    Ok(sql::all(tx.conn, read, [event], |row| row.get(0).map(TaskId))?)
}
