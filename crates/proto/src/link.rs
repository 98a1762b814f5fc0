//! One supervised long connection, as a state machine without sockets and clocks.
//!
//! ```text
//! resolving ─> dialing ─> upgraded ─> verified <─> stale        closing ─> stopped
//!     ^           │           │           │          │             ^
//!     └─ backoff <┴───────────┴───────────┴──────────┘   close ────┘  (from any state)
//! ```
//!
//! The shell feeds one [`Input`], drains [`Link::poll`] to `None`, and calls again with
//! [`Input::Tick`] at [`Link::next_wakeup`] at the latest. The link is *verified* after the
//! upgrade and a frame from the server, it never gives up, and it stops by itself in one
//! case: the platform refuses a link that never worked (see [`crate::refusal`]).
//!
//! Not here: sockets, TLS, proxies and HTTP (`client`), recognising redelivered events and
//! deciding what an ack says (`gateway`). Reference: long connection, sections 1 to 6.
//!
//! ```
//! use std::time::Instant;
//! use larkline_proto::link::{Link, LinkConfig, Output};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[allow(clippy::disallowed_methods, reason = "an example plays the shell")]
//! let now = Instant::now();
//! let mut link = Link::new(now, LinkConfig::default(), 7)?;
//! assert!(matches!(link.poll(), Some(Output::Discover { .. })));
//! assert!(link.poll().is_none());
//! assert!(link.next_wakeup().is_some());
//! # Ok(())
//! # }
//! ```

mod ack;
mod cause;
mod config;
mod io;
mod liveness;
mod note;
mod receive;
mod timers;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use ack::{AckToken, Answer, CODE_FAILED, CODE_OK, ack};
pub use cause::Cause;
pub use config::{LinkConfig, LinkConfigError, Probe};
pub use io::{Delivered, Input, LinkEnd, Output};
pub use note::{Counters, Failure, Fault, Note, Stage, State};

use crate::backoff::Backoff;
use crate::endpoint::{Endpoint, EndpointReply};
use crate::reassembly::Reassembler;
use crate::refusal::{Persistence, Refusal, said};
use crate::settings::ServerSettings;
use ack::AckLedger;
use liveness::Liveness;
use timers::{Timer, Timers};

/// Close code of an orderly end.
const CLOSE_NORMAL: u16 = 1000;

/// What lives and dies with one connection.
struct Connection {
    service_id: i32,
    acks: AckLedger,
    reassembly: Reassembler,
    liveness: Liveness,
    verified_at: Option<Instant>,
}

/// The state machine of one link. See the module for the order of calls.
pub struct Link {
    config: LinkConfig,
    rng: fastrand::Rng,
    backoff: Backoff,
    settings: ServerSettings,
    state: State,
    timers: Timers,
    /// Drained by the shell after each input, which adds a handful at most.
    outputs: VecDeque<Output>,
    /// Set from the endpoint's answer to the hangup.
    connection: Option<Connection>,
    connections: u64,
    ever_verified: bool,
    attempt: u32,
    attempt_began: Instant,
    stage_began: Instant,
    last_tick: Option<(Instant, i64)>,
    counters: Counters,
}

impl Link {
    /// Creates a link and begins its endpoint discovery. The seed drives the jitter.
    ///
    /// # Errors
    /// [`LinkConfigError`] when a setting cannot work.
    pub fn new(now: Instant, config: LinkConfig, seed: u64) -> Result<Self, LinkConfigError> {
        config.check()?;
        let mut link = Self {
            backoff: Backoff::new(config.backoff)?,
            rng: fastrand::Rng::with_seed(seed),
            settings: ServerSettings::default(),
            state: State::Resolving,
            timers: Timers::default(),
            outputs: VecDeque::new(),
            connection: None,
            connections: 0,
            ever_verified: false,
            attempt: 0,
            attempt_began: now,
            stage_began: now,
            last_tick: None,
            counters: Counters::default(),
            config,
        };
        link.resolve(now);
        Ok(link)
    }

