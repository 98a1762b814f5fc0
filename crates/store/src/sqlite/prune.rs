//! Forgetting: finished events go with everything that hangs on them. Dead letters that nobody has
//! decided about stay, with their events and those that follow these, however old they are.

use rusqlite::params;

use super::{fault::Refusal, sql, writer::Tx};
use crate::record::Pruned;

/// Events looked at in one transaction: about a millisecond of the writer.
const BITE: i64 = 256;

/// One bite, from the events after `after`. Answers what went and where to go on; `None` when
/// a whole bite holds nothing old enough, or the end is reached.
pub(super) fn events(
    tx: &Tx<'_>,
    before_ms: i64,
    after: i64,
) -> Result<(Pruned, Option<i64>), Refusal> {
    // The newest stays whatever its age: the next number is made from it.
    let read =
        "SELECT id, received_ms < ?2, verdict <> 'waiting' AND pending = 0, dead > 0 FROM inbox
        WHERE id > ?1 AND id < (SELECT max(id) FROM inbox) ORDER BY id LIMIT ?3";
    let rows = sql::all(tx.conn, read, [after, before_ms, BITE], |row| {
        let is_finished = row.get::<_, bool>(2)?;
        Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, is_finished, row.get::<_, bool>(3)?))
    })?;
    let mut pruned = Pruned::default();
    for (id, old, finished, has_dead) in &rows {
        if *old && *finished && !(*has_dead && is_undecided(tx, *id)?) {
            pruned.keys += forget(tx, *id)?;
            pruned.events += 1;
        }
    }
    if let Some((last, ..)) = rows.last() {
        // Lines of acks go when none of their events is left.
        let delete = "DELETE FROM acked WHERE first > ?1 AND first <= ?2 AND last <= ?2
            AND NOT EXISTS (SELECT 1 FROM inbox WHERE id BETWEEN acked.first AND acked.last)";
        sql::exec(tx.conn, delete, [after, *last])?;
    }
    // One event with a wrong clock must not keep everything behind it for ever.
    let last = rows.last().filter(|_| rows.iter().any(|(_, old, ..)| *old));
    Ok((pruned, last.map(|(id, ..)| *id)))
}

/// Whether something of an event, or of one whose verdict it follows, may still be retried by hand.
fn is_undecided(tx: &Tx<'_>, id: i64) -> Result<bool, Refusal> {
    let read = "WITH RECURSIVE line (inbox) AS (
            SELECT ?1
            UNION
            SELECT h.inbox FROM line JOIN task t INDEXED BY task_inbox ON t.inbox = line.inbox
                JOIN task h ON h.id = t.merged
            WHERE t.state = 'merged')
        SELECT 1 FROM line WHERE
            EXISTS (SELECT 1 FROM task t INDEXED BY task_inbox
                WHERE t.inbox = line.inbox AND t.state = 'dead')
            OR EXISTS (SELECT 1 FROM outbox o INDEXED BY outbox_inbox
                WHERE o.inbox = line.inbox AND o.state = 'dead') LIMIT 1";
    Ok(sql::one(tx.conn, read, [id], |_| Ok(()))?.is_some())
}

/// Deletes one event and its rows; answers how many dedupe keys went.
fn forget(tx: &Tx<'_>, id: i64) -> Result<u64, Refusal> {
    let read = "SELECT i.app, p.keys FROM inbox i JOIN payload p ON p.inbox = i.id
        WHERE i.id = ?1";
    let keys = sql::one(tx.conn, read, [id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut gone = 0;
    if let Some((app, keys)) = keys {
        // Written by accept; if it is damaged, its keys stay behind and do no harm.
        for key in serde_json::from_str::<Vec<String>>(&keys).unwrap_or_default() {
            let delete = "DELETE FROM seen WHERE key = ?1 AND app = ?2 AND inbox = ?3";
            gone += sql::exec(tx.conn, delete, params![key, app, id])? as u64;
        }
    }
    for delete in [
        "DELETE FROM payload WHERE inbox = ?1",
        "DELETE FROM log WHERE inbox = ?1",
        "DELETE FROM task WHERE inbox = ?1",
        "DELETE FROM outbox WHERE inbox = ?1",
        "DELETE FROM inbox WHERE id = ?1",
    ] {
        sql::exec(tx.conn, delete, [id])?;
    }
    Ok(gone)
}

/// One bite of settled outgoing messages that answered no event; dead letters among them stay.
pub(super) fn alone(tx: &Tx<'_>, before_ms: i64) -> Result<u64, Refusal> {
    let delete = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
        WHERE inbox IS NULL AND created_ms < ?1 AND state NOT IN ('queued', 'dead') LIMIT ?2)";
    Ok(sql::exec(tx.conn, delete, [before_ms, BITE])? as u64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        SqliteOptions, SqliteStore, Store,
        inbox::{AckTimes, Decision, InboxId, NewEvent, Ruling, event_key},
    };

    /// One event that waits for years keeps the lines of the acks of its neighbours, and no more.
    #[tokio::test]
    async fn ack_lines_go_with_their_events_also_behind_an_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.db");
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let event = |n: i64| NewEvent {
            app: "main".into(),
            keys: vec![event_key(&n.to_string())],
            chat_id: Some(n.to_string().into()),
            received_ms: n,
            ruling: (n > 1).then_some(Ruling {
                at_ms: n,
                decision: Decision::Filtered { why: "no_route" },
                notice: None,
            }),
            ..NewEvent::default()
        };
        store.accept((1..=600).map(event).collect::<Arc<[_]>>()).await.unwrap();
        // Lines of three events, so that some lie across the bites of a pruning.
        let ack = |n: i64| AckTimes { inbox: InboxId(n), journaled_ms: n / 3, acked_ms: n / 3 };
        store.mark_acked((1..=600).map(ack).collect()).await.unwrap();
        store.prune(i64::MAX).await.unwrap();
        store.accept([event(601)].into()).await.unwrap();
        store.prune(i64::MAX).await.unwrap();
        let conn = rusqlite::Connection::open(&path).unwrap();
        let lines = "SELECT group_concat(first || '-' || last, ' ') FROM acked";
        let lines: String = conn.query_row(lines, [], |row| row.get(0)).unwrap();
        assert_eq!(lines, "1-2", "those of the one that waits");
    }
}
