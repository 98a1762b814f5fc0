//! Accepting, acking and routing events.

use larkline_proto::id::{ChatId, EventId};
use rusqlite::{CachedStatement, Connection, Row, params};

use super::{
    fault::Refusal,
    ledger::{self, FAILED, FILTERED, Note, WAITING},
    outbox, sql, task,
    writer::Tx,
};
use crate::{
    inbox::{
        Accepted, AckTimes, Decision, InboxId, InboxItem, NewEvent, RouteDecision, Ruling,
        event_key,
    },
    job::JOB,
    outbox::NewOutbox,
};

/// Redeliveries that get a line of their own in an event's story; the rest are counted. The
/// platform stops after four.
const REPEATS_TOLD: u32 = 16;

/// Columns of an [`InboxItem`] in a query that joins `inbox i` and `payload p`.
pub(super) const ITEM: &str = "i.id, i.app, i.event_id, i.kind, i.received_ms, p.body, i.boot_id";

/// Reads [`ITEM`] from its place in a row.
pub(super) fn item(row: &Row<'_>, at: usize) -> rusqlite::Result<InboxItem> {
    Ok(InboxItem {
        id: InboxId(row.get(at)?),
        app: row.get(at + 1)?,
        event_id: row.get::<_, String>(at + 2)?.into(),
        kind: row.get(at + 3)?,
        received_ms: row.get(at + 4)?,
        payload: row.get(at + 5)?,
        boot_id: row.get(at + 6)?,
    })
}

pub(super) fn accept(tx: &mut Tx<'_>, events: &[NewEvent]) -> Result<Vec<Accepted>, Refusal> {
    let mut insert = Insert::prepare(tx.conn)?;
    events.iter().map(|event| accept_one(tx, &mut insert, event)).collect()
}

/// The statements that every event runs, found once for all events of a batch.
struct Insert<'c> {
    key: CachedStatement<'c>,
    event: CachedStatement<'c>,
    payload: CachedStatement<'c>,
}

impl<'c> Insert<'c> {
    fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        let key = "INSERT INTO seen (key, app, inbox) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let event = "INSERT INTO inbox (id, app, event_id, kind, message_id, chat_id, chat_type,
                sender, created_ms, received_ms, boot_id, preview, routed_ms, final, pending,
                verdict, why, verdict_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                ?18)";
        let payload = "INSERT INTO payload (inbox, keys, body) VALUES (?1, ?2, ?3)";
        Ok(Self {
            key: sql::cached(conn, key)?,
            event: sql::cached(conn, event)?,
            payload: sql::cached(conn, payload)?,
        })
    }
}

fn accept_one(
    tx: &mut Tx<'_>,
    insert: &mut Insert<'_>,
    event: &NewEvent,
) -> Result<Accepted, Refusal> {
    let id = next_id(tx)?;
    for (n, key) in event.keys.iter().enumerate() {
        if event.keys[..n].contains(key) {
            continue;
        }
        if insert.key.execute(params![key, event.app, id])? == 0 {
            return repeated(tx, event, key, &event.keys[..n]);
        }
    }
    // Whoever is decided later may not be overtaken: in a lane the older one goes first.
    let waits = waits_for_older(tx, event)?;
    let ruling = event.ruling.as_ref().filter(|_| !waits);
    let standing = Standing::of(ruling);
    insert.event.execute(params![
        id,
        event.app,
        event.event_id.as_str(),
        event.kind,
        event.message_id.as_ref().map(AsRef::<str>::as_ref),
        event.chat_id.as_ref().map(AsRef::<str>::as_ref),
        event.chat_type,
        event.sender.as_ref().map(AsRef::<str>::as_ref),
        event.created_ms,
        event.received_ms,
        event.boot_id,
        event.preview,
        standing.routed_ms,
        standing.is_final(),
        standing.pending,
        standing.verdict,
        standing.why,
        standing.routed_ms.filter(|_| standing.is_final()),
    ])?;
    let keys = serde_json::json!(event.keys).to_string();
    insert.payload.execute(params![id, keys, event.payload])?;
    tx.newest = Some(id);
    tx.ledger.count(&event.app, standing.verdict, standing.why, 1);
    match ruling {
        Some(ruling) => rule(tx, id, ruling)?,
        None => drop(tx.undecided.insert(place(event), true)),
    }
    // A job is no sign of life of its chat.
    if let Some(chat) = event.chat_id.as_ref().filter(|_| event.kind != JOB) {
        let chat_type = event.chat_type.as_deref();
        tx.ledger.visit(&event.app, chat.as_str(), chat_type, event.received_ms);
    }
    let is_held = event.ruling.is_some() && waits;
    Ok(if is_held { Accepted::Undecided(InboxId(id)) } else { Accepted::New(InboxId(id)) })
}

