//! The end of a daemon: what is told, the stages, children, the record.

use std::sync::Arc;
use std::time::Duration;

use larkline_failpoint::failpoint;
use larkline_store::StoreError;
use larkline_store::record::EndOfBoot;
use tokio::time::{Instant, timeout};

use super::Reason;
use crate::alert;
use crate::clock::now_ms;
use crate::handler::Children;
use crate::run_error::RunError;
use crate::service_manager::Manager;
use crate::shared::Shared;
use crate::signals::Signals;
use crate::stages::{self, Stages};

/// How long dropped work has to kill its children.
const CHILDREN_OWN: Duration = Duration::from_millis(500);
/// How long the end of children is waited for when nothing else is.
const CHILDREN_MAX: Duration = Duration::from_secs(3);
/// How long a step of the record of the end may take. A database that somebody has locked is waited for
/// 5 s by each write, and there may be some before it.
const STEP_MAX: Duration = Duration::from_secs(12);

/// Has it told that the gateway ends, while somebody is there to do so.
pub(super) async fn last_words(
    shared: &Shared,
    error: &RunError,
    stages: &Stages,
    manager: &mut Manager,
    signals: &mut Signals,
) {
    stages.halt_watch();
    tokio::select! {
        () = alert::raise_failed_start(shared, error) => {}
        never = manager.rounds() => match never {},
        _ended = signals.next_to_stop() => {}
    }
}

/// The end of a start that has not come to its workers.
pub(super) async fn not_started(
    shared: &Arc<Shared>,
    error: RunError,
    signals: &mut Signals,
) -> Result<(), RunError> {
    if let Some(post) = stages::post_without_workers(shared) {
        tokio::select! {
            () = alert::raise_failed_start_alone(shared, &post, &error) => {}
            _ended = signals.next_to_stop() => {}
        }
    }
    end_children(&shared.children).await;
    let reason = Reason::Failed(error);
    farewell(shared, &reason).await;
    reason.result()
}

/// Ends the stages in order, or at a second signal at once.
pub(super) async fn stop(
    shared: &Shared,
    reason: &Reason,
    stages: Stages,
    manager: &mut Manager,
    signals: &mut Signals,
) {
    tracing::info!(
        reason = reason.word(),
        "stopping: intake first, then running work, then replies in hand"
    );
    manager.stopping(&reason.word());
    failpoint!("stop_begins");
    let drain = shared.config.load().limits.drain;
    let deadline = Instant::now() + drain;
    tokio::select! {
        () = stages.stop(shared, deadline) => {}
        never = manager.rounds() => match never {},
        again = signals.next_to_stop() => {
            tracing::warn!(signal = %again.name, "second signal, stopping now");
        }
    }
}

/// Lets no child outlive this process. Work that is dropped kills its own children, but on
/// threads that the end of the process would cut off; what it has not killed soon is killed here.
pub(super) async fn end_children(children: &Children) {
    /// How often the children are looked at.
    const LOOK_EVERY: Duration = Duration::from_millis(10);
    let started = Instant::now();
    while !children.running().is_empty() && started.elapsed() < CHILDREN_MAX {
        if started.elapsed() > CHILDREN_OWN {
            children.kill_all();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Writes down that it ended, and why. Each step runs whatever became of the one before, unless the
/// disk gives no answer at all.
pub(super) async fn farewell(shared: &Shared, reason: &Reason) {
    let store = &shared.store;
    let end = EndOfBoot { boot_id: shared.boot_id.clone(), at_ms: now_ms(), reason: reason.word() };
    let released = async { store.release_leases(shared.boot_id.clone()).await.map(|_| ()) };
    let answers = step("release_leases", released).await
        && {
            failpoint!("leases_released");
            step("end_boot", store.end_boot(end)).await
        }
        && step("close", store.close()).await;
    if !answers {
        tracing::error!(
            code = "store_hangs",
            "the disk has not answered for {STEP_MAX:?}: the end is not on record, and the next start takes \
             it for a crash, which loses nothing; check the disk of the state directory"
        );
    }
    tracing::info!("stopped");
}

/// Whether the store answered, be it with a refusal.
async fn step(during: &str, work: impl Future<Output = Result<(), StoreError>>) -> bool {
    let answer = timeout(STEP_MAX, work).await;
    if let Ok(Err(error)) = &answer {
        tracing::error!(during, code = error.code(), "a step of the stop failed: {error}");
    }
    answer.is_ok()
}
