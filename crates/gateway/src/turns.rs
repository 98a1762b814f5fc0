//! Turns of conversations that run now: to be found, told of and ended from outside.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_proto::id::OpenId;
use larkline_store::task::TaskId;
use tokio::sync::watch;
use tokio::time::Instant;

/// The turns that run, by session key; one session has one turn at a time.
#[derive(Debug, Default)]
pub struct Turns {
    running: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    task: TaskId,
    /// Who may end it by its button.
    people: Vec<OpenId>,
    since: Instant,
    stop: watch::Sender<Option<Stop>>,
}

/// Why a turn is to end before it is through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody said so.
    By(OpenId),
    /// The operator said so.
    Operator,
    /// A newer message takes its place.
    Steered,
}

/// A running turn's place; given up when dropped.
#[derive(Debug)]
#[must_use = "dropping it says that the turn is over"]
pub struct Running {
    turns: Arc<Turns>,
    key: String,
    stop: watch::Receiver<Option<Stop>>,
}

impl Turns {
    /// A turn begins, which `people` may end by a button.
    pub fn begin(self: &Arc<Self>, key: &str, task: TaskId, people: Vec<OpenId>) -> Running {
        let (stop, stopped) = watch::channel(None);
        let entry = Entry { task, people, since: Instant::now(), stop };
        self.lock().insert(key.to_owned(), entry);
        Running { turns: Arc::clone(self), key: key.to_owned(), stop: stopped }
    }

    /// Ends the turn of a session; `false` when none runs.
    pub fn stop(&self, key: &str, why: Stop) -> bool {
        self.lock().get(key).is_some_and(|entry| entry.stop.send(Some(why)).is_ok())
    }

    /// Somebody presses the button that ends the turn of a task; whether he may, or nothing when it
    /// does not run.
    pub fn stop_task(&self, task: TaskId, by: &OpenId) -> Option<bool> {
        let running = self.lock();
        let entry = running.values().find(|entry| entry.task == task)?;
        let may = entry.people.contains(by);
        if may {
            // Nobody waits for it any more: then it is over.
            entry.stop.send(Some(Stop::By(by.clone()))).ok()?;
        }
        Some(may)
    }

    /// For how long the turn of a session has run; nothing when none runs.
    pub fn running_for(&self, key: &str) -> Option<Duration> {
        self.lock().get(key).map(|entry| entry.since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Waits until the turn is to end, and why. Safe to cancel.
    pub async fn stopped(&mut self) -> Stop {
        match self.stop.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            // Its place was taken by another, or given up: nobody can stop it any more.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.turns.lock().remove(&self.key);
    }
}
