//! What the workers that claim from the store have in common: the loop that claims and works,
//! and how to write down a result while the store is ill.

use std::time::Duration;

use larkline_store::StoreError;
use larkline_store::inbox::Concluded;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::shared::Shared;

/// A worker looks at the store at least this often; hints only make it sooner.
const PERIOD: Duration = Duration::from_secs(5);
/// After a look nothing but hints is waited for during so long: while work comes and goes, the
/// store is not asked what will be due.
const QUIET: Duration = Duration::from_millis(20);
/// Looks are at least so far apart, so that hints that come together are one look. What comes
/// after a rest does not wait.
const APART: Duration = Duration::from_millis(2);
/// First and longest pause while the store refuses.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Claims and works until drained, then waits for what runs. `claim` is given how much is in hand
/// already; it takes all that it may. The end of any work is a hint of its own.
pub async fn run<Item, Claimed, Worked>(
    shared: &Shared,
    hint: &Notify,
    drain: &CancellationToken,
    claim: impl Fn(usize) -> Claimed,
    work: impl Fn(Item) -> Worked,
) where
    Claimed: Future<Output = Vec<Item>>,
    Worked: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    while !drain.is_cancelled() {
        // Registered before the look, so that a hint in between is not missed.
        let woken = hint.notified();
        let (looked, looked_ms) = (Instant::now(), now_ms());
        // What is claimable now is in hand, or there is no room for it: either way the next look
        // can wait for a hint, for the end of some work, or for what becomes due.
        for item in claim(running.len()).await {
            running.spawn(work(item));
        }
        let rest = async {
            tokio::time::sleep(QUIET).await;
            tokio::time::sleep(until_due(shared, looked_ms).await).await;
        };
        tokio::select! {
            () = drain.cancelled() => {}
            () = woken => {}
            Some(_) = running.join_next() => {}
            () = rest => {}
        }
        tokio::time::sleep_until(looked + APART).await;
        // Work that ended together is looked after by one look.
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

/// How long until something becomes due that was not when the store was looked at, at most a
/// period. What was due and not claimed belongs to a lane in hand or had no room: the end of
/// work wakes the worker.
async fn until_due(shared: &Shared, looked_ms: i64) -> Duration {
    match shared.store.next_due(looked_ms).await {
        // What came due since the look is not to wait for anything.
        Ok(Some(due)) => {
            Duration::from_millis(u64::try_from(due - now_ms()).unwrap_or(0)).min(PERIOD)
        }
        Ok(None) | Err(_) => PERIOD,
    }
}

/// Writes a result down, waiting out an ill store until `stop`: a lost settlement would do the
/// work again. A result whose claim was lost is dropped; somebody else has the work.
pub async fn settle<Write, Written>(
    shared: &Shared,
    during: &'static str,
    stop: &CancellationToken,
    write: Write,
) where
    Write: Fn() -> Written,
    Written: Future<Output = Result<Vec<Concluded>, StoreError>>,
{
    let mut pause = PAUSE.0;
    loop {
        match write().await {
            Ok(concluded) => return shared.settled(concluded).await,
            Err(error) if error.is_refusal() => {
                tracing::warn!(during, code = error.code(), "result dropped: {error}");
                return;
            }
            Err(error) => shared.store_health.failed(during, &error),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
        }
    }
}
