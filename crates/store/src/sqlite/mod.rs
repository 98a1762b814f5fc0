//! The store in one SQLite file: one thread that writes, two that read.
//!
//! Writes are grouped: what is queued while the disk syncs shares the next sync. Nothing here
//! guards against a second process on the same file; whoever owns the data directory does.
// tidy: long file: one method for each of the trait's, and little in any of them

mod boot;
mod dead;
mod fact;
mod fault;
mod history;
mod inbox;
mod job;
mod late;
mod ledger;
mod list;
mod merge;
mod migrate;
mod open;
mod outbox;
#[cfg(test)]
mod plans;
mod promise;
mod prune;
mod reader;
mod recall;
mod session;
mod sql;
mod task;
mod utterance;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use larkline_failpoint::failpoint;
use larkline_proto::id::{EventId, MessageId};
use rusqlite::{Connection, params};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    Store, StoreError, StoreFuture,
    inbox::{Accepted, AckTimes, Concluded, InboxId, InboxItem, NewEvent, Recalled, RouteDecision},
    job::{JobQuery, JobRecord},
    outbox::{
        ClaimedOutbox, MadeFor, NewOutbox, OutboxClaim, OutboxId, OutboxLease, OutboxSettlement,
        OutboxState,
    },
    record::{
        BootRecord, ChatRecord, DeadItem, DeadLetter, Depths, EndOfBoot, History, LastHandled,
        MessageQuery, NewBoot, Pruned, Record, SetBack, Tally, WaitingEvent,
    },
    session::{
        NewSession, Session, SessionId, SessionMove, SessionPatch, SessionQuery, SessionStep,
        Utterance,
    },
    task::{
        AwaitingTask, ClaimedTask, LateReply, TaskClaim, TaskId, TaskLease, TaskSettlement,
        WaitingTask,
    },
};
use fault::Refusal;
use late::Late;
use reader::Reader;
use writer::{Acks, Tx, Writer};

/// Bytes the probe writes: as much as an ordinary batch of events.
const PROBE_BYTES: i64 = 64 << 10;

/// The version of the schema that this binary writes.
pub const SCHEMA: usize = migrate::NEWEST;

/// Settings of a [`SqliteStore`].
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    /// The file may not grow beyond so many bytes; then writes answer [`StoreError::Full`]
    /// until pruning made room. `None`: the disk is the limit.
    pub bytes_max: Option<u64>,
}

/// A history waits so long for ack times that are held in memory; without them it says less.
const ACK_TIMES_WAIT: Duration = Duration::from_secs(1);

/// The store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: mpsc::Sender<writer::Order>,
    readers: mpsc::Sender<reader::Order>,
    acks: Acks,
}

