//! The heartbeat outward: somebody else notices when it stops, so it needs nothing that could break
//! with the gateway.

use std::sync::Arc;
use std::time::Duration;

use larkline_client::Dialer;
use tokio::time::sleep;

use crate::both::{Both, both};
use crate::chain::chain;
use crate::config::Heartbeat;
use crate::shared::{AppRuntime, Shared};
use crate::status;

/// How often a configuration without a heartbeat is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends the heartbeat.
pub struct HeartbeatWorker {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// The apps.
    pub apps: Arc<Vec<Arc<AppRuntime>>>,
    /// The way out.
    pub dialer: Dialer,
}

impl HeartbeatWorker {
    /// Beats until aborted.
    pub async fn run(&self) {
        loop {
            let heartbeat = self.shared.config.load().alerts.heartbeat.clone();
            let Some(heartbeat) = heartbeat else {
                sleep(LOOK_EVERY).await;
                continue;
            };
            // A gateway that is not well is silent: that is the message.
            if status::not_ready(&self.shared, &self.apps).is_empty() {
                let result = self.beat(&heartbeat).await;
                if let Err(error) = &result {
                    tracing::warn!("the heartbeat did not get out: {}", error.en);
                }
                self.shared.alerts.beat(result.map(|()| None));
            }
            sleep(heartbeat.every).await;
        }
    }

    async fn beat(&self, heartbeat: &Heartbeat) -> Result<(), Both> {
        let request = self.dialer.http().get(heartbeat.url.expose().clone()).timeout(TIMEOUT);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(both!(
                zh: "应答是 {status}",
                en: "answered {status}",
                status = answer.status()
            )),
            Err(error) => {
                let error = chain(&error.without_url());
                Err(both!(zh: "没有应答：{error}", en: "{error}"))
            }
        }
    }
}
