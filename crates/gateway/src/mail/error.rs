//! Why a mail was not taken: the step, and the server's own words.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A step of sending a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Name, TCP, and the server's greeting.
    Connect,
    /// The encryption.
    Tls,
    /// User and password.
    Login,
    /// The server is told who writes.
    Sender,
    /// The server is told to whom.
    Recipient,
    /// The mail itself.
    Text,
}

/// A recipient that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// Whom.
    pub address: String,
    /// The server's words.
    pub reason: String,
}

/// A mail was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The server, or the way to it, failed at a step.
    #[error("{step} failed: {}; {}", chain(source), step.advice())]
    Server {
        /// Which.
        step: Step,
        /// How.
        source: lettre::transport::smtp::Error,
    },
    /// A step took too long.
    #[error("{step} took longer than {limit:?}; {}", step.advice())]
    Timeout {
        /// Which.
        step: Step,
        /// What it may take.
        limit: Duration,
    },
    /// The server does not offer what was demanded.
    #[error(
        "TLS failed: the server offers no STARTTLS; use tls = \"implicit\" and its port, often 465"
    )]
    NoStarttls,
    /// No recipient was taken.
    #[error("every recipient was refused: {}; correct `to`", listed(.0))]
    Refused(Vec<RefusedRecipient>),
    /// A CA file cannot be read.
    #[error("a CA file cannot be used: {0}; see network.ca_files")]
    Trust(String),
    /// The mail cannot be written as one.
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Tls => "TLS",
            Self::Login => "login",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming a recipient",
            Self::Text => "handing over the text",
        })
    }
}

impl Step {
    fn advice(self) -> &'static str {
        match self {
            Self::Connect => "check host and port of [smtp]; proxies do not apply to mail",
            Self::Tls => {
                "check `tls` and `port` of [smtp], and network.ca_files for a CA of your own"
            }
            Self::Login => {
                "check user and password; many providers want an authorisation code instead"
            }
            Self::Sender => "the server may want `from` to be the address that logs in",
            Self::Recipient => "check `to`",
            Self::Text => "the server refused this mail; its words say why",
        }
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

fn listed(refused: &[RefusedRecipient]) -> String {
    let each = |r: &RefusedRecipient| format!("{} ({})", r.address, r.reason);
    refused.iter().map(each).collect::<Vec<_>>().join(", ")
}
