//! An app's sockets, made from its configuration: the link, the API, the limits of what goes out.
//!
//! Nothing is dialled here: the link does that when it is polled.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use larkline_client::link::{self, Delivery, LinkConfig, LinkEnd, LinkOptions};
use larkline_client::{ApiClient, Dialer, TRANSFER_TIMEOUT, redacted_url};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::chat_watch::SeenChats;
use crate::config::{App, Config};
use crate::governor::Governor;
use crate::intake::DELIVERIES_MAX;
use crate::proof::Proofs;
use crate::pulse::Pulse;
use crate::run_error::RunError;
use crate::shared::{AppRuntime, Groups};

/// What an app's workers are started with.
pub struct Connected {
    /// What they share.
    pub runtime: Arc<AppRuntime>,
    /// The supervised connection; it has to be polled.
    pub link: Link,
    /// What it delivers.
    pub deliveries: mpsc::Receiver<Delivery>,
}

/// The link of an app, which lives as long as it is polled.
pub type Link = Pin<Box<dyn Future<Output = LinkEnd> + Send>>;

/// Polls an app's link to its end. A refusal goes to `fail`, and then it waits for the stop: somebody is
/// told before all ends, and the refusal is the cause, not that this ended.
pub(crate) async fn poll(
    link: Link,
    app: String,
    fail: mpsc::Sender<RunError>,
    stop: CancellationToken,
) {
    if let LinkEnd::Refused(fault) = link.await {
        // A full channel already holds a failure, and one is enough.
        drop(fail.try_send(RunError::Credentials { app, detail: fault.to_string() }));
        stop.cancelled().await;
    }
}

/// Makes the sockets of an app.
///
/// # Errors
/// [`RunError`] when the limits or the link's settings cannot be used.
pub fn connect(
    config: &Config,
    app: &App,
    dialer: &Dialer,
    keep_going: bool,
) -> Result<Connected, RunError> {
    let rates = config.governor.to_rates().map_err(RunError::Governor)?;
    let options = LinkOptions {
        app_id: app.app_id.clone(),
        app_secret: app.app_secret.clone(),
        domain: app.domain.clone(),
        // The link has a thread of its own, where nobody else's calls shall be driven.
        dialer: dialer.apart().map_err(RunError::Network)?,
        config: LinkConfig {
            keep_trying: keep_going,
            ..config.link.to_link_config(app.domain.scheme() == "https")
        },
        seed: fastrand::u64(..),
    };
    // The endpoint's host is not known yet; the platform's own says which proxy applies.
    tracing::info!(
        app = app.name,
        domain = %redacted_url(&app.domain),
        http = dialer.route(&app.domain),
        websocket = dialer.route(&as_websocket(&app.domain)),
        "how the platform is reached"
    );
    let (sender, deliveries) = mpsc::channel(DELIVERIES_MAX);
    let (handle, link) = link::start(options, sender).map_err(RunError::Link)?;
    let api = ApiClient::with_timeouts(
        dialer.clone(),
        app.domain.clone(),
        app.app_id.clone(),
        app.app_secret.clone(),
        config.network.request_timeout,
        TRANSFER_TIMEOUT,
    );
    let runtime = AppRuntime {
        reactions: crate::ack::Refusals::default(),
        name: app.name.clone(),
        app_id: app.app_id.clone(),
        api,
        governor: Governor::new(rates),
        link: handle,
        announced: AtomicI64::new(0),
        // What an earlier run left.
        undecided: AtomicBool::new(true),
        chats: SeenChats::default(),
        bot: watch::Sender::new(None),
        groups: Groups::default(),
        proofs: Proofs::default(),
        pulse: Pulse::default(),
        quota: crate::quota::Quota::default(),
    };
    Ok(Connected { runtime: Arc::new(runtime), link: Box::pin(link), deliveries })
}

/// The same host by the schemes of WebSockets, for which proxies may differ.
fn as_websocket(domain: &Url) -> Url {
    let mut url = domain.clone();
    let scheme = if domain.scheme() == "http" { "ws" } else { "wss" };
    // Both pairs are special schemes, between which a URL may change.
    if url.set_scheme(scheme).is_err() {
        tracing::debug!(scheme, "the scheme stays as it is");
    }
    url
}
