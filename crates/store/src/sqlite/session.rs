//! Conversations: their states, what else is known of them, and their steps.

use rusqlite::{
    Connection, Row, ToSql, named_params, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::{
    fault::Refusal,
    list::{LINES, SEARCHED},
    sql,
    writer::Tx,
};
use crate::{
    session::{
        Change, IDLE, NewSession, REPLACED, RESTART, Session, SessionFact, SessionId, SessionMove,
        SessionPatch, SessionQuery, SessionState, SessionStep,
    },
    task::TaskId,
};

/// Steps kept of one session: some hundred turns. A conversation may live for years.
const STEPS_KEPT: i64 = 1_000;
/// Sessions completed in one transaction.
const IDLE_BITE: i64 = 256;
/// Sessions forgotten in one transaction: each may have a thousand steps and utterances.
const PRUNE_BITE: i64 = 8;

const COLUMNS: &str = "id, key, handler, state, agent_session, cwd, model, turns, cost_microusd,
    tokens_in, tokens_out, task, event, created_ms, used_ms";

impl ToSql for SessionState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.word().into())
    }
}

impl FromSql for SessionState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let state = Self::ALL.into_iter().find(|state| state.word() == word);
        state.ok_or(FromSqlError::InvalidType)
    }
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId(row.get(0)?),
        key: row.get(1)?,
        handler: row.get(2)?,
        state: row.get(3)?,
        agent_session: row.get(4)?,
        cwd: row.get(5)?,
        model: row.get(6)?,
        turns: sql::count(row, 7)?,
        cost_microusd: sql::count(row, 8)?,
        tokens_in: sql::count(row, 9)?,
        tokens_out: sql::count(row, 10)?,
        task: row.get::<_, Option<i64>>(11)?.map(TaskId),
        event: row.get::<_, Option<String>>(12)?.map(Into::into),
        created_ms: row.get(13)?,
        used_ms: row.get(14)?,
    })
}

pub(super) fn current(conn: &Connection, key: &str) -> rusqlite::Result<Option<Session>> {
    let select = format!(
        "SELECT {COLUMNS} FROM session INDEXED BY session_current
        WHERE key = ?1 AND state NOT IN ('completed', 'terminated')"
    );
    sql::one(conn, &select, [key], session)
}

pub(super) fn by_id(
    conn: &Connection,
    SessionId(id): SessionId,
) -> rusqlite::Result<Option<Session>> {
    sql::one(conn, &format!("SELECT {COLUMNS} FROM session WHERE id = ?1"), [id], session)
}

pub(super) fn list(conn: &Connection, query: &SessionQuery) -> rusqlite::Result<Vec<Session>> {
    let filter = match (&query.key, query.state) {
        (Some(_), _) => "WHERE key = :key",
        (None, Some(_)) => "WHERE state = :state",
        (None, None) => "",
    };
    let select = format!(
        "SELECT * FROM (SELECT {COLUMNS} FROM session {filter}
            ORDER BY used_ms DESC, id DESC LIMIT {SEARCHED})
        WHERE (:key IS NULL OR key = :key) AND (:state IS NULL OR state = :state)
            AND (:handler IS NULL OR handler = :handler)
            AND (:text IS NULL OR instr(key, :text) > 0) LIMIT :limit"
    );
    let params = named_params! {
        ":key": query.key,
        ":state": query.state,
        ":handler": query.handler,
        ":text": query.text,
        ":limit": sql::limit(query.limit.min(LINES)),
    };
    sql::all(conn, &select, params, session)
}

pub(super) fn steps(
    conn: &Connection,
    SessionId(id): SessionId,
) -> rusqlite::Result<Vec<SessionStep>> {
    let select = "SELECT at_ms, from_state, to_state, cause, detail FROM session_step
        WHERE session = ?1 ORDER BY id LIMIT ?2";
    sql::all(conn, select, [id, STEPS_KEPT], |row| {
        Ok(SessionStep {
            at_ms: row.get(0)?,
            from: row.get(1)?,
            to: row.get(2)?,
            cause: row.get(3)?,
            detail: row.get(4)?,
        })
    })
}

