//! HTTP around the two APIs: whole requests in, answers out, faults of transport applied.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::platform::Platform;
use crate::stream::Stream;
use crate::{admin, api, page};

/// Largest body: a file may have 30 MB, plus the form around it.
const BODY_BYTES_MAX: usize = 40 * 1024 * 1024;

/// A whole body, or one that goes on.
pub(crate) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>;

/// A request that has arrived completely.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// A header's text, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// A query parameter's text, `None` when absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// What to do with a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Answer it.
    Answer(Response<Bytes>),
    /// Answer it later.
    Late(Duration, Response<Bytes>),
    /// Never answer it.
    Hang,
    /// Cut the connection.
    Cut,
}

/// The connection is to be cut.
#[derive(Debug, thiserror::Error)]
#[error("cut by a fault")]
struct Cut;

/// Serves HTTP/1.1 on a stream until it ends.
pub(crate) async fn serve(platform: Arc<Platform>, stream: Stream) -> io::Result<()> {
    let service = service_fn(move |request| handle(platform.clone(), request));
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

async fn handle(
    platform: Arc<Platform>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Cut),
    };
    let query = parts.uri.query().unwrap_or_default();
    let request = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parts.headers,
        body,
    };
    if let Some(response) = page::handle(&platform, &request).await {
        return Ok(dated(&platform, response));
    }
    let outcome = if request.path.starts_with("/_sim/") {
        Outcome::Answer(admin::handle(&platform, request).await)
    } else {
        platform.with(|world, now| api::handle(world, now, &request))
    };
    match outcome {
        Outcome::Answer(response) => Ok(dated(&platform, response.map(whole))),
        Outcome::Late(by, response) => {
            tokio::time::sleep(platform.real(by)).await;
            Ok(dated(&platform, response.map(whole)))
        }
        Outcome::Hang => std::future::pending().await,
        Outcome::Cut => Err(Cut),
    }
}

/// Says the platform's time, which a fault may have moved; hyper says the machine's otherwise.
fn dated(platform: &Platform, mut response: Response<Body>) -> Response<Body> {
    let skew_s = platform.with_faults(|faults| faults.clock_skew_s);
    let now_s = i64::try_from(platform.now_ms() / 1000).unwrap_or_default();
    if skew_s != 0
        && let Ok(at) = jiff::Timestamp::from_second(now_s.saturating_add(skew_s))
        && let Ok(text) =
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at)
        && let Ok(value) = text.parse()
    {
        response.headers_mut().insert(http::header::DATE, value);
    }
    response
}

pub(crate) fn whole(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}
