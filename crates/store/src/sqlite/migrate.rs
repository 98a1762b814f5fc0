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
    include_str!("../../migrations/0003_pace.sql"),
    include_str!("../../migrations/0004_sessions.sql"),
    include_str!("../../migrations/0005_jobs.sql"),
    include_str!("../../migrations/0006_attempts.sql"),
];

/// The version of a file that has run all steps.
pub(crate) const NEWEST: usize = STEPS.len();

/// Brings the file to the newest schema this binary knows.
///
/// # Errors
/// [`StoreError::Newer`] for a file of a newer binary, which is left as it is.
pub(super) fn run(conn: &mut Connection) -> Result<(), StoreError> {
    let sql = |error: rusqlite::Error| fault::from_sqlite("migrate", &error);
    let found = version(conn)?;
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

/// The version of the file.
///
/// # Errors
/// [`StoreError::Newer`] for a file of a newer binary.
pub(super) fn version(conn: &Connection) -> Result<i64, StoreError> {
    let known = i64::try_from(NEWEST).unwrap_or(i64::MAX);
    let found = conn.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i64 = found.map_err(|error| fault::from_sqlite("migrate", &error))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{STEPS, run};
    use crate::{
        SqliteStore, Store,
        record::NewBoot,
        session::{SessionId, SessionQuery, SessionState},
        sqlite::{SqliteOptions, open},
    };

    /// A file as the second step left it, with events: nothing of them is lost by later steps.
    #[test]
    fn what_an_older_binary_stored_is_still_there() {
        let mut conn = Connection::open_in_memory().unwrap();
        for step in &STEPS[..2] {
            conn.execute_batch(step).unwrap();
        }
        conn.pragma_update(None, "user_version", 2).unwrap();
        for (id, acked) in [(3, "7"), (4, "NULL")] {
            let insert = format!(
                "INSERT INTO inbox (id, app, event_id, kind, chat_id, created_ms, received_ms,
                    boot_id, preview, journaled_ms, acked_ms, verdict)
                VALUES ({id}, 'main', 'ev_{id}', 'k', 'oc', 1, 2, 'b', 'hi', 6, {acked}, 'failed')"
            );
            conn.execute(&insert, []).unwrap();
        }
        run(&mut conn).unwrap();
        let events = "SELECT group_concat(id || event_id || preview || verdict, ' ') FROM inbox
            INDEXED BY inbox_chat WHERE chat_id = 'oc' ORDER BY id";
        let text = |sql| conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(text(events), "3ev_3hifailed 4ev_4hifailed");
        let acked = "SELECT group_concat(first || '-' || last || '@' || acked_ms, ' ') FROM acked";
        assert_eq!(text(acked), "3-3@7");
    }

    /// Conversations that an older binary kept under their key alone go on under a number, one
    /// current of a key as ever, and the next boot suspends what was in a turn.
    #[tokio::test]
    async fn conversations_of_an_older_binary_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.db");
        let conn = Connection::open(&path).unwrap();
        STEPS[..3].iter().for_each(|step| conn.execute_batch(step).unwrap());
        conn.pragma_update(None, "user_version", 3).unwrap();
        let old = "INSERT INTO session VALUES
            ('claude/oc_2', 'claude', 'processing', 's-2', 7, 20, 90),
            ('claude/oc_1', 'claude', 'completed', NULL, 1, 10, 30)";
        conn.execute(old, []).unwrap();
        drop(conn);
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let all = SessionQuery { limit: 10, ..SessionQuery::default() };
        let sessions = store.sessions(all).await.unwrap();
        let [running, over] = &sessions[..] else { panic!("two of them: {sessions:?}") };
        assert_eq!((over.id, over.key.as_str()), (SessionId(1), "claude/oc_1"));
        assert_eq!((over.state, over.turns), (SessionState::Completed, 1));
        assert_eq!((running.created_ms, running.used_ms, running.turns), (20, 90, 7));
        assert_eq!(running.agent_session.as_deref(), Some("s-2"));
        let boot = NewBoot { boot_id: "b".into(), version: String::new(), pid: 1, at_ms: 100 };
        store.begin_boot(boot).await.unwrap();
        let current = store.session("claude/oc_2".into()).await.unwrap().unwrap();
        assert_eq!((current.id, current.state), (running.id, SessionState::Suspended));
        let steps = store.session_steps(current.id).await.unwrap();
        let told: Vec<_> = steps.iter().map(|step| (step.at_ms, step.cause.as_str())).collect();
        assert_eq!(told, [(90, "migrated"), (100, "restart")]);
        assert_eq!(store.session("claude/oc_1".into()).await.unwrap(), None);
    }

    /// A step may need room that it gives back: a store at its bound opens, so that it can be pruned.
    #[test]
    fn a_full_store_of_an_older_binary_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.db");
        let conn = Connection::open(&path).unwrap();
        STEPS[..2].iter().for_each(|step| conn.execute_batch(step).unwrap());
        conn.pragma_update(None, "user_version", 2).unwrap();
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000)
            INSERT INTO inbox (app, event_id, kind, created_ms, received_ms, boot_id, preview, acked_ms)
            SELECT 'main', 'ev_' || i, 'k', 1, 2, 'b', 'words', 3 FROM n";
        conn.execute(fill, []).unwrap();
        drop(conn);
        let bytes_max = Some(std::fs::metadata(&path).unwrap().len());
        let conn = open::writer(&path, &SqliteOptions { bytes_max }).unwrap();
        let count = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM inbox JOIN acked ON first = id"), 4000);
        let refused =
            conn.execute("INSERT INTO probe (id, filler) VALUES (1, zeroblob(9000000))", []);
        assert!(refused.is_err(), "the bound holds");
    }
}
