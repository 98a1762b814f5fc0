//! One child from its start to the end of everything it started.
//!
//! What it says is not read here: whoever runs it has the other side of its exchange.

use std::future::pending;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use larkline_failpoint::failpoint;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::gauge::Gauge;
use super::job::{End, Job, Limits, Outcome};
use super::proc::ProcessId;
use super::registry::Children;
use super::running::{DRAIN, Running};
use super::streams::Streams;
use super::tree::Leader;

/// After the child has ended, processes it left behind may finish what they write (a `tee`
/// behind a shell's redirection does) for this long before they are ended.
const LINGER: Duration = Duration::from_millis(500);

/// A child that runs. Dropping it kills its tree without grace.
pub(super) struct Life {
    running: Running,
    streams: Streams,
    gauge: Gauge,
    exchange: Arc<Exchange>,
    limits: Limits,
}

/// What is left when all of it has ended; what it wrote is in its exchange.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) end: End,
    /// The last bytes of stderr.
    pub(super) complaints: Vec<u8>,
    /// Too much memory was why it, or a process of it, was killed.
    pub(super) memory_killed: bool,
}

impl Children {
    /// Runs a child that is told everything at once; returns when it and everything it started
    /// has ended.
    ///
    /// Dropping the future kills the tree without grace.
    pub(in crate::handler) async fn run(
        &self,
        mut job: Job,
        cancel: &CancellationToken,
    ) -> io::Result<Outcome> {
        let exchange = Exchange::once(&std::mem::take(&mut job.input));
        self.run_with(job, exchange, cancel).await
    }

    /// The same of a child whose output nobody reads; it is thrown away.
    pub(in crate::handler) async fn run_unread(
        &self,
        mut job: Job,
        cancel: &CancellationToken,
    ) -> io::Result<Outcome> {
        let exchange = Exchange::unread(&std::mem::take(&mut job.input));
        self.run_with(job, exchange, cancel).await
    }

    async fn run_with(
        &self,
        job: Job,
        exchange: Exchange,
        cancel: &CancellationToken,
    ) -> io::Result<Outcome> {
        let exchange = Arc::new(exchange);
        let life = Life::start(self, job, Arc::clone(&exchange)).await?;
        let Left { end, complaints, .. } = life.live(cancel).await;
        Ok(Outcome { end, output: exchange.take(), complaints })
    }
}

impl Life {
    /// Starts a child; what it is told first is in the exchange already.
    pub(super) async fn start(
        children: &Children,
        job: Job,
        exchange: Arc<Exchange>,
    ) -> io::Result<Self> {
        let Job { argv, cwd, env, input: _, handler, task, limits } = job;
        let entry = children.enter(handler, task);
        let launch = children.launcher().launch(&argv, cwd, env, entry.mark())?;
        let mut running = Running::start(launch, entry, &limits).await?;
        failpoint!("child_started");
        let streams = Streams::new(&mut running.child, Arc::clone(&exchange), limits.output_bytes);
        let gauge = Gauge::new(running.tree.clone(), &limits, running.held);
        Ok(Self { running, streams, gauge, exchange, limits })
    }

    /// The child itself.
    pub(super) fn id(&self) -> ProcessId {
        self.running.id
    }

    /// Until all of it has ended: by itself, at a limit, or because it is cancelled.
    pub(super) async fn live(mut self, cancel: &CancellationToken) -> Left {
        let end = self.watch(cancel).await;
        self.exchange.read_on();
        if matches!(end, End::Exited(_)) {
            self.running.leader = Leader::Released;
            let _cut_short = timeout(LINGER, self.streams.drain()).await;
        }
        self.running.end(self.grace(end), &mut self.streams).await;
        let _cut_short = timeout(DRAIN, self.streams.drain()).await;
        let memory_killed = self.running.starved || end == End::Memory;
        let Running { starved, crowded, .. } = self.running;
        let end = cause(end, starved, crowded, self.streams.too_much);
        Left { end, complaints: std::mem::take(&mut self.streams.complaints), memory_killed }
    }

    /// Runs until the child ends or somebody has enough of it.
    async fn watch(&mut self, cancel: &CancellationToken) -> End {
        let Self { running, streams, gauge, exchange, limits } = self;
        let wall = Instant::now() + limits.wall;
        while !streams.too_much {
            let silent = limits.idle.and_then(|idle| Some(exchange.quiet_since()? + idle));
            tokio::select! {
                status = running.child.wait() => return match status {
                    Ok(status) => End::Exited(status),
                    // Somebody else waited for it; that it ended is all that is known.
                    Err(_) => End::Exited(ExitStatus::default()),
                },
                () = streams.step() => {}
                () = cancel.cancelled() => return End::Cancelled,
                () = sleep_until(wall) => return End::Wall,
                () = until(silent) => return End::Idle,
                end = gauge.exceeded() => return end,
            }
        }
        End::TooMuch
    }

    /// From SIGTERM to SIGKILL. A tree that takes all there is gets no time to take more.
    fn grace(&self, end: End) -> Duration {
        match end {
            End::Memory | End::Processes => Duration::ZERO,
            End::Exited(_) | End::Wall | End::Idle | End::TooMuch | End::Cancelled => {
                self.limits.grace
            }
        }
    }
}

/// Why it was really over: what ended by itself may have died of one of the kernel's limits, or
/// have written too much in its last moment.
fn cause(end: End, starved: bool, crowded: bool, too_much: bool) -> End {
    match end {
        End::Exited(status) if starved && !status.success() => End::Memory,
        End::Exited(status) if crowded && !status.success() => End::Processes,
        End::Exited(_) if too_much => End::TooMuch,
        End::Exited(_)
        | End::Wall
        | End::Idle
        | End::TooMuch
        | End::Memory
        | End::Processes
        | End::Cancelled => end,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn a_death_of_the_kernels_limit_is_told_from_any_other() {
        let exited = |raw| End::Exited(ExitStatus::from_raw(raw));
        let (well, killed) = (exited(0), exited(9));
        assert_eq!(cause(killed, true, false, false), End::Memory);
        assert_eq!(cause(killed, false, true, false), End::Processes);
        assert_eq!(cause(killed, false, false, false), killed);
        assert_eq!(cause(well, true, true, false), well, "it lost a process and came through");
        assert_eq!(cause(well, false, false, true), End::TooMuch);
        assert_eq!(cause(End::Wall, true, true, true), End::Wall);
    }
}
