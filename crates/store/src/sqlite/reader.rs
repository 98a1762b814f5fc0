//! Two threads that answer queries from snapshots, beside the writer and never in its way.
//!
//! A query sees everything that was committed before it was asked.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use larkline_failpoint::failpoint;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{fault::Refusal, open};
use crate::StoreError;

/// Threads: a slow search by a person leaves one for the router.
pub(super) const THREADS: usize = 2;
/// Queries that may wait; further callers wait for room.
pub(super) const QUEUE: usize = 256;

/// One queued query.
pub(super) trait Query: Send {
    /// Runs and answers. An error it returns was also answered.
    fn run(self: Box<Self>, conn: &Connection) -> Result<(), ()>;
    /// Answers that there is no connection.
    fn refuse(self: Box<Self>, error: StoreError);
}

/// What a reader is told.
pub(super) enum Order {
    /// Answer this.
    Query(Box<dyn Query>),
    /// Take nothing new, drop this to say so, and end when what is queued is answered.
    Close(oneshot::Sender<()>),
}

/// The usual [`Query`].
pub(super) struct Ask<T, F> {
    pub(super) during: &'static str,
    pub(super) body: F,
    pub(super) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Query for Ask<T, F>
where
    T: Send,
    F: Fn(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(self: Box<Self>, conn: &Connection) -> Result<(), ()> {
        let answer = catch_unwind(AssertUnwindSafe(|| {
            // One snapshot for all statements; dropping it ends it.
            let snapshot = conn.unchecked_transaction()?;
            Ok((self.body)(&snapshot)?)
        }))
        .unwrap_or(Err(Refusal::Panicked))
        .map_err(|refusal| refusal.into_error(self.during));
        let outcome = answer.as_ref().map(drop).map_err(drop);
        // A caller that went away needs no answer.
        drop(self.reply.send(answer));
        outcome
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error)));
    }
}

/// One reader's state; [`Reader::run`] is the body of its thread.
pub(super) struct Reader {
    pub(super) path: PathBuf,
    pub(super) orders: Arc<Mutex<mpsc::Receiver<Order>>>,
}

impl Reader {
    /// Answers until told to end, or until the store is dropped.
    pub(super) fn run(self) {
        let mut conn = None;
        while let Some(query) = self.next() {
            conn = answer(&self.path, conn, query);
        }
    }

    fn next(&self) -> Option<Box<dyn Query>> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match orders.blocking_recv()? {
                Order::Query(query) => return Some(query),
                Order::Close(closed) => {
                    orders.close();
                    drop(closed);
                }
            }
        }
    }
}

/// Answers one query; hands the connection back unless it failed.
fn answer(path: &Path, conn: Option<Connection>, query: Box<dyn Query>) -> Option<Connection> {
    failpoint!("query_begins");
    let conn = match conn.map_or_else(|| open::reader(path), Ok) {
        Ok(conn) => conn,
        Err(error) => {
            query.refuse(error);
            return None;
        }
    };
    query.run(&conn).ok().map(|()| conn)
}
