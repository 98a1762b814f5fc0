//! The signals a daemon answers to, and who sent them.
//!
//! A handler of tokio's is told the number of a signal and nothing else. Where the system has
//! `signalfd`, signals are held back from every thread and read with their sender instead. A
//! child would inherit that, so it is started with its thread released, and in that moment a
//! signal may still come the plain way: then its sender stays unknown.

use std::fmt;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg_attr(target_os = "linux", path = "held.rs")]
#[cfg_attr(not(target_os = "linux"), path = "plain.rs")]
mod held;

use held::Senders;
pub use held::{hold, released};

/// A signal that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub name: Name,
    /// Who sent it, where the system tells.
    pub sender: Option<Sender>,
}

/// The name of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// End in order.
    Term,
    /// The same, from a terminal.
    Int,
    /// Read the configuration again.
    Hup,
}

/// Who sent a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Number of its process; 0 is the kernel, as for Ctrl-C and a lost terminal.
    pub pid: u32,
    /// Its real user.
    pub uid: u32,
    /// Its name, if it still runs.
    pub command: Option<String>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Term => "SIGTERM",
            Self::Int => "SIGINT",
            Self::Hup => "SIGHUP",
        })
    }
}

impl Received {
    fn plain(name: Name) -> Self {
        Self { name, sender: None }
    }

    /// Says in the log what came, from whom, and who started this process.
    pub(crate) fn log(&self) {
        let parent = std::os::unix::process::parent_id();
        let sender = self.sender.as_ref();
        tracing::info!(
            signal = %self.name,
            sender_pid = sender.map(|sender| sender.pid),
            sender_uid = sender.map(|sender| sender.uid),
            sender = sender.and_then(|sender| sender.command.as_deref()),
            parent_pid = parent,
            parent = command(parent),
            "signal received"
        );
    }
}

/// Signals as they come.
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    senders: Option<Senders>,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            senders: Senders::open(),
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::select! {
            received = told(&mut self.senders) => received,
            _ = self.term.recv() => Received::plain(Name::Term),
            _ = self.int.recv() => Received::plain(Name::Int),
            _ = self.hup.recv() => Received::plain(Name::Hup),
        }
    }

    /// The next that asks for an end; one to reload comes too late.
    pub(crate) async fn next_to_stop(&mut self) -> Received {
        loop {
            let received = self.next().await;
            received.log();
            match received.name {
                Name::Hup => tracing::warn!("stopping already, nothing is reloaded"),
                Name::Term | Name::Int => return received,
            }
        }
    }
}

async fn told(senders: &mut Option<Senders>) -> Received {
    if let Some(open) = senders {
        match open.next().await {
            Ok(received) => return received,
            // The plain way is left.
            Err(error) => tracing::warn!(%error, "signals come without their sender from now on"),
        }
        *senders = None;
    }
    std::future::pending().await
}

/// The name of a process, while it runs.
fn command(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}
