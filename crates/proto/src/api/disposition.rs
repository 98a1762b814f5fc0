//! What to do about a refusal. The table follows the reference (8.6, 1.4, 1.5, 2.11); a code
//! that it does not know is permanent, because repeating an unknown refusal helps nobody.

use std::time::Duration;

use super::Endpoint;

/// The platform's answer while it still works on the same `uuid` or reaction; half a second
/// to a second is what the reference advises.
const IN_PROGRESS_WAIT: Duration = Duration::from_millis(750);

/// What a caller does about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The same call again, with the same `uuid`.
    Retry {
        /// Why it failed.
        reason: RetryReason,
        /// How long the platform asked to wait, when it did; else the caller's backoff.
        after: Option<Duration>,
    },
    /// Fetch a new token, then the same call again, once.
    Reauthenticate,
    /// This call cannot succeed; others may.
    Permanent,
    /// Every call to this endpoint fails alike until an operator acts.
    Fatal,
    /// The message named in the call cannot be answered or changed any more: forget its
    /// state, send afresh if the words matter.
    MessageGone,
    /// The platform refuses this form; a plainer one (no thread, post, text) may pass.
    Simplify,
    /// The content is too long; split it.
    TooLong,
}

/// Why a call may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// A rate limit; the attempt should not count against the message.
    RateLimited,
    /// The same request is still being worked on.
    InProgress,
    /// The platform or the network failed.
    Unavailable,
}

impl Disposition {
    /// A retry because the platform or the network failed.
    pub const UNAVAILABLE: Self = Self::Retry { reason: RetryReason::Unavailable, after: None };
}

/// Reads a platform code, with the reset the response's headers announced.
pub fn of_code(endpoint: Endpoint, code: i64, reset: Option<Duration>) -> Disposition {
    if let Some(special) = of_endpoint(endpoint, code) {
        return special;
    }
    match code {
        // Rate limits: generic, per chat or message, old message APIs, auth.
        99991400 | 230020 | 11232 | 11233 | 11247 | 2200 => {
            Disposition::Retry { reason: RetryReason::RateLimited, after: reset }
        }
        230049 | 18121 | 231015 | 200810 => Disposition::Retry {
            reason: RetryReason::InProgress,
            after: Some(reset.unwrap_or(IN_PROGRESS_WAIT)),
        },
        // Internal errors by their code, whatever the HTTP status.
        300120 | 11246 | 5000 | 1500 | 10012 | 10013 => {
            Disposition::Retry { reason: RetryReason::Unavailable, after: reset }
        }
        99991661 | 99991663 | 99991664 | 99991665 | 99991668 | 99991671 => {
            Disposition::Reauthenticate
        }
        // App disabled, scope missing, not installed, no permission, address denied, monthly
        // quota, wrong credentials, no bot ability.
        99991662 | 99991672 | 99991673 | 99991676 | 99991401 | 99991403 | 99991543 | 230006
        | 11205 | 232025 | 234007 => Disposition::Fatal,
        230011 | 230110 | 231003 | 99992354 => Disposition::MessageGone,
        // A card that cannot be shown, too large, too many elements or none, not of schema 2.0.
        230099 | 11310 | 200220 | 200570 | 200860 | 300302 | 300303 | 300305 | 300307 => {
            Disposition::Simplify
        }
        230025 => Disposition::TooLong,
        _ => Disposition::Permanent,
    }
}

/// Codes that mean something else, or only something, at one endpoint.
fn of_endpoint(endpoint: Endpoint, code: i64) -> Option<Disposition> {
    match (endpoint, code) {
        // Unknown app, wrong secret, malformed id: the configuration is wrong.
        (Endpoint::Token, 10003 | 10005 | 10014 | 10015) => Some(Disposition::Fatal),
        // Invisible, of a type that takes no reply, about to self-destruct.
        (Endpoint::Reply, 230050 | 230054 | 230111) => Some(Disposition::MessageGone),
        // The group, or the message, takes no reply in a thread.
        (Endpoint::Reply, 230071 | 230072) => Some(Disposition::Simplify),
        // The only token error that comes with HTTP 401.
        (Endpoint::Download, 234002) => Some(Disposition::Reauthenticate),
        _ => None,
    }
}

/// Reads an HTTP status whose body carries no platform code (a gateway's HTML page).
pub fn of_status(status: u16, reset: Option<Duration>) -> Disposition {
    match status {
        429 => Disposition::Retry { reason: RetryReason::RateLimited, after: reset },
        // Success or a redirect without an envelope: something on the way answered.
        200..=399 => Disposition::UNAVAILABLE,
        408 | 500..=599 => Disposition::Retry { reason: RetryReason::Unavailable, after: reset },
        401 => Disposition::Reauthenticate,
        // A proxy's own refusal; no call will pass it.
        407 => Disposition::Fatal,
        _ => Disposition::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_what_it_means_at_its_endpoint() {
        let of = |endpoint, code| of_code(endpoint, code, None);
        assert_eq!(of(Endpoint::Reply, 230072), Disposition::Simplify);
        assert_eq!(of(Endpoint::Edit, 230072), Disposition::Permanent);
        assert_eq!(of(Endpoint::Token, 10014), Disposition::Fatal);
        assert_eq!(of(Endpoint::Send, 10014), Disposition::Permanent);
        assert_eq!(of(Endpoint::Send, 230002), Disposition::Permanent);
    }

    #[test]
    fn a_rate_limit_carries_the_platforms_own_wait() {
        let reset = Some(Duration::from_secs(52));
        let limited = Disposition::Retry { reason: RetryReason::RateLimited, after: reset };
        for code in [99991400, 230020, 11232, 2200] {
            assert_eq!(of_code(Endpoint::Send, code, reset), limited);
        }
        assert_eq!(of_status(429, reset), limited);
    }

    #[test]
    fn only_token_errors_ask_for_a_new_token() {
        for code in [99991663, 99991664, 99991665, 99991668, 99991671] {
            assert_eq!(of_code(Endpoint::Send, code, None), Disposition::Reauthenticate);
        }
        // Missing scope and disabled app need a person, not a token.
        assert_eq!(of_code(Endpoint::Send, 99991672, None), Disposition::Fatal);
        assert_eq!(of_code(Endpoint::Send, 99991662, None), Disposition::Fatal);
    }

    #[test]
    fn a_server_error_without_a_body_is_retried_and_a_lost_path_is_not() {
        assert_eq!(of_status(502, None), Disposition::UNAVAILABLE);
        assert_eq!(of_status(404, None), Disposition::Permanent);
    }

    #[test]
    fn a_page_of_something_on_the_way_is_not_the_platforms_last_word() {
        for status in [200, 302] {
            assert_eq!(of_status(status, None), Disposition::UNAVAILABLE, "{status}");
        }
    }
}
