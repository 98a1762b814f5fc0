//! Whether plain HTTPS gets through to a host, by the same way as everything else. It tells a network
//! that is down from one that does not carry WebSockets.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use url::Url;

use crate::api::ApiClient;

/// What a host's front page did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answered; any status will do.
    Answers {
        /// The HTTP status.
        status: u16,
    },
    /// No HTTP answer came.
    Fails {
        /// The innermost cause.
        why: String,
    },
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answers { status } => write!(f, "answers with status {status}"),
            Self::Fails { why } => write!(f, "fails: {why}"),
        }
    }
}

impl ApiClient {
    /// Asks for the head of the front page of a host (`name` or `name:port`), or of the platform's own
    /// without one. No call of the API: it needs no token, and the platform does not meter it.
    pub async fn reach(&self, host: Option<&str>, limit: Duration) -> (String, Reach) {
        let mut url = self.domain().clone();
        let named = host.and_then(|host| Url::parse(&format!("{}://{host}/", url.scheme())).ok());
        if let Some(named) = named {
            url = named;
        }
        let asked = url.host_str().unwrap_or_default().to_owned();
        let reach = match self.dialer().http().head(url).timeout(limit).send().await {
            Ok(response) => Reach::Answers { status: response.status().as_u16() },
            Err(error) if error.is_timeout() => {
                Reach::Fails { why: format!("no answer within {limit:?}") }
            }
            Err(error) => Reach::Fails { why: innermost(&error) },
        };
        (asked, reach)
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut root: &dyn Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
