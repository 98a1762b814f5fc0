//! One dial's time: shared by its stages, measured for each of them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use url::Host;

use crate::dial_error::{DialError, DialStage};
use crate::dialer::{Connection, Target};

/// A dial, stage by stage.
#[derive(Debug)]
pub struct Trace {
    /// The stages that were reached, in order, and how long each took. The proxy has two:
    /// reaching it, and its answer.
    pub steps: Vec<(DialStage, Duration)>,
    /// The connection, or why there is none; [`DialError::stage`] is the last of the steps.
    pub outcome: Result<Connection, DialError>,
}

/// The end of a dial's time, shared by its stages, and what they took.
pub(crate) struct Limit {
    end: Instant,
    after: Duration,
    to: String,
    steps: Mutex<Vec<(DialStage, Duration)>>,
}

impl Limit {
    pub(crate) fn new(to: String, after: Duration) -> Self {
        Self { end: Instant::now() + after, after, to, steps: Mutex::default() }
    }

    pub(crate) fn end(&self) -> Instant {
        self.end
    }

    pub(crate) fn steps(self) -> Vec<(DialStage, Duration)> {
        self.steps.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn run<T>(
        &self,
        stage: DialStage,
        work: impl Future<Output = T>,
    ) -> Result<T, DialError> {
        let late = |_| DialError::Timeout { to: self.to.clone(), stage, after: self.after };
        let started = Instant::now();
        let result = timeout_at(self.end, work).await.map_err(late);
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push((stage, started.elapsed()));
        result
    }

    pub(crate) async fn tcp(&self, target: &Target) -> Result<TcpStream, DialError> {
        let addresses = self.resolve(target).await?;
        self.run(DialStage::Tcp, open_any(&addresses, self.end))
            .await?
            .map_err(|source| DialError::Tcp { to: target.to_string(), source })
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, DialError> {
        self.run(DialStage::Dns, resolve(&target.host, target.port))
            .await?
            .map_err(|source| DialError::Dns { host: target.host.to_string(), source })
    }

    pub(crate) async fn address(&self, target: &Target) -> Result<Host, DialError> {
        Ok(match self.resolve(target).await?.first().map(SocketAddr::ip) {
            Some(IpAddr::V4(ip)) => Host::Ipv4(ip),
            Some(IpAddr::V6(ip)) => Host::Ipv6(ip),
            None => target.host.clone(),
        })
    }
}

pub(crate) async fn resolve(host: &Host, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host {
        Host::Domain(name) => {
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), port)).await?.collect();
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
            }
            Ok(found)
        }
        Host::Ipv4(ip) => Ok(vec![SocketAddr::new(IpAddr::V4(*ip), port)]),
        Host::Ipv6(ip) => Ok(vec![SocketAddr::new(IpAddr::V6(*ip), port)]),
    }
}

/// Tries the addresses in the resolver's order, each with an equal share of the time left,
/// so that one dead address cannot use it all up.
pub(crate) async fn open_any(addresses: &[SocketAddr], end: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = u32::try_from(addresses.len() - tried).map_or(left, |waiting| left / waiting);
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Frames are small and an ack must not wait for the next one.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}