pub(super) fn begin(tx: &Tx<'_>, new: &NewSession) -> Result<Session, Refusal> {
    if let Some(current) = current(tx.conn, &new.key)? {
        return Ok(current);
    }
    let insert = "INSERT INTO session (key, handler, state, cwd, model, created_ms, used_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
    let state = SessionState::New;
    sql::exec(
        tx.conn,
        insert,
        params![new.key, new.handler, state, new.cwd, new.model, new.at_ms],
    )?;
    let id = SessionId(tx.conn.last_insert_rowid());
    let begun = (None, state);
    note(tx, id, new.at_ms, begun, (&new.cause, ""))?;
    by_id(tx.conn, id)?.ok_or(Refusal::NoSession(id))
}

pub(super) fn step(tx: &Tx<'_>, id: SessionId, step: &SessionMove) -> Result<Session, Refusal> {
    let mut session = by_id(tx.conn, id)?.ok_or(Refusal::NoSession(id))?;
    let SessionMove { to, cause, detail, at_ms, patch } = step;
    let from = session.state;
    may_step(&session, *to)?;
    if !from.is_current()
        && to.is_current()
        && let Some(other) = current(tx.conn, &session.key)?
    {
        may_step(&other, SessionState::Completed)?;
        let detail = format!("session {} was chosen", id.0);
        put_aside(tx, &other, *at_ms, (cause, &detail))?;
    }
    change_state(tx, id, *to)?;
    note(tx, id, *at_ms, (Some(from), *to), (cause, detail))?;
    session.state = *to;
    if to.is_current() {
        session.used_ms = *at_ms;
    }
    amend(tx, session, patch, *at_ms)
}

/// Refuses what the table of states does not know. Said before anything is written.
fn may_step(session: &Session, to: SessionState) -> Result<(), Refusal> {
    let (session, from) = (session.id, session.state);
    if from.may_become(to) { Ok(()) } else { Err(Refusal::SessionStep { session, from, to }) }
}

fn put_aside(
    tx: &Tx<'_>,
    session: &Session,
    at_ms: i64,
    why: (&str, &str),
) -> rusqlite::Result<()> {
    change_state(tx, session.id, SessionState::Completed)?;
    note(tx, session.id, at_ms, (Some(session.state), SessionState::Completed), why)
}

fn change_state(tx: &Tx<'_>, id: SessionId, to: SessionState) -> rusqlite::Result<()> {
    sql::exec(tx.conn, "UPDATE session SET state = ?2 WHERE id = ?1", params![id.0, to]).map(drop)
}

/// Adds to a session's history; the oldest of a very long one goes.
fn note(
    tx: &Tx<'_>,
    SessionId(id): SessionId,
    at_ms: i64,
    (from, to): (Option<SessionState>, SessionState),
    (cause, detail): (&str, &str),
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO session_step (session, at_ms, from_state, to_state, cause, detail)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    sql::exec(tx.conn, insert, params![id, at_ms, from, to, cause, detail])?;
    let trim = "DELETE FROM session_step WHERE session = ?1 AND id <= (
        SELECT id FROM session_step WHERE session = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    sql::exec(tx.conn, trim, [id, STEPS_KEPT]).map(drop)
}

pub(super) fn patch(
    tx: &Tx<'_>,
    id: SessionId,
    patch: &SessionPatch,
    at_ms: i64,
) -> Result<Session, Refusal> {
    let mut session = by_id(tx.conn, id)?.ok_or(Refusal::NoSession(id))?;
    session.used_ms = at_ms;
    amend(tx, session, patch, at_ms)
}

