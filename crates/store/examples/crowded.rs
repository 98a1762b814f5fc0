//! A journal with many messages in it, for `cargo xtask bench` to time.
//!
//! `crowded FOLDER ROWS` makes a store with so many finished events in the folder, then does, many
//! times and one after the other, what a gateway does to it: takes a new event, takes one that came
//! before, claims and settles a task, tells the story of an event. It prints the times as JSON.
//!
//! The rows are not journaled one by one, which would take a day: they are written as `accept` and
//! what follows it leave them. What is timed goes through the store as the gateway calls it.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use larkline_store::inbox::{
    Accepted, AckTimes, Decision, NewEvent, Ruling, event_key, message_key,
};
use larkline_store::task::{NewTask, TaskClaim, TaskSettlement};
use larkline_store::{SqliteOptions, SqliteStore, Store};
use rusqlite::{Connection, Statement, params};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Rounds whose times are kept.
const ROUNDS: usize = 1_500;
/// Rounds before them: statements get compiled, caches filled.
const WARM: usize = 200;
/// Tasks that wait for their handler all the time, each in a lane of its own.
const WAITING: i64 = 64;
/// Chats that the events came from.
const CHATS: i64 = 1_000;
/// One of so many events was answered.
const ANSWERED: i64 = 10;
/// One of so many keys is written when the others stand already, see [`fill_keys`].
const LATE: i64 = 3;
/// Page cache while the rows are written, KiB.
const FILL_CACHE_KIB: i64 = 256 << 10;
/// Time of the first event; each is a millisecond after the one before.
const BEGIN_MS: i64 = 1_700_000_000_000;
const BOOT: &str = "0190f2a4-7b1c-7d3e-8f00-112233445566";

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[expect(clippy::print_stdout, reason = "the report is what the bench waits for")]
fn main() -> Outcome {
    let usage = "usage: crowded FOLDER ROWS";
    let mut arguments = std::env::args().skip(1);
    let path = Path::new(&arguments.next().ok_or(usage)?).join("line.db");
    let rows: i64 = arguments.next().ok_or(usage)?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    runtime.block_on(SqliteStore::open(&path, SqliteOptions::default())?.close())?;
    fill(&path, rows)?;
    let fill_s = began.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(&path)?.len();
    let times = runtime.block_on(measure(&path, rows))?;
    let report = json!({
        "rows": rows,
        "fill_s": fill_s.round(),
        "bytes": bytes,
        "accept_us": spread(times.accept),
        "duplicate_us": spread(times.duplicate),
        "claim_us": spread(times.claim),
        "explain_us": spread(times.explain),
    });
    println!("{report}");
    Ok(())
}

/// The middle one, and the one that a twentieth exceed.
fn spread(mut times: Vec<f64>) -> Value {
    times.sort_by(f64::total_cmp);
    let at = |twentieths: usize| times.get(times.len() * twentieths / 20).map(|us| us.round());
    json!({"p50": at(10), "p95": at(19)})
}

/// A number without order for each number, as the platform's ids are.
fn mixed(n: i64) -> u64 {
    let x = n.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// The `n`-th event, as intake offers it.
fn event(n: i64, decision: Decision) -> NewEvent {
    let (id, at_ms) = (id(n), BEGIN_MS + n);
    let (event_id, message_id, chat) = (id.clone(), format!("om_{id}"), chat(n));
    let payload = format!(
        r#"{{"schema":"2.0","header":{{"event_id":"{id}","event_type":"im.message.receive_v1"}},"event":{{"message":{{"message_id":"{message_id}","chat_id":"{chat}","message_type":"text","content":"{{\"text\":\"what became of my order, please? 你好\"}}"}}}}}}"#
    );
    NewEvent {
        app: "main".into(),
        keys: vec![event_key(&event_id), message_key(&message_id)],
        event_id: event_id.into(),
        kind: "im.message.receive_v1".into(),
        message_id: Some(message_id.into()),
        chat_id: Some(chat.into()),
        chat_type: Some("p2p".into()),
        sender: Some(format!("ou_{:032x}", n % CHATS).into()),
        created_ms: at_ms,
        received_ms: at_ms,
        preview: "what became of my order, please?".into(),
        payload: payload.into_bytes(),
        boot_id: BOOT.into(),
        ruling: Some(Ruling { at_ms, decision, notice: None }),
    }
}

/// Of the size of the platform's; sorts as [`mixed`] does.
fn id(n: i64) -> String {
    format!("{:016x}{n:016x}", mixed(n))
}

fn chat(n: i64) -> String {
    format!("oc_{:032x}", n % CHATS)
}

fn unwanted() -> Decision {
    Decision::Filtered { why: "no_route" }
}

/// A task in one of the lanes that always have one.
fn wanted(lane: i64) -> Decision {
    let lane = format!("chat-{lane}");
    Decision::Queue(vec![NewTask { route: "r".into(), handler: "h".into(), lane, due_ms: 0 }])
}

/// Writes the rows of `rows` finished events into an empty store.
fn fill(path: &Path, rows: i64) -> Outcome {
    let conn = Connection::open(path)?;
    // A file that is not whole when this dies is of no use to anybody.
    conn.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -FILL_CACHE_KIB)?;
    conn.execute_batch("BEGIN")?;
    fill_events(&conn, rows)?;
    fill_counts(&conn, rows)?;
    conn.execute_batch("COMMIT; BEGIN")?;
    fill_keys(&conn, rows)?;
    conn.execute_batch("COMMIT")?;
    conn.close().map_err(|(_, error)| error)?;
    // What is timed shall not wait for the disk to take these.
    Ok(File::open(path)?.sync_all()?)
}

