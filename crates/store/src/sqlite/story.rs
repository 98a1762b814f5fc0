//! One event from arrival to outcome, told from its rows and its log.

use rusqlite::{Connection, params};

use super::{
    list::{self, IN, SEARCHED},
    sql,
};
use crate::{
    inbox::{InboxId, event_key, message_key},
    record::{Story, StoryKey, StoryLine},
};

/// Lines read from each source of one story.
const LINES: i64 = 500;

pub(super) fn tell(conn: &Connection, key: &StoryKey) -> rusqlite::Result<Option<Story>> {
    let id = match key {
        StoryKey::Inbox(InboxId(id)) => Some(*id),
        StoryKey::Text(text) if text.is_empty() => None,
        StoryKey::Text(text) => find(conn, text)?,
    };
    let Some(id) = id else { return Ok(None) };
    let select = format!("SELECT {IN} FROM inbox WHERE id = ?1");
    let record = sql::one(conn, &select, [id], |row| list::record(row, "in"))?;
    let Some(record) = record else { return Ok(None) };
    let mut lines = arrival(conn, id)?;
    lines.extend(log(conn, id)?);
    lines.extend(tasks(conn, id)?);
    lines.extend(replies(conn, id)?);
    lines.extend(verdict(conn, id)?);
    // Stable: within one millisecond the order above is the order of cause.
    lines.sort_by_key(|line| line.at_ms);
    Ok(Some(Story { record, lines }))
}

/// The newest event a text may mean: by its dedupe keys, by a message of ours that answered
/// it, by its first words.
fn find(conn: &Connection, text: &str) -> rusqlite::Result<Option<i64>> {
    let by_key = "SELECT max(inbox) FROM seen WHERE key IN (?1, ?2)";
    let keys = [event_key(text), message_key(text)];
    if let Some(Some(id)) = sql::one(conn, by_key, keys, |row| row.get::<_, Option<i64>>(0))? {
        return Ok(Some(id));
    }
    let by_answer = "SELECT inbox FROM outbox WHERE message_id = ?1 AND inbox IS NOT NULL";
    if let Some(id) = sql::one(conn, by_answer, [text], |row| row.get(0))? {
        return Ok(Some(id));
    }
    let by_words = "SELECT id FROM (SELECT id, preview FROM inbox ORDER BY id DESC LIMIT ?2)
        WHERE instr(preview, ?1) > 0 LIMIT 1";
    sql::one(conn, by_words, params![text, SEARCHED], |row| row.get(0))
}

fn line(at_ms: i64, stage: &str, detail: impl Into<String>) -> StoryLine {
    StoryLine { at_ms, stage: stage.into(), detail: detail.into() }
}

fn arrival(conn: &Connection, id: i64) -> rusqlite::Result<Vec<StoryLine>> {
    let select = "SELECT received_ms, app, kind, boot_id, acked_ms FROM inbox WHERE id = ?1";
    let lines = sql::one(conn, select, [id], |row| {
        let (app, kind, boot): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let received = line(row.get(0)?, "received", format!("{kind} by {app}, boot {boot}"));
        let acked: Option<i64> = row.get(4)?;
        Ok(std::iter::once(received).chain(acked.map(|at| line(at, "acked", ""))).collect())
    })?;
    Ok(lines.unwrap_or_default())
}

fn log(conn: &Connection, id: i64) -> rusqlite::Result<Vec<StoryLine>> {
    let select = "SELECT at_ms, stage, detail FROM log WHERE inbox = ?1 ORDER BY id LIMIT ?2";
    sql::all(conn, select, [id, LINES], |row| {
        Ok(StoryLine { at_ms: row.get(0)?, stage: row.get(1)?, detail: row.get(2)? })
    })
}

fn tasks(conn: &Connection, id: i64) -> rusqlite::Result<Vec<StoryLine>> {
    let select = "SELECT t.id, t.route, t.handler, t.state, t.attempts, t.claimed_ms, t.ended_ms,
            t.code, t.error, i.routed_ms, t.until_ms
        FROM task t JOIN inbox i ON i.id = t.inbox WHERE t.inbox = ?1 ORDER BY t.id LIMIT ?2";
    let told = sql::all(conn, select, [id, LINES], |row| {
        let (task, route, handler): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (state, attempts): (String, i64) = (row.get(3)?, row.get(4)?);
        let (code, error): (String, String) = (row.get(7)?, row.get(8)?);
        let mut lines = Vec::new();
        if let Some(at_ms) = row.get(9)? {
            lines.push(line(at_ms, "routed", format!("{route} to {handler} (t{task})")));
        }
        if let Some(at_ms) = row.get(5)? {
            lines.push(line(at_ms, "attempt", format!("{handler}: attempt {attempts} began")));
        }
        if let Some(at_ms) = row.get(6)? {
            lines.push(match state.as_str() {
                "dead" | "dropped" => line(at_ms, "dead", format!("t{task}: {code}: {error}")),
                "awaiting" => line(at_ms, "awaiting", format!("{handler} answers later")),
                _ => line(at_ms, "handled", handler),
            });
        }
        Ok(lines)
    })?;
    Ok(told.into_iter().flatten().collect())
}

fn replies(conn: &Connection, id: i64) -> rusqlite::Result<Vec<StoryLine>> {
    let select = "SELECT id, lane, state, created_ms, attempts, claimed_ms, ended_ms,
            coalesce(message_id, ''), log_id, code, error
        FROM outbox WHERE inbox = ?1 ORDER BY id LIMIT ?2";
    let told = sql::all(conn, select, [id, LINES], |row| {
        let (row_id, lane, state): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (attempts, message, log_id): (i64, String, String) =
            (row.get(4)?, row.get(7)?, row.get(8)?);
        let (code, error): (String, String) = (row.get(9)?, row.get(10)?);
        let mut lines = vec![line(row.get(3)?, "queued_reply", format!("o{row_id} to {lane}"))];
        if let Some(at_ms) = row.get(5)? {
            lines.push(line(at_ms, "send", format!("o{row_id}: attempt {attempts} began")));
        }
        if let Some(at_ms) = row.get(6)? {
            lines.push(match state.as_str() {
                "delivered" => line(at_ms, "delivered", format!("o{row_id}: {message} ({log_id})")),
                _ => line(at_ms, "dead", format!("o{row_id}: {code}: {error} ({log_id})")),
            });
        }
        Ok(lines)
    })?;
    Ok(told.into_iter().flatten().collect())
}

fn verdict(conn: &Connection, id: i64) -> rusqlite::Result<Option<StoryLine>> {
    let select = "SELECT verdict_ms, verdict, why FROM inbox WHERE id = ?1
        AND verdict_ms IS NOT NULL";
    sql::one(conn, select, [id], |row| {
        let (verdict, why): (String, String) = (row.get(1)?, row.get(2)?);
        let detail = if why.is_empty() { verdict } else { format!("{verdict}: {why}") };
        Ok(line(row.get(0)?, "verdict", detail))
    })
}
