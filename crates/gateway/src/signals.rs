//! Signals that a daemon answers to, with whoever sent them.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::{Origin, Process};
use tokio::sync::mpsc;

/// Requests that may wait; a daemon that is stopping heeds one more.
const WAITING_MAX: usize = 8;

/// A request by signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// The configuration is to be read again; else the daemon is to stop.
    pub(crate) reload: bool,
    /// Its name: `SIGTERM`.
    pub(crate) name: &'static str,
    sender: Option<Process>,
}

impl Received {
    fn new(origin: Origin) -> Option<Self> {
        let name = match origin.signal {
            SIGTERM => "SIGTERM",
            SIGINT => "SIGINT",
            SIGHUP => "SIGHUP",
            _ => return None,
        };
        Some(Self { reload: origin.signal == SIGHUP, name, sender: origin.process })
    }

    /// Says who sent it, as far as the kernel tells: a terminal's Ctrl-C comes from no process.
    pub(crate) fn log(&self) {
        tracing::info!(
            signal = self.name,
            sender_pid = self.sender.map(|sender| sender.pid),
            sender_uid = self.sender.map(|sender| sender.uid),
            parent_pid = std::os::unix::process::parent_id(),
            "signal received"
        );
    }
}

/// A thread waits for them, because only there does the kernel's word of the sender arrive.
#[derive(Debug)]
pub(crate) struct Signals {
    received: mpsc::Receiver<Received>,
    handle: Handle,
}

impl Signals {
    /// # Errors
    ///
    /// The process may not answer to signals, or have no further thread.
    pub(crate) fn new() -> io::Result<Self> {
        let mut signals = SignalsInfo::<WithOrigin>::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let (sent, received) = mpsc::channel(WAITING_MAX);
        let wait = move || {
            for received in signals.forever().filter_map(Received::new) {
                if sent.try_send(received).is_err() {
                    tracing::warn!(signal = received.name, "so many signals wait: not heeded");
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
        Ok(Self { received, handle })
    }

    pub(crate) async fn next(&mut self) -> Received {
        match self.received.recv().await {
            Some(received) => received,
            None => std::future::pending().await,
        }
    }

    /// A further request to stop; one to reload comes too late.
    pub(crate) async fn again(&mut self) -> Received {
        loop {
            let received = self.next().await;
            received.log();
            if !received.reload {
                return received;
            }
            tracing::warn!("stopping already, nothing is reloaded");
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}
