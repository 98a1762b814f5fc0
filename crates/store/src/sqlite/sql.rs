//! Three ways to run a statement, all through the connection's cache of prepared ones.
//!
//! Not here: transactions (see [`super::writer`]) and what the statements say.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Result, Row};

/// Runs a statement; answers how many rows it changed.
pub(super) fn exec(conn: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    cached(conn, sql)?.execute(params)
}

/// The row of a query that has at most one of interest.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    cached(conn, sql)?.query_row(params, read).optional()
}

/// All rows of a query; every caller bounds it by a `LIMIT` or by what it asks for.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    cached(conn, sql)?.query_map(params, read)?.collect()
}

/// A statement from the cache, for who runs it many times.
pub(super) fn cached<'c>(conn: &'c Connection, sql: &str) -> Result<CachedStatement<'c>> {
    #[cfg(test)]
    super::plans::check(conn, sql);
    conn.prepare_cached(sql)
}

/// A bound as SQLite wants it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// A count as read from a row; a negative one is damage and reads as none.
pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// A small count as read from a row.
pub(super) fn small(row: &Row<'_>, column: usize) -> Result<u32> {
    Ok(u32::try_from(row.get::<_, i64>(column)?).unwrap_or(u32::MAX))
}