impl SqliteStore {
    /// Opens the file, makes it on need (readable by its owner alone, in a folder that
    /// exists), and brings its schema up. Blocks for as long as the disk takes; needs no
    /// runtime.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file is no database, [`StoreError::Newer`] when a newer
    /// larkline wrote it, [`StoreError::ReadOnly`] or [`StoreError::Full`] when it cannot be
    /// written, [`StoreError::Io`] for the rest, a missing folder among it.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = path.as_ref().to_path_buf();
        let conn = open::writer(&path, &options)?;
        let acks = Acks::default();
        let (writer, orders) = mpsc::channel(writer::QUEUE);
        let (late, threads) = Late::new(&path);
        for (name, body) in threads {
            spawn(name, body)?;
        }
        let state = Writer {
            path: path.clone(),
            options,
            conn: Some(conn),
            syncing: true,
            late,
            orders,
            acks: acks.clone(),
        };
        spawn("store-writer", move || state.run())?;
        let (readers, orders) = mpsc::channel(reader::QUEUE);
        spawn_readers(&path, orders)?;
        Ok(Self { writer, readers, acks })
    }

    /// What [`Self::open`] would say of a file that nobody has open, without a change to it; a file
    /// that is not there is well.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn examine(path: impl AsRef<Path>) -> Result<(), StoreError> {
        open::examine(path.as_ref())
    }

    /// Queues an operation for the writer. `body` may run twice and keeps its input. The answer
    /// comes when the disk has it.
    fn write<T, F>(&self, during: &'static str, body: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        self.queue(during, true, 1, body)
    }

    /// Queues an operation that would be done again, with the same outcome, if a power cut
    /// undid it: the answer does not wait for the disk.
    fn write_behind<T, F>(&self, during: &'static str, body: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        self.queue(during, false, 1, body)
    }

    fn queue<T, F>(
        &self,
        during: &'static str,
        durable: bool,
        weight: usize,
        body: F,
    ) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let call = writer::Call { during, durable, weight, body, answer: None, reply };
            let order = writer::Order::Job(Box::new(call));
            self.writer.send(order).await.map_err(|_| StoreError::Closed)?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    /// Repeats an operation that does a bite of something and answers how much, until nothing is
    /// left; answers the sum.
    async fn in_bites<F>(
        &self,
        during: &'static str,
        durable: bool,
        bite: F,
    ) -> Result<u64, StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<u64, Refusal> + Clone + Send + Sync + 'static,
    {
        let mut total = 0;
        loop {
            let bite = bite.clone();
            let done = self.queue(during, durable, 1, move |tx| bite(tx)).await?;
            total += done;
            if done == 0 {
                return Ok(total);
            }
        }
    }

    /// Queues a query for a reader.
    fn read<T, F>(&self, during: &'static str, body: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let ask = reader::Ask { during, body, reply };
            let order = reader::Order::Query(Box::new(ask));
            self.readers.send(order).await.map_err(|_| StoreError::Closed)?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    // Threads end by themselves when their queue closes; nobody waits for them.
    let thread = thread::Builder::new().name(name.into()).spawn(body);
    thread.map(drop).map_err(|error| fault::from_io("open", &error))
}

fn spawn_readers(path: &Path, orders: mpsc::Receiver<reader::Order>) -> Result<(), StoreError> {
    let orders = Arc::new(Mutex::new(orders));
    for _ in 0..reader::THREADS {
        let reader = Reader { path: PathBuf::from(path), orders: Arc::clone(&orders) };
        spawn("store-reader", move || reader.run())?;
    }
    Ok(())
}

