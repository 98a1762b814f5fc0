//! The one thread that writes: takes what is queued, runs it as one transaction, answers.
//!
//! A group shares one sync of the disk, and does without when none of it asks for one (see
//! [`super::late`]). If any of it fails, the group is rolled back and each
//! operation runs alone, so that a caller sees its own error and never another's; operations
//! therefore keep their input and can run twice. A panic counts as a failure of that operation.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use larkline_failpoint::failpoint;
use larkline_proto::id::ChatId;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    SqliteOptions,
    fault::{self, Refusal},
    inbox,
    late::Late,
    ledger::Ledger,
    open, sql,
};
use crate::{
    StoreError,
    inbox::{AckTimes, Concluded},
};

/// Operations that may wait for the writer; further callers wait for room. Far above what the
/// gateway has in flight, small enough that the wait shows in its own timeouts.
pub(super) const QUEUE: usize = 1_024;
/// Events and other operations in one transaction: enough to make the sync cheap, few enough that
/// the oldest of them does not wait long, and that others read and ack while this one is written:
/// with more, everybody waits for everybody in turn.
const GROUP: usize = 128;
/// Ack times held back for the next transaction; beyond it they are forgotten, as a crash would.
const ACKS: usize = 16_384;

/// An open transaction and the counts it will change when it commits.
pub(super) struct Tx<'c> {
    pub(super) conn: &'c Connection,
    pub(super) ledger: Ledger,
    /// Number of the newest event that this transaction made.
    pub(super) newest: Option<i64>,
    /// Whether events of an app's chat wait for a decision, as far as it was asked.
    pub(super) undecided: BTreeMap<(String, Option<ChatId>), bool>,
    /// The verdicts that the operation under way has decided.
    pub(super) concluded: Vec<Concluded>,
}

/// Ack times waiting for a ride. They need no sync of their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Acks(Arc<Mutex<Vec<AckTimes>>>);

impl Acks {
    pub(super) fn add(&self, acks: Vec<AckTimes>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = ACKS.saturating_sub(held.len());
        held.extend(acks.into_iter().take(room));
    }

    fn take(&self) -> Vec<AckTimes> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One queued operation; its caller waits for the answer.
pub(super) trait Job: Send {
    /// Runs in a transaction and keeps the answer. May be called again after a rollback.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal>;
    /// Replaces the answer by an error.
    fn refuse(&mut self, refusal: Refusal);
    /// How much of a [`GROUP`] it is.
    fn weight(&self) -> usize;
    /// Whether its answer promises that a power cut does not undo it.
    fn is_durable(&self) -> bool;
    /// Sends the answer.
    fn answer(self: Box<Self>);
}

/// What the writer is told.
pub(super) enum Order {
    /// Run this.
    Job(Box<dyn Job>),
    /// Write everything back, let go of the file, answer.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// The usual [`Job`]: a closure that keeps its input.
pub(super) struct Call<T, F> {
    pub(super) during: &'static str,
    pub(super) durable: bool,
    pub(super) weight: usize,
    pub(super) body: F,
    pub(super) answer: Option<Result<T, StoreError>>,
    pub(super) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, Refusal> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        self.answer = Some(Ok((self.body)(tx)?));
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.answer = Some(Err(refusal.into_error(self.during)));
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn is_durable(&self) -> bool {
        self.durable
    }

    fn answer(self: Box<Self>) {
        if let Some(answer) = self.answer {
            // A caller that went away needs no answer; its write stands.
            drop(self.reply.send(answer));
        }
    }
}

/// The writer's state; [`Writer::run`] is the body of its thread.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) options: SqliteOptions,
    /// `None` after a failure that a new connection may not have.
    pub(super) conn: Option<Connection>,
    /// Whether its commits wait for the disk now; a new connection does.
    pub(super) syncing: bool,
    pub(super) late: Late,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) acks: Acks,
}

