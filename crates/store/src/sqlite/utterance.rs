//! What was said in conversations with language models.

use rusqlite::{Connection, params};

use super::{fault::Refusal, session, sql, writer::Tx};
use crate::{
    session::{SessionId, Utterance},
    task::TaskId,
};

/// Utterances kept of one session: more than a model can be shown of a chat. A conversation may
/// live for years.
const KEPT: i64 = 1_000;

/// Puts what tasks said at the end of a conversation, in place of what they said before.
pub(super) fn say(tx: &Tx<'_>, id: SessionId, said: &[Utterance]) -> Result<(), Refusal> {
    if session::by_id(tx.conn, id)?.is_none() {
        return Err(Refusal::NoSession(id));
    }
    for Utterance { task, .. } in said {
        let delete = "DELETE FROM utterance WHERE task = ?1 AND session = ?2";
        sql::exec(tx.conn, delete, [task.0, id.0])?;
    }
    for Utterance { task, role, text, tokens, at_ms } in said {
        let insert = "INSERT INTO utterance (session, task, role, text, tokens, at_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        sql::exec(tx.conn, insert, params![id.0, task.0, role, text, tokens, at_ms])?;
    }
    let trim = "DELETE FROM utterance WHERE session = ?1 AND id <= (
        SELECT id FROM utterance WHERE session = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    sql::exec(tx.conn, trim, [id.0, KEPT])?;
    Ok(())
}

pub(super) fn last(
    conn: &Connection,
    SessionId(id): SessionId,
    limit: usize,
) -> rusqlite::Result<Vec<Utterance>> {
    let select = "SELECT task, role, text, tokens, at_ms FROM utterance
        WHERE session = ?1 ORDER BY id DESC LIMIT ?2";
    let mut said = sql::all(conn, select, [id, sql::limit(limit)], |row| {
        Ok(Utterance {
            task: TaskId(row.get(0)?),
            role: row.get(1)?,
            text: row.get(2)?,
            tokens: sql::small(row, 3)?,
            at_ms: row.get(4)?,
        })
    })?;
    said.reverse();
    Ok(said)
}