    /// Feeds one input; never blocks, never reads a clock.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.state == State::Stopped {
            if let Input::Answer(..) = input {
                self.counters.late_acks += 1;
            }
            return;
        }
        match input {
            Input::Tick { wall_ms } => self.tick(now, wall_ms),
            Input::Discovered(reply) => self.discovered(now, &reply),
            Input::Upgraded => self.upgraded(now),
            Input::Refused(refusal) => self.refused(now, &refusal),
            Input::Failed(failure) => self.failed(now, failure),
            Input::Closed { code, reason } => self.closed_by_peer(now, code, &reason),
            Input::Binary(bytes) => self.receive(now, bytes),
            Input::Text => self.receive_text(now),
            Input::WsPing => self.heard(now),
            Input::WsPong => self.ws_pong(now),
            Input::Answer(token, answer) => self.answer(now, token, &answer),
            Input::Shed(token) => self.shed(token),
            Input::Wake if self.state == State::Stale => {}
            Input::Wake => self.wake(now),
            Input::Redial => self.redial(now),
            Input::Close => self.close(now),
        }
    }

    /// Drains one output; call until `None` after every [`Self::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to feed [`Input::Tick`] at the latest; `None` when stopped and never otherwise.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let parts = self.connection.as_ref().and_then(|c| c.reassembly.next_expiry());
        [self.timers.next(), parts].into_iter().flatten().min()
    }

    /// Where the link is.
    pub fn state(&self) -> State {
        self.state
    }

    /// The server's settings in force.
    pub fn settings(&self) -> ServerSettings {
        self.settings
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Attempts since the last verified link; 0 while one is verified.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// True while the socket is open and the server may send.
    fn is_open(&self) -> bool {
        matches!(self.state, State::Upgraded | State::Verified | State::Stale)
    }

    fn resolve(&mut self, now: Instant) {
        self.enter(now, State::Resolving, self.config.discovery_timeout);
        self.attempt_began = now;
        self.attempt = self.attempt.saturating_add(1);
        self.outputs.push_back(Output::Discover { timeout: self.config.discovery_timeout });
    }

    fn discovered(&mut self, now: Instant, reply: &EndpointReply<'_>) {
        if self.state != State::Resolving {
            return;
        }
        let endpoint = match Endpoint::read(reply, self.config.tls_only) {
            Ok(endpoint) => endpoint,
            Err(refusal) => return self.refused(now, &refusal),
        };
        self.note(Note::EndpointObtained {
            host: endpoint.url.host(),
            conn_id: endpoint.conn_id,
            service_id: endpoint.service_id,
            elapsed: now.saturating_duration_since(self.stage_began),
        });
        if let Some(settings) = endpoint.settings {
            let merge = self.settings.merge(&settings, self.config.ping_bounds);
            self.note_merge(merge);
        }
        self.connections += 1;
        self.connection = Some(Connection {
            service_id: endpoint.service_id.unwrap_or(0),
            acks: AckLedger::new(self.connections, self.config.unacked_max),
            reassembly: Reassembler::new(self.config.reassembly),
            liveness: Liveness::new(now),
            verified_at: None,
        });
        self.enter(now, State::Dialing, self.config.dial_timeout);
        self.note(Note::Connecting);
        self.outputs
            .push_back(Output::Dial { url: endpoint.url, timeout: self.config.dial_timeout });
    }

    fn upgraded(&mut self, now: Instant) {
        if self.state != State::Dialing {
            return;
        }
        self.note(Note::Upgraded { elapsed: now.saturating_duration_since(self.stage_began) });
        self.enter(now, State::Upgraded, self.config.verify_timeout);
        self.open_probing(now);
    }

    /// A usable frame arrived: the proof that the link carries the protocol.
    fn verify(&mut self, now: Instant) {
        if self.state != State::Upgraded {
            return;
        }
        self.state = State::Verified;
        self.timers.stop(Timer::Stage);
        self.ever_verified = true;
        self.attempt = 0;
        self.counters.connects += 1;
        if let Some(connection) = &mut self.connection {
            connection.verified_at = Some(now);
        }
        self.note(Note::Verified { elapsed: now.saturating_duration_since(self.attempt_began) });
    }

    fn refused(&mut self, now: Instant, refusal: &Refusal) {
        let Some(stage) = self.stage() else { return };
        let fault = Fault::refused(stage, refusal);
        let for_good = refusal.persistence() == Persistence::FatalAtFirst;
        if for_good && !self.ever_verified && !self.config.keep_trying {
            self.counters.failures += 1;
            self.note(Note::Closed { fault: fault.clone(), lifetime: None });
            return self.stop(LinkEnd::Refused(fault), None);
        }
        self.lose(now, fault, refusal.retry_after());
    }

    fn failed(&mut self, now: Instant, failure: Failure) {
        if let Some(stage) = self.stage() {
            self.lose(now, Fault::new(stage, failure.cause, failure.message), None);
        }
    }

    fn closed_by_peer(&mut self, now: Instant, code: Option<u16>, reason: &str) {
        let Some(stage) = self.stage() else { return };
        let reason = said(reason);
        let message = match code {
            Some(code) => format!("the platform closed the link with code {code} {reason:?}"),
            None => "the platform closed the link without a code".to_owned(),
        };
        self.counters.count_close(code);
        let fault = Fault {
            platform_code: code.map(i64::from),
            ..Fault::new(stage, Cause::Closed, message)
        };
        self.lose(now, fault, None);
    }

    /// Ends the attempt or connection under way and sets the next one.
    fn lose(&mut self, now: Instant, fault: Fault, retry_after: Option<Duration>) {
        if self.state == State::Closing {
            return self.stop(LinkEnd::Closed, None);
        }
        self.counters.failures += 1;
        let lifetime = self.hangup(now, None);
        let cause = fault.cause;
        self.note(Note::Closed { fault, lifetime });
        let wait = self.backoff.next(&mut self.rng, lifetime.is_some(), self.settings.pace);
        let asked = retry_after.unwrap_or_default().min(self.backoff.config().max);
        let wait = wait.max(asked);
        self.enter(now, State::Backoff, wait);
        *self.counters.waits.entry(cause).or_default() += 1;
        let attempt = self.attempt.saturating_add(1);
        self.note(Note::Reconnecting { cause, wait, attempt, lifetime });
    }

    /// Drops whatever is under way and returns how long it had been verified.
    fn hangup(&mut self, now: Instant, code: Option<u16>) -> Option<Duration> {
        self.outputs.push_back(Output::Hangup { code });
        let connection = self.connection.take()?;
        let lifetime = now.saturating_duration_since(connection.verified_at?);
        if lifetime >= self.config.stable_after {
            self.backoff.reset();
        }
        Some(lifetime)
    }

    fn redial(&mut self, now: Instant) {
        if self.state == State::Closing {
            return;
        }
        if self.state != State::Backoff {
            let stage = self.stage().unwrap_or(Stage::Open);
            let lifetime = self.hangup(now, Some(CLOSE_NORMAL));
            let fault = Fault::new(stage, Cause::Requested, "a new connection was asked for");
            self.note(Note::Closed { fault, lifetime });
        }
        self.resolve(now);
    }

    fn close(&mut self, now: Instant) {
        if self.state == State::Closing {
            return;
        }
        let unacked = match &self.connection {
            Some(connection) if self.is_open() => connection.acks.len(),
            _ => 0,
        };
        self.note(Note::Closing { unacked });
        if unacked == 0 {
            let code = self.is_open().then_some(CLOSE_NORMAL);
            return self.stop(LinkEnd::Closed, code);
        }
        self.enter(now, State::Closing, self.config.drain_timeout);
    }

    fn stop(&mut self, end: LinkEnd, code: Option<u16>) {
        self.outputs.push_back(Output::Hangup { code });
        self.connection = None;
        self.timers = Timers::default();
        self.state = State::Stopped;
        self.outputs.push_back(Output::Stopped(end));
    }

    /// Changes the state; the only timer that survives is the state's own limit.
    fn enter(&mut self, now: Instant, state: State, limit: Duration) {
        self.state = state;
        self.stage_began = now;
        self.timers = Timers::default();
        self.timers.set(Timer::Stage, now + limit);
    }

    /// What failed if something fails now; `None` when nothing is under way.
    fn stage(&self) -> Option<Stage> {
        match self.state {
            State::Resolving => Some(Stage::Discovery),
            State::Dialing => Some(Stage::Dial),
            State::Upgraded => Some(Stage::Verify),
            State::Verified | State::Stale | State::Closing => Some(Stage::Open),
            State::Backoff | State::Stopped => None,
        }
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }
}
