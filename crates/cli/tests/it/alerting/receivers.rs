//! Who is told in tests: an HTTP service that keeps what it got, and answers as it is told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What came in one request.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

#[derive(Clone, Default)]
struct Kept {
    got: Arc<Mutex<Vec<Got>>>,
    answer: Arc<Mutex<(u16, String)>>,
    refused: Arc<Mutex<Option<String>>>,
    stalls: Arc<AtomicBool>,
}

/// A service on a port of this machine, until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    kept: Kept,
    _serving: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), Kept::default());
        kept.answer.lock().unwrap().0 = 200;
        let app = Router::new().fallback(take).with_state(kept.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, kept, _serving: serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers so from here on.
    pub(crate) fn answers(&self, status: u16, body: &str) {
        *self.kept.answer.lock().unwrap() = (status, body.to_owned());
    }

    /// Refuses notices about this rule from here on, and no others.
    pub(crate) fn refuses(&self, rule: &str) {
        *self.kept.refused.lock().unwrap() = Some(rule.to_owned());
    }

    /// Answers with a head, and a body that never ends.
    pub(crate) fn stalls(&self) {
        self.kept.stalls.store(true, Ordering::Relaxed);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.kept.got.lock().unwrap().clone()
    }

    /// How many notices of this type (`alert.raised`) about this rule came.
    pub(crate) fn count(&self, kind: &str, rule: &str) -> usize {
        let is = |got: &Value| got["type"] == kind && got["data"]["rule"] == rule;
        self.got().iter().filter(|got| is(&got.json())).count()
    }

    /// The first notice of this type about this rule.
    pub(crate) fn first(&self, kind: &str, rule: &str) -> Value {
        let all = self.got().into_iter().map(|got| got.json());
        all.into_iter().find(|g| g["type"] == kind && g["data"]["rule"] == rule).unwrap()
    }
}

async fn take(State(kept): State<Kept>, headers: HeaderMap, body: Bytes) -> Response {
    let got = Got { headers, body: String::from_utf8_lossy(&body).into_owned() };
    let refused = kept.refused.lock().unwrap().clone();
    let is_refused = refused.is_some_and(|rule| got.json()["data"]["rule"] == rule.as_str());
    kept.got.lock().unwrap().push(got);
    if is_refused {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let (status, words) = kept.answer.lock().unwrap().clone();
    let status = StatusCode::from_u16(status).unwrap();
    if kept.stalls.load(Ordering::Relaxed) {
        let never = futures_util::stream::pending::<Result<Bytes, Infallible>>();
        return (status, Body::from_stream(never)).into_response();
    }
    (status, words).into_response()
}
