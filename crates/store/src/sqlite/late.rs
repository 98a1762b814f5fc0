//! The sync of commits that did not wait for one.
//!
//! A commit that may be forgotten in a power cut, because its work would be done again the same
//! way, answers once it is in the file; no death of the process loses it. What the disk has not
//! yet taken is handed to it here, a moment later, unless a commit that waits came by first.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How much work a power cut may undo: short beside the hour in which a repeated send is
/// recognised, long enough that a busy store syncs by its waiting commits alone.
const WINDOW: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct State {
    unsynced: bool,
    closed: bool,
}

/// The writer's end; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct LateSync(Arc<(Mutex<State>, Condvar)>);

impl LateSync {
    /// The thread's body beside its handle. `database` is the file whose WAL is synced.
    pub(super) fn new(database: &Path) -> (Self, impl FnOnce() + Send + 'static) {
        let shared = Arc::new((Mutex::default(), Condvar::new()));
        let mut wal = database.as_os_str().to_owned();
        wal.push("-wal");
        let (wal, theirs) = (PathBuf::from(wal), Arc::clone(&shared));
        (Self(shared), move || run(&theirs, &wal))
    }

    /// A commit was made; `synced` says whether it waited for the disk.
    pub(super) fn committed(&self, synced: bool) {
        let (state, changed) = &*self.0;
        let mut state = lock(state);
        let wakes = !synced && !state.unsynced;
        state.unsynced = !synced;
        drop(state);
        if wakes {
            changed.notify_one();
        }
    }

    /// Whether something has yet to be synced.
    #[cfg(test)]
    pub(super) fn is_owed(&self) -> bool {
        lock(&self.0.0).unsynced
    }
}

impl Drop for LateSync {
    fn drop(&mut self) {
        lock(&self.0.0).closed = true;
        self.0.1.notify_one();
    }
}

fn run((state, changed): &(Mutex<State>, Condvar), wal: &Path) {
    loop {
        let waiting = changed.wait_while(lock(state), |s| !s.unsynced && !s.closed);
        if waiting.unwrap_or_else(PoisonError::into_inner).closed {
            return;
        }
        thread::sleep(WINDOW);
        if !std::mem::take(&mut lock(state).unsynced) {
            continue;
        }
        if let Err(error) = File::open(wal).and_then(|wal| wal.sync_data()) {
            // The next commit that waits meets the same disk, and says so to its caller.
            tracing::debug!(%error, "the WAL was not synced between commits");
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
