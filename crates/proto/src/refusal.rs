//! Why the platform refuses a link, and whether asking again can help.
//!
//! Classes follow the long connection reference, sections 1.3 and 2.3, with its recommended
//! policy: a refusal that points at credentials or the app stops a link that never worked,
//! because waiting repairs no typing error; after a link has worked, the same refusal is
//! retried with growing delay, because a rotated secret or a console change passes. The
//! connection limit, overload and everything a proxy might say are always retried.

use std::time::Duration;

/// `ReconnectCount`-independent answer to "may the link ask again?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Asking again can help: always retried.
    Transient,
    /// A link that never worked stops; one that did goes on with growing delay.
    FatalAtFirst,
}

/// The system is busy.
pub const BUSY: i64 = 1;
/// Internal error of the platform.
pub const INTERNAL: i64 = 1_000_040_343;
/// App id or secret is empty.
pub const NO_CREDENTIAL: i64 = 1_000_040_344;
/// App id or secret is wrong.
pub const BAD_CREDENTIAL: i64 = 1_000_040_345;
/// More connections than the app may hold.
pub const TOO_MANY_CONNECTIONS: i64 = 1_000_040_350;
/// A Feishu app asked on the Lark domain, or the reverse.
pub const WRONG_DOMAIN: i64 = 1_000_040_351;
/// The app is disabled, or may not use the long connection.
pub const FORBIDDEN: i64 = 403;
/// Authentication failed.
pub const AUTH_FAILED: i64 = 514;

/// Longest server text kept, in characters; it ends up in logs and in `status`.
const SAID_CHARS_MAX: usize = 200;

/// A typed "no" from the platform or from something in front of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Endpoint discovery: a status other than 200.
    #[error("endpoint discovery was answered with HTTP {status}: {message}")]
    Http {
        /// The HTTP status.
        status: u16,
        /// `code` of the body, when it parsed.
        code: Option<i64>,
        /// `msg` of the body, when it parsed.
        message: String,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Endpoint discovery: a non-zero `code`.
    #[error("the platform refused the link with code {code}: {message}")]
    Code {
        /// The platform's code.
        code: i64,
        /// Its `msg`.
        message: String,
    },
    /// Endpoint discovery: an answer that holds no usable endpoint.
    #[error("endpoint discovery was answered, but {what}")]
    BadReply {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The upgrade was answered with a status other than 101.
    #[error(
        "the upgrade was refused with HTTP {http_status}, handshake status {status:?}, sub-code {auth_code:?}: {message}"
    )]
    Handshake {
        /// The HTTP status.
        http_status: u16,
        /// `Handshake-Status`; absent when something else than the platform answered.
        status: Option<i64>,
        /// `Handshake-Autherrcode`.
        auth_code: Option<i64>,
        /// `Handshake-Msg`.
        message: String,
    },
}

impl Refusal {
    /// Reads a refused upgrade; `header` looks a response header up without regard to case.
    pub fn handshake<'h>(http_status: u16, header: impl Fn(&str) -> Option<&'h str>) -> Self {
        let number = |name| header(name).and_then(|text| text.trim().parse().ok());
        Self::Handshake {
            http_status,
            status: number("Handshake-Status"),
            auth_code: number("Handshake-Autherrcode"),
            message: said(header("Handshake-Msg").unwrap_or_default()),
        }
    }

    /// Whether asking again can help.
    pub fn persistence(&self) -> Persistence {
        match self {
            Self::Http { .. } | Self::BadReply { .. } => Persistence::Transient,
            Self::Code { code, .. } => match *code {
                BUSY | INTERNAL | TOO_MANY_CONNECTIONS => Persistence::Transient,
                _ => Persistence::FatalAtFirst,
            },
            // 514 means a used or stale ticket as well, and the next attempt brings a fresh
            // one. Without the platform's header, a 403 is some proxy's.
            Self::Handshake { status, .. } => match *status {
                Some(FORBIDDEN) => Persistence::FatalAtFirst,
                _ => Persistence::Transient,
            },
        }
    }

    /// The most specific number the platform gave.
    pub fn platform_code(&self) -> Option<i64> {
        match self {
            Self::Http { status, code, .. } => code.or(Some(i64::from(*status))),
            Self::Code { code, .. } => Some(*code),
            Self::BadReply { .. } => None,
            Self::Handshake { http_status, status, auth_code, .. } => {
                auth_code.or(*status).or_else(|| Some(i64::from(*http_status)))
            }
        }
    }

    /// How long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Http { retry_after, .. } => *retry_after,
            Self::Code { .. } | Self::BadReply { .. } | Self::Handshake { .. } => None,
        }
    }

    /// What the operator does next, as one clause.
    pub fn advice(&self) -> &'static str {
        if let Self::BadReply { .. } = self {
            return "check that `domain` names the platform and that no proxy rewrites its answers";
        }
        match self.platform_code() {
            Some(NO_CREDENTIAL | BAD_CREDENTIAL) => {
                "copy app id and secret again from the console, page Credentials & Basic Info"
            }
            Some(WRONG_DOMAIN) => {
                "set `domain` to \"lark\" for a Lark app and to \"feishu\" for a Feishu app"
            }
            Some(TOO_MANY_CONNECTIONS) => {
                "stop other programs that use this app; the link keeps trying"
            }
            Some(FORBIDDEN) => "check in the console that the app is enabled and self-built",
            Some(AUTH_FAILED) => {
                "the link asks for a fresh ticket; if it lasts, check the app's secret"
            }
            Some(_) | None => "the link keeps trying; if it lasts, run `larkline status`",
        }
    }
}

/// Text from the server, without control characters and not too long.
pub(crate) fn said(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}
