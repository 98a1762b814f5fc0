//! The other end of the socket, for the command line.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
    #[error("no gateway listens on {path}; start one with `larkline run`")]
    NotRunning {
        /// The socket.
        path: String,
    },
    /// It answered with a refusal.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// Its sentence.
        message: String,
    },
    /// It did not answer, or not in a way this version understands.
    #[error("the gateway did not answer: {0}")]
    Broken(String),
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
    let bytes = timeout(CALL_TIMEOUT, exchange(socket, method, path, body))
        .await
        .map_err(|_| ClientError::Broken("timed out".to_owned()))??;
    serde_json::from_slice(&bytes).map_err(|e| ClientError::Broken(e.to_string()))
}

async fn exchange(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&(impl Serialize + Sync)>,
) -> Result<Bytes, ClientError> {
    let broken = |e: &dyn std::fmt::Display| ClientError::Broken(e.to_string());
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|_| ClientError::NotRunning { path: socket.display().to_string() })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| broken(&e))?;
    let bytes = match body {
        Some(body) => serde_json::to_vec(body).map_err(|e| broken(&e))?,
        None => Vec::new(),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(bytes)))
        .map_err(|e| broken(&e))?;
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
    let message = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|v| v.get("error").and_then(serde_json::Value::as_str).map(str::to_owned))
        .unwrap_or_else(|| format!("the gateway answered {status}"));
    Err(ClientError::Refused { status, message })
}
