//! Counts that change with an event's verdict, gathered per transaction and written once.
//!
//! They are written with the rows they count, so the equation `received = replied + filtered +
//! failed + waiting` holds in every snapshot of the file.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{fault::Refusal, merge, sql, writer::Tx};
use crate::inbox::{Concluded, InboxId};

pub(super) const WAITING: &str = "waiting";
pub(super) const REPLIED: &str = "replied";
pub(super) const FILTERED: &str = "filtered";
pub(super) const FAILED: &str = "failed";

/// What one transaction adds to the counts.
#[derive(Default)]
pub(super) struct Ledger {
    /// By app, verdict and reason.
    verdicts: BTreeMap<(String, String, String), i64>,
    /// By app and chat.
    chats: BTreeMap<(String, String), Visit>,
}

struct Visit {
    events: i64,
    last_ms: i64,
    chat_type: String,
}

impl Ledger {
    /// Counts `by` deliveries under a verdict.
    pub(super) fn count(&mut self, app: &str, verdict: &str, why: &str, by: i64) {
        *self.verdicts.entry((app.into(), verdict.into(), why.into())).or_insert(0) += by;
    }

    /// Counts an event in a chat.
    pub(super) fn visit(&mut self, app: &str, chat: &str, chat_type: Option<&str>, at_ms: i64) {
        let visit = self.chats.entry((app.into(), chat.into())).or_insert_with(|| Visit {
            events: 0,
            last_ms: at_ms,
            chat_type: String::new(),
        });
        visit.events += 1;
        visit.last_ms = visit.last_ms.max(at_ms);
        if let Some(chat_type) = chat_type {
            chat_type.clone_into(&mut visit.chat_type);
        }
    }

    /// Writes the gathered counts into the open transaction.
    pub(super) fn write(self, conn: &Connection) -> rusqlite::Result<()> {
        for ((app, verdict, why), by) in self.verdicts.into_iter().filter(|(_, by)| *by != 0) {
            let upsert = "INSERT INTO tally (app, verdict, why, count) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO UPDATE SET count = count + ?4";
            sql::exec(conn, upsert, params![app, verdict, why, by])?;
        }
        for ((app, chat), visit) in self.chats {
            let upsert = "INSERT INTO chat (app, chat_id, chat_type, events, last_ms)
                VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO UPDATE SET events = events + ?4, last_ms = max(last_ms, ?5),
                    chat_type = CASE ?3 WHEN '' THEN chat_type ELSE ?3 END";
            sql::exec(
                conn,
                upsert,
                params![app, chat, visit.chat_type, visit.events, visit.last_ms],
            )?;
        }
        Ok(())
    }
}

/// Where an event stands.
struct Standing {
    app: String,
    event_id: String,
    pending: i64,
    dead: i64,
    verdict: String,
    why: String,
    /// The router ended it: notices about it do not reopen it.
    fixed: bool,
    routed: bool,
}

/// An event whose verdict changed, as those see it that follow it.
pub(super) struct Turn {
    pub(super) inbox: i64,
    pub(super) is_decided: bool,
    /// The reason of a failure.
    pub(super) why: String,
    /// What it adds to the open and dead ends of whoever follows.
    pending: i64,
    dead: i64,
}

/// Adds to an event's open and dead ends, and moves its verdict when that decides it, and with it
/// the verdicts of events that follow it. `false` when the event is gone (pruned).
pub(super) fn shift(
    tx: &mut Tx<'_>,
    inbox: i64,
    pending: i64,
    dead: i64,
    at_ms: i64,
) -> Result<bool, Refusal> {
    if pending == 0 && dead == 0 {
        return Ok(true);
    }
    let Some(first) = shift_one(tx, (inbox, pending, dead), at_ms)? else { return Ok(false) };
    // Events follow older ones only, so this ends.
    let mut turns = Vec::from_iter(first);
    while let Some(turn) = turns.pop() {
        for inbox in merge::follow(tx, &turn, at_ms)? {
            let ends = (inbox, turn.pending, turn.dead);
            turns.extend(shift_one(tx, ends, at_ms)?.flatten());
        }
    }
    Ok(true)
}

