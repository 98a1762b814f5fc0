//! One HTTP exchange with the platform: a request out, an envelope in, both bounded.
//!
//! No token, no retry and no meaning here; see `api` for those.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method};
use larkline_proto::api::{Endpoint, Head, log_id_of};
use larkline_proto::id::LogId;
use larkline_proto::link::Cause;
use reqwest::RequestBuilder;
use reqwest::multipart::{Form, Part};
use serde::de::DeserializeOwned;
use url::Url;

use crate::api_error::{ApiError, ApiErrorKind};
use crate::dialer::Dialer;
use crate::meter::Meter;
use crate::secret::Secret;
use crate::tls;

/// Bound on a JSON answer: fifty messages (a page of history) of the largest text (150 KB),
/// doubled by escaping.
const JSON_BYTES_MAX: u64 = 16 << 20;

/// Longest wait taken from a header; the limits themselves are per minute.
const RESET_MAX: Duration = Duration::from_secs(3600);

/// Time for asking a proxy a second time why it refused.
const PROXY_QUESTION: Duration = Duration::from_secs(3);

/// A call that worked.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What it returned.
    pub data: T,
    /// The number the platform's support asks for.
    pub log_id: Option<LogId>,
}

impl<T> Answer<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { data: change(self.data), log_id: self.log_id }
    }
}

/// A request that can be built again for a second try.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) payload: Payload,
    pub(crate) expects: Expects,
}

/// What the answer to a request should be.
#[derive(Clone, Copy)]
pub(crate) enum Expects {
    Envelope,
    /// A JSON object whatever the status says, and no envelope: the caller reads what it means.
    Object {
        bytes_max: u64,
    },
    File {
        bytes_max: u64,
    },
}

/// What a request carries.
pub(crate) enum Payload {
    None,
    Form(Vec<(&'static str, String)>),
    Json(Bytes),
    Upload(Upload),
}

/// A multipart form with one file.
pub(crate) struct Upload {
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) file_field: &'static str,
    pub(crate) file_name: String,
    pub(crate) bytes: Bytes,
}

/// A whole answer that is no refusal.
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The status line and headers of an answer, whose body is still to be read.
struct Response {
    endpoint: Endpoint,
    inner: reqwest::Response,
    log_id: Option<LogId>,
    reset: Option<Duration>,
}

impl Call {
    /// Sends the request and reads its answer.
    pub(crate) async fn send(
        &self,
        dialer: &Dialer,
        meter: &Meter,
        token: Option<&Secret>,
    ) -> Result<Answer<Received>, ApiError> {
        // Before it goes: one that is given up on the way may have arrived.
        meter.count(self.endpoint);
        match self.request(dialer, token).send().await {
            Ok(inner) => {
                let response = Response {
                    endpoint: self.endpoint,
                    log_id: header_log_id(inner.headers()),
                    reset: header_reset(inner.headers()),
                    inner,
                };
                response.read(self.expects).await
            }
            Err(error) => {
                if error.is_connect() {
                    meter.never_left(self.endpoint);
                }
                Err(ApiError::new(self.endpoint, self.no_answer(dialer, error).await))
            }
        }
    }

    fn request(&self, dialer: &Dialer, token: Option<&Secret>) -> RequestBuilder {
        let mut request = dialer.http().request(self.method.clone(), self.url.clone());
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        match &self.payload {
            Payload::None => request,
            Payload::Form(fields) => request.form(fields),
            Payload::Json(json) => {
                request.header(CONTENT_TYPE, "application/json; charset=utf-8").body(json.clone())
            }
            Payload::Upload(upload) => request.multipart(upload.form()),
        }
    }

