//! Endpoint discovery, both directions of its JSON: the request body, and the answer read
//! into an address to dial or a [`Refusal`].
//!
//! No HTTP here; `client` sends the bytes. Reference: long connection, sections 1 and 2.1.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::refusal::{Refusal, said};

/// Path of the discovery request below the domain.
pub const PATH: &str = "/callback/ws/endpoint";

/// Largest discovery answer read, in bytes; real ones are below 1 KiB.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;

/// Body of the discovery request.
#[derive(Serialize)]
pub struct EndpointRequest<'a> {
    /// The app's id.
    #[serde(rename = "AppID")]
    pub app_id: &'a str,
    /// The app's secret. There is no `Debug`, so that it cannot reach a log.
    #[serde(rename = "AppSecret")]
    pub app_secret: &'a str,
}

/// A HTTP answer to the discovery request, unread.
#[derive(Clone, Debug)]
pub struct EndpointReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header, when it was a number of seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: &'a [u8],
}

/// Where to dial: a URL that is itself the credential of one connection.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketUrl(Url);

impl TicketUrl {
    /// The URL to dial, verbatim. Never log it.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Host and port, without the ticket.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Debug for TicketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}?<redacted>", self.0.scheme(), self.host(), self.0.path())
    }
}

/// A successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where to dial, one time.
    pub url: TicketUrl,
    /// `device_id` of the URL: the platform's name of this connection. Empty when absent.
    pub conn_id: String,
    /// `service_id` of the URL, sent in pings; `None` when absent or no number (0 is sent).
    pub service_id: Option<i32>,
    /// The server's settings, unmerged.
    pub settings: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Body {
    code: Option<i64>,
    #[serde(default)]
    msg: Option<String>,
    #[serde(default)]
    data: Option<Value>,
}

impl Endpoint {
    /// Reads an answer; the code is classed before `data` is looked at, which may be missing,
    /// null or empty on errors. With `tls_only`, an address without TLS is refused.
    ///
    /// # Errors
    /// [`Refusal`] when the platform said no, or said nothing usable.
    pub fn read(reply: &EndpointReply<'_>, tls_only: bool) -> Result<Self, Refusal> {
        let body = serde_json::from_slice::<Body>(reply.body).ok();
        if reply.status != 200 {
            return Err(Refusal::Http {
                status: reply.status,
                code: body.as_ref().and_then(|body| body.code),
                message: said(&body.and_then(|body| body.msg).unwrap_or_default()),
                retry_after: reply.retry_after,
            });
        }
        let body = body.ok_or(Refusal::BadReply { what: "not with the expected JSON" })?;
        match body.code {
            Some(0) => Self::from_data(body.data.unwrap_or_default(), tls_only),
            Some(code) => Err(Refusal::Code { code, message: said(&body.msg.unwrap_or_default()) }),
            None => Err(Refusal::BadReply { what: "without a code" }),
        }
    }

    fn from_data(data: Value, tls_only: bool) -> Result<Self, Refusal> {
        let url = data.get("URL").and_then(Value::as_str).unwrap_or_default();
        if url.is_empty() {
            return Err(Refusal::BadReply { what: "without an address" });
        }
        let url =
            Url::parse(url).map_err(|_| Refusal::BadReply { what: "with a broken address" })?;
        match url.scheme() {
            "wss" => {}
            "ws" if !tls_only => {}
            "ws" => return Err(Refusal::BadReply { what: "with an address without TLS" }),
            _ => return Err(Refusal::BadReply { what: "with an address that is no WebSocket" }),
        }
        let query = |key| url.query_pairs().find(|(k, _)| k == key).map(|(_, value)| value);
        let conn_id = query("device_id").map(|id| said(&id)).unwrap_or_default();
        let service_id = query("service_id").and_then(|id| id.parse().ok());
        let settings = data.get("ClientConfig").and_then(Value::as_object).cloned();
        Ok(Self { conn_id, service_id, settings, url: TicketUrl(url) })
    }
}
