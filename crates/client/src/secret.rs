//! Values that must not reach a log: secrets, tokens, and URLs that carry tickets.
//!
//! A value leaves its wrapper through `expose()` and no other way, so that a review finds
//! every use by one search. Neither type implements `Serialize`.

use std::fmt;

use url::Url;
use zeroize::Zeroizing;

/// What stands in a log where a secret would have been.
const REDACTED: &str = "<redacted>";

/// A password, app secret or token: prints as `<redacted>`, wiped from memory on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself, for the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// A URL whose query or credentials admit whoever holds them (the socket's ticket): prints
/// as [`redacted_url`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Wraps a URL.
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// The URL itself, for the wire.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl From<Url> for SecretUrl {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted_url(&self.0))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted_url(&self.0))
    }
}

/// A URL as a log may show it: user name kept, password `***`, query and fragment
/// `<redacted>`, the path of a bare host left out.
pub fn redacted_url(url: &Url) -> String {
    let user = match (url.username(), url.password()) {
        ("", None) => String::new(),
        (user, None) => format!("{user}@"),
        (user, Some(_)) => format!("{user}:***@"),
    };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let path = if url.path() == "/" { "" } else { url.path() };
    let hidden = url.query().is_some() || url.fragment().is_some();
    let query = if hidden { "?<redacted>" } else { "" };
    format!("{}://{user}{host}{port}{path}{query}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "<redacted> <redacted>");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_url_prints_without_password_query_and_fragment() {
        let url = Url::parse("wss://me:pw@host:1/ws?ticket=t#frag").unwrap();
        assert_eq!(SecretUrl::new(url).to_string(), "wss://me:***@host:1/ws?<redacted>");
        let plain = Url::parse("http://proxy:3128").unwrap();
        assert_eq!(redacted_url(&plain), "http://proxy:3128");
    }
}