/// Whether an event of the same chat waits for a decision; lanes never hold events of two chats.
/// Asked once in a transaction: one that also decides leaves a few more to the next.
fn waits_for_older(tx: &mut Tx<'_>, event: &NewEvent) -> rusqlite::Result<bool> {
    let place = place(event);
    if let Some(waits) = tx.undecided.get(&place) {
        return Ok(*waits);
    }
    let read = "SELECT 1 FROM inbox INDEXED BY inbox_undecided
        WHERE app = ?1 AND chat_id IS ?2 AND routed_ms IS NULL LIMIT 1";
    let chat_id = event.chat_id.as_ref().map(AsRef::<str>::as_ref);
    let waits = sql::one(tx.conn, read, params![event.app, chat_id], |_| Ok(()))?.is_some();
    tx.undecided.insert(place, waits);
    Ok(waits)
}

/// Where order matters.
fn place(event: &NewEvent) -> (String, Option<ChatId>) {
    (event.app.clone(), event.chat_id.clone())
}

/// The number of the next event: above all that there are, of which pruning keeps the greatest.
fn next_id(tx: &mut Tx<'_>) -> rusqlite::Result<i64> {
    let newest = match tx.newest {
        Some(newest) => newest,
        None => {
            let read = "SELECT id FROM inbox ORDER BY id DESC LIMIT 1";
            sql::one(tx.conn, read, [], |row| row.get(0))?.unwrap_or(0)
        }
    };
    Ok(newest + 1)
}

/// How the row of a new event begins.
struct Standing {
    routed_ms: Option<i64>,
    pending: i64,
    verdict: &'static str,
    why: &'static str,
}

impl Standing {
    fn of(ruling: Option<&Ruling>) -> Self {
        let routed_ms = ruling.map(|ruling| ruling.at_ms);
        let (pending, verdict, why) = match ruling.map(|ruling| &ruling.decision) {
            None => (0, WAITING, ""),
            Some(Decision::Filtered { why }) => (0, FILTERED, *why),
            Some(Decision::Failed { why, .. }) => (0, FAILED, *why),
            Some(Decision::Queue(tasks)) if tasks.is_empty() => (0, FILTERED, "no_route"),
            Some(Decision::Queue(tasks)) => (sql::limit(tasks.len()), WAITING, ""),
        };
        Self { routed_ms, pending, verdict, why }
    }

    /// Whether the router ended it.
    fn is_final(&self) -> bool {
        self.verdict != WAITING
    }
}

/// What a decision adds beside the event's row, which knows it already.
fn rule(tx: &mut Tx<'_>, id: i64, ruling: &Ruling) -> Result<(), Refusal> {
    let Ruling { at_ms, decision, notice } = ruling;
    match decision {
        Decision::Filtered { .. } => {}
        Decision::Failed { detail, .. } => unreadable(tx, id, *at_ms, detail)?,
        Decision::Queue(tasks) => tasks.iter().try_for_each(|new| task::insert(tx, id, new))?,
    }
    if let Some(notice) = notice {
        let is_queued = matches!(decision, Decision::Queue(tasks) if !tasks.is_empty());
        let inbox = (!is_queued).then_some(InboxId(id));
        outbox::enqueue(tx, &[NewOutbox { inbox, ..notice.clone() }])?;
    }
    Ok(())
}

fn unreadable(tx: &Tx<'_>, id: i64, at_ms: i64, detail: &str) -> rusqlite::Result<()> {
    ledger::note(tx, id, &Note { at_ms, what: "unreadable", detail, ..Note::default() })
}

/// Counts a redelivery of the event that has `key`. The keys `before` it were new and were stored
/// for the event that this turned out not to be.
fn repeated(
    tx: &mut Tx<'_>,
    event: &NewEvent,
    key: &str,
    before: &[String],
) -> Result<Accepted, Refusal> {
    for key in before {
        let delete = "DELETE FROM seen WHERE key = ?1 AND app = ?2";
        sql::exec(tx.conn, delete, params![key, event.app])?;
    }
    let find = "SELECT inbox FROM seen WHERE key = ?1 AND app = ?2";
    let of: Option<i64> = sql::one(tx.conn, find, params![key, event.app], |row| row.get(0))?;
    let of = of.unwrap_or_default();
    let update = "UPDATE inbox SET repeats = repeats + 1 WHERE id = ?1 RETURNING repeats";
    let times = sql::one(tx.conn, update, [of], |row| sql::small(row, 0))?.unwrap_or(1);
    if times <= REPEATS_TOLD {
        let (at_ms, attempt) = (event.received_ms, i64::from(times));
        ledger::note(tx, of, &Note { at_ms, what: "redelivered", attempt, ..Note::default() })?;
        adopt(tx, event, of)?;
    }
    tx.ledger.count(&event.app, FILTERED, "duplicate", 1);
    Ok(Accepted::Duplicate { of: InboxId(of), times })
}

