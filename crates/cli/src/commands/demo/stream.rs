//! A card that grows while it is written, as an agent's answer does.
//!
//! A handler cannot stream through the gateway in this version, so this one talks to the
//! platform itself (CardKit), with the demo app's credentials from its own configuration.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use larkline_sim::DEMO_APP_ID;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use url::Url;

use super::showcase::Language;

/// The platform takes ten operations on a card a second; people read slower.
const UPDATE_EVERY: Duration = Duration::from_millis(260);
/// Longest time for one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What is written, one piece an update.
const ENGLISH: &[&str] = &[
    "**What happens to a message?**\n",
    "\n1. The platform pushes it ",
    "over the long connection.",
    "\n2. It is committed to disk, ",
    "and acknowledged only after that.",
    "\n3. A handler answers; ",
    "the answer is committed to an outbox.",
    "\n4. It is sent within the platform's limits, ",
    "with one `uuid` for every attempt.",
    "\n\n```text\nreceived = replied + filtered + failed + waiting\n```\n",
    "\nKill the gateway at any step: ",
    "nothing it acknowledged is lost.",
];

const CHINESE: &[&str] = &[
    "**一条消息会经过什么？**\n",
    "\n1. 平台经长连接",
    "把它推送过来。",
    "\n2. 先提交到磁盘，",
    "然后才确认。",
    "\n3. 处理器给出回复，",
    "回复提交到发件箱。",
    "\n4. 按平台的限额发送，",
    "每次尝试都用同一个 `uuid`。",
    "\n\n```text\n收到 = 已回复 + 已过滤 + 失败 + 等待\n```\n",
    "\n在任何一步杀掉网关，",
    "确认过的消息都不会丢。",
];

/// Draws the card under the turn's message: an entity, a reply that shows it, one update a
/// piece, and a last one that ends the streaming.
///
/// # Errors
/// When the platform refuses a call.
pub(super) async fn stream(turn: &Value, language: Language) -> Result<Value> {
    let message = turn["message"]["message_id"].as_str().context("the turn has no message")?;
    let platform = Platform::open().await?;
    let data = card(language.pick("Answer", "回答")).to_string();
    let made = json!({"type": "card_json", "data": data});
    let made = platform.call(Method::POST, "/open-apis/cardkit/v1/cards", &made).await?;
    let id = made["data"]["card_id"].as_str().context("the platform gave no card id")?;
    let content = json!({"type": "card", "data": {"card_id": id}}).to_string();
    let sent = json!({"msg_type": "interactive", "content": content});
    let reply = format!("/open-apis/im/v1/messages/{message}/reply");
    platform.call(Method::POST, &reply, &sent).await?;
    let element = format!("/open-apis/cardkit/v1/cards/{id}/elements/answer/content");
    let mut text = String::new();
    let mut sequence = 0;
    let pieces = if language == Language::Chinese { CHINESE } else { ENGLISH };
    for piece in pieces {
        text.push_str(piece);
        sequence += 1;
        let body = json!({"content": text, "sequence": sequence});
        platform.call(Method::PUT, &element, &body).await?;
        tokio::time::sleep(UPDATE_EVERY).await;
    }
    let summary = language.pick("What happens to a message", "一条消息会经过什么");
    let settings = json!({"config": {"streaming_mode": false, "summary": {"content": summary}}});
    let body = json!({"settings": settings.to_string(), "sequence": sequence + 1});
    let path = format!("/open-apis/cardkit/v1/cards/{id}/settings");
    platform.call(Method::PATCH, &path, &body).await?;
    Ok(json!({}))
}

fn card(title: &str) -> Value {
    json!({
        "schema": "2.0",
        "config": {"update_multi": true, "streaming_mode": true},
        "header": {"title": {"tag": "plain_text", "content": title}, "template": "indigo"},
        "body": {"elements": [{"tag": "markdown", "element_id": "answer", "content": "…"}]},
    })
}

/// The demo's platform, by its open API.
struct Platform {
    url: Url,
    token: String,
}

impl Platform {
    async fn open() -> Result<Self> {
        let url =
            std::env::var("DEMO_URL").context("DEMO_URL is not set; `larkline demo` sets it")?;
        let secret = std::env::var("DEMO_SECRET").context("DEMO_SECRET is not set")?;
        let mut platform = Self { url: url.parse().context("DEMO_URL")?, token: String::new() };
        let asked = json!({"app_id": DEMO_APP_ID, "app_secret": secret});
        let path = "/open-apis/auth/v3/tenant_access_token/internal";
        let answer = platform.call(Method::POST, path, &asked).await?;
        platform.token = answer["tenant_access_token"].as_str().context("no token")?.to_owned();
        Ok(platform)
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let exchanged = tokio::time::timeout(CALL_TIMEOUT, self.exchange(method, path, body)).await;
        let answer = exchanged.context("the platform did not answer")??;
        if answer["code"] != 0 {
            bail!("the platform refused {path}: {answer}");
        }
        Ok(answer)
    }

    async fn exchange(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let host = self.url.host_str().context("DEMO_URL has no host")?;
        let port = self.url.port_or_known_default().context("DEMO_URL has no port")?;
        let stream = TcpStream::connect((host, port)).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("{host}:{port}"))
            .header("content-type", "application/json; charset=utf-8")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(body.to_string())))?;
        // Owns the sender: when it is done the connection has nothing left to do and ends.
        let answer = async move {
            let response = sender.send_request(request).await?;
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let bytes = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
            anyhow::Ok(serde_json::from_slice(&bytes)?)
        };
        let (answer, _connection) = tokio::join!(answer, connection);
        answer
    }
}
