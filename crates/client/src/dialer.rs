//! The one dialer, for HTTP and WebSocket alike.
//!
//! Same proxy choice, same exceptions, same roots, same refusals for both, because the
//! official clients' WebSocket ignores proxy and CA settings that their HTTP part honours.
//! HTTP goes through reqwest, built here from the same settings; the WebSocket takes the
//! byte stream of [`Dialer::connect`]. The WebSocket handshake itself is not here.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use crate::attempt::{Limit, Trace, open_any, resolve};
use crate::dial_error::{DialError, DialStage, NetError};
use crate::proxy::{Hop, ProxyChoice, Routes};
use crate::secret::redacted_url;
use crate::tls::{self, TlsPeer, Trust};

/// Connecting a pooled HTTP connection may take this long; each call has its own total
/// limit on top.
const HTTP_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to reach the network.
#[derive(Clone, Debug, Default)]
pub struct NetOptions {
    /// Which proxy.
    pub proxy: ProxyChoice,
    /// Hosts that go around the proxy, in the form of `NO_PROXY` (host, suffix, address,
    /// CIDR, `*`); replaces that variable when set.
    pub no_proxy: Option<String>,
    /// PEM bundles trusted beside the system's roots.
    pub ca_files: Vec<PathBuf>,
    /// Where proxy variables are read.
    pub env: ProxyEnv,
}

/// Where proxy variables are read. `Debug` shows their names only: values hold passwords.
#[derive(Clone, Default)]
pub enum ProxyEnv {
    /// The environment of this process, once, when the dialer is made.
    #[default]
    Process,
    /// These variables and no others.
    Fixed(BTreeMap<String, String>),
}

impl ProxyEnv {
    fn read(&self) -> BTreeMap<String, String> {
        match self {
            // Names or values that are not UTF-8 are no proxy settings.
            Self::Process => std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            Self::Fixed(env) => env.clone(),
        }
    }
}

impl fmt::Debug for ProxyEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("Process"),
            Self::Fixed(env) => f.debug_set().entries(env.keys()).finish(),
        }
    }
}

/// A byte stream to a peer, whatever lies between.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open connection.
pub struct Connection {
    /// The bytes: after proxy and TLS, if any.
    pub io: Box<dyn Io>,
    /// Our end of the TCP connection.
    pub local_addr: Option<SocketAddr>,
    /// The other end of the TCP connection: the proxy's when there is one.
    pub peer_addr: Option<SocketAddr>,
    /// Who the peer is; `None` without TLS.
    pub tls: Option<TlsPeer>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("local_addr", &self.local_addr)
            .field("peer_addr", &self.peer_addr)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Opens connections by one set of rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dialer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    routes: Arc<Routes>,
    tls: Arc<ClientConfig>,
    trust: Trust,
    http: reqwest::Client,
}

impl Dialer {
    /// Reads environment, root store and CA files; dials nothing. Blocks for the file reads.
    ///
    /// # Errors
    /// [`NetError`] when a proxy setting or CA file is unusable.
    pub fn new(options: &NetOptions) -> Result<Self, NetError> {
        let env = options.env.read();
        let routes = Routes::new(&options.proxy, options.no_proxy.as_deref(), &env)?;
        let (tls, trust) = tls::client_config(&options.ca_files)?;
        let http = http_builder(&routes, &tls).and_then(reqwest::ClientBuilder::build);
        let http = http.map_err(|error| NetError::Http(error.without_url()))?;
        let (routes, tls) = (Arc::new(routes), Arc::new(tls));
        Ok(Self { inner: Arc::new(Inner { routes, tls, trust, http }) })
    }

    /// The same dialer with HTTP connections of its own, for another runtime: what drives a kept
    /// connection is the runtime that opened it.
    ///
    /// # Errors
    /// [`NetError`] when the system does not allow another client.
    pub fn apart(&self) -> Result<Self, NetError> {
        let Inner { routes, tls, trust, .. } = &*self.inner;
        let http = http_builder(routes, tls).and_then(reqwest::ClientBuilder::build);
        let http = http.map_err(|error| NetError::Http(error.without_url()))?;
        let (routes, tls) = (Arc::clone(routes), Arc::clone(tls));
        Ok(Self { inner: Arc::new(Inner { routes, tls, trust: *trust, http }) })
    }

    /// The HTTP client built from the same settings. It follows no redirect and has no
    /// total timeout: set one per request.
    pub fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    /// Makes another HTTP client from the same settings, for whoever needs to change one: a
    /// handler's service has its names resolved under guard.
    ///
    /// # Errors
    /// [`NetError`] when a proxy setting is unusable.
    pub fn http_builder(&self) -> Result<reqwest::ClientBuilder, NetError> {
        http_builder(&self.inner.routes, &self.inner.tls)
            .map_err(|error| NetError::Http(error.without_url()))
    }

    /// How many roots are trusted, and where they came from.
    pub fn trust(&self) -> Trust {
        self.inner.trust
    }

    /// The way to a URL, as `direct` or `http proxy http://user:***@host:3128`.
    pub fn route(&self, url: &Url) -> String {
        self.inner.routes.hop(url).map_or_else(|| "direct".to_owned(), |hop| hop.label.to_owned())
    }

