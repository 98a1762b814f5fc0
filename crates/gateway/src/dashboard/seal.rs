//! What a browser shows to be let in: a session in a cookie, and a mark in every form.
//!
//! A session is its end and an HMAC of that under the token: nothing is remembered here, a restart
//! logs nobody out, and a new token logs out everybody. The mark of forms is random for each run of
//! the gateway: another site cannot know it.

use hmac::{Hmac, KeyInit, Mac};
use larkline_client::Secret;
use sha2::Sha256;

use crate::admin::token::same;

/// How long a session lasts.
pub(super) const SESSION_SECONDS: i64 = 7 * 24 * 3600;
/// Bytes of randomness in the mark.
const MARK_BYTES: usize = 32;

/// What forms carry.
pub(super) struct Seal {
    mark: String,
}

impl Seal {
    /// A new mark; without randomness none, and then no form is taken.
    pub(super) fn new() -> Self {
        let mut bytes = [0; MARK_BYTES];
        let random = rustls::crypto::ring::default_provider().secure_random;
        let mark = match random.fill(&mut bytes) {
            Ok(()) => hex::encode(bytes),
            Err(_) => {
                tracing::error!("no randomness: the dashboard shows, and takes no orders");
                String::new()
            }
        };
        Self { mark }
    }

    /// What a form of ours holds.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Whether a form is ours.
    pub(super) fn is_on(&self, shown: &str) -> bool {
        !self.mark.is_empty() && same(shown, &self.mark)
    }
}

/// A new session, for the cookie.
pub(super) fn session(token: &Secret, now_s: i64) -> String {
    let until = now_s + SESSION_SECONDS;
    format!("{until}.{}", sealed(token, until))
}

/// Whether a cookie's value is a session that has not ended.
pub(super) fn is_session(token: &Secret, value: &str, now_s: i64) -> bool {
    let Some((until, seal)) = value.split_once('.') else { return false };
    let Ok(until) = until.parse::<i64>() else { return false };
    same(seal, &sealed(token, until)) && (now_s..=now_s + SESSION_SECONDS).contains(&until)
}

fn sealed(token: &Secret, until: i64) -> String {
    // HMAC takes keys of any length, so this does not fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(format!("larkline dashboard until {until}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_until_its_end_and_under_its_token_alone() {
        let (token, other) = (Secret::from("open-sesame".to_owned()), Secret::from("x".to_owned()));
        let value = session(&token, 1000);
        assert!(is_session(&token, &value, 1000));
        assert!(is_session(&token, &value, 1000 + SESSION_SECONDS));
        assert!(!is_session(&token, &value, 1001 + SESSION_SECONDS), "it has ended");
        assert!(!is_session(&other, &value, 1000), "another token");
        let longer = value.replacen("605800", "905800", 1);
        assert_ne!(longer, value);
        for forged in
            [longer.as_str(), "", ".", "605800", "605800.", "x.y", "99999999999999999999.a"]
        {
            assert!(!is_session(&token, forged, 1000), "{forged}");
        }
        assert!(!value.contains("sesame"));
    }

    #[test]
    fn a_form_without_the_mark_is_not_ours() {
        let (seal, other) = (Seal::new(), Seal::new());
        assert!(seal.is_on(seal.mark()) && !seal.is_on(other.mark()) && !seal.is_on(""));
        assert!(!Seal { mark: String::new() }.is_on(""), "no randomness, no orders");
    }
}
