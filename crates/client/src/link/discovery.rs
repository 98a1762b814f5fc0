//! The discovery request: one POST, its answer read up to a bound, unjudged.

use std::error::Error;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use larkline_proto::endpoint::{EndpointReply, EndpointRequest, PATH, REPLY_BYTES_MAX};
use larkline_proto::id::AppId;
use larkline_proto::link::{Cause, Failure};
use url::Url;

use crate::dialer::Dialer;
use crate::secret::Secret;
use crate::tls;

/// Time for asking our own dialer why the HTTP client could not connect.
const QUESTION: Duration = Duration::from_secs(3);

/// Who asks, where.
#[derive(Clone, Debug)]
pub(super) struct Discovery {
    pub(super) app_id: AppId,
    pub(super) app_secret: Secret,
    pub(super) domain: Url,
    pub(super) dialer: Dialer,
}

/// An answer with its body.
pub(super) struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn view(&self) -> EndpointReply<'_> {
        EndpointReply { status: self.status, retry_after: self.retry_after, body: &self.body }
    }
}

impl Discovery {
    /// The domain without its trailing slash, plus the path.
    pub(super) fn url(&self) -> Result<Url, url::ParseError> {
        Url::parse(&format!("{}{PATH}", self.domain.as_str().trim_end_matches('/')))
    }

    pub(super) async fn ask(self, timeout: Duration) -> Result<Reply, Failure> {
        let url = self
            .url()
            .map_err(|error| Failure { cause: Cause::DialAddress, message: error.to_string() })?;
        let request =
            EndpointRequest { app_id: self.app_id.as_str(), app_secret: self.app_secret.expose() };
        let body = serde_json::to_vec(&request)
            .map_err(|error| Failure { cause: Cause::BadRequest, message: error.to_string() })?;
        let sent = self.dialer.http().post(url.clone()).timeout(timeout);
        let sent = sent.header(CONTENT_TYPE, "application/json").header("locale", "zh").body(body);
        match sent.send().await {
            Ok(response) => read(response).await.map_err(|error| broken(&error)),
            Err(error) => Err(self.why(&url, &error).await),
        }
    }

    /// The HTTP client hides which step failed, and what a proxy said; our dialer tells.
    async fn why(&self, url: &Url, error: &reqwest::Error) -> Failure {
        if error.is_connect()
            && let Err(dial) = self.dialer.connect(url, QUESTION).await
        {
            return Failure { cause: dial.cause(), message: chain(&dial) };
        }
        broken(error)
    }
}

async fn read(mut response: reqwest::Response) -> Result<Reply, reqwest::Error> {
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        // What does not fit is cut, and a cut answer does not parse.
        let room = REPLY_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(Reply {
        status: response.status().as_u16(),
        retry_after: retry_after.map(Duration::from_secs),
        body,
    })
}

fn broken(error: &reqwest::Error) -> Failure {
    if let Some(refused) = tls::find_refusal(error) {
        return Failure { cause: refused.problem.cause(), message: refused.to_string() };
    }
    let cause = match error {
        _ if error.is_timeout() => Cause::Timeout,
        _ if error.is_connect() => Cause::ConnectFailed,
        _ => Cause::ConnectionBroken,
    };
    Failure { cause, message: chain(error) }
}

/// The error and its sources, each one time.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