/// Lets an event be found by the ids of its redeliveries too, which may be new ones.
fn adopt(tx: &Tx<'_>, event: &NewEvent, of: i64) -> Result<(), Refusal> {
    for key in &event.keys {
        let insert = "INSERT INTO seen (key, app, inbox) VALUES (?1, ?2, ?3)
            ON CONFLICT DO NOTHING";
        if sql::exec(tx.conn, insert, params![key, event.app, of])? > 0 {
            let update = "UPDATE payload SET keys = json_insert(keys, '$[#]', ?2) WHERE inbox = ?1";
            sql::exec(tx.conn, update, params![of, key])?;
        }
    }
    Ok(())
}

/// Notes when acks left; neighbours that left together share a line.
pub(super) fn mark_acked(tx: &Tx<'_>, acks: &[AckTimes]) -> rusqlite::Result<()> {
    let insert = "INSERT INTO acked (first, last, journaled_ms, acked_ms) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO NOTHING";
    let together = |one: &AckTimes, next: &AckTimes| {
        next.inbox.0 == one.inbox.0 + 1
            && (next.journaled_ms, next.acked_ms) == (one.journaled_ms, one.acked_ms)
    };
    for run in acks.chunk_by(together) {
        let [first, ..] = run else { continue };
        let last = first.inbox.0 + sql::limit(run.len()) - 1;
        sql::exec(tx.conn, insert, [first.inbox.0, last, first.journaled_ms, first.acked_ms])?;
    }
    Ok(())
}

pub(super) fn unrouted(
    conn: &Connection,
    app: &str,
    limit: usize,
) -> rusqlite::Result<Vec<InboxItem>> {
    let select = format!(
        "SELECT {ITEM} FROM inbox i JOIN payload p ON p.inbox = i.id
        WHERE i.routed_ms IS NULL AND i.app = ?1 ORDER BY i.id LIMIT ?2"
    );
    sql::all(conn, &select, params![app, sql::limit(limit)], |row| item(row, 0))
}

pub(super) fn of_event(
    conn: &Connection,
    app: &str,
    event: &EventId,
) -> rusqlite::Result<Option<InboxItem>> {
    let select = format!(
        "SELECT {ITEM} FROM seen s JOIN inbox i ON i.id = s.inbox JOIN payload p ON p.inbox = i.id
        WHERE s.app = ?1 AND s.key = ?2"
    );
    sql::one(conn, &select, params![app, event_key(event.as_str())], |row| item(row, 0))
}

pub(super) fn route(tx: &mut Tx<'_>, decisions: &[RouteDecision]) -> Result<(), Refusal> {
    for RouteDecision { inbox: InboxId(id), ruling } in decisions {
        let Standing { routed_ms, pending, verdict, why } = Standing::of(Some(ruling));
        let fresh = if verdict == WAITING {
            let update = "UPDATE inbox SET routed_ms = ?2, pending = pending + ?3
                WHERE id = ?1 AND routed_ms IS NULL";
            sql::exec(tx.conn, update, params![id, routed_ms, pending])? > 0
        } else {
            conclude(tx, *id, ruling.at_ms, verdict, why)?
        };
        if fresh {
            rule(tx, *id, ruling)?;
        }
    }
    Ok(())
}

/// Ends an event without a task; `false` when it had been routed before.
pub(super) fn conclude(
    tx: &mut Tx<'_>,
    id: i64,
    at_ms: i64,
    verdict: &str,
    why: &str,
) -> Result<bool, Refusal> {
    let update = "UPDATE inbox SET routed_ms = ?2, final = 1, verdict = ?3, why = ?4,
            verdict_ms = ?2
        WHERE id = ?1 AND routed_ms IS NULL RETURNING app";
    let app: Option<String> =
        sql::one(tx.conn, update, params![id, at_ms, verdict, why], |row| row.get(0))?;
    if let Some(app) = &app {
        tx.ledger.count(app, WAITING, "", -1);
        tx.ledger.count(app, verdict, why, 1);
    }
    Ok(app.is_some())
}