impl Store for SqliteStore {
    fn begin_boot(&self, boot: NewBoot) -> StoreFuture<'_, BootRecord> {
        self.write("begin_boot", move |tx| boot::begin(tx, &boot))
    }

    fn boots_since(&self, since_ms: i64) -> StoreFuture<'_, u64> {
        self.read("boots_since", move |conn| boot::since(conn, since_ms))
    }

    fn end_boot(&self, end: EndOfBoot) -> StoreFuture<'_, ()> {
        self.write("end_boot", move |tx| boot::end(tx, &end))
    }

    fn accept(&self, events: Arc<[NewEvent]>) -> StoreFuture<'_, Vec<Accepted>> {
        self.queue("accept", true, events.len(), move |tx| inbox::accept(tx, &events))
    }

    fn mark_acked(&self, acks: Vec<AckTimes>) -> StoreFuture<'_, ()> {
        self.acks.add(acks);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unrouted(&self, app: String, limit: usize) -> StoreFuture<'_, Vec<InboxItem>> {
        self.read("unrouted", move |conn| inbox::unrouted(conn, &app, limit))
    }

    fn item_of_event(&self, app: String, event: EventId) -> StoreFuture<'_, Option<InboxItem>> {
        self.read("item_of_event", move |conn| inbox::of_event(conn, &app, &event))
    }

    fn route(&self, decisions: Vec<RouteDecision>) -> StoreFuture<'_, ()> {
        self.write_behind("route", move |tx| inbox::route(tx, &decisions))
    }

    fn claim_tasks(&self, claim: TaskClaim) -> StoreFuture<'_, Vec<ClaimedTask>> {
        self.queue("claim_tasks", claim.once, 1, move |tx| task::claim(tx, &claim))
    }

    fn extend_task(&self, lease: TaskLease, until_ms: i64) -> StoreFuture<'_, ()> {
        self.write_behind("extend_task", move |tx| task::extend(tx, lease, until_ms))
    }

    fn settle_task(
        &self,
        lease: TaskLease,
        settlement: TaskSettlement,
    ) -> StoreFuture<'_, Vec<Concluded>> {
        self.write("settle_task", move |tx| {
            tx.concluded.clear();
            task::settle(tx, lease, &settlement)?;
            Ok(std::mem::take(&mut tx.concluded))
        })
    }

    fn tasks_behind(
        &self,
        handler: String,
        lane: String,
        after: TaskId,
        limit: usize,
    ) -> StoreFuture<'_, Vec<WaitingTask>> {
        self.read("tasks_behind", move |conn| merge::behind(conn, (&handler, &lane), after, limit))
    }

    fn merge_tasks(
        &self,
        lease: TaskLease,
        followers: Vec<TaskId>,
        at_ms: i64,
    ) -> StoreFuture<'_, Vec<TaskId>> {
        self.write("merge_tasks", move |tx| merge::merge(tx, lease, &followers, at_ms))
    }

    fn merged_into(&self, event: InboxId, handler: String) -> StoreFuture<'_, Vec<WaitingTask>> {
        self.read("merged_into", move |conn| merge::merged_into(conn, event, &handler))
    }

    fn awaiting(&self, task: TaskId) -> StoreFuture<'_, Option<AwaitingTask>> {
        self.read("awaiting", move |conn| promise::awaiting(conn, task))
    }

    fn late_reply(
        &self,
        task: TaskId,
        replies: Vec<NewOutbox>,
        now_ms: i64,
    ) -> StoreFuture<'_, LateReply> {
        self.write("late_reply", move |tx| promise::late_reply(tx, task, &replies, now_ms))
    }

    fn expire_awaiting(
        &self,
        now_ms: i64,
        notice: fn(&InboxItem, i64) -> Option<NewOutbox>,
    ) -> StoreFuture<'_, Vec<InboxItem>> {
        self.write("expire_awaiting", move |tx| promise::expire_awaiting(tx, now_ms, notice))
    }

    fn give_up(&self, handler: String, now_ms: i64) -> StoreFuture<'_, u64> {
        Box::pin(self.in_bites("give_up", true, move |tx| task::give_up(tx, &handler, now_ms)))
    }

    fn withdraw(&self, task: TaskId, replies: Vec<NewOutbox>, at_ms: i64) -> StoreFuture<'_, bool> {
        self.write("withdraw", move |tx| job::withdraw(tx, task, &replies, at_ms))
    }

    fn jobs(&self, query: JobQuery) -> StoreFuture<'_, Vec<JobRecord>> {
        self.read("jobs", move |conn| job::list(conn, &query))
    }

    fn enqueue(&self, rows: Vec<NewOutbox>) -> StoreFuture<'_, Vec<OutboxId>> {
        self.write("enqueue", move |tx| outbox::enqueue(tx, &rows))
    }

    fn claim_outbox(&self, claim: OutboxClaim) -> StoreFuture<'_, Vec<ClaimedOutbox>> {
        self.write_behind("claim_outbox", move |tx| outbox::claim(tx, &claim))
    }

    fn extend_outbox(&self, lease: OutboxLease, until_ms: i64) -> StoreFuture<'_, ()> {
        self.write("extend_outbox", move |tx| outbox::extend(tx, lease, until_ms))
    }

    fn settle_outbox(
        &self,
        lease: OutboxLease,
        settlement: OutboxSettlement,
    ) -> StoreFuture<'_, Vec<Concluded>> {
        self.write_behind("settle_outbox", move |tx| {
            tx.concluded.clear();
            outbox::settle(tx, lease, &settlement)?;
            Ok(std::mem::take(&mut tx.concluded))
        })
    }

    fn replace_queued(&self, key: String, body: Vec<u8>, preview: String) -> StoreFuture<'_, bool> {
        self.write("replace_queued", move |tx| outbox::replace_queued(tx, &key, &body, &preview))
    }

    fn outbox_by_key(&self, key: String) -> StoreFuture<'_, Option<OutboxState>> {
        self.read("outbox_by_key", move |conn| outbox::by_key(conn, &key))
    }

    fn made_for(&self, event: InboxId) -> StoreFuture<'_, Vec<MadeFor>> {
        self.read("made_for", move |conn| outbox::made_for(conn, event))
    }

    fn delivered_among(&self, ids: Vec<String>) -> StoreFuture<'_, Vec<String>> {
        self.read("delivered_among", move |conn| outbox::delivered_among(conn, &ids))
    }

    fn clock_set_back(&self, back: SetBack) -> StoreFuture<'_, ()> {
        self.write("clock_set_back", move |tx| boot::set_back(tx, back))
    }

    fn release_leases(&self, owner: String) -> StoreFuture<'_, u64> {
        self.write("release_leases", move |tx| boot::release(tx, Some(&owner)))
    }

    fn next_due(&self, after_ms: i64) -> StoreFuture<'_, Option<i64>> {
        self.read("next_due", move |conn| list::next_due(conn, after_ms))
    }

    fn tally(&self) -> StoreFuture<'_, Vec<Tally>> {
        self.read("tally", list::tally)
    }

    fn next_in_line(&self, handler: String, limit: usize) -> StoreFuture<'_, Vec<InboxItem>> {
        self.read("next_in_line", move |conn| task::next_in_line(conn, &handler, limit))
    }

    fn waiting_handlers(&self) -> StoreFuture<'_, Vec<(String, u64)>> {
        self.read("waiting_handlers", task::waiting_handlers)
    }

    fn waiting_apps(&self) -> StoreFuture<'_, Vec<(String, u64)>> {
        self.read("waiting_apps", list::waiting_apps)
    }

    fn leaving(&self, apps: Vec<String>, until_ms: i64) -> StoreFuture<'_, u64> {
        self.read("leaving", move |conn| outbox::leaving(conn, &apps, until_ms))
    }

    fn depths(&self) -> StoreFuture<'_, Depths> {
        self.read("depths", list::depths)
    }

    fn oldest_waiting(&self, limit: usize) -> StoreFuture<'_, Vec<WaitingEvent>> {
        self.read("oldest_waiting", move |conn| list::oldest_waiting(conn, limit))
    }

    fn last_handled(&self) -> StoreFuture<'_, Option<LastHandled>> {
        self.read("last_handled", list::last_handled)
    }

    fn arrivals(&self, app: String, limit: usize) -> StoreFuture<'_, Vec<i64>> {
        self.read("arrivals", move |conn| list::arrivals(conn, &app, limit))
    }

    fn recall(
        &self,
        app: String,
        messages: Vec<MessageId>,
        at_ms: i64,
    ) -> StoreFuture<'_, Recalled> {
        self.write("recall", move |tx| recall::recall(tx, &app, &messages, at_ms))
    }

    fn records(&self, query: MessageQuery) -> StoreFuture<'_, Vec<Record>> {
        self.read("records", move |conn| list::records(conn, &query))
    }

    fn chats(&self) -> StoreFuture<'_, Vec<ChatRecord>> {
        self.read("chats", list::chats)
    }

    fn name_chat(&self, app: String, chat: String, name: String) -> StoreFuture<'_, ()> {
        self.write("name_chat", move |tx| {
            let upsert = "INSERT INTO chat (app, chat_id, name) VALUES (?1, ?2, ?3)
                ON CONFLICT DO UPDATE SET name = ?3";
            Ok(sql::exec(tx.conn, upsert, params![app, chat, name]).map(drop)?)
        })
    }

    fn history(&self, id: InboxId) -> StoreFuture<'_, Option<History>> {
        Box::pin(async move {
            // An empty write takes the held ack times along. It may fail or stand still: a history
            // can be read from a disk that is full, and from one that hangs.
            drop(timeout(ACK_TIMES_WAIT, self.write("history", |_| Ok(()))).await);
            self.read("history", move |conn| history::of(conn, id)).await
        })
    }

    fn is_over(&self, id: InboxId) -> StoreFuture<'_, bool> {
        self.read("is_over", move |conn| history::is_over(conn, id))
    }

    fn find(&self, text: String) -> StoreFuture<'_, Vec<Record>> {
        self.read("find", move |conn| history::find(conn, &text))
    }

    fn dead(&self, limit: usize) -> StoreFuture<'_, Vec<DeadLetter>> {
        self.read("dead", move |conn| dead::list(conn, limit))
    }

    fn retry_dead(&self, item: DeadItem, now_ms: i64) -> StoreFuture<'_, bool> {
        self.write("retry_dead", move |tx| dead::retry(tx, item, now_ms))
    }

    fn drop_dead(&self, item: DeadItem, now_ms: i64) -> StoreFuture<'_, bool> {
        self.write("drop_dead", move |tx| dead::close(tx, item, now_ms))
    }

    fn session(&self, key: String) -> StoreFuture<'_, Option<Session>> {
        self.read("session", move |conn| session::current(conn, &key))
    }

    fn session_by_id(&self, id: SessionId) -> StoreFuture<'_, Option<Session>> {
        self.read("session_by_id", move |conn| session::by_id(conn, id))
    }

    fn sessions(&self, query: SessionQuery) -> StoreFuture<'_, Vec<Session>> {
        self.read("sessions", move |conn| session::list(conn, &query))
    }

    fn session_steps(&self, id: SessionId) -> StoreFuture<'_, Vec<SessionStep>> {
        self.read("session_steps", move |conn| session::steps(conn, id))
    }

    fn begin_session(&self, session: NewSession) -> StoreFuture<'_, Session> {
        self.write("begin_session", move |tx| session::begin(tx, &session))
    }

    fn step_session(&self, id: SessionId, step: SessionMove) -> StoreFuture<'_, Session> {
        self.write("step_session", move |tx| session::step(tx, id, &step))
    }

    fn patch_session(
        &self,
        id: SessionId,
        patch: SessionPatch,
        at_ms: i64,
    ) -> StoreFuture<'_, Session> {
        self.write("patch_session", move |tx| session::patch(tx, id, &patch, at_ms))
    }

    fn end_sessions_idle(
        &self,
        handler: String,
        before_ms: i64,
        at_ms: i64,
    ) -> StoreFuture<'_, u64> {
        Box::pin(self.in_bites("end_sessions_idle", true, move |tx| {
            session::end_idle(tx, &handler, before_ms, at_ms)
        }))
    }

    fn idle_handlers(&self, before_ms: i64) -> StoreFuture<'_, Vec<String>> {
        self.read("idle_handlers", move |conn| session::idle_handlers(conn, before_ms))
    }

    fn say_in_session(&self, id: SessionId, said: Vec<Utterance>) -> StoreFuture<'_, ()> {
        self.write("say_in_session", move |tx| utterance::say(tx, id, &said))
    }

    fn utterances(&self, id: SessionId, limit: usize) -> StoreFuture<'_, Vec<Utterance>> {
        self.read("utterances", move |conn| utterance::last(conn, id, limit))
    }

    fn fact(&self, name: String) -> StoreFuture<'_, Option<String>> {
        self.read("fact", move |conn| fact::get(conn, &name))
    }

    fn put_fact(&self, name: String, value: String) -> StoreFuture<'_, ()> {
        self.write("put_fact", move |tx| fact::put(tx, &name, &value))
    }

    fn prune(&self, before_ms: i64) -> StoreFuture<'_, Pruned> {
        Box::pin(async move {
            let mut total = Pruned::default();
            let mut after = 0;
            loop {
                let bite = move |tx: &mut Tx<'_>| prune::events(tx, before_ms, after);
                let (pruned, next) = self.write_behind("prune", bite).await?;
                failpoint!("pruned");
                total.events += pruned.events;
                total.keys += pruned.keys;
                let Some(next) = next else { break };
                after = next;
            }
            total.outbox =
                self.in_bites("prune", false, move |tx| prune::alone(tx, before_ms)).await?;
            total.sessions =
                self.in_bites("prune", false, move |tx| session::prune(tx, before_ms)).await?;
            Ok(total)
        })
    }

    fn turn(&self) -> StoreFuture<'_, ()> {
        self.write_behind("turn", |_| Ok(()))
    }

    fn probe(&self) -> StoreFuture<'_, ()> {
        self.write("probe", |tx| {
            let replace = "REPLACE INTO probe (id, filler) VALUES (1, randomblob(?1))";
            Ok(sql::exec(tx.conn, replace, [PROBE_BYTES]).map(drop)?)
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let (reply, closed) = oneshot::channel();
            if self.readers.send(reader::Order::Close(reply)).await.is_ok() {
                drop(closed.await);
            }
            let (reply, answer) = oneshot::channel();
            let order = writer::Order::Close(reply);
            self.writer.send(order).await.map_err(|_| StoreError::Closed)?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }
}
