//! What the owner wants from the driver, coalesced: a hundred wakes are one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use larkline_proto::link::{AckToken, Answer};
use tokio::sync::Notify;

/// Answers that may wait for the driver. Each delivery is answered one time and the link
/// keeps at most 4 096 of them by default, so a fuller box holds answers nobody waits for.
const ANSWERS_MAX: usize = 16_384;

/// What is in the box.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) answers: Vec<(AckToken, Answer)>,
    pub(super) wake: bool,
    pub(super) redial: bool,
    pub(super) close: bool,
}

/// The box.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Notify,
}

impl Mailbox {
    pub(super) fn answer(&self, mut answers: Vec<(AckToken, Answer)>) {
        let mut mail = self.lock();
        let room = ANSWERS_MAX.saturating_sub(mail.answers.len());
        if answers.len() > room {
            tracing::warn!(
                event = "answers_dropped",
                dropped = answers.len() - room,
                "more answers than deliveries; the surplus is not sent"
            );
            answers.truncate(room);
        }
        if mail.answers.is_empty() {
            mail.answers = answers;
        } else {
            mail.answers.append(&mut answers);
        }
        self.post(mail);
    }

    pub(super) fn wake(&self) {
        let mut mail = self.lock();
        mail.wake = true;
        self.post(mail);
    }

    pub(super) fn redial(&self) {
        let mut mail = self.lock();
        mail.redial = true;
        self.post(mail);
    }

    pub(super) fn close(&self) {
        let mut mail = self.lock();
        mail.close = true;
        self.post(mail);
    }

    /// Waits for mail and empties the box. Cancelling it loses nothing.
    pub(super) async fn take(&self) -> Mail {
        self.arrived.notified().await;
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        // Each change is a single assignment or append: a panic elsewhere leaves it whole.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, mail: MutexGuard<'_, Mail>) {
        drop(mail);
        self.arrived.notify_one();
    }
}
