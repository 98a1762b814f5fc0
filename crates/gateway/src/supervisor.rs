//! Every long-lived task has a name, an owner, and a rule for failure and for stop.
//!
//! A worker is a function that makes its future, so that it can be made again: a panic or an
//! early return is a failure, is logged, and the worker starts over after a growing wait.
//! Workers end when their stage of the shutdown is cancelled; [`Supervisor::join`] waits for
//! them with a deadline and aborts what remains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Shortest wait before a failed worker starts over.
const RESTART_FIRST: Duration = Duration::from_millis(200);
/// Longest wait before a failed worker starts over.
const RESTART_MAX: Duration = Duration::from_secs(30);
/// A worker that ran this long before it failed starts over after the shortest wait.
const RESTART_RESET: Duration = Duration::from_secs(60);

/// Owner of the workers of one stage of the shutdown.
pub struct Supervisor {
    stage: &'static str,
    runtime: Handle,
    cancel: CancellationToken,
    workers: JoinSet<()>,
    restarts: Arc<AtomicU64>,
}

impl Supervisor {
    /// An owner of no workers yet, which counts in `restarts` how often one is started over. They
    /// run on `runtime`.
    pub fn new(stage: &'static str, restarts: Arc<AtomicU64>, runtime: Handle) -> Self {
        Self { stage, runtime, cancel: CancellationToken::new(), workers: JoinSet::new(), restarts }
    }

    /// The token that ends this stage's workers.
    pub fn cancel_token(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Starts a worker. `make` is called again after each failure.
    pub fn spawn<F, Fut>(&mut self, name: impl Into<String>, make: F)
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.spawn_until(self.cancel.clone(), name, make);
    }

    /// Starts a worker whose end is right once `cancel`, a child of this stage's token, is
    /// cancelled.
    pub fn spawn_until<F, Fut>(
        &mut self,
        cancel: CancellationToken,
        name: impl Into<String>,
        make: F,
    ) where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        // Workers that ended by themselves are not kept.
        while self.workers.try_join_next().is_some() {}
        let watch = Watch { name: name.into(), cancel, restarts: Arc::clone(&self.restarts) };
        self.workers.spawn_on(watch.run(make), &self.runtime);
    }

    /// Starts a worker that cannot be made again. When it ends before its stage does, `failed`
    /// is cancelled: the daemon stops and its service manager starts a new one.
    pub fn spawn_vital(
        &mut self,
        name: impl Into<String>,
        failed: CancellationToken,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let (name, cancel) = (name.into(), self.cancel.clone());
        let watched = async move {
            let mut worker = JoinSet::new();
            worker.spawn(work);
            let end = worker.join_next().await;
            if !cancel.is_cancelled() {
                let panicked = matches!(end, Some(Err(e)) if e.is_panic());
                tracing::error!(worker = name, panicked, "vital worker ended, stopping");
                failed.cancel();
            }
        };
        self.workers.spawn_on(watched, &self.runtime);
    }

    /// Ends the stage: cancels, waits until `deadline`, aborts the rest. Returns how many
    /// had to be aborted.
    pub async fn join(mut self, deadline: Instant) -> usize {
        self.cancel.cancel();
        while let Ok(Some(_)) = timeout_at(deadline, self.workers.join_next()).await {}
        let aborted = self.workers.len();
        if aborted > 0 {
            tracing::warn!(stage = self.stage, aborted, "workers did not end in time");
        }
        self.workers.shutdown().await;
        aborted
    }
}

struct Watch {
    name: String,
    cancel: CancellationToken,
    restarts: Arc<AtomicU64>,
}

impl Watch {
    async fn run<F, Fut>(self, make: F)
    where
        F: Fn() -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let mut wait = RESTART_FIRST;
        loop {
            let started = Instant::now();
            // A set of its own, so that a panic is caught and a drop of this watch aborts it.
            let mut worker = JoinSet::new();
            worker.spawn(make());
            let end = worker.join_next().await;
            if self.cancel.is_cancelled() {
                return;
            }
            let cause = match end {
                Some(Err(e)) if e.is_panic() => "panic",
                Some(Err(_)) => "aborted",
                Some(Ok(())) | None => "early return",
            };
            self.restarts.fetch_add(1, Ordering::Relaxed);
            if started.elapsed() > RESTART_RESET {
                wait = RESTART_FIRST;
            }
            tracing::error!(
                worker = self.name,
                cause,
                wait_ms = wait.as_millis(),
                "worker failed, starting over"
            );
            tokio::select! {
                () = self.cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RESTART_MAX),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn within<T>(work: impl Future<Output = T>) -> T {
        tokio::time::timeout(PATIENCE, work).await.unwrap()
    }

    #[tokio::test]
    async fn a_worker_that_panics_or_returns_early_is_made_again_and_counted() {
        let (runs, restarts) = (AtomicU64::new(0), Arc::<AtomicU64>::default());
        let mut stage = Supervisor::new("test", Arc::clone(&restarts), Handle::current());
        let (settled, cancel) = (CancellationToken::new(), stage.cancel_token());
        let third = settled.clone();
        stage.spawn("worker", move || {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            let (third, cancel) = (third.clone(), cancel.clone());
            async move {
                match run {
                    0 => panic!("as a bug would"),
                    1 => {}
                    _ => {
                        third.cancel();
                        cancel.cancelled().await;
                    }
                }
            }
        });
        within(settled.cancelled()).await;
        assert_eq!(restarts.load(Ordering::Relaxed), 2);
        assert_eq!(within(stage.join(Instant::now() + PATIENCE)).await, 0);
    }

    #[tokio::test]
    async fn the_end_of_a_vital_worker_is_told_also_when_it_panics() {
        for panics in [false, true] {
            let mut stage = Supervisor::new("test", Arc::default(), Handle::current());
            let failed = CancellationToken::new();
            stage.spawn_vital("vital", failed.clone(), async move {
                assert!(!panics, "as a bug would");
            });
            within(failed.cancelled()).await;
        }
    }

    #[tokio::test]
    async fn a_worker_that_does_not_end_is_aborted_at_the_deadline_and_its_work_dropped() {
        let mut stage = Supervisor::new("test", Arc::default(), Handle::current());
        let (held, dropped) = (CancellationToken::new(), CancellationToken::new());
        let (started, guard) = (held.clone(), dropped.clone());
        stage.spawn("stuck", move || {
            let (started, guard) = (started.clone(), guard.clone().drop_guard());
            async move {
                let _guard = guard;
                started.cancel();
                std::future::pending::<()>().await;
            }
        });
        within(held.cancelled()).await;
        assert_eq!(within(stage.join(Instant::now())).await, 1);
        within(dropped.cancelled()).await;
    }
}
