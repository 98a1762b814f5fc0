//! Small facts of the gateway itself, by name.

use rusqlite::Connection;

use super::{fault::Refusal, sql, writer::Tx};

pub(super) fn get(conn: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    sql::one(conn, "SELECT value FROM fact WHERE name = ?1", [name], |row| row.get(0))
}

pub(super) fn put(tx: &Tx<'_>, name: &str, value: &str) -> Result<(), Refusal> {
    sql::exec(tx.conn, "REPLACE INTO fact (name, value) VALUES (?1, ?2)", [name, value])?;
    Ok(())
}
