//! What the developer console holds about an app: switched on or not, subscriptions, versions.
//!
//! Reference: open API, 6.4. It is what the calls of self-diagnosis answer from, and nothing of it but
//! the mode decides what is delivered. A test changes it with [`Platform::console`] while it runs.

use larkline_proto::id::{AppId, OpenId};
use serde::{Deserialize, Serialize};

use crate::options::AppSpec;
use crate::platform::{Platform, PlatformError};
use crate::registration::Scan;

/// How events and callbacks come when they come to us.
pub(crate) const LONG_CONNECTION: &str = "websocket";

/// An app's pages in the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Console {
    /// The bot in the tenant: 2 enabled; 0 not installed, 1 disabled, 3 and 4 to be enabled, 5
    /// and 6 expired.
    pub activate_status: i64,
    /// The app itself: 1 enabled, 0 disabled.
    pub status: i64,
    /// Event types of the released version.
    pub events: Vec<String>,
    /// How events are delivered: `websocket`, or anything else, and then not over a long connection.
    pub event_mode: String,
    /// How callbacks are delivered: `websocket` or `webhook`.
    pub callback_type: String,
    /// A version that is newer than the released one.
    pub draft: Option<Draft>,
    /// Nothing was ever released: there is no version but the draft.
    pub unreleased: bool,
}

impl Default for Console {
    fn default() -> Self {
        let events = [
            "im.message.receive_v1",
            "im.message.recalled_v1",
            "im.message.reaction.created_v1",
            "im.chat.member.bot.added_v1",
        ];
        Self {
            activate_status: 2,
            status: 1,
            events: events.map(str::to_owned).to_vec(),
            event_mode: LONG_CONNECTION.to_owned(),
            callback_type: LONG_CONNECTION.to_owned(),
            draft: None,
            unreleased: false,
        }
    }
}

/// A version that waits for its release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    /// 3 in review, 4 not submitted, 2 rejected.
    pub status: i64,
    /// Its event types.
    pub events: Vec<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
}

impl Platform {
    /// Somebody saves the long connection as the way in which events and callbacks come.
    ///
    /// # Errors
    /// [`PlatformError::Refused`] with the console's 10068 while the app has no connection.
    pub fn save_subscription(&self, app: &AppId) -> Result<(), PlatformError> {
        self.with(|world, _| world.save_subscription(app))
    }

    /// A person follows the address of a registration code and answers.
    ///
    /// # Errors
    /// [`PlatformError`] for a code, person or app that is not there, and for what cannot be read.
    pub fn visit(&self, address: &str, user: &OpenId, answer: Scan) -> Result<(), PlatformError> {
        self.with(|world, _| world.visit(address, user, answer))
    }

    /// Changes an app in the console: its scopes, its subscriptions, its versions.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for an app that is not there.
    pub fn console(
        &self,
        app: &AppId,
        change: impl FnOnce(&mut AppSpec),
    ) -> Result<(), PlatformError> {
        self.with(|world, _| {
            let ix =
                world.app_ix(app.as_str()).ok_or_else(|| PlatformError::unknown("app", app))?;
            change(&mut world.apps[ix.0].spec);
            Ok(())
        })
    }
}