/// The outer `None`: there is no such event. The inner one: its verdict stays.
fn shift_one(
    tx: &mut Tx<'_>,
    (inbox, pending, dead): (i64, i64, i64),
    at_ms: i64,
) -> Result<Option<Option<Turn>>, Refusal> {
    let read = "SELECT app, pending, dead, verdict, why, final, routed_ms IS NOT NULL, event_id
        FROM inbox WHERE id = ?1";
    let event = sql::one(tx.conn, read, [inbox], |row| {
        Ok(Standing {
            app: row.get(0)?,
            pending: row.get::<_, i64>(1)? + pending,
            dead: row.get::<_, i64>(2)? + dead,
            verdict: row.get(3)?,
            why: row.get(4)?,
            fixed: row.get(5)?,
            routed: row.get(6)?,
            event_id: row.get(7)?,
        })
    })?;
    let Some(standing) = event else { return Ok(None) };
    let Standing { app, event_id, pending, dead, verdict: old, why: old_why, fixed, routed } =
        standing;
    if fixed {
        let write = "UPDATE inbox SET pending = ?2, dead = ?3 WHERE id = ?1";
        sql::exec(tx.conn, write, [inbox, pending, dead])?;
        return Ok(Some(None));
    }
    let (verdict, why) = if pending > 0 || !routed {
        (WAITING, String::new())
    } else if dead > 0 {
        (FAILED, cause_of_death(tx, inbox)?)
    } else {
        (REPLIED, String::new())
    };
    let decided_ms = (verdict != WAITING).then_some(at_ms);
    let write = "UPDATE inbox SET pending = ?2, dead = ?3, verdict = ?4, why = ?5, verdict_ms = ?6
        WHERE id = ?1";
    sql::exec(tx.conn, write, params![inbox, pending, dead, verdict, why, decided_ms])?;
    if (verdict, why.as_str()) == (old.as_str(), old_why.as_str()) {
        return Ok(Some(None));
    }
    tx.ledger.count(&app, &old, &old_why, -1);
    tx.ledger.count(&app, verdict, &why, 1);
    let by = |word: &str| i64::from(verdict == word) - i64::from(old == word);
    let turn = Turn {
        inbox,
        is_decided: verdict != WAITING,
        why: why.clone(),
        pending: by(WAITING),
        dead: by(FAILED),
    };
    tx.concluded.retain(|concluded| concluded.inbox.0 != inbox);
    if turn.is_decided {
        tx.concluded.push(Concluded {
            app,
            inbox: InboxId(inbox),
            event_id: event_id.into(),
            verdict: verdict.to_owned(),
            why,
        });
    }
    Ok(Some(Some(turn)))
}

/// The code of the oldest thing that died for an event.
fn cause_of_death(tx: &Tx<'_>, inbox: i64) -> rusqlite::Result<String> {
    let read = "SELECT code FROM (
            SELECT code, ended_ms FROM task WHERE inbox = ?1
                AND (state IN ('dead', 'dropped') OR (state = 'merged' AND code <> ''))
            UNION ALL
            SELECT code, ended_ms FROM outbox WHERE inbox = ?1 AND state IN ('dead', 'dropped')
        ) ORDER BY ended_ms LIMIT 1";
    Ok(sql::one(tx.conn, read, [inbox], |row| row.get(0))?.unwrap_or_default())
}

/// Something to be remembered of an event; what does not apply stays at its default.
#[derive(Default)]
pub(super) struct Note<'a> {
    pub(super) at_ms: i64,
    /// A word of [`LogEntry::what`](crate::record::LogEntry::what).
    pub(super) what: &'static str,
    pub(super) task: Option<i64>,
    pub(super) outbox: Option<i64>,
    pub(super) attempt: i64,
    pub(super) from_ms: Option<i64>,
    pub(super) code: &'a str,
    pub(super) log_id: &'a str,
    pub(super) detail: &'a str,
}

/// Adds to what an event's rows do not say (any more).
pub(super) fn note(tx: &Tx<'_>, inbox: i64, note: &Note<'_>) -> rusqlite::Result<()> {
    let insert = "INSERT INTO log
            (inbox, at_ms, stage, task, outbox, attempt, from_ms, code, log_id, detail)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let Note { at_ms, what, task, outbox, attempt, from_ms, code, log_id, detail } = note;
    let columns = params![inbox, at_ms, what, task, outbox, attempt, from_ms, code, log_id, detail];
    sql::exec(tx.conn, insert, columns).map(drop)
}
