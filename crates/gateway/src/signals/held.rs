//! Signals read from a file, each with its sender.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Name, Received, Sender, command};

const ANSWERED: [(Signal, Name); 3] =
    [(Signal::SIGTERM, Name::Term), (Signal::SIGINT, Name::Int), (Signal::SIGHUP, Name::Hup)];

fn answered() -> SigSet {
    ANSWERED.into_iter().map(|(signal, _)| signal).collect()
}

/// Holds the signals of a daemon back from this thread and all that it starts from now on. For
/// the thread that starts all others, before it does.
///
/// # Errors
/// When the system refuses.
pub fn hold() -> io::Result<()> {
    Ok(answered().thread_block()?)
}

/// Starts a program that is not to hold them back.
pub fn released<T>(start: impl FnOnce() -> T) -> T {
    let before = SigSet::thread_get_mask();
    let freed = answered().thread_unblock();
    let started = start();
    if let (Ok(before), Ok(())) = (before, freed)
        && let Err(error) = before.thread_set_mask()
    {
        tracing::warn!(%error, code = "signals_released", "a signal may come without its sender");
    }
    started
}

/// Signals with their senders.
pub(super) struct Senders(AsyncFd<SignalFd>);

impl Senders {
    /// `None` where signals are not held back, or cannot be read.
    #[expect(
        deprecated,
        reason = "unsound for types that may close or swap the descriptor while it is \
                  registered; a SignalFd cannot, and the other way is unsafe"
    )]
    pub(super) fn open() -> Option<Self> {
        let held = SigSet::thread_get_mask().ok()?;
        if !ANSWERED.into_iter().all(|(signal, _)| held.contains(signal)) {
            return None;
        }
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let file = SignalFd::with_flags(&answered(), flags).ok()?;
        AsyncFd::with_interest(file, Interest::READABLE).ok().map(Self)
    }

    pub(super) async fn next(&mut self) -> io::Result<Received> {
        loop {
            let mut ready = self.0.readable().await?;
            let Ok(told) = ready.try_io(|file| match file.get_ref().read_signal()? {
                Some(told) => Ok(told),
                None => Err(io::ErrorKind::WouldBlock.into()),
            }) else {
                continue;
            };
            if let Some(received) = received(&told?) {
                return Ok(received);
            }
        }
    }
}

fn received(told: &siginfo) -> Option<Received> {
    let number = i32::try_from(told.ssi_signo).ok()?;
    let (_, name) = ANSWERED.into_iter().find(|(signal, _)| *signal as i32 == number)?;
    let (pid, uid) = (told.ssi_pid, told.ssi_uid);
    Some(Received { name, sender: Some(Sender { pid, uid, command: command(pid) }) })
}
