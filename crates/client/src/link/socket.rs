//! The WebSocket: dialled, upgraded, and turned into inputs of the link.
//!
//! The reader exists before the upgrade ends, so frames that share a TCP segment with the
//! 101 are kept. Writes are buffered and flushed together, beside reading, never in place
//! of it: a peer that does not read cannot stop our reading or our timers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, StreamExt as _};
use larkline_proto::endpoint::TicketUrl;
use larkline_proto::frame::FRAME_BYTES_MAX;
use larkline_proto::link::{Cause, Failure, Input};
use larkline_proto::refusal::Refusal;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, handshake::client::Response};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Peers;
use super::discovery::chain;
use crate::dialer::{Dialer, Io};

/// Read and write buffers. An idle link pays for them; a burst of acks fits.
const BUFFER_BYTES: usize = 32 * 1024;

/// Unsent bytes at which a peer that does not read has failed: more than all acks that may
/// be under way.
const UNSENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a close frame may take to go out and be answered.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// An upgraded connection.
pub(super) struct Socket {
    stream: WebSocketStream<Box<dyn Io>>,
    peers: Peers,
    unflushed: bool,
}

/// Why there is no socket.
pub(super) enum NoSocket {
    Refused(Refusal),
    Failed(Failure),
}

impl From<NoSocket> for Input<'_> {
    fn from(none: NoSocket) -> Self {
        match none {
            NoSocket::Refused(refusal) => Self::Refused(refusal),
            NoSocket::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl Socket {
    pub(super) async fn open(
        dialer: Dialer,
        url: TicketUrl,
        timeout: Duration,
    ) -> Result<Box<Self>, NoSocket> {
        let connection = dialer.connect(url.expose(), timeout).await.map_err(|error| {
            NoSocket::Failed(Failure { cause: error.cause(), message: chain(&error) })
        })?;
        let peers = Peers {
            local_addr: connection.local_addr,
            peer_addr: connection.peer_addr,
            tls: connection.tls,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(UNSENT_BYTES_MAX)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let request =
            url.expose().as_str().into_client_request().map_err(|error| no_socket(&error))?;
        let upgraded = client_async_with_config(request, connection.io, Some(config)).await;
        let (stream, _) = upgraded.map_err(|error| no_socket(&error))?;
        Ok(Box::new(Self { stream, peers, unflushed: false }))
    }

    /// Who is at its ends.
    pub(super) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Queues a message; [`Self::poll`] sends it.
    pub(super) fn send(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        self.queue(Message::Binary(bytes.into()))
    }

    /// Queues a WebSocket ping.
    pub(super) fn send_ping(&mut self) -> Result<(), Failure> {
        self.queue(Message::Ping(Bytes::new()))
    }

    /// Sends what is queued and, when `read` is set, waits for the next input.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Input<'static>> {
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.unflushed = false;
                    larkline_failpoint::failpoint!("ack_flushed");
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Input::Failed(lost(&error))),
                Poll::Pending => {}
            }
        }
        if !read {
            return Poll::Pending;
        }
        loop {
            return Poll::Ready(match ready!(self.stream.poll_next_unpin(cx)) {
                Some(Ok(Message::Binary(bytes))) => Input::Binary(bytes),
                Some(Ok(Message::Text(_))) => Input::Text,
                Some(Ok(Message::Ping(_))) => Input::WsPing,
                Some(Ok(Message::Pong(_))) => Input::WsPong,
                Some(Ok(Message::Close(frame))) => closed(frame),
                Some(Ok(Message::Frame(_))) => continue,
                Some(Err(error)) => Input::Failed(lost(&error)),
                None => closed(None),
            });
        }
    }

    /// Sends a close frame and waits a moment for the answer; what still comes in is dropped.
    /// Reading on matters: a socket closed over unread bytes is reset, and a reset may
    /// destroy the acks just sent.
    pub(super) async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        let farewell = async {
            if self.stream.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        if timeout(CLOSE_WAIT, farewell).await.is_err() {
            tracing::debug!(event = "close_unanswered", "the peer did not answer the close frame");
        }
    }

    fn queue(&mut self, message: Message) -> Result<(), Failure> {
        self.unflushed = true;
        Pin::new(&mut self.stream).start_send(message).map_err(|error| lost(&error))
    }
}

fn closed(frame: Option<CloseFrame>) -> Input<'static> {
    let (code, reason) = frame.map(|f| (u16::from(f.code), f.reason.to_string())).unzip();
    Input::Closed { code, reason: reason.unwrap_or_default() }
}

fn no_socket(error: &Error) -> NoSocket {
    if let Error::Http(response) = error {
        return NoSocket::Refused(refusal(response));
    }
    let cause = if let Error::Io(_) = error { Cause::Network } else { Cause::UpgradeFailed };
    let message = format!("{}; a proxy may not let WebSockets through", chain(error));
    NoSocket::Failed(Failure { cause, message })
}

fn refusal(response: &Response) -> Refusal {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    Refusal::handshake(response.status().as_u16(), header)
}

/// An open socket broke, in plain words.
fn lost(error: &Error) -> Failure {
    let (cause, what) = match error {
        Error::Io(_)
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            (Cause::Network, "the connection broke without a close frame")
        }
        Error::Capacity(_) => (Cause::FrameTooLarge, "the platform sent a message above 16 MiB"),
        Error::WriteBufferFull(_) => {
            (Cause::PeerNotReading, "the platform stopped reading our acks")
        }
        Error::Protocol(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::Tls(_)
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => (Cause::WebSocket, "the peer broke the WebSocket protocol"),
    };
    Failure { cause, message: format!("{what}: {}", chain(error)) }
}
