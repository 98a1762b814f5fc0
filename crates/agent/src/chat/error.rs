//! Why a model did not answer, and what may be done about it.
//!
//! Services answer errors in many shapes, some of them not their own but a proxy's. The status
//! decides; the code where the status says little.

use std::time::Duration;

use serde_json::Value;

use crate::event::Outcome;
use crate::plain::one_line;
use crate::words;

/// Of a body that is read, bytes: errors are small, and a web page tells all at its beginning.
const BODY_MAX: usize = 64 << 10;
/// Characters of a message that are kept: they go into a log and a chat.
const MESSAGE_MAX: usize = 300;
/// Characters of a code that are kept.
const CODE_MAX: usize = 100;
/// The longest wait that a service may ask for; beyond it nobody waits for an answer any more.
const AFTER_MAX: Duration = Duration::from_hours(1);

/// A content check of the service.
const REFUSED: [&str; 5] = [
    "data_inspection_failed",
    "datainspectionfailed",
    "content_filter",
    "content_policy",
    "content_safety",
];
/// The key, a right or the bill: the operator's.
const OPERATOR: [&str; 5] =
    ["api_key", "access_denied", "accessdenied", "arrearage", "authentication"];
/// There is no such model.
const NOT_FOUND: [&str; 2] = ["model_not_found", "modelnotfound"];
/// Too much at once.
const OVERLOADED: [&str; 6] = [
    "limit_requests",
    "rate_limit",
    "throttling",
    "insufficient_quota",
    "overloaded",
    "insufficient_system_resource",
];
/// The request itself.
const FINAL: [&str; 3] = ["invalid_parameter", "invalidparameter", "invalid_request"];

/// Why a model did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model did not answer (status {status}, code `{code}`): {message}")]
pub struct ChatError {
    /// What may be done about it.
    pub class: ErrorClass,
    /// The status of HTTP; 200 for an error inside a stream.
    pub status: u16,
    /// The service's own code of it; empty when it has none.
    pub code: String,
    /// What the service says, at most 300 characters.
    pub message: String,
}

/// What may be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Nothing: the service would not answer this.
    Refused,
    /// The operator has to act: the key, a right, the bill.
    Auth,
    /// The operator has to act: there is no such model or address.
    NotFound,
    /// Try again later: too much at once.
    Overloaded {
        /// How long the service wants to be left alone, when it says.
        after: Option<Duration>,
    },
    /// Try again: the service or the way to it failed.
    Retryable,
    /// Nothing: the same would fail again.
    Final,
}

/// Reads an answer that is not the one asked for: its status, its `retry-after`, its body.
pub fn error(status: u16, retry_after: Option<&str>, body: &[u8]) -> ChatError {
    let body = &body[..body.len().min(BODY_MAX)];
    let (code, message) = serde_json::from_slice(body)
        .ok()
        .and_then(|body: Value| said(&body))
        .unwrap_or_else(|| (String::new(), one_line(&String::from_utf8_lossy(body), MESSAGE_MAX)));
    let after = retry_after.and_then(after);
    ChatError { class: class(status, &code, after), status, code, message }
}

impl ChatError {
    /// An error inside a stream, when it is one.
    pub(super) fn in_stream(event: &Value) -> Option<Self> {
        let (code, message) = said(event)?;
        let class = class(200, &code, None);
        Some(Self { class, status: 200, code, message })
    }

    /// An error that nobody told: this is what was seen.
    pub(super) fn seen(class: ErrorClass, code: &str, message: &str) -> Self {
        Self { class, status: 200, code: code.to_owned(), message: message.to_owned() }
    }

    /// How the turn ended, if it is not tried again.
    pub fn outcome(&self) -> Outcome {
        match self.class {
            ErrorClass::Refused => Outcome::Refused,
            ErrorClass::Auth => Outcome::Auth,
            ErrorClass::Overloaded { .. } => Outcome::Overloaded,
            ErrorClass::NotFound | ErrorClass::Retryable => Outcome::Failed,
            ErrorClass::Final => {
                let words = format!("{} {}", self.code, self.message);
                words::outcome(&words)
                    .filter(|outcome| *outcome == Outcome::Limit)
                    .unwrap_or(Outcome::Failed)
            }
        }
    }
}

/// Code and message of a body, in any of the shapes that were seen; `None` when it is no error.
fn said(body: &Value) -> Option<(String, String)> {
    let body = body.get(0).unwrap_or(body);
    let error = &body["error"];
    let inner = if error.is_object() { error } else { body };
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let number = |value: &Value| value.as_i64().map(|number| number.to_string());
    let code = [&inner["code"], &inner["type"], &body["code"]]
        .into_iter()
        .find_map(|code| text(code).or_else(|| number(code)));
    let message =
        [&inner["message"], error, &body["message"], &body["detail"]].into_iter().find_map(text);
    if error.is_null() && message.is_none() {
        return None;
    }
    let code = one_line(&code.unwrap_or_default(), CODE_MAX);
    let message = message.unwrap_or_else(|| inner.to_string());
    Some((code, one_line(&message, MESSAGE_MAX)))
}

fn class(status: u16, code: &str, after: Option<Duration>) -> ErrorClass {
    match status {
        401..=403 => ErrorClass::Auth,
        404 => ErrorClass::NotFound,
        429 | 529 => ErrorClass::Overloaded { after },
        503 if after.is_some() => ErrorClass::Overloaded { after },
        408 | 409 | 425 | 500..=599 => ErrorClass::Retryable,
        400..=499 => coded(code).unwrap_or(ErrorClass::Final),
        // Inside a stream some services have nothing but a status as the code.
        200 => match code.parse().ok().filter(|status| (400..=599).contains(status)) {
            Some(status) => class(status, "", None),
            None => coded(code).unwrap_or(ErrorClass::Retryable),
        },
        _ => ErrorClass::Final,
    }
}

fn coded(code: &str) -> Option<ErrorClass> {
    let code = code.to_lowercase();
    [
        (ErrorClass::Refused, &REFUSED[..]),
        (ErrorClass::Auth, &OPERATOR),
        (ErrorClass::NotFound, &NOT_FOUND),
        (ErrorClass::Overloaded { after: None }, &OVERLOADED),
        (ErrorClass::Final, &FINAL),
    ]
    .into_iter()
    .find_map(|(class, known)| known.iter().any(|known| code.contains(known)).then_some(class))
}

/// Seconds. The other form, a date, is not read: it would need a clock.
fn after(retry_after: &str) -> Option<Duration> {
    let seconds: f64 = retry_after.trim().parse().ok()?;
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds).map_or(AFTER_MAX, |after| after.min(AFTER_MAX)))
}
