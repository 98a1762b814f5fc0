//! The platform's API: one method per call we use, grouped by what it is about.
//!
//! A call takes the cached token, and when the platform refuses that token, fetches another
//! and repeats the call once. Every other retry belongs to the caller, who knows the `uuid`,
//! the order and the budget.

mod cards;
mod chats;
mod diagnosis;
mod files;
mod messages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use larkline_proto::api::{Disposition, Endpoint, TokenBody, TokenReply};
use larkline_proto::id::AppId;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::api_error::{ApiError, ApiErrorKind};
use crate::call::{Answer, Call, Expects, Payload, Received};
use crate::dialer::Dialer;
use crate::meter::Meter;
use crate::secret::Secret;
use crate::token::{Fetched, TokenCache};

pub use files::{Download, FileType};
pub use messages::{Container, Listing, Sort};

/// The open host of Feishu (China).
pub const FEISHU: &str = "https://open.feishu.cn";
/// The open host of Lark (elsewhere).
pub const LARK: &str = "https://open.larksuite.com";

/// Time for a whole call: token, request, answer, and the repetition after a refused token.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Time for a whole upload or download: 100 MB, the most the platform hands out, at 1 MB/s.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(120);

/// The API as one app sees it. Cheap to clone; clones share the token.
#[derive(Clone, Debug)]
pub struct ApiClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dialer: Dialer,
    domain: Url,
    app_id: AppId,
    secret: Secret,
    token: TokenCache,
    meter: Meter,
    call_timeout: Duration,
    transfer_timeout: Duration,
}

impl ApiClient {
    /// Makes a client; calls nothing. `domain` is [`FEISHU`], [`LARK`] or the address of a
    /// private deployment or simulator.
    pub fn new(dialer: Dialer, domain: Url, app_id: AppId, secret: Secret) -> Self {
        Self::with_timeouts(dialer, domain, app_id, secret, CALL_TIMEOUT, TRANSFER_TIMEOUT)
    }

