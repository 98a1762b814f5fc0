//! How many requests went out, by endpoint: the platform meters them by the month.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larkline_proto::api::Endpoint;

/// Requests since they were taken last. Those for a token are among them.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl Meter {
    /// A request goes out.
    pub(crate) fn count(&self, endpoint: Endpoint) {
        let mut calls = self.lock();
        let calls = calls.entry(endpoint.as_str()).or_default();
        *calls = calls.saturating_add(1);
    }

    /// The request found no way to the platform after all.
    pub(crate) fn never_left(&self, endpoint: Endpoint) {
        if let Some(calls) = self.lock().get_mut(endpoint.as_str()) {
            *calls = calls.saturating_sub(1);
        }
    }

    /// Hands out what was counted, and begins anew.
    pub(crate) fn take(&self) -> BTreeMap<&'static str, u64> {
        let mut calls = std::mem::take(&mut *self.lock());
        calls.retain(|_, count| *count > 0);
        calls
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
