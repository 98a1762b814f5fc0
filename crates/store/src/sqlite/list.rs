//! Lists and counts for people.

use rusqlite::{Connection, Row, named_params, params};

use super::sql;
use crate::{
    inbox::InboxId,
    job::JOB,
    outbox::ASIDE,
    record::{ChatRecord, Depths, LastHandled, MessageQuery, Record, Tally, WaitingEvent},
};

/// Rows that a search by text, or by a verdict most events have, looks at: the newest ones.
/// Half a second at worst; older ones are found by their ids.
pub(super) const SEARCHED: i64 = 20_000;
/// Newest events among which the one handled last is sought.
const RECENT: i64 = 256;
/// Lines of one list.
pub(super) const LINES: usize = 1_000;
/// Chats of one list.
const CHATS: i64 = 10_000;

/// Columns of a [`Record`] from `inbox`.
pub(super) const IN: &str =
    "received_ms, app, id, event_id, coalesce(message_id, '') AS message_id,
    coalesce(chat_id, '') AS chat_id, coalesce(sender, '') AS sender, kind, preview,
    verdict AS outcome, why, boot_id";

/// Columns of a [`Record`] from `outbox`.
const OUT: &str = "created_ms, app, id, '' AS event_id, coalesce(message_id, '') AS message_id,
    lane AS chat_id, '' AS sender, 'message' AS kind, preview, state AS outcome, code AS why, boot_id";

/// Reads [`IN`] or [`OUT`].
pub(super) fn record(row: &Row<'_>, direction: &str) -> rusqlite::Result<Record> {
    Ok(Record {
        direction: direction.into(),
        at_ms: row.get(0)?,
        app: row.get(1)?,
        row: row.get(2)?,
        event_id: row.get(3)?,
        message_id: row.get(4)?,
        chat_id: row.get(5)?,
        sender: row.get(6)?,
        kind: row.get(7)?,
        preview: row.get(8)?,
        outcome: row.get(9)?,
        why: row.get(10)?,
        boot_id: row.get(11)?,
    })
}

pub(super) fn records(conn: &Connection, query: &MessageQuery) -> rusqlite::Result<Vec<Record>> {
    let limit = query.limit.min(LINES);
    let mut records = select(conn, query, limit, "in")?;
    if query.verdict.is_none() {
        records.extend(select(conn, query, limit, "out")?);
    }
    records.sort_by_key(|record| std::cmp::Reverse(record.at_ms));
    records.truncate(limit);
    Ok(records)
}

fn select(
    conn: &Connection,
    query: &MessageQuery,
    limit: usize,
    direction: &str,
) -> rusqlite::Result<Vec<Record>> {
    let (columns, table, chat) =
        if direction == "in" { (IN, "inbox", "chat_id") } else { (OUT, "outbox", "lane") };
    let filter = match (&query.chat, query.verdict.as_deref()) {
        (Some(_), _) => format!("WHERE {chat} = :chat"),
        // Spelt out, so that SQLite sees that the partial index fits.
        (None, Some("waiting")) => "WHERE verdict = 'waiting'".into(),
        (None, Some("failed")) => "WHERE verdict = 'failed'".into(),
        (None, _) => String::new(),
    };
    let select = format!(
        "SELECT * FROM (SELECT {columns} FROM {table} {filter} ORDER BY id DESC LIMIT {SEARCHED})
        WHERE substr(chat_id, 1, length(:aside)) <> :aside AND (:chat IS NULL OR chat_id = :chat) AND (:verdict IS NULL OR outcome = :verdict)
            AND (:text IS NULL OR instr(preview, :text) > 0) LIMIT :limit"
    );
    let params = named_params! {
        ":chat": query.chat,
        ":verdict": query.verdict,
        ":text": query.text,
        ":limit": sql::limit(limit),
        ":aside": ASIDE,
    };
    sql::all(conn, &select, params, |row| record(row, direction))
}

pub(super) fn tally(conn: &Connection) -> rusqlite::Result<Vec<Tally>> {
    let select = "SELECT app, verdict, why, count FROM tally WHERE count <> 0
        ORDER BY app, verdict, why";
    sql::all(conn, select, [], |row| {
        Ok(Tally {
            app: row.get(0)?,
            verdict: row.get(1)?,
            why: row.get(2)?,
            count: sql::count(row, 3)?,
        })
    })
}

