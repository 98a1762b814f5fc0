//! Limits of a whole tree, where the kernel does not enforce them: it is measured once a
//! second, which is too late for what grows faster, and better than never.

use std::future::pending;
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};

use super::cgroup::Controllers;
use super::job::{End, Limits};
use super::tree::Tree;
use super::usage::{Use, used};

/// Between two measurements.
const PERIOD: Duration = Duration::from_secs(1);

/// Measures one child.
#[derive(Debug)]
pub(super) struct Gauge {
    tree: Tree,
    memory: Option<u64>,
    processes: Option<usize>,
    next: Instant,
    /// A measurement that has begun, so that one who stops waiting loses none.
    measuring: Option<JoinHandle<Use>>,
}

impl Gauge {
    /// For the limits that the kernel does not hold.
    pub(super) fn new(tree: Tree, limits: &Limits, held: Controllers) -> Self {
        let processes = limits.processes.filter(|_| !held.pids);
        Self {
            tree,
            memory: limits.memory_tree.filter(|_| !held.memory),
            processes: processes.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            next: Instant::now(),
            measuring: None,
        }
    }

    /// Waits until the tree is beyond a limit, if it has any. Safe to cancel.
    pub(super) async fn exceeded(&mut self) -> End {
        if self.memory.is_none() && self.processes.is_none() {
            return pending().await;
        }
        loop {
            let measured = self.measured().await;
            if self.memory.is_some_and(|most| measured.rss_bytes > most) {
                return End::Memory;
            }
            if self.processes.is_some_and(|most| measured.processes > most) {
                return End::Processes;
            }
        }
    }

    /// Reading `/proc` takes milliseconds: not on a thread that also answers pings.
    async fn measured(&mut self) -> Use {
        if self.measuring.is_none() {
            sleep_until(self.next).await;
        }
        let tree = &self.tree;
        let measured = self
            .measuring
            .get_or_insert_with(|| {
                let tree = tree.clone();
                tokio::task::spawn_blocking(move || used(&tree))
            })
            .await;
        self.measuring = None;
        self.next = Instant::now() + PERIOD;
        match measured.map_err(JoinError::try_into_panic) {
            Ok(measured) => measured,
            Err(Ok(panic)) => resume_unwind(panic),
            // The runtime is going away, and this future with it.
            Err(Err(_cancelled)) => pending().await,
        }
    }
}
