//! A client as small as the protocol allows: what a test needs and nothing more.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use larkline_proto::frame::{Frame, Header};
use larkline_sim::{DEMO_APP_ID, DEMO_APP_SECRET, Sim, SimOptions};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

/// Longest wait of any test for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn start() -> Sim {
    Sim::start(SimOptions::default()).await.unwrap()
}

/// The schedule compressed to milliseconds; acks keep their three seconds, so that a busy
/// machine does not make a prompt ack a late one.
pub(crate) fn hurried() -> SimOptions {
    SimOptions { redelivery: vec![Duration::from_millis(20); 4], ..SimOptions::default() }
}

/// As [`hurried`], for clients that do not ack.
pub(crate) fn impatient() -> SimOptions {
    SimOptions { ack_timeout: Duration::from_millis(50), ..hurried() }
}

/// An HTTP client; reqwest wants the process to have chosen its cryptography.
pub(crate) fn http() -> reqwest::Client {
    // A second call finds the choice made.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}

/// An HTTP client of one app.
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    pub(crate) token: String,
}

impl Api {
    pub(crate) async fn new(sim: &Sim) -> Self {
        let http = http();
        let mut api = Self { http, url: sim.url(), token: String::new() };
        api.token = api.fresh_token().await;
        api
    }

    pub(crate) async fn fresh_token(&self) -> String {
        let body = json!({"app_id": DEMO_APP_ID, "app_secret": DEMO_APP_SECRET});
        let path = "/open-apis/auth/v3/tenant_access_token/internal";
        let answer = self.call(Method::POST, path, &body).await.1;
        answer["tenant_access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}{path}", self.url);
        let request = self.http.request(method, url).bearer_auth(&self.token);
        if body.is_null() { request.send().await } else { request.json(body).send().await }
    }

    /// HTTP status and body.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let response = self.raw(method, path, body).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, &Value::Null).await.1
    }

    pub(crate) async fn send(&self, chat: &str, text: &str, uuid: Option<&str>) -> (u16, Value) {
        let body = json!({
            "receive_id": chat,
            "msg_type": "text",
            "content": json!({ "text": text }).to_string(),
            "uuid": uuid,
        });
        self.call(Method::POST, "/open-apis/im/v1/messages?receive_id_type=chat_id", &body).await
    }

    pub(crate) async fn form(&self, path: &str, form: reqwest::multipart::Form) -> Value {
        let url = format!("{}{path}", self.url);
        let request = self.http.post(url).bearer_auth(&self.token).multipart(form);
        request.send().await.unwrap().json().await.unwrap()
    }
}

/// A long connection.
pub(crate) struct Socket {
    pub(crate) ws: WebSocketStream<TcpStream>,
    pub(crate) service: i32,
}

pub(crate) async fn discover(sim: &Sim) -> Value {
    let body = json!({"AppID": DEMO_APP_ID, "AppSecret": DEMO_APP_SECRET});
    let url = format!("{}/callback/ws/endpoint", sim.url());
    http().post(url).json(&body).send().await.unwrap().json().await.unwrap()
}

pub(crate) async fn ws_url(sim: &Sim) -> String {
    discover(sim).await["data"]["URL"].as_str().unwrap().to_owned()
}

/// Dials a long connection.
pub(crate) async fn dial(url: &str) -> tungstenite::Result<WebSocketStream<TcpStream>> {
    let parsed = url::Url::parse(url).unwrap();
    let address = (parsed.host_str().unwrap(), parsed.port().unwrap());
    let tcp = TcpStream::connect(address).await?;
    tokio_tungstenite::client_async(url, tcp).await.map(|(ws, _)| ws)
}

/// The headers of a refused handshake, with the HTTP status at the front.
pub(crate) async fn refused(url: &str) -> (u16, Vec<(String, String)>) {
    match dial(url).await {
        Err(tungstenite::Error::Http(response)) => {
            let text = |v: &http::HeaderValue| v.to_str().unwrap().to_owned();
            let headers = response.headers().iter().map(|(k, v)| (k.to_string(), text(v)));
            (response.status().as_u16(), headers.collect())
        }
        other => panic!("the handshake was not refused: {other:?}"),
    }
}

impl Socket {
    pub(crate) async fn connect(sim: &Sim) -> Self {
        let url = ws_url(sim).await;
        let service = url.split("service_id=").nth(1).unwrap().split('&').next().unwrap();
        let service = service.parse().unwrap();
        let ws = dial(&url).await.unwrap();
        Self { ws, service }
    }

    /// The next WebSocket message.
    pub(crate) async fn message(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.ws.next()).await.unwrap().unwrap().unwrap()
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Frame {
        let message = self.message().await;
        assert!(message.is_binary(), "not a frame: {message:?}");
        Frame::decode(message.into_data()).unwrap()
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        self.ws.send(Message::Binary(frame.into_bytes().into())).await.unwrap();
    }

    pub(crate) async fn ping(&mut self) {
        let ping = Frame::control(self.service, "ping", None);
        self.send(ping).await;
    }

    pub(crate) async fn ack(&mut self, frame: &Frame, payload: &Value) {
        self.send(ack_of(frame, payload)).await;
    }
}

pub(crate) fn ack_of(frame: &Frame, payload: &Value) -> Frame {
    let mut ack = frame.clone();
    ack.headers.push(Header { key: "biz_rt".to_owned(), value: "3".to_owned() });
    ack.payload = Some(payload.to_string().into());
    ack
}

pub(crate) fn payload(frame: &Frame) -> Value {
    serde_json::from_slice(frame.payload.as_ref().unwrap()).unwrap()
}

/// Injects a fault in its JSON form.
pub(crate) fn inject(sim: &Sim, fault: Value) {
    sim.platform().fault(serde_json::from_value(fault).unwrap()).unwrap();
}
