//! Why a call of the platform's API failed, and what its caller does about it.
//!
//! One error for all calls: the decision is [`ApiError::disposition`], the words are for
//! people. No secret is in it, and nothing absent is printed (never `None`, never `()`).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use larkline_proto::api::{Disposition, Endpoint, Failure, of_code, of_status};
use larkline_proto::id::LogId;

/// A call failed.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// Which call. Codes are reused between endpoints, so this belongs to the code.
    pub endpoint: Endpoint,
    /// What happened.
    pub kind: ApiErrorKind,
    /// The number the platform's support asks for.
    pub log_id: Option<LogId>,
    /// When the platform lets us try again, when it said so; at most an hour.
    pub reset: Option<Duration>,
}

/// What happened to a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApiErrorKind {
    /// No answer: the connection could not be opened, or broke. The platform may have acted.
    Transport {
        /// `tls_untrusted`, `proxy_auth`, `connect_failed`, `connection_broken`, …
        code: &'static str,
        /// The root cause in words.
        detail: String,
    },
    /// No answer in time. The platform may have acted.
    Timeout {
        /// The time allowed for the whole call.
        after: Duration,
    },
    /// An answer without a platform code, such as a gateway's HTML page.
    Http {
        /// The HTTP status.
        status: u16,
    },
    /// The platform refused.
    Platform {
        /// The HTTP status; 200 for failures of the token call.
        status: u16,
        /// What it said.
        failure: Box<Failure>,
    },
    /// Success by its code, but not in the form we know.
    Unreadable {
        /// What is wrong with it.
        detail: String,
    },
    /// The answer, or the file to upload, is larger than allowed.
    TooLarge {
        /// The bound, in bytes.
        bytes_max: u64,
    },
    /// The call cannot be made with these arguments; nothing was sent.
    Input {
        /// Which argument, and what is wrong with it.
        detail: &'static str,
    },
}

impl ApiError {
    pub(crate) fn new(endpoint: Endpoint, kind: ApiErrorKind) -> Self {
        Self { endpoint, kind, log_id: None, reset: None }
    }

    /// What the caller does about it. `Reauthenticate` from an [`crate::ApiClient`] means that
    /// a second token was refused as well: try again later.
    pub fn disposition(&self) -> Disposition {
        match &self.kind {
            ApiErrorKind::Platform { failure, .. } => {
                of_code(self.endpoint, failure.code, self.reset)
            }
            ApiErrorKind::Http { status } => of_status(*status, self.reset),
            ApiErrorKind::Transport { .. }
            | ApiErrorKind::Timeout { .. }
            | ApiErrorKind::Unreadable { .. } => Disposition::UNAVAILABLE,
            ApiErrorKind::TooLarge { .. } | ApiErrorKind::Input { .. } => Disposition::Permanent,
        }
    }

    /// The platform's code, or a short stable word of ours.
    pub fn code(&self) -> Cow<'static, str> {
        match &self.kind {
            ApiErrorKind::Platform { failure, .. } => Cow::Owned(failure.code.to_string()),
            ApiErrorKind::Http { status } => Cow::Owned(format!("http_{status}")),
            ApiErrorKind::Transport { code, .. } => Cow::Borrowed(code),
            ApiErrorKind::Timeout { .. } => Cow::Borrowed("api_timeout"),
            ApiErrorKind::Unreadable { .. } => Cow::Borrowed("api_unreadable"),
            ApiErrorKind::TooLarge { .. } => Cow::Borrowed("api_too_large"),
            ApiErrorKind::Input { .. } => Cow::Borrowed("api_input"),
        }
    }

    /// The HTTP status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        match &self.kind {
            ApiErrorKind::Platform { status, .. } | ApiErrorKind::Http { status } => Some(*status),
            ApiErrorKind::Transport { .. }
            | ApiErrorKind::Timeout { .. }
            | ApiErrorKind::Unreadable { .. }
            | ApiErrorKind::TooLarge { .. }
            | ApiErrorKind::Input { .. } => None,
        }
    }

    /// Whether the platform may have acted although we have no answer: then the same call
    /// needs the same `uuid`.
    pub fn is_ambiguous(&self) -> bool {
        match &self.kind {
            ApiErrorKind::Transport { .. }
            | ApiErrorKind::Timeout { .. }
            | ApiErrorKind::Unreadable { .. } => true,
            ApiErrorKind::Http { status } => *status < 400 || *status >= 500,
            ApiErrorKind::Platform { .. }
            | ApiErrorKind::TooLarge { .. }
            | ApiErrorKind::Input { .. } => false,
        }
    }

    fn advice(&self) -> Cow<'_, str> {
        if self.endpoint == Endpoint::Token && self.disposition() == Disposition::Fatal {
            return "check app_id, app_secret and that the domain is the app's own".into();
        }
        if let ApiErrorKind::Platform { failure, .. } = &self.kind
            && !failure.scopes.is_empty()
        {
            let link = failure.help.as_deref().unwrap_or("the developer console");
            return format!("grant one of {} at {link}", failure.scopes.join(", ")).into();
        }
        match self.disposition() {
            Disposition::Retry { .. } => "try again later".into(),
            Disposition::Reauthenticate => "check that the app is enabled".into(),
            Disposition::Permanent => "look the code up and change the call".into(),
            Disposition::Fatal => "an operator must act; look the code up".into(),
            Disposition::MessageGone => "send afresh instead".into(),
            Disposition::Simplify => "send a plainer form".into(),
            Disposition::TooLong => "split the content".into(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: ", self.endpoint.as_str())?;
        match &self.kind {
            ApiErrorKind::Transport { detail, .. } => f.write_str(detail)?,
            ApiErrorKind::Timeout { after } => write!(f, "no answer within {after:?}")?,
            ApiErrorKind::Http { status } => write!(f, "HTTP {status} without a platform code")?,
            ApiErrorKind::Platform { status, failure } => {
                write!(f, "code {}", failure.code)?;
                if !failure.msg.is_empty() {
                    write!(f, " {:?}", failure.msg)?;
                }
                write!(f, ", HTTP {status}")?;
            }
            ApiErrorKind::Unreadable { detail } => write!(f, "unexpected answer: {detail}")?,
            ApiErrorKind::TooLarge { bytes_max } => write!(f, "larger than {bytes_max} bytes")?,
            ApiErrorKind::Input { detail } => f.write_str(detail)?,
        }
        if let Some(log_id) = &self.log_id {
            write!(f, ", log id {log_id}")?;
        }
        if let Some(reset) = self.reset {
            write!(f, ", reset in {} s", reset.as_secs())?;
        }
        write!(f, "; {}", self.advice())
    }
}

impl std::error::Error for ApiError {}
