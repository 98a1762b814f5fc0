//! The thread that reads, pings, journals and acks, and does nothing else.
//!
//! The links and their intakes run here, on a runtime of one thread: no handler, no call of the
//! API and no page can keep a ping or an ack waiting for its turn, and an event changes threads
//! only on its way to the disk and back.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// The thread; dropping it ends it with all that still runs there.
#[derive(Debug)]
pub struct LineThread {
    runtime: Handle,
    end: CancellationToken,
}

impl LineThread {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread or no poller.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let line = Self { runtime: runtime.handle().clone(), end: CancellationToken::new() };
        let end = line.end.clone();
        let work = move || {
            runtime.block_on(end.cancelled());
            // A name that is being looked up cannot be cancelled; nobody waits for it any more.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("line".to_owned()).spawn(work)?;
        Ok(line)
    }

    /// Where to spawn.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for LineThread {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
