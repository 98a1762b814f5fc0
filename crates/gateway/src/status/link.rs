//! A link as people and programs see it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use larkline_client::link::LinkStatus;
use serde::{Deserialize, Serialize};

use crate::tcp;

/// The connection as people and programs see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkView {
    /// `resolving`, `dialing`, `upgraded`, `verified`, `stale`, `backoff`, ….
    pub state: String,
    /// True when the server has answered on this connection and nothing speaks against it.
    pub verified: bool,
    /// Since when, Unix ms.
    pub since_ms: i64,
    /// The platform's id of the connection.
    pub conn_id: String,
    /// Where it goes; never with query or credentials.
    pub host: String,
    /// `direct`, or the proxy with its password masked.
    pub route: String,
    /// Our end; none without a connection.
    pub local_addr: Option<SocketAddr>,
    /// The other end; none without a connection.
    pub peer_addr: Option<SocketAddr>,
    /// What the kernel says of it: `ESTABLISHED`, `CLOSE_WAIT`, …; none without a connection.
    pub tcp_state: Option<String>,
    /// Version and issuer, for connections with TLS.
    pub tls: Option<String>,
    /// Last frame of any kind, Unix ms.
    pub last_frame_at_ms: Option<i64>,
    /// Last answer to a protocol ping, Unix ms.
    pub last_pong_at_ms: Option<i64>,
    /// Last event, Unix ms.
    pub last_event_at_ms: Option<i64>,
    /// Interval of protocol pings.
    pub ping_interval_ms: u64,
    /// How long a ping may stay unanswered.
    pub pong_timeout_ms: u64,
    /// Silence after which the link is probed.
    pub probe_interval_ms: u64,
    /// How long a probe may stay unanswered.
    pub probe_timeout_ms: u64,
    /// Since when there is no verified connection, after one was lost, Unix ms.
    pub lost_ms: Option<i64>,
    /// From the last loss of a verified connection to the next verified one.
    pub recovery_ms: Option<u64>,
    /// Failed attempts in a row.
    pub attempt: u32,
    /// What went wrong last.
    pub fault: Option<String>,
    /// The code of that, and the platform's number when it gave one.
    pub fault_code: Option<(String, Option<i64>)>,
    /// When the next attempt begins, Unix ms.
    pub next_retry_ms: Option<i64>,
    /// Connections verified since the start.
    pub connects: u64,
    /// Frames that could not be read, or whose method nobody knows.
    pub malformed: u64,
    /// Deliveries dropped un-acked because too many waited.
    pub shed: u64,
    /// Pings that were not answered in time.
    pub misses: u64,
    /// Closes by the other side since the start.
    #[serde(default)]
    pub closes: u64,
    /// Waits to reconnect since the start, by the code of what went wrong before.
    #[serde(default)]
    pub reconnects: BTreeMap<String, u64>,
}

impl LinkView {
    pub(super) fn of(s: &LinkStatus) -> Self {
        Self {
            state: s.state.to_string(),
            verified: s.is_verified(),
            since_ms: s.since_ms,
            conn_id: s.conn_id.clone(),
            host: s.host.clone(),
            route: s.route.clone(),
            local_addr: s.local_addr,
            peer_addr: s.peer_addr,
            tcp_state: s
                .local_addr
                .zip(s.peer_addr)
                .and_then(|(l, p)| tcp::state(l, p))
                .map(str::to_owned),
            tls: s.tls.as_ref().map(|t| format!("{} by {}", t.version, t.issuer)),
            last_frame_at_ms: s.last_frame_at_ms,
            last_pong_at_ms: s.last_pong_at_ms,
            last_event_at_ms: s.last_event_at_ms,
            ping_interval_ms: s.ping_interval_ms,
            pong_timeout_ms: s.heartbeat.pong_timeout_ms,
            probe_interval_ms: s.heartbeat.probe_interval_ms,
            probe_timeout_ms: s.heartbeat.probe_timeout_ms,
            lost_ms: s.lost_ms,
            recovery_ms: s.recovery_ms,
            attempt: s.attempt,
            fault: s.last_fault.as_ref().map(ToString::to_string),
            fault_code: s.last_fault.as_ref().map(|f| (f.cause.code().to_owned(), f.platform_code)),
            next_retry_ms: s.next_retry_ms,
            connects: s.counters.connects,
            malformed: s.counters.malformed + s.counters.unknown_methods,
            shed: s.counters.shed,
            misses: s.counters.misses,
            closes: s.counters.closes.values().sum(),
            reconnects: s.counters.waits.iter().map(|(c, n)| (c.code().to_owned(), *n)).collect(),
        }
    }
}
