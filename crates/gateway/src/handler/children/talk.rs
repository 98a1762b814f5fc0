//! A child that is talked to: it is heard line by line, and may be told more at any time.
//!
//! A task of its own moves its pipes, so that neither a slow listener nor a child that does
//! not read holds up the other side. What the lines mean is not known here.

use std::future::pending;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::job::{End, Job};
use super::life::{Left, Life};
use super::lines::Cut;
use super::proc::ProcessId;
use super::registry::Children;
use super::running::signal;

/// So many lines are given back at the end. More, after the last word that matters, is noise;
/// an empty line costs more memory than it has bytes.
const LAST_LINES_MAX: usize = 65_536;

/// A child that runs and is talked to. Dropping it kills its tree without grace.
#[must_use = "dropping it kills the child"]
pub(in crate::handler) struct Talk {
    pub(super) exchange: Arc<Exchange>,
    id: ProcessId,
    cancel: CancellationToken,
    /// The one that moves the pipes. Dropped, it drops the child.
    life: JoinSet<Left>,
    left: Option<Left>,
}

/// What a child did.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::handler) enum Heard {
    /// It wrote a line, here without its end (LF or CR LF). The last one may have had none.
    Line(Vec<u8>),
    /// It wrote one of so many bytes, which is too long to keep.
    LineTooLong { bytes: usize },
    /// All of it has ended, and nothing is left to hear.
    Ended(End),
}

/// What is left of a child that was ended.
#[derive(Debug)]
pub(in crate::handler) struct Over {
    /// What was not heard yet, at most the last [`LAST_LINES_MAX`] lines.
    pub(in crate::handler) lines: Vec<Vec<u8>>,
    pub(in crate::handler) end: End,
    /// The last bytes of stderr.
    pub(in crate::handler) complaints: Vec<u8>,
    /// Too much memory was why it, or a process of it, was killed.
    pub(in crate::handler) memory_killed: bool,
}

impl Children {
    /// Starts a child that is talked to. It reads `job.input` first; its stdin stays open.
    ///
    /// Its limits hold whether or not anybody listens: beyond one its tree is ended, and
    /// [`Heard::Ended`] says why, after all that was written before.
    pub(in crate::handler) async fn talk(&self, mut job: Job) -> io::Result<Talk> {
        let exchange = Arc::new(Exchange::open(&std::mem::take(&mut job.input)));
        let life = Life::start(self, job, Arc::clone(&exchange)).await?;
        let (id, cancel) = (life.id(), CancellationToken::new());
        let mut task = JoinSet::new();
        let stop = cancel.clone();
        task.spawn(async move { life.live(&stop).await });
        Ok(Talk { exchange, id, cancel, life: task, left: None })
    }
}

impl Talk {
    /// The next thing that happens. Safe to cancel.
    pub(in crate::handler) async fn next(&mut self) -> Heard {
        loop {
            // Before its lines: what it wrote before its end is all there then.
            let ended = self.left.as_ref().map(|left| left.end);
            let rest = || ended.and_then(|_| self.exchange.rest());
            if let Some(cut) = self.exchange.cut().or_else(rest) {
                return cut.into();
            }
            if let Some(end) = ended {
                return Heard::Ended(end);
            }
            tokio::select! {
                () = self.exchange.heard() => {}
                left = lived(&mut self.life) => self.left = Some(left),
            }
        }
    }

    /// Queues bytes for its stdin; they are written as it reads. False when the queue is full,
    /// or nobody will read them.
    #[must_use]
    pub(in crate::handler) fn write(&mut self, bytes: &[u8]) -> bool {
        self.exchange.say(bytes)
    }

    /// Closes its stdin after what is queued.
    pub(in crate::handler) fn close(&mut self) {
        self.exchange.close();
    }

    /// Holds the limit of silence, as while a person is being asked. Released, it begins anew.
    pub(in crate::handler) fn hold_idle(&mut self, hold: bool) {
        self.exchange.hold_quiet(hold);
    }

    /// SIGINT to the child itself, not to what it started; it may go on.
    pub(in crate::handler) fn interrupt(&mut self) {
        signal(self.id, Signal::INT);
    }

    /// Ends it: closes its stdin, gives it `patience` to go by itself, then ends its tree as a
    /// limit does. What it writes is read to its end first.
    pub(in crate::handler) async fn end(mut self, patience: Duration) -> Over {
        self.exchange.close();
        self.exchange.read_on();
        let left = match self.left.take() {
            Some(left) => left,
            None => match timeout(patience, lived(&mut self.life)).await {
                Ok(left) => left,
                Err(_still_there) => {
                    self.cancel.cancel();
                    lived(&mut self.life).await
                }
            },
        };
        let Left { end, complaints, memory_killed } = left;
        Over { lines: self.rest(), end, complaints, memory_killed }
    }

    fn rest(&self) -> Vec<Vec<u8>> {
        let mut lines = std::collections::VecDeque::new();
        let mut lost = 0_usize;
        let cuts = std::iter::from_fn(|| self.exchange.cut())
            .chain(std::iter::once_with(|| self.exchange.rest()).flatten());
        for cut in cuts {
            match cut {
                Cut::Line(line) => lines.push_back(line),
                Cut::TooLong(_) => lost += 1,
            }
            if lines.len() > LAST_LINES_MAX {
                lines.pop_front();
                lost += 1;
            }
        }
        if lost > 0 {
            tracing::debug!(lost, pid = self.id.pid, "lines of an ending child were thrown away");
        }
        lines.into()
    }
}

impl From<Cut> for Heard {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Line(line) => Self::Line(line),
            Cut::TooLong(bytes) => Self::LineTooLong { bytes },
        }
    }
}

/// What is left when the task is through. Safe to cancel.
async fn lived(life: &mut JoinSet<Left>) -> Left {
    match life.join_next().await.map(|ended| ended.map_err(JoinError::try_into_panic)) {
        Some(Ok(left)) => left,
        Some(Err(Ok(panic))) => resume_unwind(panic),
        // The runtime is going away, and this future with it.
        Some(Err(Err(_))) | None => pending().await,
    }
}