/// In order of number, so that the tables lie between each other as they would have grown.
fn fill_events(conn: &Connection, rows: i64) -> Outcome {
    let mut inbox = conn.prepare(
        "INSERT INTO inbox (id, app, event_id, kind, message_id, chat_id, chat_type, sender,
            created_ms, received_ms, boot_id, preview, routed_ms, final, verdict, why, verdict_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?9, ?12, ?13, ?14, ?9)",
    )?;
    let mut payload =
        conn.prepare("INSERT INTO payload (inbox, keys, body) VALUES (?1, ?2, ?3)")?;
    let mut acked = conn.prepare(
        "INSERT INTO acked (first, last, journaled_ms, acked_ms) VALUES (?1, ?1, ?2, ?2)",
    )?;
    let mut answer = Answer::prepare(conn)?;
    for n in 1..=rows {
        let event = event(n, unwanted());
        let answered = n % ANSWERED == 0;
        let (verdict, why) = if answered { ("replied", "") } else { ("filtered", "no_route") };
        inbox.execute(params![
            n,
            event.app,
            event.event_id.as_str(),
            event.kind,
            event.message_id.as_ref().map(AsRef::<str>::as_ref),
            event.chat_id.as_ref().map(AsRef::<str>::as_ref),
            event.chat_type,
            event.sender.as_ref().map(AsRef::<str>::as_ref),
            event.received_ms,
            event.boot_id,
            event.preview,
            !answered,
            verdict,
            why,
        ])?;
        payload.execute(params![n, json!(event.keys).to_string(), event.payload])?;
        acked.execute([n, event.received_ms])?;
        if answered {
            answer.insert(n, event.received_ms)?;
        }
    }
    Ok(())
}

/// A task that was done and the message that came of it.
struct Answer<'c> {
    task: Statement<'c>,
    outbox: Statement<'c>,
}

impl<'c> Answer<'c> {
    fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        let task = "INSERT INTO task (id, inbox, handler, lane, route, state, due_ms, epoch,
                attempts, claimed_ms, ended_ms)
            VALUES (?1, ?2, 'h', ?3, 'r', 'done', 0, 1, 1, ?4, ?4)";
        let outbox = "INSERT INTO outbox (key, app, lane, inbox, task, uuid, priority, preview,
                boot_id, created_ms, state, served_ms, epoch, attempts, first_ms, claimed_ms,
                ended_ms, message_id, body)
            VALUES (?1, 'main', ?2, ?3, ?4, ?5, 0, 'it is on its way', ?6, ?7, 'delivered', ?7, 1,
                1, ?7, ?7, ?7, ?8, ?9)";
        Ok(Self { task: conn.prepare(task)?, outbox: conn.prepare(outbox)? })
    }

    fn insert(&mut self, n: i64, at_ms: i64) -> Outcome {
        let (task, lane, id) = (n / ANSWERED, chat(n), id(n));
        self.task.execute(params![task, n, lane, at_ms])?;
        let body = format!(r#"{{"do":"reply","to":"om_{id}","text":"it is on its way"}}"#);
        // Our messages have ids of their own; turned round they are as unordered as the others.
        let message: String = id.chars().rev().collect();
        self.outbox.execute(params![
            format!("{task}:0"),
            lane,
            n,
            task,
            id,
            BOOT,
            at_ms,
            format!("om_{message}"),
            body.into_bytes(),
        ])?;
        Ok(())
    }
}

/// The counts that agree with the events.
fn fill_counts(conn: &Connection, rows: i64) -> rusqlite::Result<()> {
    let tally = "INSERT INTO tally (app, verdict, why, count)
        VALUES ('main', 'replied', '', ?1), ('main', 'filtered', 'no_route', ?2)";
    let answered = rows / ANSWERED;
    conn.execute(tally, [answered, rows - answered])?;
    let insert = "INSERT INTO chat (app, chat_id, chat_type, events, last_ms)
        VALUES ('main', ?1, 'p2p', ?2, ?3)";
    let mut insert = conn.prepare(insert)?;
    for newest in ((rows - CHATS).max(0) + 1)..=rows {
        let events = (newest + CHATS - 1) / CHATS;
        insert.execute(params![chat(newest), events, BEGIN_MS + newest])?;
    }
    Ok(())
}