pub(super) fn waiting_apps(conn: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let select = "SELECT app, sum(waits) FROM (
            SELECT app, count(*) AS waits FROM inbox WHERE routed_ms IS NULL GROUP BY app
            UNION ALL SELECT i.app, count(*) FROM task t JOIN inbox i ON i.id = t.inbox
                WHERE t.state = 'queued' GROUP BY i.app
            UNION ALL SELECT app, count(*) FROM outbox WHERE state = 'queued' GROUP BY app)
        GROUP BY app ORDER BY app";
    sql::all(conn, select, [], |row| Ok((row.get(0)?, sql::count(row, 1)?)))
}

pub(super) fn depths(conn: &Connection) -> rusqlite::Result<Depths> {
    let select = "SELECT
        (SELECT count(*) FROM inbox WHERE routed_ms IS NULL),
        (SELECT count(*) FROM task WHERE state = 'queued'),
        (SELECT count(*) FROM task WHERE state = 'awaiting'),
        (SELECT count(*) FROM outbox WHERE state = 'queued'),
        (SELECT count(*) FROM task WHERE state = 'dead')
            + (SELECT count(*) FROM outbox WHERE state = 'dead'),
        (SELECT received_ms FROM inbox WHERE verdict = 'waiting' ORDER BY id LIMIT 1)";
    let depths = sql::one(conn, select, [], |row| {
        Ok(Depths {
            unrouted: sql::count(row, 0)?,
            tasks: sql::count(row, 1)?,
            awaiting: sql::count(row, 2)?,
            outbox: sql::count(row, 3)?,
            dead: sql::count(row, 4)?,
            oldest_ms: row.get(5)?,
        })
    })?;
    Ok(depths.unwrap_or_default())
}

pub(super) fn oldest_waiting(
    conn: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<WaitingEvent>> {
    let select = "SELECT id, app, event_id, kind, coalesce(message_id, ''), coalesce(chat_id, ''),
            received_ms,
            (SELECT json_group_array(DISTINCT t.route) FROM task t WHERE t.inbox = inbox.id)
        FROM inbox WHERE verdict = 'waiting' ORDER BY id LIMIT ?1";
    sql::all(conn, select, [sql::limit(limit)], |row| {
        let routes: String = row.get(7)?;
        Ok(WaitingEvent {
            id: InboxId(row.get(0)?),
            app: row.get(1)?,
            event_id: row.get(2)?,
            kind: row.get(3)?,
            message_id: row.get(4)?,
            chat_id: row.get(5)?,
            received_ms: row.get(6)?,
            // Made by SQLite just now, so it is a list.
            routes: serde_json::from_str(&routes).unwrap_or_default(),
        })
    })
}

pub(super) fn last_handled(conn: &Connection) -> rusqlite::Result<Option<LastHandled>> {
    let select = "SELECT verdict_ms, event_id, verdict, why FROM (
            SELECT verdict_ms, event_id, verdict, why FROM inbox ORDER BY id DESC LIMIT ?1)
        WHERE verdict IN ('replied', 'failed') ORDER BY verdict_ms DESC LIMIT 1";
    sql::one(conn, select, [RECENT], |row| {
        let (at_ms, event_id) = (row.get(0)?, row.get(1)?);
        Ok(LastHandled { at_ms, event_id, verdict: row.get(2)?, why: row.get(3)? })
    })
}

pub(super) fn arrivals(conn: &Connection, app: &str, limit: usize) -> rusqlite::Result<Vec<i64>> {
    let select = "SELECT received_ms FROM (
            SELECT id, app, kind, received_ms FROM inbox ORDER BY id DESC LIMIT ?2)
        WHERE app = ?1 AND kind <> ?3 ORDER BY id";
    sql::all(conn, select, params![app, sql::limit(limit), JOB], |row| row.get(0))
}

pub(super) fn next_due(conn: &Connection, after_ms: i64) -> rusqlite::Result<Option<i64>> {
    let select = "SELECT min(due) FROM (
        SELECT min(ready_ms) AS due FROM task WHERE ready_ms > ?1
        UNION ALL SELECT min(ready_ms) FROM outbox WHERE ready_ms > ?1)";
    Ok(sql::one(conn, select, [after_ms], |row| row.get(0))?.flatten())
}

pub(super) fn chats(conn: &Connection) -> rusqlite::Result<Vec<ChatRecord>> {
    let select = "SELECT app, chat_id, chat_type, name, events, last_ms FROM chat
        ORDER BY last_ms DESC LIMIT ?1";
    sql::all(conn, select, [CHATS], |row| {
        Ok(ChatRecord {
            app: row.get(0)?,
            chat_id: row.get(1)?,
            chat_type: row.get(2)?,
            name: row.get(3)?,
            events: sql::count(row, 4)?,
            last_ms: row.get(5)?,
        })
    })
}
