//! Writes down what fires, so that the next run tells nothing twice. A worker of its own: whoever tells
//! waits for it a moment, and goes on where the disk hangs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Alerts, FACT};
use crate::shared::Shared;

/// So long it is waited for. A disk that takes longer is what has to be told.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes down what fires, one state at a time: no older one comes later, and none waits behind
/// another.
pub struct AlertKeep {
    /// What all workers share.
    pub shared: Arc<Shared>,
}

impl AlertKeep {
    /// Writes until aborted.
    pub async fn run(&self) {
        let Shared { alerts, store, store_health, .. } = &*self.shared;
        let mut changes = alerts.changes.subscribe();
        loop {
            let number = *changes.borrow_and_update();
            if *alerts.kept.borrow() < number {
                let stored = alerts.engine().to_stored();
                if let Err(error) = store.put_fact(FACT.to_owned(), stored).await {
                    store_health.failed("put_fact", &error);
                }
                alerts.kept.send_replace(number);
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Alerts {
    /// Has what fires written down, and waits for it a moment.
    pub(super) async fn save(&self) {
        let mut number = 0;
        self.changes.send_modify(|changes| {
            *changes += 1;
            number = *changes;
        });
        let mut kept = self.kept.subscribe();
        if timeout(PATIENCE, kept.wait_for(|kept| *kept >= number)).await.is_err() {
            tracing::warn!("alerts are not written down yet; a crash now tells them twice");
        }
    }
}