/// Writes the dedupe keys in their order, which spares the disk. A tree that is written once in
/// order has full pages, and each key to come would split one; a tree whose keys came as they liked
/// has a tenth of its leaves free. So has one that is written in two passes.
fn fill_keys(conn: &Connection, rows: i64) -> rusqlite::Result<()> {
    let mut numbers: Vec<_> = (1..=rows).map(|n| (mixed(n), n)).collect();
    numbers.sort_unstable();
    let mut insert = conn.prepare("INSERT INTO seen (key, app, inbox) VALUES (?1, 'main', ?2)")?;
    for late in [false, true] {
        let numbers = || numbers.iter().filter(|(_, n)| (n % LATE == 0) == late);
        for (_, n) in numbers() {
            insert.execute(params![event_key(&id(*n)), n])?;
        }
        for (_, n) in numbers() {
            insert.execute(params![message_key(&format!("om_{}", id(*n))), n])?;
        }
    }
    Ok(())
}

/// Microseconds of each time that something was done.
#[derive(Default)]
struct Times {
    accept: Vec<f64>,
    duplicate: Vec<f64>,
    claim: Vec<f64>,
    explain: Vec<f64>,
}

/// One round after the other, all of them doing everything, so that what the machine does meanwhile
/// hits everything.
async fn measure(path: &Path, rows: i64) -> Outcome<Times> {
    let store = SqliteStore::open(path, SqliteOptions::default())?;
    let first: Vec<_> = (1..=WAITING).map(|lane| event(rows + lane, wanted(lane))).collect();
    store.accept(first.into()).await?;
    let (mut next, mut times) = (rows + WAITING, Times::default());
    for round in 0..WARM + ROUNDS {
        if round == WARM {
            times = Times::default();
        }
        let place = |turn: u64| {
            let any = mixed(i64::try_from(round).unwrap_or_default()).rotate_left(16);
            1 + any.wrapping_mul(turn).cast_signed().rem_euclid(rows)
        };
        next += 1;
        times.accept.push(accept(&store, event(next, unwanted())).await?);
        times.duplicate.push(duplicate(&store, place(3)).await?);
        times.claim.push(claim(&store, BEGIN_MS + next).await?);
        next += 1;
        // The lane that the claim has freed: they are claimed in order of their events.
        let lane = 1 + i64::try_from(round)? % WAITING;
        accept(&store, event(next, wanted(lane))).await?;
        let id = id(place(5));
        let text = if round % 2 == 0 { id } else { format!("om_{id}") };
        times.explain.push(explain(&store, text).await?);
    }
    store.close().await?;
    Ok(times)
}

fn micros(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6
}

/// A new event alone in its commit. Its ack rides with the next write, as the gateway's does.
async fn accept(store: &SqliteStore, event: NewEvent) -> Outcome<f64> {
    let at_ms = event.received_ms;
    let began = Instant::now();
    let accepted = store.accept([event].into()).await?;
    let time = micros(began);
    let [Accepted::New(inbox)] = accepted[..] else { Err("a new event was not new")? };
    store.mark_acked(vec![AckTimes { inbox, journaled_ms: at_ms, acked_ms: at_ms }]).await?;
    Ok(time)
}

async fn duplicate(store: &SqliteStore, n: i64) -> Outcome<f64> {
    let event = event(n, unwanted());
    let began = Instant::now();
    let accepted = store.accept([event].into()).await?;
    let time = micros(began);
    match accepted[..] {
        [Accepted::Duplicate { of, .. }] if of.0 == n => Ok(time),
        _ => Err("an event that came before was not found".into()),
    }
}

async fn claim(store: &SqliteStore, now_ms: i64) -> Outcome<f64> {
    let claim = TaskClaim {
        without: Vec::new(),
        handler: "h".into(),
        limit: 1,
        now_ms,
        until_ms: now_ms + 60_000,
        owner: BOOT.into(),
        once: false,
    };
    let began = Instant::now();
    let claimed = store.claim_tasks(claim).await?.pop().ok_or("no task waits")?;
    let done = TaskSettlement::Done { replies: Vec::new(), at_ms: now_ms };
    let concluded = store.settle_task(claimed.lease, done).await?;
    let time = micros(began);
    concluded.first().map(|_| time).ok_or_else(|| "a task that was done decided nothing".into())
}

async fn explain(store: &SqliteStore, text: String) -> Outcome<f64> {
    let began = Instant::now();
    let found = store.find(text).await?.pop().ok_or("an id was not found")?;
    let history = store.history(larkline_store::inbox::InboxId(found.row)).await?;
    let time = micros(began);
    history.map(|_| time).ok_or_else(|| "an event has no history".into())
}
