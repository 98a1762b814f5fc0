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
    /// Something was committed since the last look.
    changed: bool,
    /// The disk may not have it.
    unsynced: bool,
    closed: bool,
    ended: bool,
}

/// The writer's end; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Late(Arc<(Mutex<State>, Condvar)>);

impl Late {
    /// The thread's body beside its handle.
    pub(super) fn new(database: &Path) -> (Self, impl FnOnce() + Send + 'static) {
        let shared = Arc::new((Mutex::default(), Condvar::new()));
        let (path, theirs) = (database.to_path_buf(), Arc::clone(&shared));
        (Self(shared), move || {
            let _ended = Ended(&theirs);
            run(&theirs, &path);
        })
    }

    /// A commit was made; `synced` says whether it waited for the disk.
    pub(super) fn committed(&self, synced: bool) {
        let (state, news) = &*self.0;
        let mut state = lock(state);
        let wakes = !state.changed;
        (state.changed, state.unsynced) = (true, !synced);
        drop(state);
        if wakes {
            news.notify_one();
        }
    }

    /// Waits until the thread has let go of the file; it was started.
    pub(super) fn close(&self) {
        let (state, news) = &*self.0;
        lock(state).closed = true;
        news.notify_all();
        drop(news.wait_while(lock(state), |state| !state.ended));
    }

    /// Whether something has yet to be synced.
    #[cfg(test)]
    pub(super) fn is_owed(&self) -> bool {
        lock(&self.0.0).unsynced
    }
}

/// Says at the end of the thread, whatever ended it, that it has let go.
struct Ended<'a>(&'a (Mutex<State>, Condvar));

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).ended = true;
        self.0.1.notify_all();
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        lock(&self.0.0).closed = true;
        self.0.1.notify_all();
    }
}

fn run((state, news): &(Mutex<State>, Condvar), database: &Path) {
    let mut wal = database.as_os_str().to_owned();
    wal.push("-wal");
    let wal = PathBuf::from(wal);
    let mut conn = None;
    loop {
        let quiet = |state: &mut State| !state.changed && !state.closed;
        let waiting = news.wait_while(lock(state), quiet).unwrap_or_else(PoisonError::into_inner);
        let open = |state: &mut State| !state.closed;
        let waited = news.wait_timeout_while(waiting, WINDOW, open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return;
        }
        state.changed = false;
        let unsynced = std::mem::take(&mut state.unsynced);
        drop(state);
        // The next commit that waits meets the same disk, and says so to its caller.
        if unsynced && let Err(error) = File::open(&wal).and_then(|wal| wal.sync_data()) {
            tracing::debug!(%error, "the WAL was not synced between commits");
        }
        if let Err(error) = write_back(&mut conn, database) {
            conn = None;
            tracing::debug!(%error, "the WAL was not written back between commits");
        }
    }
}

/// Writes the WAL back when it is long, as far as nobody reads what it replaces.
fn write_back(conn: &mut Option<Connection>, database: &Path) -> rusqlite::Result<()> {
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