    /// Whether the way to a URL leads through a proxy.
    pub fn is_proxied(&self, url: &Url) -> bool {
        self.inner.routes.hop(url).is_some()
    }

    /// Opens a connection to a URL's host and port, TLS for `https` and `wss`, within
    /// `timeout` for everything together.
    ///
    /// # Errors
    /// [`DialError`] with the stage it failed at.
    pub async fn connect(&self, url: &Url, timeout: Duration) -> Result<Connection, DialError> {
        self.trace(url, timeout).await.outcome
    }

    /// As [`Self::connect`], and keeps how long each stage took: what a diagnosis shows.
    pub async fn trace(&self, url: &Url, timeout: Duration) -> Trace {
        let target = match Target::of(url) {
            Ok(target) => target,
            Err(error) => return Trace { steps: Vec::new(), outcome: Err(error) },
        };
        let limit = Limit::new(target.to_string(), timeout);
        let outcome = self.open(url, &target, &limit).await;
        Trace { steps: limit.steps(), outcome }
    }

    async fn open(
        &self,
        url: &Url,
        target: &Target,
        limit: &Limit,
    ) -> Result<Connection, DialError> {
        let tcp = match self.inner.routes.hop(url) {
            None => Opened::plain(limit.tcp(target).await?),
            Some(hop) => self.through(&hop, target, limit).await?,
        };
        let Opened { io, local_addr, peer_addr } = tcp;
        if !target.tls {
            return Ok(Connection { io, local_addr, peer_addr, tls: None });
        }
        let stream = self.handshake(io, &target.host, limit).await?;
        let tls = Some(TlsPeer::of(stream.get_ref().1));
        Ok(Connection { io: Box::new(stream), local_addr, peer_addr, tls })
    }

    async fn through(
        &self,
        hop: &Hop<'_>,
        target: &Target,
        limit: &Limit,
    ) -> Result<Opened, DialError> {
        let (host, port) = hop.address();
        let unreachable =
            |source| DialError::ProxyUnreachable { proxy: hop.label.to_owned(), source };
        let stream = limit
            .run(DialStage::Proxy, async {
                open_any(&resolve(&host, port).await?, limit.end()).await
            })
            .await?
            .map_err(unreachable)?;
        let Opened { mut io, local_addr, peer_addr } = Opened::plain(stream);
        if hop.is_tls() {
            io = Box::new(self.handshake(io, &host, limit).await?);
        }
        let host =
            if hop.resolves_here() { limit.address(target).await? } else { target.host.clone() };
        let io = limit
            .run(DialStage::Proxy, hop.open_tunnel(io, &host, target.port))
            .await?
            .map_err(|refusal| DialError::ProxyRefused {
                proxy: hop.label.to_owned(),
                to: target.to_string(),
                refusal,
            })?;
        Ok(Opened { io, local_addr, peer_addr })
    }

    async fn handshake(
        &self,
        io: Box<dyn Io>,
        host: &Host,
        limit: &Limit,
    ) -> Result<TlsStream<Box<dyn Io>>, DialError> {
        let text = host.to_string();
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.clone())
                .map_err(|_| DialError::Address { url: text.clone() })?,
            Host::Ipv4(ip) => ServerName::from(IpAddr::from(*ip)),
            Host::Ipv6(ip) => ServerName::from(IpAddr::from(*ip)),
        };
        let connector = TlsConnector::from(Arc::clone(&self.inner.tls));
        limit.run(DialStage::Tls, connector.connect(name, io)).await?.map_err(|source| {
            match tls::find_refusal(&source) {
                Some(refused) => DialError::Certificate(refused.clone()),
                None => DialError::Tls { host: text, source },
            }
        })
    }
}

fn http_builder(
    routes: &Routes,
    tls: &ClientConfig,
) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(concat!("larkline/", env!("CARGO_PKG_VERSION")))
        // The platform's API does not redirect; following would carry tokens elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(HTTP_CONNECT_TIMEOUT);
    routes.apply(builder)
}

/// Host, port and security a URL asks for.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) host: Host,
    pub(crate) port: u16,
    tls: bool,
}

impl Target {
    fn of(url: &Url) -> Result<Self, DialError> {
        let tls = match url.scheme() {
            "https" | "wss" => Some(true),
            "http" | "ws" => Some(false),
            _ => None,
        };
        match (tls, url.host(), url.port_or_known_default()) {
            (Some(tls), Some(host), Some(port)) => Ok(Self { host: host.to_owned(), port, tls }),
            _ => Err(DialError::Address { url: redacted_url(url) }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A TCP connection, or what is tunnelled in one.
struct Opened {
    io: Box<dyn Io>,
    local_addr: Option<SocketAddr>,
    peer_addr: Option<SocketAddr>,
}

impl Opened {
    fn plain(stream: TcpStream) -> Self {
        let (local_addr, peer_addr) = (stream.local_addr().ok(), stream.peer_addr().ok());
        Self { io: Box::new(stream), local_addr, peer_addr }
    }
}
