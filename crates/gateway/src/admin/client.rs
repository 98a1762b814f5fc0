//! The other end of the socket, for the command line.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::whose;
use crate::both::{Both, both};
use crate::closed::{self, Closed};
use crate::config::Config;
use crate::words::Lang;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use larkline_client::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Longest wait for one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer read: a full list of records.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A call to the running gateway failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing listens: the gateway does not run, or uses another state directory.
    #[error("{}", nobody(path, owner.as_deref()).en)]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// Whose directory it would be in, when not ours.
        owner: Option<String>,
    },
    /// The socket may not be reached, so nothing is known of a gateway.
    #[error("{}", .0.told().en)]
    Closed(Closed),
    /// It is the gateway of another configuration.
    #[error("{}", .0.en)]
    Anothers(Both),
    /// It answered with a refusal.
    #[error("{}", message.en)]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// Its sentence.
        message: Both,
    },
    /// It did not answer, or not in a way this version understands.
    #[error("the gateway did not answer: {0}")]
    Broken(String),
}

impl ClientError {
    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        let text = match self {
            Self::NotRunning { path, owner } => nobody(path, owner.as_deref()),
            Self::Closed(closed) => closed.told(),
            Self::Anothers(message) | Self::Refused { message, .. } => message.clone(),
            Self::Broken(why) => {
                both!(zh: "网关没有应答：{why}", en: "the gateway did not answer: {why}")
            }
        };
        text.text(lang).to_owned()
    }

    /// Whether what is there is another user's or another bot's: no matter of starting or of waiting.
    pub fn is_somebody_elses(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::Anothers(_))
    }

    fn of_connect(socket: &Path, error: &io::Error) -> Self {
        let kind = error.kind();
        if kind == ErrorKind::PermissionDenied {
            return Self::Closed(Closed::on_the_way_to(socket));
        }
        let nobody = matches!(
            kind,
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused
        );
        match nobody {
            true => Self::NotRunning {
                path: socket.to_owned(),
                owner: closed::owner_beside_root(socket),
            },
            false => Self::Broken(error.to_string()),
        }
    }
}

/// What root starts in another user's directory is root's afterwards, and closed to that user.
fn nobody(path: &Path, owner: Option<&str>) -> Both {
    let path = path.display();
    match owner {
        None => both!(
            zh: "没有网关在 {path} 监听；请用 `larkline run` 启动",
            en: "no gateway listens on {path}; start one with `larkline run`"
        ),
        Some(owner) => both!(
            zh: "没有网关在 {path} 监听，该目录属于用户 {owner}；请启动它的服务，或以该用户运行 `larkline run`",
            en: "no gateway listens on {path}, whose directory is {owner}'s; start its service, or `larkline run` as that user"
        ),
    }
}

/// Whom to call, and as whom.
#[derive(Clone, Debug)]
pub struct Peer {
    socket: PathBuf,
    token: Option<Secret>,
    apps: Option<String>,
    patience: Duration,
}

/// What goes with a call.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// Bytes as they are.
    Bytes(Bytes),
}

/// Calls the gateway.
///
/// # Errors
/// [`ClientError`] as its variants say.
pub async fn call<T: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&(impl Serialize + Sync)>,
) -> Result<T, ClientError> {
    let payload = match body {
        Some(body) => Payload::json(body)?,
        None => Payload::None,
    };
    Peer::operator(socket).call(method, path, payload).await
}

impl Payload {
    /// A value as JSON.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when it is none.
    pub fn json(value: &impl Serialize) -> Result<Self, ClientError> {
        let json = serde_json::to_value(value);
        json.map(Self::Json).map_err(|error| ClientError::Broken(error.to_string()))
    }

    fn bytes(self) -> (&'static str, Bytes) {
        match self {
            Self::None => ("application/json", Bytes::new()),
            Self::Json(value) => ("application/json", Bytes::from(value.to_string())),
            Self::Bytes(bytes) => ("application/octet-stream", bytes),
        }
    }
}

impl Peer {
    /// The operator's socket of a configuration; a gateway of another one refuses.
    pub fn of(config: &Config) -> Self {
        let apps = whose::header(config.apps.iter().map(|app| &app.app_id));
        Self { apps, ..Self::operator(&config.server.socket) }
    }

    /// The operator's socket, whoever has it.
    pub fn operator(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), token: None, apps: None, patience: CALL_TIMEOUT }
    }

    /// The socket for tasks, with the token of one.
    pub fn task(socket: &Path, token: Secret) -> Self {
        Self { token: Some(token), ..Self::operator(socket) }
    }

    /// The same, where the other side needs so long beside its usual time.
    #[must_use]
    pub fn patient(&self, wait: Duration) -> Self {
        Self { patience: CALL_TIMEOUT.saturating_add(wait), ..self.clone() }
    }

    /// Calls.
    ///
    /// # Errors
    /// [`ClientError`] as its variants say.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<T, ClientError> {
        let bytes = self.bytes(method, path, payload).await?;
        serde_json::from_slice(&bytes).map_err(|e| ClientError::Broken(e.to_string()))
    }

    /// Reads a page that is no JSON.
    ///
    /// # Errors
    /// [`ClientError`] as its variants say.
    pub async fn page(&self, path: &str) -> Result<String, ClientError> {
        let bytes = self.bytes(Method::GET, path, Payload::None).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn bytes(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<Bytes, ClientError> {
        timeout(self.patience, self.exchange(method, path, payload))
            .await
            .map_err(|_| ClientError::Broken("timed out".to_owned()))?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<Bytes, ClientError> {
        let broken = |e: &dyn std::fmt::Display| ClientError::Broken(e.to_string());
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| ClientError::of_connect(&self.socket, &error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| broken(&e))?;
        let (kind, bytes) = payload.bytes();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", kind);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        if let Some(apps) = &self.apps {
            request = request.header(whose::APPS, apps);
        }
        let request = request.body(Full::new(bytes)).map_err(|e| broken(&e))?;
        // Owns the sender: when it is done the connection has nothing left to do and ends.
        let answer = async move {
            let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|e| ClientError::Broken(e.to_string()))?;
            Ok::<_, ClientError>((status, body.to_bytes()))
        };
        // An error of the connection shows as an error of the answer too.
        let (answer, _connection) = tokio::join!(answer, connection);
        let (status, bytes) = answer?;
        if status.is_success() {
            return Ok(bytes);
        }
        let message = refusal(&bytes).unwrap_or_else(
            || both!(zh: "网关的应答是 {status}", en: "the gateway answered {status}"),
        );
        Err(match status {
            whose::ANOTHERS => ClientError::Anothers(message),
            _ => ClientError::Refused { status, message },
        })
    }
}

/// The sentence of a refusal; an older gateway has it in English alone.
fn refusal(body: &[u8]) -> Option<Both> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let en = text("error")?;
    Some(Both::each(|lang| lang.either(text("error_zh").unwrap_or(en), en).to_owned()))
}
