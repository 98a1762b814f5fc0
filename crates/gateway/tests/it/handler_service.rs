//! A real HTTP service for handlers to talk to, on loopback.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use larkline_client::Secret;
use larkline_gateway::config;
use larkline_gateway::handler::http::signature::SigningKey;
use larkline_gateway::handler::{Answer, HandlerError, Http, HttpError, Turn};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::handler_script::{common, dialer, within};

/// The two secrets of the recorded vectors, old and new.
pub(crate) const SECRETS: [&str; 2] =
    ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_GBkaGxwdHh8gISIjJCUmJygpKissLS4v"];

pub(crate) fn keys(secrets: &[&str]) -> Vec<SigningKey> {
    secrets.iter().map(|secret| SigningKey::parse(&Secret::from(*secret)).unwrap()).collect()
}

/// A request as it came.
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the service does with every request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Status, headers, body.
    With(StatusCode, HeaderMap, Bytes),
    /// Nothing, ever.
    Silence,
}

impl Reply {
    pub(crate) fn status(status: StatusCode) -> Self {
        Self::With(status, HeaderMap::new(), Bytes::new())
    }

    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Self::With(StatusCode::OK, HeaderMap::new(), body.into())
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::With(status, mut headers, body) => {
                headers.insert(name, value.parse().unwrap());
                Self::With(status, headers, body)
            }
            Self::Silence => self,
        }
    }
}

/// The service and a handler's settings for it.
pub(crate) struct Service {
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) settings: config::Http,
    _server: AbortOnDropHandle<()>,
}

impl Service {
    pub(crate) async fn new(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::default();
        let router = Router::new().fallback(respond).with_state((Arc::clone(&seen), reply));
        #[expect(clippy::disallowed_methods, reason = "owned by the service, aborted with it")]
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let settings = settings(address);
        Self { seen, settings, _server: AbortOnDropHandle::new(server) }
    }

    /// One turn through a new handler, within patience.
    pub(crate) async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        let handler = handler(self.settings.clone()).unwrap();
        within(handler.handle(turn)).await
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

pub(crate) fn settings(address: SocketAddr) -> config::Http {
    config::Http {
        url: format!("http://{address}/turns?key=s3cret").parse().unwrap(),
        secrets: SECRETS.map(Secret::from).to_vec(),
        timeout: Duration::from_secs(30),
        reply_within: None,
        allow_private: true,
        common: common(),
    }
}

pub(crate) fn handler(settings: config::Http) -> Result<Http, HttpError> {
    Http::new(settings, &dialer())
}

async fn respond(
    State((seen, reply)): State<(Arc<Mutex<Vec<Seen>>>, Reply)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.lock().unwrap().push(Seen { headers, body });
    match reply {
        Reply::With(status, headers, body) => (status, headers, body).into_response(),
        Reply::Silence => pending().await,
    }
}
