//! The meter of the month: every request to the platform's API is counted by endpoint, against the
//! quota that free tenants have.
//!
//! What is counted is what went out, repetitions and requests for a token among it; which of them the
//! platform meters it does not say for all. Counts are stored every [`KEEP_EVERY`] and at a stop: a
//! kill loses those of the time since.

mod month;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_client::ApiClient;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::now_ms;
use crate::shared::{AppRuntime, Shared};
use month::Month;
pub use month::day;

/// How often counts go to the disk, when there are new ones.
const KEEP_EVERY: Duration = Duration::from_secs(5);
/// Where a warning is one that a person has to act on.
const USED_UP: u64 = 100;

/// The meter of one app.
#[derive(Debug, Default)]
pub struct Quota {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    month: Month,
    /// What the store holds; none before it was read.
    kept: Option<Month>,
}

/// The month so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthlyCalls {
    /// `2026-08`, by the platform's clock.
    pub month: String,
    /// Since when they were counted, Unix ms.
    pub since_ms: i64,
    /// All calls.
    pub used: u64,
    /// What it comes to by the month's end, if it goes on so.
    pub projected: u64,
    /// `app.<name>.quota`; none is no quota.
    pub quota: Option<u64>,
    /// When the quota will be used up, if it goes on so, Unix ms; none when it is, and when not this month.
    #[serde(default)]
    pub used_up_ms: Option<i64>,
    /// By endpoint.
    pub calls: BTreeMap<String, u64>,
}

impl MonthlyCalls {
    /// The highest step of the quota that the calls have passed, when it is `least` percent or more;
    /// `least` itself below the next step.
    pub fn passed(&self, least: u64) -> Option<u64> {
        let quota = self.quota?;
        let is_passed = month::percent(self.used, quota) >= least;
        is_passed.then(|| month::passed(self.used, quota).max(least))
    }
}

impl Quota {
    /// Takes over what the client has counted; the month so far.
    pub fn month(&self, api: &ApiClient, quota: Option<u64>, now_ms: i64) -> MonthlyCalls {
        let mut state = self.lock();
        state.month.add(&api.take_calls(), now_ms);
        let month = &state.month;
        MonthlyCalls {
            month: month.name.clone(),
            since_ms: month.since_ms,
            used: month.used(),
            projected: month.projected(now_ms),
            quota,
            used_up_ms: quota.and_then(|quota| month.used_up(quota, now_ms)),
            calls: month.calls.clone(),
        }
    }

    /// Reads what an earlier run stored, stores what is new, and says what a person should know.
    pub async fn keep(&self, shared: &Shared, app: &AppRuntime) {
        let name = format!("calls:{}", app.name);
        if self.lock().kept.is_none() {
            let stored = match shared.store.fact(name.clone()).await {
                Ok(stored) => stored.and_then(|text| serde_json::from_str(&text).ok()),
                // Nothing is stored before: it would forget what was.
                Err(error) => return shared.store_health.failed("fact", &error),
            };
            let stored: Month = stored.unwrap_or_default();
            let mut state = self.lock();
            state.month.take_up(stored.clone());
            state.kept = Some(stored);
        }
        let quota = shared.config.load().quota_of(&app.name);
        let so_far = self.month(&app.api, quota, now_ms());
        let month = {
            let mut state = self.lock();
            if let Some(step) = state.month.news(quota) {
                say(&app.name, step, &so_far);
            }
            if state.kept.as_ref() == Some(&state.month) {
                return;
            }
            state.month.clone()
        };
        let Ok(text) = serde_json::to_string(&month) else { return };
        match shared.store.put_fact(name, text).await {
            Ok(()) => self.lock().kept = Some(month),
            Err(error) => shared.store_health.failed("put_fact", &error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say(app: &str, step: u64, so_far: &MonthlyCalls) {
    let MonthlyCalls { month, used, projected, quota, .. } = so_far;
    let quota = quota.unwrap_or_default();
    if step >= USED_UP {
        tracing::error!(
            app,
            code = "quota_used_up",
            month,
            used,
            quota,
            "the month's calls have reached `app.{app}.quota`: the platform may refuse more; buy some, \
             raise the key if your tenant has more, or wait for the next month"
        );
    } else {
        tracing::warn!(
            app,
            code = "quota_running_out",
            month,
            used,
            quota,
            projected,
            "{step} % of the month's calls are used; see `larkline status` for which, and set \
             `app.{app}.quota` to what your tenant has"
        );
    }
}

/// Keeps the meter of one app.
#[derive(Clone)]
pub struct QuotaWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Whose calls.
    pub app: Arc<AppRuntime>,
}

impl QuotaWatch {
    /// Keeps it until its owner drops it.
    pub async fn run(self) {
        let mut rounds = interval(KEEP_EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            self.app.quota.keep(&self.shared, &self.app).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_the_highest_step_from_the_threshold_on() {
        let month = |used| MonthlyCalls { used, quota: Some(1000), ..MonthlyCalls::default() };
        let passed = |used, least| month(used).passed(least);
        assert_eq!(
            [499, 500, 799, 800, 2000].map(|used| passed(used, 50)),
            [None, Some(50), Some(50), Some(80), Some(100)]
        );
        assert_eq!([699, 700, 801].map(|used| passed(used, 70)), [None, Some(70), Some(80)]);
        assert_eq!(MonthlyCalls { quota: None, ..month(5000) }.passed(50), None);
    }
}
