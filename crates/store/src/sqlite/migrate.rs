//! The schema's steps: numbered files, one transaction each, the number in `user_version`.
//!
//! A step that was released is never edited; a mistake in it is a new step.

use larkline_failpoint::failpoint;
use rusqlite::{Connection, TransactionBehavior};

use super::fault;
use crate::StoreError;

/// All steps; the file that has run the n-th has version n.
const STEPS: &[&str] = &[
    include_str!("../../migrations/0001_line.sql"),
    include_str!("../../migrations/0002_story.sql"),
];

/// Brings the file to the newest schema this binary knows.
///
/// # Errors
/// [`StoreError::Newer`] for a file of a newer binary, which is left as it is.
pub(super) fn run(conn: &mut Connection) -> Result<(), StoreError> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let sql = |error: rusqlite::Error| fault::from_sqlite("migrate", &error);
    let found: i64 =
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sql)?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for (step, version) in STEPS.iter().zip(1_i64..).skip(done) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        tx.execute_batch(step).map_err(sql)?;
        tx.pragma_update(None, "user_version", version).map_err(sql)?;
        failpoint!("migration_begun");
        tx.commit().map_err(sql)?;
        failpoint!("migrated");
    }
    Ok(())
}
