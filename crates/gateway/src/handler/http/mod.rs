//! The handler that posts each turn to a service, signed, and reads the answer.
//!
//! A success is 2xx and nothing else; redirects are not followed, since they would carry a
//! signed message elsewhere. An answer that comes later is received by the admin API, which
//! checks it with [`signature::verify`].

use std::error::Error as _;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use larkline_client::{Dialer, NetError, redacted_url};
use larkline_failpoint::failpoint;
use larkline_store::task::TaskId;
use reqwest::Response;
use serde_json::json;

use super::answer::{Answer, HandlerError, Retry};
use super::turn::Turn;
use crate::{clock, config};

pub mod guard;
pub mod signature;

use guard::{PrivateAddress, PublicOnly};
use signature::{KeyError, SigningKey};

/// Largest response that is read; an answer of 20 messages fits many times over.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// How much of a refusal's text an error carries.
const DETAIL_CHARS_MAX: usize = 300;

/// The `webhook-id` of a task: in its requests, and expected in its later answer, so that a
/// signed answer to one task is none to another.
pub fn webhook_id(task: TaskId) -> String {
    format!("msg_{}", task.0)
}

/// The handler cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URL leads into the gateway's own network.
    #[error("the handler's url is refused")]
    Private(#[from] PrivateAddress),
    /// A signing secret has another form.
    #[error("the handler's secret is refused")]
    Key(#[from] KeyError),
    /// No HTTP client can be made from the network settings.
    #[error("no HTTP client for the handler")]
    Net(#[from] NetError),
}

/// Posts each turn to a service.
#[derive(Debug)]
pub struct Http {
    settings: config::Http,
    keys: Vec<SigningKey>,
    client: reqwest::Client,
}

impl Http {
    /// Makes the handler; resolves and dials nothing.
    ///
    /// # Errors
    /// [`HttpError`] when the URL leads into a private network without leave, a secret has
    /// another form, or the network settings do not work.
    pub fn new(settings: config::Http, dialer: &Dialer) -> Result<Self, HttpError> {
        let keys = settings.secrets.iter().map(SigningKey::parse).collect::<Result<_, _>>()?;
        let proxied = dialer.is_proxied(&settings.url);
        let mut builder = dialer.http_builder()?;
        if !settings.allow_private {
            guard::check_host(&settings.url, proxied)?;
            if !proxied {
                // With a proxy this would judge the proxy, which may well be private.
                builder = builder.dns_resolver(PublicOnly);
            }
        }
        let client = builder.build().map_err(|error| NetError::Http(error.without_url()))?;
        Ok(Self { settings, keys, client })
    }

    /// Posts one turn.
    ///
    /// # Errors
    /// [`HandlerError`] when there is no response in time, it is no success, or its body is
    /// no answer.
    pub async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        tokio::select! {
            biased;
            () = turn.cancel.cancelled() => Err(HandlerError::stopped()),
            answer = self.exchange(turn) => answer,
        }
    }

    /// How long an answer that was announced may take.
    pub fn reply_within(&self) -> Option<Duration> {
        self.settings.reply_within
    }

    async fn exchange(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        let now_ms = clock::now_ms();
        let (id, now_s) = (webhook_id(turn.task), now_ms / 1000);
        let body = request_body(turn, now_ms);
        let request = self
            .client
            .post(self.settings.url.clone())
            .timeout(self.settings.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header(signature::SIGNATURE, signature::sign(&self.keys, &id, now_s, &body))
            .header(signature::ID, id)
            .header(signature::TIMESTAMP, now_s)
            .body(body);
        let response = request.send().await.map_err(|error| self.no_response(error))?;
        failpoint!("service_answered");
        match response.status() {
            StatusCode::NO_CONTENT => Ok(Answer::default()),
            StatusCode::ACCEPTED => {
                Ok(Answer { later: self.settings.reply_within.is_some(), ..Answer::default() })
            }
            status if status.is_success() => self.answer(response).await,
            status => Err(refusal(status, response, now_s).await),
        }
    }

    async fn answer(&self, response: Response) -> Result<Answer, HandlerError> {
        let body = read(response, RESPONSE_BYTES_MAX).await;
        let body = body.map_err(|error| self.no_response(error))?;
        if body.len() > RESPONSE_BYTES_MAX {
            let detail = format!("the response is larger than {RESPONSE_BYTES_MAX} bytes");
            return Err(HandlerError::new("output_too_large", detail));
        }
        if body.trim_ascii().is_empty() {
            return Ok(Answer::default());
        }
        // The service is through, with whatever effects it had: no second request.
        Answer::from_json(&body).map_err(|error| {
            HandlerError::new("bad_answer", error.to_string()).with_retry(Retry::Never)
        })
    }

    fn no_response(&self, error: reqwest::Error) -> HandlerError {
        let url = redacted_url(&self.settings.url);
        if error.is_timeout() {
            let detail = format!("{url} did not answer within {:?}", self.settings.timeout);
            return HandlerError::new("timeout", detail);
        }
        let error = error.without_url();
        let mut detail = format!("{url}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(private) = cause.downcast_ref::<PrivateAddress>() {
                return HandlerError::new("http_refused", private.to_string())
                    .with_retry(Retry::Never);
            }
            detail.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        HandlerError::new("http_transport", detail)
    }
}

/// `{"type", "timestamp", "data"}`: the type is the platform's without its version.
fn request_body(turn: &Turn, now_ms: i64) -> Vec<u8> {
    let kind = &turn.event.kind;
    let unversioned = kind.rsplit_once("_v").filter(|(_, version)| version.parse::<u32>().is_ok());
    let at_ms = if turn.event.created_ms > 0 { turn.event.created_ms } else { now_ms };
    json!({
        "type": unversioned.map_or(kind.as_str(), |(name, _)| name),
        "timestamp": Timestamp::from_millisecond(at_ms).unwrap_or_default().to_string(),
        "data": turn.to_json(),
    })
    .to_string()
    .into_bytes()
}

/// The body, or one byte more than `max` of it.
pub(crate) async fn read(mut response: Response, max: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = (max + 1).saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() > max {
            break;
        }
    }
    Ok(body)
}

/// Any status that is no success, as an error with the other side's own words.
async fn refusal(status: StatusCode, response: Response, now_s: i64) -> HandlerError {
    let wait = retry_after(response.headers(), now_s);
    let body = read(response, 4 * DETAIL_CHARS_MAX).await.unwrap_or_default();
    let text: String = String::from_utf8_lossy(&body).chars().take(DETAIL_CHARS_MAX).collect();
    let words = format!("the service answered {status}: {}", text.trim());
    let detail = words.trim_end_matches([':', ' ']).to_owned();
    match status {
        StatusCode::GONE => HandlerError::new("http_gone", detail).with_retry(Retry::Never),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => HandlerError::new("http_status", detail)
            .with_retry(wait.map_or(Retry::Policy, Retry::After)),
        status if status.is_redirection() => HandlerError::new(
            "http_status",
            format!(
                "{detail}; redirects are not followed, \
                put the final address into url"
            ),
        ),
        _ => HandlerError::new("http_status", detail),
    }
}

/// `Retry-After` in either of its forms, seconds or a date.
fn retry_after(headers: &HeaderMap, now_s: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::from_secs(u64::try_from(at.as_second().saturating_sub(now_s)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let wait = |text: &str| {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            retry_after(&headers, 1_763_633_000)
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Thu, 20 Nov 2025 10:04:20 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wait("Thu, 20 Nov 2025 10:00:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["soon", "-5", "1e9", ""] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }
}