    /// Makes a client with other limits for a whole call and for a whole transfer.
    pub fn with_timeouts(
        dialer: Dialer,
        domain: Url,
        app_id: AppId,
        secret: Secret,
        call_timeout: Duration,
        transfer_timeout: Duration,
    ) -> Self {
        let inner = Inner {
            dialer,
            domain,
            app_id,
            secret,
            token: TokenCache::default(),
            meter: Meter::default(),
            call_timeout,
            transfer_timeout,
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn domain(&self) -> &Url {
        &self.inner.domain
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.inner.dialer
    }

    /// The app this client speaks for.
    pub fn app_id(&self) -> &AppId {
        &self.inner.app_id
    }

    /// The requests that went out since this was asked last, by endpoint, repetitions and those
    /// for a token among them: what the platform may count against a monthly quota.
    pub fn take_calls(&self) -> BTreeMap<&'static str, u64> {
        self.inner.meter.take()
    }

    /// Checks app id and secret by fetching a token, whatever is cached.
    ///
    /// # Errors
    /// [`ApiError`]; its disposition is `Fatal` when the credentials are wrong.
    pub async fn verify(&self) -> Result<Answer<()>, ApiError> {
        let (now, limit) = (Instant::now(), self.inner.call_timeout);
        let answer = within(Endpoint::Token, limit, self.inner.fetch_token()).await?;
        let log_id = answer.log_id;
        self.inner.token.put(now, answer.data).await;
        Ok(Answer { data: (), log_id })
    }

    /// Makes a call and reads its answer as `T`.
    async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<Answer<T>, ApiError> {
        self.authorized(&call).await?.parse(call.endpoint)
    }

    /// Makes a call whose answer holds nothing of interest.
    async fn done(&self, call: Call) -> Result<Answer<()>, ApiError> {
        Ok(self.json::<IgnoredAny>(call).await?.map(|_| ()))
    }

    /// Sends with the token; refused, drops that token and sends once more with a new one.
    async fn authorized(&self, call: &Call) -> Result<Answer<Received>, ApiError> {
        let limit = match (&call.payload, call.expects) {
            (Payload::Upload(_), _) | (_, Expects::File { .. }) => self.inner.transfer_timeout,
            (
                Payload::None | Payload::Form(_) | Payload::Json(_),
                Expects::Envelope | Expects::Object { .. },
            ) => self.inner.call_timeout,
        };
        let result = within(call.endpoint, limit, self.inner.twice(call)).await;
        result.inspect_err(|error| {
            tracing::debug!(endpoint = call.endpoint.as_str(), code = %error.code(), "call failed");
        })
    }

    /// Describes a call without content.
    fn bare(&self, endpoint: Endpoint, method: Method, path: &[&str]) -> Result<Call, ApiError> {
        let url = self.inner.url(endpoint, path)?;
        Ok(Call { endpoint, method, url, payload: Payload::None, expects: Expects::Envelope })
    }

    /// Describes a call with a JSON body.
    fn with_body(
        &self,
        endpoint: Endpoint,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Call, ApiError> {
        let url = self.inner.url(endpoint, path)?;
        let payload = json_payload(endpoint, body)?;
        Ok(Call { endpoint, method, url, payload, expects: Expects::Envelope })
    }
}

impl Inner {
    async fn twice(&self, call: &Call) -> Result<Answer<Received>, ApiError> {
        let token = self.token().await?;
        match call.send(&self.dialer, &self.meter, Some(&token)).await {
            Err(error) if error.disposition() == Disposition::Reauthenticate => {
                tracing::info!(%error, "the platform refused the token; fetching another");
                self.token.invalidate(&token).await;
                call.send(&self.dialer, &self.meter, Some(&self.token().await?)).await
            }
            other => other,
        }
    }

    async fn token(&self) -> Result<Secret, ApiError> {
        self.token.get(Instant::now(), async || Ok(self.fetch_token().await?.data)).await
    }

    async fn fetch_token(&self) -> Result<Answer<Fetched>, ApiError> {
        let endpoint = Endpoint::Token;
        let url = self.url(endpoint, &["auth", "v3", "tenant_access_token", "internal"])?;
        let body = TokenBody { app_id: self.app_id.as_str(), app_secret: self.secret.expose() };
        let payload = json_payload(endpoint, &body)?;
        let expects = Expects::Envelope;
        let call = Call { endpoint, method: Method::POST, url, payload, expects };
        let answer = call.send(&self.dialer, &self.meter, None).await?;
        let answer = answer.parse::<TokenReply>(endpoint)?;
        Ok(answer.map(|reply| Fetched {
            token: Secret::new(reply.tenant_access_token),
            expires_in: Duration::from_secs(reply.expire),
        }))
    }

    /// The URL of a path below `/open-apis`, each segment percent-encoded.
    fn url(&self, endpoint: Endpoint, path: &[&str]) -> Result<Url, ApiError> {
        let refuse = |detail| ApiError::new(endpoint, ApiErrorKind::Input { detail });
        // Such a segment would vanish from the path and address something else.
        if path.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(refuse("an identifier in the path is empty or a dot"));
        }
        let mut url = self.domain.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().push("open-apis").extend(path),
            Err(()) => return Err(refuse("the domain is not an http or https address")),
        };
        Ok(url)
    }
}

fn json_payload(endpoint: Endpoint, body: &impl Serialize) -> Result<Payload, ApiError> {
    serde_json::to_vec(body).map(|json| Payload::Json(Bytes::from(json))).map_err(|_| {
        ApiError::new(endpoint, ApiErrorKind::Input { detail: "the body is not JSON" })
    })
}

pub(crate) async fn within<T>(
    endpoint: Endpoint,
    limit: Duration,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    match timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::new(endpoint, ApiErrorKind::Timeout { after: limit })),
    }
}
