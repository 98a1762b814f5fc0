//! What is told before a gateway ends that could not start: afterwards nobody is there to tell.
//!
//! A service manager may start it again at once, and it ends again. What was told is on disk, so the same
//! failure is told again only when a reminder is due, and its end by the run that works. Where nobody
//! starts it again (our own unit does not after refused credentials), nothing more is told: not to a
//! destination that was not reached in time either.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::engine::{Key, Reading};
use super::rule::Rule;
use super::sources::{bad, unknown};
use super::{AlertKeep, Post, Reach, recipient, watch};
use crate::clock::now_ms;
use crate::run_error::{Obstacle, RunError};
use crate::shared::{AppRuntime, Shared};

/// Destinations have so long; one that was not told then is told by a later start, if there is one. Writing
/// down who was told comes on top.
const TELLING_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether all are told.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Raises the alert about a failed start, and waits until every destination was told or could not be.
/// Somebody else does the telling.
pub async fn raise(shared: &Shared, error: &RunError) {
    let Some(obstacle) = error.obstacle() else { return };
    let (config, begun_ms) = (shared.config.load_full(), now_ms());
    let deadline = Instant::now() + TELLING_MAX;
    let reading = bad(Rule::StartFailed, &obstacle.subject(), |lang| error.said(lang));
    let policy = config.alerts.policy(Rule::StartFailed, config.link.recovery_target);
    let change = shared.alerts.engine().raise(begun_ms, &reading, policy);
    change.iter().for_each(watch::say);
    shared.alerts.keep(shared, begun_ms, true).await;
    let key = (reading.rule, reading.subject);
    while waits(shared, &key, begun_ms) && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    // Who was told is written down after it was, and the process may be gone by then.
    shared.alerts.save().await;
}

/// Does the telling too, where no worker has begun.
pub async fn raise_alone(shared: &Arc<Shared>, post: &Post, error: &RunError) {
    let keep = AlertKeep { shared: Arc::clone(shared) };
    tokio::select! {
        () = raise(shared, error) => {}
        // Boxed: a mail, a call and a child's life in one.
        () = Box::pin(post.run()) => {}
        () = keep.run() => {}
    }
}

/// Whether a destination is to be told of this failure, and was not tried in vain since.
fn waits(shared: &Shared, key: &Key, since_ms: i64) -> bool {
    let (config, reach) = (shared.config.load_full(), shared.alerts.reach_of_all());
    let engine = shared.alerts.engine();
    config.destinations.iter().any(|(name, settings)| {
        !tried_in_vain(reach.get(name), since_ms)
            && engine.is_due(key, &recipient(name, settings, &config), now_ms())
    })
}

/// Whether an attempt failed that began since. One that began before was about something else.
fn tried_in_vain(reach: Option<&Reach>, since_ms: i64) -> bool {
    reach.and_then(|reach| reach.failed_from_ms).is_some_and(|from_ms| from_ms >= since_ms)
}

/// Failed starts whose obstacle may still be there. Those of another kind are over: this gateway runs.
pub(super) fn not_yet_over(shared: &Shared, apps: &[Arc<AppRuntime>]) -> Vec<Reading> {
    let connected = |app: &Arc<AppRuntime>| app.link.status().borrow().counters.connects > 0;
    let connected: Vec<_> = apps.iter().map(|app| (app.name.as_str(), connected(app))).collect();
    let engine = shared.alerts.engine();
    let failed = engine.firing().into_iter().filter(|alert| alert.rule == Rule::StartFailed);
    failed
        .filter(|alert| Obstacle::may_last(&alert.subject, &connected))
        .map(|alert| unknown(Rule::StartFailed, &alert.subject))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::both::Both;

    #[test]
    fn only_an_attempt_that_began_and_failed_since_was_in_vain() {
        let mut reach = Reach::default();
        assert!(!tried_in_vain(None, 10) && !tried_in_vain(Some(&reach), 10));
        reach.note(9, Err(Both::NOTHING), 12);
        assert!(!tried_in_vain(Some(&reach), 10), "it was about something else");
        reach.note(11, Err(Both::NOTHING), 12);
        assert!(tried_in_vain(Some(&reach), 10));
    }
}