    async fn no_answer(&self, dialer: &Dialer, error: reqwest::Error) -> ApiErrorKind {
        // reqwest drops the status with which a proxy refuses; our own dialer reports it.
        if error.is_connect()
            && dialer.is_proxied(&self.url)
            && let Err(dial) = dialer.connect(&self.url, PROXY_QUESTION).await
        {
            return ApiErrorKind::Transport { code: dial.code(), detail: dial.to_string() };
        }
        transport(&error)
    }
}

impl Upload {
    fn form(&self) -> Form {
        let file = Part::stream_with_length(self.bytes.clone(), self.bytes.len() as u64)
            .file_name(self.file_name.clone());
        self.fields
            .iter()
            .fold(Form::new(), |form, (name, value)| form.text(*name, value.clone()))
            .part(self.file_field, file)
    }
}

impl Response {
    async fn read(mut self, expects: Expects) -> Result<Answer<Received>, ApiError> {
        let body = match expects {
            Expects::File { bytes_max } if self.inner.status().is_success() => {
                let body = self.body(bytes_max).await?;
                if self.is_nameless_json() && Head::parse(&body).is_some() {
                    self.check(&body)?;
                }
                body
            }
            Expects::Object { bytes_max } => {
                let body = self.body(bytes_max).await?;
                if !serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|v| v.is_object())
                {
                    let status = self.inner.status().as_u16();
                    return Err(self.fail(ApiErrorKind::Http { status }));
                }
                body
            }
            Expects::File { .. } | Expects::Envelope => {
                let body = self.body(JSON_BYTES_MAX).await?;
                self.check(&body)?;
                body
            }
        };
        let headers = std::mem::take(self.inner.headers_mut());
        Ok(Answer { data: Received { headers, body }, log_id: self.log_id })
    }

    /// Old endpoints refuse a download with status 200; a JSON *file* comes with a name.
    fn is_nameless_json(&self) -> bool {
        let headers = self.inner.headers();
        let json = text_of(headers, &CONTENT_TYPE).is_some_and(|it| it.contains("json"));
        json && !headers.contains_key(CONTENT_DISPOSITION)
    }

    /// The platform's code decides; the HTTP status does where there is no code, and where a
    /// code of 0 contradicts it.
    fn check(&mut self, body: &[u8]) -> Result<(), ApiError> {
        let status = self.inner.status().as_u16();
        let Some(head) = Head::parse(body) else {
            return Err(self.fail(ApiErrorKind::Http { status }));
        };
        if self.log_id.is_none() {
            self.log_id = head.log_id();
        }
        match head.failure() {
            Some(failure) => {
                Err(self.fail(ApiErrorKind::Platform { status, failure: Box::new(failure) }))
            }
            None if self.inner.status().is_success() => Ok(()),
            None => Err(self.fail(ApiErrorKind::Http { status })),
        }
    }

    async fn body(&mut self, bytes_max: u64) -> Result<Bytes, ApiError> {
        if self.inner.content_length().is_some_and(|length| length > bytes_max) {
            return Err(self.fail(ApiErrorKind::TooLarge { bytes_max }));
        }
        let mut body = BytesMut::new();
        loop {
            match self.inner.chunk().await {
                Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > bytes_max => {
                    return Err(self.fail(ApiErrorKind::TooLarge { bytes_max }));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => return Err(self.fail(transport(&error))),
            }
        }
    }

    fn fail(&self, kind: ApiErrorKind) -> ApiError {
        ApiError { endpoint: self.endpoint, kind, log_id: self.log_id.clone(), reset: self.reset }
    }
}

impl Answer<Received> {
    /// Reads the body of a call that worked.
    pub(crate) fn parse<T: DeserializeOwned>(
        self,
        endpoint: Endpoint,
    ) -> Result<Answer<T>, ApiError> {
        let Self { data: Received { body, .. }, log_id } = self;
        match serde_json::from_slice(&body) {
            Ok(data) => Ok(Answer { data, log_id }),
            Err(error) => {
                let kind = ApiErrorKind::Unreadable { detail: error.to_string() };
                Err(ApiError { log_id, ..ApiError::new(endpoint, kind) })
            }
        }
    }
}

/// A header as text.
pub(crate) fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn transport(error: &reqwest::Error) -> ApiErrorKind {
    if let Some(refused) = tls::find_refusal(error) {
        return ApiErrorKind::Transport {
            code: refused.problem.cause().code(),
            detail: refused.to_string(),
        };
    }
    let cause = if error.is_connect() { Cause::ConnectFailed } else { Cause::ConnectionBroken };
    // reqwest's own text says "error sending request"; the root cause says why.
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    ApiErrorKind::Transport { code: cause.code(), detail: root.to_string() }
}

fn header_log_id(headers: &HeaderMap) -> Option<LogId> {
    ["x-tt-logid", "x-request-id"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok().and_then(log_id_of))
}

/// Seconds until the limit resets; a date in `Retry-After` is not read, the backoff of the
/// caller is as good.
fn header_reset(headers: &HeaderMap) -> Option<Duration> {
    ["x-ogw-ratelimit-reset", "retry-after"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(RESET_MAX))
}
