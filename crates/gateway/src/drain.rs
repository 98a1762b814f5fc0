//! What a stop waits for, and says meanwhile.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::clock::{ms, now_ms};
use crate::config::Limits;
use crate::shared::Shared;

/// How often a stop says what it still waits for.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// All that a stop may take beyond the drain and the children's grace: settlements, last words to
/// chats, the ends of the services and of children, the database written back.
const MARGIN: Duration = Duration::from_secs(30);

/// The longest that a stop in order takes.
pub fn longest(limits: &Limits) -> Duration {
    limits.drain + limits.kill_grace + MARGIN
}

/// Says what the stop waits for; returns at the deadline.
pub(crate) async fn watch_work(shared: &Shared, deadline: Instant) {
    let mut said = "waiting for running tasks";
    loop {
        let tasks = shared.at_work.tasks();
        if Instant::now() >= deadline {
            tracing::warn!(
                running = tasks.len(),
                ?tasks,
                "drain deadline reached, ending running tasks"
            );
            return;
        }
        if !tasks.is_empty() {
            tracing::info!(running = tasks.len(), ?tasks, "{said}");
            said = "still waiting for running tasks";
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + PROGRESS_EVERY)).await;
    }
}

/// Waits until everything has been said that can be by the deadline.
pub(crate) async fn wait_for_outbox(shared: &Shared, deadline: Instant) -> Result<(), String> {
    /// How often the outbox is looked at.
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    /// How long a look may take; a disk that takes longer hangs.
    const LOOK_MAX: Duration = Duration::from_secs(1);
    let apps: Vec<_> = shared.config.load().apps.iter().map(|app| app.name.clone()).collect();
    // What is due later leaves after the next start.
    let until_ms = now_ms() + ms(deadline.saturating_duration_since(Instant::now()));
    loop {
        let looked = timeout(LOOK_MAX, shared.store.leaving(apps.clone(), until_ms)).await;
        let leaving = looked.map_err(|_| "the store does not answer".to_owned())?;
        let waiting = leaving.map_err(|e| e.to_string())?;
        if waiting == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(format!("{waiting} waiting at the deadline"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
