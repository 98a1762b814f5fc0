//! What a link shows of itself, kept up to date from its notes.

use std::net::SocketAddr;

use larkline_proto::link::{Counters, Fault, Link, LinkConfig, Note, Probe, State};
use serde::Serialize;

use super::Peers;
use crate::tls::TlsPeer;

/// A link as `status` shows it. Times of day are ms since 1970.
#[derive(Clone, Debug, Serialize)]
pub struct LinkStatus {
    /// Where the link is.
    pub state: State,
    /// Since when.
    pub since_ms: i64,
    /// How long the latest attempt's steps took.
    pub times: StageTimes,
    /// The platform's id of the connection; empty before an endpoint is known.
    pub conn_id: String,
    /// The platform's service id.
    pub service_id: Option<i32>,
    /// The socket's host, without its ticket.
    pub host: String,
    /// `direct`, or the proxy with its password masked.
    pub route: String,
    /// Our end of the socket.
    pub local_addr: Option<SocketAddr>,
    /// The other end: the proxy's when there is one.
    pub peer_addr: Option<SocketAddr>,
    /// Who the TLS peer is.
    pub tls: Option<TlsPeer>,
    /// When any frame was last heard.
    pub last_frame_at_ms: Option<i64>,
    /// When the platform last answered a ping.
    pub last_pong_at_ms: Option<i64>,
    /// When a message was last delivered.
    pub last_event_at_ms: Option<i64>,
    /// The ping interval in force.
    pub ping_interval_ms: u64,
    /// The settings of the heartbeat.
    pub heartbeat: Heartbeat,
    /// Since when there is no verified link, after one was lost.
    pub lost_ms: Option<i64>,
    /// How long the last recovery took, from the loss of a verified link to the next one, by
    /// the wall clock.
    pub recovery_ms: Option<u64>,
    /// Recoveries since the link was started.
    pub recoveries: u64,
    /// Attempts since the last verified link; 0 while one is verified.
    pub attempt: u32,
    /// Why the link was last lost, or did not come up.
    pub last_fault: Option<Fault>,
    /// When the next attempt begins.
    pub next_retry_ms: Option<i64>,
    /// What was counted since the link was started.
    pub counters: Counters,
}

/// How long each step of an attempt took, in ms; `None` for a step not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StageTimes {
    /// Endpoint discovery.
    pub discovery_ms: Option<u64>,
    /// Name, proxy, TCP, TLS and upgrade.
    pub dial_ms: Option<u64>,
    /// From the beginning of the attempt to the server's frame.
    pub verified_ms: Option<u64>,
}

/// How a dead link is found, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Heartbeat {
    /// How a silent link is probed.
    pub probe: Probe,
    /// Silence after which it is.
    pub probe_interval_ms: u64,
    /// How long a probe may stay unanswered.
    pub probe_timeout_ms: u64,
    /// How long a protocol ping may stay unanswered.
    pub pong_timeout_ms: u64,
    /// Misses in a row after which the link is replaced.
    pub misses_max: u32,
}

impl Heartbeat {
    pub(super) fn of(config: &LinkConfig) -> Self {
        Self {
            probe: config.probe,
            probe_interval_ms: millis(config.probe_interval),
            probe_timeout_ms: millis(config.probe_timeout),
            pong_timeout_ms: millis(config.pong_timeout),
            misses_max: config.misses_max,
        }
    }
}

impl LinkStatus {
    pub(super) fn new(link: &Link, heartbeat: Heartbeat, route: String, now_ms: i64) -> Self {
        Self {
            state: link.state(),
            since_ms: now_ms,
            times: StageTimes::default(),
            conn_id: String::new(),
            service_id: None,
            host: String::new(),
            route,
            local_addr: None,
            peer_addr: None,
            tls: None,
            last_frame_at_ms: None,
            last_pong_at_ms: None,
            last_event_at_ms: None,
            ping_interval_ms: millis(link.settings().ping_interval),
            heartbeat,
            lost_ms: None,
            recovery_ms: None,
            recoveries: 0,
            attempt: link.attempt(),
            last_fault: None,
            next_retry_ms: None,
            counters: Counters::default(),
        }
    }

    /// True when the link is proven and nothing speaks against it.
    pub fn is_verified(&self) -> bool {
        self.state == State::Verified
    }

    pub(super) fn note(&mut self, note: &Note, now_ms: i64) {
        match note {
            Note::EndpointObtained { host, conn_id, service_id, elapsed } => {
                self.host.clone_from(host);
                self.conn_id.clone_from(conn_id);
                self.service_id = *service_id;
                self.times =
                    StageTimes { discovery_ms: Some(millis(*elapsed)), ..StageTimes::default() };
            }
            Note::Upgraded { elapsed } => self.times.dial_ms = Some(millis(*elapsed)),
            Note::Verified { elapsed } => {
                self.times.verified_ms = Some(millis(*elapsed));
                if let Some(lost_ms) = self.lost_ms.take() {
                    self.recovery_ms = Some(u64::try_from(now_ms - lost_ms).unwrap_or(0));
                    self.recoveries += 1;
                }
            }
            Note::Pong { .. } => self.last_pong_at_ms = Some(now_ms),
            Note::Closed { fault, lifetime } => {
                self.last_fault = Some(fault.clone());
                if lifetime.is_some() {
                    self.lost_ms = self.lost_ms.or(Some(now_ms));
                }
            }
            Note::Reconnecting { wait, .. } => {
                self.next_retry_ms = Some(now_ms.saturating_add_unsigned(millis(*wait)));
            }
            Note::Connecting
            | Note::Ping
            | Note::Missed { .. }
            | Note::Recovered
            | Note::ClockJumped { .. }
            | Note::SettingsChanged { .. }
            | Note::SettingsIgnored { .. }
            | Note::OldCard
            | Note::Malformed { .. }
            | Note::Closing { .. } => {}
        }
    }

    pub(super) fn peers(&mut self, peers: Peers) {
        self.local_addr = peers.local_addr;
        self.peer_addr = peers.peer_addr;
        self.tls = peers.tls;
    }

    /// Takes over state and counters; returns whether a watcher would care.
    pub(super) fn refresh(&mut self, link: &Link, now_ms: i64) -> bool {
        let moved = self.state != link.state();
        if moved {
            self.state = link.state();
            self.since_ms = now_ms;
            if self.state != State::Backoff {
                self.next_retry_ms = None;
            }
            if matches!(self.state, State::Resolving | State::Backoff | State::Stopped) {
                self.peers(Peers::default());
            }
        }
        if self.counters.heard != link.counters().heard {
            self.last_frame_at_ms = Some(now_ms);
        }
        if self.counters.delivered != link.counters().delivered {
            self.last_event_at_ms = Some(now_ms);
        }
        self.counters.clone_from(link.counters());
        self.ping_interval_ms = millis(link.settings().ping_interval);
        self.attempt = link.attempt();
        moved
    }
}

/// Whole milliseconds.
pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
