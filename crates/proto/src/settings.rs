//! The server's `ClientConfig`: merged field by field, clamped, never trusted.
//!
//! It arrives with the endpoint and in pongs. A missing field keeps its value (the official
//! clients replace all four and then ping every 0 or NaN seconds), a field of a wrong type
//! keeps its value and is named, a number out of range is clamped. Reference: long
//! connection, sections 1.2 and 4.2.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::backoff::Pace;

/// Longest accepted `ReconnectInterval` and `ReconnectNonce`. They only ever shorten our own
/// waits, so anything longer has the same effect.
const RECONNECT_SECS_MAX: u64 = 3600;

/// Bounds of the ping interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingBounds {
    /// Shortest interval obeyed.
    pub min: Duration,
    /// Longest interval obeyed.
    pub max: Duration,
}

impl Default for PingBounds {
    /// 1 s … 1 h, as the reference recommends.
    fn default() -> Self {
        Self { min: Duration::from_secs(1), max: Duration::from_hours(1) }
    }
}

/// The settings in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Time between protocol pings.
    pub ping_interval: Duration,
    /// `ReconnectInterval` and `ReconnectNonce`.
    pub pace: Pace,
    /// `ReconnectCount`: shown, never obeyed, since the link never gives up.
    pub reconnect_count: i64,
}

impl Default for ServerSettings {
    /// What the official clients assume before the server speaks: 120 s, 120 s, 30 s, −1.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(120),
            pace: Pace { interval: Duration::from_secs(120), nonce: Duration::from_secs(30) },
            reconnect_count: -1,
        }
    }
}

/// What a merge found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merge {
    /// A value in force changed.
    pub changed: bool,
    /// Fields present but of a wrong type; they kept their value.
    pub ignored: Vec<&'static str>,
    /// Fields whose number was out of range.
    pub clamped: Vec<&'static str>,
}

/// A pong's payload is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's settings are not a JSON object; the current ones stay in force")]
pub struct SettingsError;

impl ServerSettings {
    /// Merges the payload of a pong.
    ///
    /// # Errors
    /// [`SettingsError`] when the bytes are not a JSON object.
    pub fn merge_json(&mut self, json: &[u8], bounds: PingBounds) -> Result<Merge, SettingsError> {
        let object =
            serde_json::from_slice::<Map<String, Value>>(json).map_err(|_| SettingsError)?;
        Ok(self.merge(&object, bounds))
    }

    /// Merges a `ClientConfig` object.
    pub fn merge(&mut self, object: &Map<String, Value>, bounds: PingBounds) -> Merge {
        let before = *self;
        let mut merge = Merge::default();
        if let Some(count) = integer(object, "ReconnectCount", &mut merge) {
            self.reconnect_count = count.max(-1);
        }
        let reconnect = |min| (min, RECONNECT_SECS_MAX);
        seconds(object, "ReconnectInterval", reconnect(1), &mut self.pace.interval, &mut merge);
        seconds(object, "ReconnectNonce", reconnect(0), &mut self.pace.nonce, &mut merge);
        let range = (bounds.min.as_secs(), bounds.max.as_secs());
        seconds(object, "PingInterval", range, &mut self.ping_interval, &mut merge);
        self.ping_interval = self.ping_interval.clamp(bounds.min, bounds.max);
        merge.changed = *self != before;
        merge
    }
}

fn seconds(
    object: &Map<String, Value>,
    field: &'static str,
    (min, max): (u64, u64),
    setting: &mut Duration,
    merge: &mut Merge,
) {
    if let Some(given) = integer(object, field, merge) {
        let kept = u64::try_from(given).unwrap_or(0).clamp(min, max);
        if i64::try_from(kept) != Ok(given) {
            merge.clamped.push(field);
        }
        *setting = Duration::from_secs(kept);
    }
}

/// A JSON integer, saturated into `i64`; `null` counts as missing.
fn integer(object: &Map<String, Value>, field: &'static str, merge: &mut Merge) -> Option<i64> {
    let value = object.get(field).filter(|value| !value.is_null())?;
    let number = value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX));
    if number.is_none() {
        merge.ignored.push(field);
    }
    number
}
