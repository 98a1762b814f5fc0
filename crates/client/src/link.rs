//! The supervised long connection: [`start`] returns a handle and a future for the caller to
//! own; messages come out of a channel, answers go in by token.
//!
//! All decisions (when to ping, redial, give up waiting, what an ack holds) are those of
//! [`larkline_proto::link::Link`]; this module moves its bytes, timers and log lines. It
//! stores nothing and does not read what it delivers.
//!
//! When the receiver does not keep up, the socket is not read for up to [`ROOM_WAIT`], while
//! pings and acks go on; then the message is shed: no ack, a counter, a warning, and the
//! platform sends it again. When the receiver is dropped the link closes, because a link
//! without a listener takes events away from other instances of the app.

mod discovery;
mod driver;
mod log;
mod mailbox;
mod socket;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larkline_proto::endpoint::Endpoint;
use larkline_proto::header::DataKind;
use larkline_proto::id::AppId;
use larkline_proto::link::Failure;
pub use larkline_proto::link::{
    AckToken, Answer, Counters, Fault as LinkFault, LinkConfig, LinkConfigError, LinkEnd, Probe,
    Stage, State,
};
use larkline_proto::refusal::Refusal;
use tokio::sync::{mpsc, watch};
use url::Url;

pub use self::status::{Heartbeat, LinkStatus, StageTimes};
use crate::dialer::Dialer;
use crate::secret::Secret;
use crate::tls::TlsPeer;
use discovery::Discovery;
use driver::Driver;
use mailbox::Mailbox;

/// How long a message waits for room in the channel before it is shed, at most: a third of
/// the platform's patience for an ack. Never longer than half of
/// [`LinkConfig::probe_timeout`], since the socket is not read meanwhile.
pub const ROOM_WAIT: Duration = Duration::from_secs(1);

/// What a link needs.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// The app.
    pub app_id: AppId,
    /// Its secret.
    pub app_secret: Secret,
    /// The platform: [`crate::FEISHU`], [`crate::LARK`], or a simulator.
    pub domain: Url,
    /// How to reach the network, for discovery and socket alike.
    pub dialer: Dialer,
    /// Timing and bounds. [`LinkConfig::tls_only`] is replaced by whether `domain` is https.
    pub config: LinkConfig,
    /// Drives the jitter of the waits; a random number, so that two nodes differ.
    pub seed: u64,
}

/// One message from the platform.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Answers it, by [`LinkHandle::answer`].
    pub ack: AckToken,
    /// What it is.
    pub kind: DataKind,
    /// The joined payload, verbatim.
    pub payload: Bytes,
    /// The frame's `message_id`, empty when absent.
    pub frame_message_id: String,
    /// The frame's `trace_id`.
    pub trace_id: Option<String>,
    /// When it arrived, in ms since 1970.
    pub received_ms: i64,
}

/// What the owner tells a running link. Cheap to clone; dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    mailbox: Arc<Mailbox>,
    status: watch::Receiver<LinkStatus>,
}

impl LinkHandle {
    /// The link's state. Changes of [`LinkStatus::state`] and faults wake the receiver; ages
    /// and counters are updated without waking it.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.clone()
    }

    /// Answers deliveries; answers given together go out in one write. An answer to a
    /// connection that is gone is counted and sent nowhere.
    pub fn answer(&self, answers: Vec<(AckToken, Answer)>) {
        self.mailbox.answer(answers);
    }

    /// Takes no more messages, sends the answers under way, closes with code 1000 and ends
    /// the future; [`LinkConfig::drain_timeout`] bounds it.
    pub fn close(&self) {
        self.mailbox.close();
    }

    /// Says that the network may have changed: ends a wait, or probes the open link.
    pub fn wake(&self) {
        self.mailbox.wake();
    }

    /// Replaces the connection by a new one now.
    pub fn redial(&self) {
        self.mailbox.redial();
    }
}

/// Starts a link. The caller owns the future, polls it in a task of its own and decides what
/// its end means; dropping it drops the socket.
///
/// # Errors
/// [`LinkConfigError`] when a setting cannot work.
///
/// ```no_run
/// use larkline_client::link::{self, Answer, LinkConfig, LinkOptions};
/// # async fn example(dialer: larkline_client::Dialer) -> Result<(), Box<dyn std::error::Error>> {
/// let (deliveries, mut received) = tokio::sync::mpsc::channel(256);
/// let (handle, driver) = link::start(
///     LinkOptions {
///         app_id: "cli_a1b2c3d4e5f60718".into(),
///         app_secret: "secret".into(),
///         domain: "https://open.feishu.cn".parse()?,
///         dialer,
///         config: LinkConfig::default(),
///         seed: 7,
///     },
///     deliveries,
/// )?;
/// let mut tasks = tokio::task::JoinSet::new();
/// tasks.spawn(driver);
/// while let Some(delivery) = received.recv().await {
///     // Make it safe here, and answer after that.
///     handle.answer(vec![(delivery.ack, Answer::ok())]);
/// }
/// # Ok(())
/// # }
/// ```
pub fn start(
    options: LinkOptions,
    deliveries: mpsc::Sender<Delivery>,
) -> Result<(LinkHandle, impl Future<Output = LinkEnd> + Send), LinkConfigError> {
    let (driver, handle) = Driver::new(options, deliveries)?;
    Ok((handle, driver.run()))
}

/// Why there is no endpoint.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoEndpoint {
    /// The platform, or something in front of it, said no.
    #[error("{0}; {advice}", advice = .0.advice())]
    Refused(Refusal),
    /// The question did not reach it, or its answer did not reach us.
    #[error("{message}")]
    Unreachable {
        /// `timeout`, `dns_failed`, `tls_untrusted`, ….
        code: &'static str,
        /// The whole chain of causes.
        message: String,
    },
}

/// Asks where the long connection is, without opening it: the step before [`start`]'s dial, for
/// a diagnosis. The ticket in the answer is good for one connection.
///
/// # Errors
/// [`NoEndpoint`].
pub async fn endpoint(options: &LinkOptions, timeout: Duration) -> Result<Endpoint, NoEndpoint> {
    let LinkOptions { app_id, app_secret, domain, dialer, .. } = options.clone();
    let tls_only = domain.scheme() == "https";
    let asked = Discovery { app_id, app_secret, domain, dialer }.ask(timeout).await;
    let reply = asked.map_err(|Failure { cause, message }| NoEndpoint::Unreachable {
        code: cause.code(),
        message,
    })?;
    Endpoint::read(&reply.view(), tls_only).map_err(NoEndpoint::Refused)
}

/// The ends of an open socket.
#[derive(Clone, Debug, Default)]
struct Peers {
    local_addr: Option<SocketAddr>,
    peer_addr: Option<SocketAddr>,
    tls: Option<TlsPeer>,
}
