//! Conversations.

use rusqlite::{
    Connection, Row, ToSql, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::{fault::Refusal, sql, writer::Tx};
use crate::session::{Session, SessionState};

const COLUMNS: &str = "key, handler, state, agent_session, turns, created_ms, used_ms";

/// The states and their words in the file.
const STATES: &[(SessionState, &str)] = &[
    (SessionState::New, "new"),
    (SessionState::Active, "active"),
    (SessionState::Processing, "processing"),
    (SessionState::Completed, "completed"),
    (SessionState::Suspended, "suspended"),
    (SessionState::Terminated, "terminated"),
];

impl ToSql for SessionState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let word = STATES.iter().find(|(state, _)| state == self).map_or("new", |(_, word)| word);
        Ok(word.into())
    }
}

impl FromSql for SessionState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let state = STATES.iter().find(|(_, known)| *known == word);
        state.map(|(state, _)| *state).ok_or(FromSqlError::InvalidType)
    }
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        key: row.get(0)?,
        handler: row.get(1)?,
        state: row.get(2)?,
        agent_session: row.get(3)?,
        turns: sql::count(row, 4)?,
        created_ms: row.get(5)?,
        used_ms: row.get(6)?,
    })
}

pub(super) fn get(conn: &Connection, key: &str) -> rusqlite::Result<Option<Session>> {
    sql::one(conn, &format!("SELECT {COLUMNS} FROM session WHERE key = ?1"), [key], session)
}

pub(super) fn list(conn: &Connection, limit: usize) -> rusqlite::Result<Vec<Session>> {
    let select = format!("SELECT {COLUMNS} FROM session ORDER BY used_ms DESC LIMIT ?1");
    sql::all(conn, &select, [sql::limit(limit)], session)
}

pub(super) fn put(tx: &Tx<'_>, session: &Session) -> Result<(), Refusal> {
    let replace = format!("REPLACE INTO session ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    let columns = params![
        session.key,
        session.handler,
        session.state,
        session.agent_session,
        i64::try_from(session.turns).unwrap_or(i64::MAX),
        session.created_ms,
        session.used_ms,
    ];
    sql::exec(tx.conn, &replace, columns)?;
    Ok(())
}
