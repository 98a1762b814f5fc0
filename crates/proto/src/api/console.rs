//! What the developer console says about an app (reference, 6.4): scopes, callbacks, versions.
//!
//! Read for a diagnosis, so leniently: whatever is absent is not known, and nothing fails.

use serde::Deserialize;

use super::reply::nullable;

/// A scope is granted.
const GRANTED: i64 = 1;
/// A version was approved.
const APPROVED: i64 = 1;

/// Answer of a scopes call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GrantedScopes {
    #[serde(deserialize_with = "nullable")]
    scopes: Vec<ListedScope>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListedScope {
    #[serde(deserialize_with = "nullable")]
    scope_name: String,
    #[serde(deserialize_with = "nullable")]
    grant_status: i64,
}

impl GrantedScopes {
    /// The names of those that are granted; what is only applied for is left out.
    pub fn granted(self) -> Vec<String> {
        let granted = self.scopes.into_iter().filter(|scope| scope.grant_status == GRANTED);
        granted.map(|scope| scope.scope_name).collect()
    }
}

/// Answer of an application call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ApplicationBody {
    /// The app.
    #[serde(deserialize_with = "nullable")]
    pub app: Application,
}

/// An app, as the console shows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Application {
    /// 1 enabled, 0 disabled, 2 not enabled, 3 unknown; `None` when not told.
    pub status: Option<i64>,
    callback_info: Option<CallbackInfo>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CallbackInfo {
    #[serde(deserialize_with = "nullable")]
    callback_type: String,
    #[serde(deserialize_with = "nullable")]
    subscribed_callbacks: Vec<String>,
}

impl Application {
    /// `websocket` or `webhook`; `None` when not told.
    pub fn callback_mode(&self) -> Option<&str> {
        let info = self.callback_info.as_ref()?;
        Some(info.callback_type.as_str()).filter(|mode| !mode.is_empty())
    }

    /// The subscribed callbacks; `None` when not told.
    pub fn callbacks(&self) -> Option<&[String]> {
        Some(&self.callback_info.as_ref()?.subscribed_callbacks)
    }
}

/// One version of an app.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Version {
    /// `1.0.2`.
    #[serde(deserialize_with = "nullable")]
    pub version: String,
    /// 1 approved, 2 rejected, 3 in review, 4 not submitted.
    #[serde(deserialize_with = "nullable")]
    pub status: i64,
    #[serde(deserialize_with = "nullable")]
    publish_time: String,
    #[serde(deserialize_with = "nullable")]
    event_infos: Vec<EventInfo>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct EventInfo {
    #[serde(deserialize_with = "nullable")]
    event_type: String,
}

impl Version {
    /// Approved and published.
    pub fn is_released(&self) -> bool {
        self.status == APPROVED && !self.publish_time.is_empty()
    }

    /// The event types it subscribes to.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.event_infos.iter().map(|info| info.event_type.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_or_null_is_not_known_and_nothing_fails() {
        for form in ["{}", r#"{"app":null}"#, r#"{"app":{"callback_info":null,"status":null}}"#] {
            let app = serde_json::from_str::<ApplicationBody>(form).unwrap().app;
            assert_eq!((app.status, app.callback_mode(), app.callbacks()), (None, None, None));
        }
        let version = r#"{"status":1,"publish_time":null,"event_infos":null}"#;
        assert!(!serde_json::from_str::<Version>(version).unwrap().is_released());
    }

    #[test]
    fn a_scope_that_waits_for_its_grant_is_not_granted() {
        let text = r#"{"scopes":[{"scope_name":"a","grant_status":1},{"scope_name":"b","grant_status":2}]}"#;
        assert_eq!(serde_json::from_str::<GrantedScopes>(text).unwrap().granted(), ["a"]);
    }
}