impl Writer {
    /// Works until told to close, or until the store is dropped.
    pub(super) fn run(mut self) {
        while let Some(order) = self.orders.blocking_recv() {
            let (mut jobs, mut weight) = (Vec::new(), 0);
            let mut close = None;
            let mut next = Some(order);
            while let Some(order) = next {
                match order {
                    Order::Job(job) => {
                        weight += job.weight();
                        jobs.push(job);
                    }
                    Order::Close(reply) => close = Some(reply),
                }
                let more = close.is_none() && weight < GROUP;
                next = if more { self.orders.try_recv().ok() } else { None };
            }
            if !jobs.is_empty() {
                self.commit(jobs);
            }
            if let Some(reply) = close {
                self.orders.close();
                drop(reply.send(self.finish()));
                return;
            }
        }
        if let Err(error) = self.finish() {
            tracing::warn!(%error, "the store was not written back; the next start does it");
        }
    }

    /// Commits a group, or each of its operations alone; answers all of them.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let acks = self.acks.take();
        if let Err(refusal) = self.transact(&mut jobs, &acks) {
            if let [job] = &mut jobs[..] {
                job.refuse(refusal);
            } else {
                for job in &mut jobs {
                    if let Err(refusal) = self.transact(std::slice::from_mut(job), &[]) {
                        job.refuse(refusal);
                    }
                }
            }
        }
        for job in jobs {
            job.answer();
        }
    }

    /// One transaction. After an `Err` nothing of it is on disk.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>], acks: &[AckTimes]) -> Result<(), Refusal> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                self.syncing = true;
                open::writer(&self.path, &self.options).map_err(Refusal::NoConnection)?
            }
        };
        let sync = jobs.iter().any(|job| job.is_durable());
        let changes = conn.total_changes();
        let outcome = self
            .wait_for_disk(&conn, sync)
            .map_err(Refusal::from)
            .and_then(|()| attempt(&conn, jobs, acks));
        // A commit of nothing syncs nothing, so what was committed before it still has to be.
        if outcome.is_ok() && conn.total_changes() != changes {
            self.late.committed(sync);
        }
        if let Err(refusal) = &outcome {
            if !conn.is_autocommit() {
                // Fails only when SQLite has rolled back by itself, which is what is wanted.
                drop(sql::exec(&conn, "ROLLBACK", []));
            }
            if refusal.spoils_connection() {
                return outcome;
            }
        }
        self.conn = Some(conn);
        outcome
    }

    /// Makes the commits to come wait for the disk, or not.
    fn wait_for_disk(&mut self, conn: &Connection, sync: bool) -> rusqlite::Result<()> {
        if sync != self.syncing {
            conn.pragma_update(None, "synchronous", if sync { "FULL" } else { "NORMAL" })?;
            self.syncing = sync;
        }
        Ok(())
    }

    /// Writes the WAL back into the file and lets go of it.
    fn finish(&mut self) -> Result<(), StoreError> {
        let acks = self.acks.take();
        if !acks.is_empty()
            && let Err(refusal) = self.transact(&mut [], &acks)
        {
            tracing::debug!(?refusal, "ack times were not written");
        }
        self.late.close();
        let Some(conn) = self.conn.take() else { return Ok(()) };
        let written_back = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        failpoint!("checkpointed");
        written_back
            .and_then(|()| conn.close().map_err(|(_, error)| error))
            .map_err(|error| fault::from_sqlite("close", &error))
    }
}

