//! Systems without `signalfd`: nothing is held back, and no sender is known.

use std::io;

use super::Received;

/// Does nothing.
///
/// # Errors
/// Never.
pub fn hold() -> io::Result<()> {
    Ok(())
}

/// Calls it.
pub fn released<T>(start: impl FnOnce() -> T) -> T {
    start()
}

/// What does not exist here.
pub(super) enum Senders {}

impl Senders {
    pub(super) fn open() -> Option<Self> {
        None
    }

    #[expect(clippy::unused_async, reason = "as where it waits")]
    pub(super) async fn next(&mut self) -> io::Result<Received> {
        match *self {}
    }
}