/// Makes the changes of a patch and writes all that is not the state.
fn amend(
    tx: &Tx<'_>,
    mut session: Session,
    patch: &SessionPatch,
    at_ms: i64,
) -> Result<Session, Refusal> {
    let former = session.agent_session.clone();
    patch.apply(&mut session);
    if let Some(former) = former
        && patch.agent_session != Change::Keep
        && session.agent_session.as_ref() != Some(&former)
    {
        let stays = (Some(session.state), session.state);
        note(tx, session.id, at_ms, stays, (REPLACED, &former))?;
    }
    let update = "UPDATE session SET agent_session = ?2, cwd = ?3, model = ?4, turns = ?5,
            cost_microusd = ?6, tokens_in = ?7, tokens_out = ?8, task = ?9, event = ?10,
            used_ms = ?11
        WHERE id = ?1";
    let columns = params![
        session.id.0,
        session.agent_session,
        session.cwd,
        session.model,
        stored(session.turns),
        stored(session.cost_microusd),
        stored(session.tokens_in),
        stored(session.tokens_out),
        session.task.map(|task| task.0),
        session.event.as_ref().map(AsRef::<str>::as_ref),
        session.used_ms,
    ];
    sql::exec(tx.conn, update, columns)?;
    Ok(session)
}

/// A count as the file holds it.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Suspends what the previous boot left in a turn; how many that were.
pub(super) fn restarted(tx: &Tx<'_>, at_ms: i64, boot_id: &str) -> Result<u64, Refusal> {
    let read = "SELECT id FROM session INDEXED BY session_state WHERE state = ?1";
    let (from, to) = (SessionState::Processing, SessionState::Suspended);
    let left = sql::all(tx.conn, read, [from], |row| row.get(0).map(SessionId))?;
    let detail = format!("run {boot_id} ended in a turn");
    for &id in &left {
        change_state(tx, id, to)?;
        note(tx, id, at_ms, (Some(from), to), (RESTART, &detail))?;
    }
    Ok(left.len() as u64)
}

/// Handlers with whom a session is current and was used last before `before_ms`.
pub(super) fn idle_handlers(conn: &Connection, before_ms: i64) -> rusqlite::Result<Vec<String>> {
    let select = "SELECT DISTINCT handler FROM session INDEXED BY session_state
        WHERE state IN ('new', 'active', 'suspended') AND used_ms < ?1 LIMIT ?2";
    sql::all(conn, select, params![before_ms, sql::limit(LINES)], |row| row.get(0))
}

/// Completes a bite of what was used last before `before_ms`; answers how many.
pub(super) fn end_idle(
    tx: &Tx<'_>,
    handler: &str,
    before_ms: i64,
    at_ms: i64,
) -> Result<u64, Refusal> {
    let read = format!(
        "SELECT {COLUMNS} FROM session INDEXED BY session_state
        WHERE state IN ('new', 'active', 'suspended') AND used_ms < ?1 AND handler = ?3 LIMIT ?2"
    );
    let idle = sql::all(tx.conn, &read, params![before_ms, IDLE_BITE, handler], session)?;
    for session in &idle {
        put_aside(tx, session, at_ms, (IDLE, ""))?;
    }
    Ok(idle.len() as u64)
}

/// Forgets a bite of what is over, or never had a turn, and was used last before `before_ms`.
pub(super) fn prune(tx: &Tx<'_>, before_ms: i64) -> Result<u64, Refusal> {
    let read = "SELECT id FROM session INDEXED BY session_state
        WHERE state IN ('new', 'completed', 'terminated') AND used_ms < ?1 LIMIT ?2";
    let old = sql::all(tx.conn, read, [before_ms, PRUNE_BITE], |row| row.get::<_, i64>(0))?;
    for id in &old {
        for delete in [
            "DELETE FROM utterance WHERE session = ?1",
            "DELETE FROM session_step WHERE session = ?1",
            "DELETE FROM session WHERE id = ?1",
        ] {
            sql::exec(tx.conn, delete, [id])?;
        }
        for fact in SessionFact::ALL {
            let name = fact.of(SessionId(*id));
            sql::exec(tx.conn, "DELETE FROM fact WHERE name = ?1", [name])?;
        }
    }
    Ok(old.len() as u64)
}
