//! What the file needs and no commit waits for: the sync of commits that did not wait for one, and
//! writing the WAL back.
//!
//! A commit that may be forgotten in a power cut, because its work would be done again the same
//! way, answers once it is in the file; no death of the process loses it. What the disk has not
//! yet taken is handed to it here, a moment later, unless a commit that waits came by first.
//!
//! The WAL is written back beside the writer, which goes on appending; a commit does it itself
//! only when this falls behind (see [`super::open`]).

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::Connection;

use super::open;

/// How much work a power cut may undo: short beside the hour in which a repeated send is
/// recognised, long enough that a busy store syncs by its waiting commits alone.
const WINDOW: Duration = Duration::from_millis(50);
/// Pages in the WAL before they are written back: 16 MiB, so that a page that changes often is
/// written back seldom, and a restart reads the WAL in well under a second.
pub(super) const WRITE_BACK_PAGES: u32 = 4_096;

#[derive(Debug, Default)]
struct State {
    /// Something was committed since the WAL was looked at.
    changed: bool,
    /// Something was committed that the disk may not have.
    unsynced: bool,
    closed: bool,
    /// Threads that still run.
    running: u8,
}

type Shared = (Mutex<State>, Condvar);

/// The writer's end; dropping it ends the threads.
#[derive(Debug)]
pub(super) struct Late(Arc<Shared>);

/// The body of a thread.
pub(super) type Body = Box<dyn FnOnce() + Send>;

impl Late {
    /// The threads' names and bodies beside their handle. They are two, because writing back takes
    /// as long as it takes, and a sync does not wait for it.
    pub(super) fn new(database: &Path) -> (Self, [(&'static str, Body); 2]) {
        let shared = Arc::new((Mutex::default(), Condvar::new()));
        let body = |run: fn(&Shared, &Path)| -> Body {
            let (path, shared) = (database.to_path_buf(), Arc::clone(&shared));
            lock(&shared.0).running += 1;
            let ended = Ended(Arc::clone(&shared));
            Box::new(move || {
                let _ended = ended;
                run(&shared, &path);
            })
        };
        let bodies = [("store-sync", body(sync)), ("store-wal", body(write_back))];
        (Self(shared), bodies)
    }

    /// A commit was made; `synced` says whether it waited for the disk.
    pub(super) fn committed(&self, synced: bool) {
        let (state, news) = &*self.0;
        let mut state = lock(state);
        let wakes = !state.changed || (!synced && !state.unsynced);
        (state.changed, state.unsynced) = (true, !synced);
        drop(state);
        if wakes {
            news.notify_all();
        }
    }

    /// Waits until the threads have let go of the file.
    pub(super) fn close(&self) {
        let (state, news) = &*self.0;
        lock(state).closed = true;
        news.notify_all();
        drop(news.wait_while(lock(state), |state| state.running > 0));
    }

    /// Whether something has yet to be synced.
    #[cfg(test)]
    pub(super) fn is_owed(&self) -> bool {
        lock(&self.0.0).unsynced
    }
}

/// Says at the end of a thread, whatever ended it or kept it from starting, that it has let go.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        lock(&self.0.0).running -= 1;
        self.0.1.notify_all();
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        lock(&self.0.0).closed = true;
        self.0.1.notify_all();
    }
}

/// Waits for work and then for more of it; what there is by then, or `None` when the store closes.
fn next<'s>(
    (state, news): &'s Shared,
    has_work: impl Fn(&State) -> bool,
) -> Option<MutexGuard<'s, State>> {
    let quiet = |state: &mut State| !has_work(state) && !state.closed;
    let waiting = news.wait_while(lock(state), quiet).unwrap_or_else(PoisonError::into_inner);
    let waited = news.wait_timeout_while(waiting, WINDOW, |state| !state.closed);
    let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
    (!state.closed).then_some(state)
}

fn sync(shared: &Shared, database: &Path) {
    let mut wal = database.as_os_str().to_owned();
    wal.push("-wal");
    let wal = PathBuf::from(wal);
    while let Some(mut state) = next(shared, |state| state.unsynced) {
        // A commit that waited came by.
        if !std::mem::take(&mut state.unsynced) {
            continue;
        }
        drop(state);
        // The next commit that waits meets the same disk, and says so to its caller.
        if let Err(error) = File::open(&wal).and_then(|wal| wal.sync_data()) {
            tracing::debug!(%error, "the WAL was not synced between commits");
        }
    }
}

fn write_back(shared: &Shared, database: &Path) {
    let mut conn = None;
    while let Some(mut state) = next(shared, |state| state.changed) {
        state.changed = false;
        drop(state);
        if let Err(error) = write_back_if_long(&mut conn, database) {
            conn = None;
            tracing::debug!(%error, "the WAL was not written back between commits");
        }
    }
}

/// Writes the WAL back when it is long, as far as nobody reads what it replaces.
fn write_back_if_long(conn: &mut Option<Connection>, database: &Path) -> rusqlite::Result<()> {
    let conn = match conn {
        Some(conn) => conn,
        None => conn.insert(open::beside(database)?),
    };
    let left = conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
        Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
    })?;
    if left >= i64::from(WRITE_BACK_PAGES) {
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
