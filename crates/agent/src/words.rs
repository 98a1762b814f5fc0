//! What the free text of an error says, when the agent has no better way to say it.
//!
//! Only a fall-back: a code or a field decides before words do. Words are matched without case,
//! and numbers only beside the word `status`, as request ids hold all kinds of digits.

use crate::event::{Done, Outcome};
use crate::plain::{DETAIL_MAX, tail};
use crate::wire::Exit;

/// At a limit of the model: going on in this conversation would end the same way.
const LIMIT: [&str; 6] = [
    "context length",
    "context_length",
    "context window",
    "maximum context",
    "prompt is too long",
    "input is too long",
];
/// The service is overloaded.
const OVERLOADED: [&str; 6] =
    ["overloaded", "at capacity", "status 529", "status: 529", "status 503", "status: 503"];
/// The service limits the rate, or an allowance is used up.
const RATE: [&str; 9] = [
    "rate limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "throttling",
    "insufficient_quota",
    "usage limit",
    "status 429",
    "status: 429",
];
/// The credentials are missing, wrong or lack a right.
const AUTH: [&str; 14] = [
    "unauthorized",
    "authentication",
    "auth_required",
    "api key",
    "api_key",
    "api-key",
    "not logged in",
    "please log in",
    "login required",
    "missing environment variable",
    "permission_error",
    "access denied",
    "status 401",
    "status 403",
];
/// The service would not answer this.
const REFUSED: [&str; 5] = [
    "data_inspection_failed",
    "datainspectionfailed",
    "content_filter",
    "content policy",
    "content_policy",
];
/// The connection broke.
const NETWORK: [&str; 7] = [
    "stream disconnected",
    "network error",
    "connection",
    "econnre",
    "timed out",
    "timeout",
    "fetch failed",
];
/// The service failed.
const SERVER: [&str; 5] =
    ["internal server error", "server_error", "bad gateway", "status 500", "status 502"];

/// How a turn ended, by the words of its error; `None` when they say nothing known.
pub(crate) fn outcome(words: &str) -> Option<Outcome> {
    let words = words.to_lowercase();
    // A key may be named in a complaint about its rate, so the rate comes before the key.
    [
        (Outcome::Limit, &LIMIT[..]),
        (Outcome::Overloaded, &OVERLOADED),
        (Outcome::Overloaded, &RATE),
        (Outcome::Auth, &AUTH),
        (Outcome::Refused, &REFUSED),
    ]
    .into_iter()
    .find_map(|(outcome, known)| says(&words, known).then_some(outcome))
}

/// Why an agent tries again, in the words of [`Notice::Retrying`](crate::Notice::Retrying).
pub(crate) fn why(words: &str) -> Option<&'static str> {
    let words = words.to_lowercase();
    [
        ("overloaded", &OVERLOADED[..]),
        ("rate_limit", &RATE),
        ("auth", &AUTH),
        ("network", &NETWORK),
        ("server", &SERVER),
    ]
    .into_iter()
    .find_map(|(why, known)| says(&words, known).then_some(why))
}

/// The end of a turn whose process died before it said one. `complaints` is what it wrote to its
/// standard error, of which the end is kept.
pub(crate) fn death(exit: Exit, complaints: &str) -> Done {
    let how = match (exit.signal, exit.code) {
        (Some(signal), _) => format!("signal {signal} ended it"),
        (None, Some(code)) => format!("it ended with code {code}"),
        (None, None) => "it ended".to_owned(),
    };
    let said = tail(complaints, DETAIL_MAX - 100);
    let said = if said.is_empty() { "without a word" } else { &said };
    let outcome = outcome(complaints).unwrap_or(Outcome::Failed);
    Done::new(outcome, format!("{how} before the turn did: {said}"))
}

fn says(words: &str, known: &[&str]) -> bool {
    known.iter().any(|known| words.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_errors_are_told_apart() {
        for (words, expected) in [
            ("exceeded retry limit, last status: 429 Too Many Requests", Some(Outcome::Overloaded)),
            ("Rate limit reached for your API key", Some(Outcome::Overloaded)),
            ("Overloaded", Some(Outcome::Overloaded)),
            ("unexpected status 401 Unauthorized: Incorrect API key", Some(Outcome::Auth)),
            ("Missing environment variable: `OPENAI_API_KEY`.", Some(Outcome::Auth)),
            ("prompt is too long: 210000 tokens", Some(Outcome::Limit)),
            ("code data_inspection_failed", Some(Outcome::Refused)),
            ("request id: req_429_401_529", None),
            ("connect ECONNREFUSED 127.0.0.1:443", None),
        ] {
            assert_eq!(outcome(words), expected, "{words}");
        }
        assert_eq!(why("connect ECONNREFUSED 127.0.0.1:443"), Some("network"));
        assert_eq!(why("something new"), None);
    }
}