fn attempt(conn: &Connection, jobs: &mut [Box<dyn Job>], acks: &[AckTimes]) -> Result<(), Refusal> {
    sql::exec(conn, "BEGIN IMMEDIATE", [])?;
    let (ledger, undecided) = (Ledger::default(), BTreeMap::new());
    let mut tx = Tx { conn, ledger, newest: None, undecided, concluded: Vec::new() };
    inbox::mark_acked(&tx, acks)?;
    for job in jobs {
        match catch_unwind(AssertUnwindSafe(|| job.run(&mut tx))) {
            Ok(Ok(())) => {}
            // Said before anything was written: the group can go on.
            Ok(Err(refusal)) if refusal.is_before_writing() => job.refuse(refusal),
            Ok(Err(refusal)) => return Err(refusal),
            Err(_) => return Err(Refusal::Panicked),
        }
    }
    tx.ledger.write(conn)?;
    failpoint!("commit_begins");
    sql::exec(conn, "COMMIT", [])?;
    failpoint!("committed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::{SqliteOptions, SqliteStore, late::Late, open, sql};
    use crate::{Store, StoreError};

    /// Queues an operation that goes wrong and a good one while the writer is held up, so that
    /// both share a group.
    async fn beside_a_good_write(body: fn(&super::Tx<'_>) -> Result<(), super::Refusal>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.db");
        let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
        let (go, held_up) = mpsc::sync_channel::<()>(0);
        let (held_up, bad, good, ()) = tokio::join!(
            store.write("hold up", move |_| Ok(held_up.recv().is_err())),
            store.write("bad", move |tx| {
                name(tx, "half done")?;
                body(tx)
            }),
            store.write("good", |tx| name(tx, "whole")),
            // Runs after the three above were queued.
            async move { drop(go) },
        );
        assert!(held_up.unwrap());
        assert!(matches!(bad, Err(StoreError::Io { during: "bad", .. })), "{bad:?}");
        good.unwrap();
        let chats = store.chats().await.unwrap();
        let names: Vec<_> = chats.iter().map(|chat| chat.name.as_str()).collect();
        assert_eq!(names, ["whole"]);
        store.probe().await.unwrap();
    }

    fn name(tx: &super::Tx<'_>, name: &str) -> Result<(), super::Refusal> {
        let insert = "INSERT INTO chat (app, chat_id, name) VALUES ('main', ?1, ?1)";
        Ok(sql::exec(tx.conn, insert, [name]).map(drop)?)
    }

    #[tokio::test]
    async fn a_failing_operation_leaves_its_group_alone() {
        beside_a_good_write(|tx| Ok(sql::exec(tx.conn, "DELETE FROM nowhere", []).map(drop)?))
            .await;
    }

    #[tokio::test]
    async fn a_panicking_operation_leaves_its_group_and_the_writer_alone() {
        beside_a_good_write(|_| panic!("on purpose")).await;
    }

    #[tokio::test]
    async fn a_group_waits_for_the_disk_when_one_of_it_does() {
        const WAITS: i64 = 2;
        const DOES_NOT: i64 = 1;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.db");
        let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
        let look = |tx: &mut super::Tx<'_>| {
            Ok(tx.conn.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
        };
        for _ in 0..2 {
            assert_eq!(store.write("look", look).await.unwrap(), WAITS);
            assert_eq!(store.write_behind("look", look).await.unwrap(), DOES_NOT);
        }
        let (go, held_up) = mpsc::sync_channel::<()>(0);
        let (begin, begun) = tokio::sync::oneshot::channel();
        let mut begin = Some(begin);
        let hold_up = store.write_behind("hold up", move |_| {
            begin.take().map(|begin| begin.send(()));
            Ok(held_up.recv().is_err())
        });
        // The writer is held up before the others are queued, so that they share a group.
        let others = async {
            begun.await.unwrap();
            tokio::join!(store.write_behind("look", look), store.write("look", look), async {
                drop(go);
            })
        };
        let (held_up, (behind, waiting, ())) = tokio::join!(hold_up, others);
        assert!(held_up.unwrap());
        assert_eq!((behind.unwrap(), waiting.unwrap()), (WAITS, WAITS));
    }
    type Body = fn(&mut super::Tx<'_>) -> Result<(), super::Refusal>;

    #[test]
    fn a_durable_commit_of_nothing_leaves_the_sync_that_is_owed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, options) = (folder.path().join("line.db"), SqliteOptions::default());
        // The thread that syncs is not started, so that what it would do stays to be seen.
        let (late, _) = Late::new(&path);
        let conn = Some(open::writer(&path, &options).unwrap());
        let (orders, acks) = (tokio::sync::mpsc::channel(1).1, super::Acks::default());
        let mut writer = super::Writer { path, options, conn, syncing: true, late, orders, acks };
        let mut owed_after = |durable, body: Body| {
            let reply = tokio::sync::oneshot::channel().0;
            let call =
                super::Call { during: "test", durable, weight: 1, body, answer: None, reply };
            writer.transact(&mut [Box::new(call)], &[]).unwrap();
            writer.late.is_owed()
        };
        assert!(owed_after(false, |tx| name(tx, "one")));
        assert!(owed_after(true, |_| Ok(())), "nothing was written, so nothing was synced");
        assert!(!owed_after(true, |tx| name(tx, "two")), "its sync takes the first one along");
        assert!(!owed_after(false, |_| Ok(())));
    }
}
