//! The listening side: start, accept, stop.
//!
//! One port serves the long connection, the open API and the admin API, over TLS when asked.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::is_speed;
use crate::options::{SimOptions, TlsFiles};
use crate::platform::Platform;
use crate::stream::Stream;
use crate::{connection, http, page};

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}; choose another address or port 0")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The clock cannot run like that.
    #[error("the clock cannot run at speed {0}; give a number from 0.01 to 1000000")]
    Speed(f64),
    /// The certificate or key cannot be used.
    #[error(
        "the TLS files {cert} and {key} cannot be used: {reason}; give a PEM chain and its key"
    )]
    Tls {
        /// The chain.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A running simulator; dropping it stops it.
#[derive(Debug)]
pub struct Sim {
    url: String,
    address: SocketAddr,
    platform: Arc<Platform>,
    tasks: TaskTracker,
    cancel: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Sim {
    /// Listens and serves.
    ///
    /// # Errors
    /// [`SimError`] when the address or the TLS files cannot be used.
    pub async fn start(options: SimOptions) -> Result<Self, SimError> {
        if !is_speed(options.speed) {
            return Err(SimError::Speed(options.speed));
        }
        let tls = options.tls.as_ref().map(acceptor).transpose()?;
        let listen = |source| SimError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let platform = Arc::new(Platform::new(options, tls.is_some()));
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(run_timers(platform.clone(), cancel.clone()));
        let acceptor = Acceptor {
            platform: platform.clone(),
            tls,
            tasks: tasks.clone(),
            cancel: cancel.clone(),
        };
        tasks.spawn(acceptor.run(listener));
        let guard = cancel.clone().drop_guard();
        Ok(Self { url, address, platform, tasks, cancel, _stop_on_drop: guard })
    }

    /// Where it is reached, for example `http://127.0.0.1:40123`: the `domain` of a client.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle that people, scripts and tests act through.
    pub fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// Ends every connection and waits until all tasks are gone.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Redeliveries and ack timeouts, until the simulator stops.
async fn run_timers(platform: Arc<Platform>, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = platform.timer_due() => platform.with(|world, now| world.run_timers(now)),
        }
    }
}

#[derive(Clone)]
struct Acceptor {
    platform: Arc<Platform>,
    tls: Option<TlsAcceptor>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Acceptor {
    async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.cancel.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, _)) => {
                    let this = self.clone();
                    self.tasks.spawn(async move {
                        if let Err(error) = this.serve(tcp).await {
                            tracing::debug!(%error, "a connection ended early");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, most often: waiting is what helps.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn serve(self, tcp: TcpStream) -> io::Result<()> {
        let offline = self.platform.look(|world| world.faults.offline);
        if offline && self.tls.is_some() {
            return tcp.set_zero_linger();
        }
        tcp.set_nodelay(true)?;
        let cancel = self.cancel.clone();
        let opened = async {
            let mut stream = match &self.tls {
                None => Stream::plain(tcp),
                Some(tls) => Stream::tls(tls.accept(tcp).await?),
            };
            let head = stream.read_head().await?;
            Ok::<_, io::Error>((stream, head))
        };
        let (mut stream, head) = tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            opened = opened => opened?,
        };
        let Some(head) = head else { return Ok(()) };
        // Whoever took the platform away has to be able to bring it back.
        if offline && !page::is_backstage(head.path()) {
            stream.reset();
            return Ok(());
        }
        if head.path() == "/ws/v2" {
            return connection::serve(self.platform, stream, head, self.cancel).await;
        }
        stream.unread(head.raw);
        tokio::select! {
            () = cancel.cancelled() => Ok(()),
            served = http::serve(self.platform, stream) => served,
        }
    }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, SimError> {
    let refuse =
        |reason: String| SimError::Tls { cert: files.cert.clone(), key: files.key.clone(), reason };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| refuse(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| refuse(e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| refuse(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| refuse(e.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
