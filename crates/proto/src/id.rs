//! Newtypes for every identifier, so that no call can swap two strings.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier exactly as the platform wrote it.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// True when the platform sent no identifier.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// An app of the open platform, `cli_` and 16 hex digits.
    AppId;
    /// One event; equal across redeliveries (v2 `header.event_id`, v1 `uuid`).
    EventId;
    /// A message, `om_…`.
    MessageId;
    /// A group or direct chat, `oc_…`.
    ChatId;
    /// A topic inside a chat, `omt_…`.
    ThreadId;
    /// A user or bot as this app sees it, `ou_…`.
    OpenId;
    /// The platform's request id, the number its support asks for.
    LogId;
}

impl AppId {
    /// Checks the form `cli_` + 16 hex digits, the form the official SDKs insist on.
    pub fn is_well_formed(&self) -> bool {
        self.0
            .strip_prefix("cli_")
            .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    }
}
