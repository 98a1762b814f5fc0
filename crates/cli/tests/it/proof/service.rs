//! A service that answers at once, later, or never, as the words of a message ask for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use larkline_gateway::handler::http::signature::{self, SigningKey};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// The secret it shares with the gateway.
pub(super) const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
/// How long it waits before it offers an answer again to a gateway that is away.
const AGAIN: Duration = Duration::from_millis(100);

/// Runs until it is dropped.
pub(super) struct Service {
    /// Where turns are posted.
    pub(super) url: String,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Desk {
    client: reqwest::Client,
    /// Holds the gateway's clock, when that is not ours.
    clock: PathBuf,
    /// Answers on their way.
    later: Arc<Mutex<JoinSet<()>>>,
}

impl Service {
    /// `clock` is the file by which a test moves the gateway's clock.
    pub(super) async fn start(clock: PathBuf) -> Self {
        // Installed already is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let desk = Desk { client, clock, later: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/turns", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(turn).with_state(desk);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _tasks: tasks }
    }
}

async fn turn(State(desk): State<Desk>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let turn: Value = serde_json::from_str(&body).unwrap();
    let words = turn["data"]["text"].as_str().unwrap();
    if words.starts_with("Now") {
        return (StatusCode::OK, json!({ "text": words }).to_string());
    }
    if words.starts_with("Later") {
        let url = turn["data"]["reply_url"].as_str().unwrap().to_owned();
        let id = headers[signature::ID].to_str().unwrap().to_owned();
        let answer = json!({ "text": words }).to_string();
        desk.later.lock().await.spawn(desk.clone().offer(url, id, answer));
    }
    (StatusCode::ACCEPTED, String::new())
}

impl Desk {
    /// Posts an answer until the gateway has it, or wants it no more.
    async fn offer(self, url: String, id: String, answer: String) {
        let key = SigningKey::parse(&SECRET.into()).unwrap();
        loop {
            let skew = std::fs::read_to_string(&self.clock).unwrap_or_default();
            let skew_ms: i64 = skew.trim().parse().unwrap_or(0);
            let now = (jiff::Timestamp::now().as_millisecond() + skew_ms) / 1000;
            let signed = signature::sign(std::slice::from_ref(&key), &id, now, answer.as_bytes());
            let sent = self
                .client
                .post(&url)
                .header(signature::ID, &id)
                .header(signature::TIMESTAMP, now)
                .header(signature::SIGNATURE, signed)
                .header("content-type", "application/json")
                .body(answer.clone())
                .send();
            match sent.await.map(|response| response.status()) {
                // A second run of the same turn brings an offer of its own.
                Ok(StatusCode::OK | StatusCode::NOT_FOUND) => return,
                Ok(_) | Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}
