//! Proof of life: pings, probes, deadlines, and the machine's sleep.
//!
//! Two questions, two deadlines. *Does the socket still carry anything?* After a silent
//! probe interval a probe goes out, and any inbound frame, WebSocket pongs included, must
//! come within `probe_timeout`. *Does the service behind it answer?* Each protocol ping must
//! be followed by a protocol frame within `pong_timeout`.
//!
//! Whether the server answers WebSocket pings is not documented. [`Probe::Auto`] asks at
//! the upgrade and falls back to protocol pings on a connection that never answered.

use std::time::{Duration, Instant};

use super::cause::Cause;
use super::config::Probe;
use super::io::{LinkEnd, Output};
use super::note::{Fault, Note, Stage, State};
use super::timers::Timer;
use super::{CLOSE_NORMAL, Link};
use crate::frame::Frame;

const SOCKET_DEAD: &str = "nothing answers on this connection any more: the network dropped it \
                           without a close, as routers and firewalls do";
const SERVICE_DEAD: &str = "the socket answers, but the platform's service behind it does not";

/// What is known about the peer of one connection.
pub(super) struct Liveness {
    last_heard: Instant,
    last_ping: Option<Instant>,
    answers_ws_pings: bool,
    probe_misses: u32,
    pong_misses: u32,
}

impl Liveness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_heard: now,
            last_ping: None,
            answers_ws_pings: false,
            probe_misses: 0,
            pong_misses: 0,
        }
    }
}

impl Link {
    /// Begins pinging and probing on a fresh socket: the protocol's ping at once, as on every
    /// connection, and one WebSocket ping to learn whether the server answers those.
    pub(super) fn open_probing(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.liveness.last_heard = now;
        }
        self.ping(now);
        if matches!(self.config.probe, Probe::Auto | Probe::WebSocket) {
            self.ws_ping();
        }
        self.arm_probe(now);
    }

    /// Any inbound frame: the socket is alive.
    pub(super) fn heard(&mut self, now: Instant) {
        let Some(connection) = self.connection.as_mut() else { return };
        self.counters.heard += 1;
        let liveness = &mut connection.liveness;
        liveness.last_heard = now;
        liveness.probe_misses = 0;
        let recovered = self.state == State::Stale && liveness.pong_misses == 0;
        if recovered {
            self.state = State::Verified;
            self.note(Note::Recovered);
        }
        if self.is_open() {
            self.timers.stop(Timer::ProbeMissed);
            self.arm_probe(now);
        }
    }

    /// A protocol frame: the service is alive.
    pub(super) fn heard_service(&mut self, now: Instant) {
        if let Some(connection) = self.connection.as_mut() {
            connection.liveness.pong_misses = 0;
            self.timers.stop(Timer::Pong);
        }
        self.heard(now);
    }

    pub(super) fn ws_pong(&mut self, now: Instant) {
        if let Some(connection) = self.connection.as_mut() {
            connection.liveness.answers_ws_pings = true;
            self.counters.ws_pongs += 1;
        }
        self.heard(now);
    }

    pub(super) fn pong(&mut self, now: Instant) {
        self.counters.pongs += 1;
        let sent = self.connection.as_mut().and_then(|c| c.liveness.last_ping.take());
        self.note(Note::Pong { rtt: sent.map(|sent| now.saturating_duration_since(sent)) });
    }

    pub(super) fn wake(&mut self, now: Instant) {
        match self.state {
            State::Backoff => self.resolve(now),
            State::Verified | State::Stale => self.suspect(now),
            State::Resolving
            | State::Dialing
            | State::Upgraded
            | State::Closing
            | State::Stopped => {}
        }
    }

    pub(super) fn tick(&mut self, now: Instant, wall_ms: i64) {
        if let Some(by) = self.slept(now, wall_ms) {
            self.counters.clock_jumps += 1;
            self.note(Note::ClockJumped { by });
            self.wake(now);
        }
        self.last_tick = Some((now, wall_ms));
        if let Some(connection) = self.connection.as_mut() {
            self.counters.parts_expired += connection.reassembly.expire(now);
        }
        for timer in Timer::ALL {
            if self.timers.take_due(timer, now) {
                self.due(now, timer);
            }
        }
    }

    /// How long the machine or the process slept, if it did. A monotonic clock may or may not
    /// run on during a machine's sleep: compared with the wall clock it stands out if it
    /// does not, and if it does the tick is late.
    fn slept(&self, now: Instant, wall_ms: i64) -> Option<Duration> {
        let (then, wall_then_ms) = self.last_tick?;
        let wall = Duration::from_millis(wall_ms.abs_diff(wall_then_ms));
        let drift = wall.abs_diff(now.saturating_duration_since(then));
        let late = now.saturating_duration_since(self.next_wakeup().unwrap_or(now));
        Some(drift.max(late)).filter(|by| *by > self.config.clock_jump)
    }

    fn due(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Stage => self.stage_over(now),
            Timer::Ping => self.ping(now),
            Timer::Pong => self.pong_missed(now),
            Timer::Probe => self.probe(now),
            Timer::ProbeMissed => self.probe_missed(now),
        }
    }

    fn stage_over(&mut self, now: Instant) {
        let fault = match self.state {
            State::Backoff => return self.resolve(now),
            State::Closing => return self.stop(LinkEnd::Closed, Some(CLOSE_NORMAL)),
            State::Resolving => Fault::new(
                Stage::Discovery,
                Cause::Timeout,
                format!("no answer to endpoint discovery in {:?}", self.config.discovery_timeout),
            ),
            State::Dialing => Fault::new(
                Stage::Dial,
                Cause::Timeout,
                format!("no WebSocket in {:?}; check firewall and proxy", self.config.dial_timeout),
            ),
            State::Upgraded => Fault::new(
                Stage::Verify,
                Cause::Unverified,
                format!(
                    "the upgrade went through and no frame came in {:?}; a proxy may hold them back",
                    self.config.verify_timeout
                ),
            ),
            State::Verified | State::Stale | State::Stopped => return,
        };
        self.lose(now, fault, None);
    }

    /// Doubts the link until it is heard: probes at once, with fresh deadlines.
    fn suspect(&mut self, now: Instant) {
        self.state = State::Stale;
        self.timers.stop(Timer::Pong);
        self.ping(now);
        if self.config.probe != Probe::Off {
            self.timers.stop(Timer::Probe);
            self.timers.set(Timer::ProbeMissed, now + self.config.probe_timeout);
        }
    }

    fn ping(&mut self, now: Instant) {
        let Some(connection) = self.connection.as_mut() else { return };
        connection.liveness.last_ping = Some(now);
        let bytes = Frame::control(connection.service_id, "ping", None).into_bytes();
        self.outputs.push_back(Output::Send(bytes));
        self.counters.pings += 1;
        self.note(Note::Ping);
        self.timers.set(Timer::Ping, now + self.settings.ping_interval);
        if !self.timers.is_set(Timer::Pong) && self.state != State::Upgraded {
            self.timers.set(Timer::Pong, now + self.config.pong_timeout);
        }
    }

    fn ws_ping(&mut self) {
        self.counters.ws_pings += 1;
        self.outputs.push_back(Output::SendWsPing);
    }

    fn probes_by_ws(&self) -> bool {
        let answers = self.connection.as_ref().is_some_and(|c| c.liveness.answers_ws_pings);
        match self.config.probe {
            Probe::Auto => answers,
            Probe::WebSocket => true,
            Probe::Protocol | Probe::Off => false,
        }
    }

    fn arm_probe(&mut self, now: Instant) {
        if self.config.probe == Probe::Off {
            return;
        }
        let interval = self.config.probe_interval;
        let interval = if self.probes_by_ws() { interval } else { interval * 3 / 2 };
        self.timers.set(Timer::Probe, now + interval);
    }

    fn probe(&mut self, now: Instant) {
        if self.probes_by_ws() {
            self.ws_ping()
        } else {
            self.ping(now)
        }
        self.timers.set(Timer::ProbeMissed, now + self.config.probe_timeout);
    }

    fn probe_missed(&mut self, now: Instant) {
        let Some(connection) = self.connection.as_mut() else { return };
        connection.liveness.probe_misses += 1;
        let misses = connection.liveness.probe_misses;
        if self.missed(now, misses, self.config.probe_timeout, SOCKET_DEAD) {
            self.probe(now);
        }
    }

    fn pong_missed(&mut self, now: Instant) {
        let Some(connection) = self.connection.as_mut() else { return };
        connection.liveness.pong_misses += 1;
        let misses = connection.liveness.pong_misses;
        if self.missed(now, misses, self.config.pong_timeout, SERVICE_DEAD) {
            self.ping(now);
        }
    }

    /// Records a miss. Returns true when the link gets another chance.
    fn missed(&mut self, now: Instant, misses: u32, deadline: Duration, what: &str) -> bool {
        let heard = self.connection.as_ref().map(|c| c.liveness.last_heard);
        let silent = heard.map(|at| now.saturating_duration_since(at)).unwrap_or_default();
        self.counters.misses += 1;
        self.note(Note::Missed { misses, silent, deadline });
        if misses >= self.config.misses_max && self.state != State::Upgraded {
            let message = format!("{what} (deadline {deadline:?}, last frame {silent:?} ago)");
            self.lose(now, Fault::new(Stage::Open, Cause::Silent, message), None);
            return false;
        }
        if self.state == State::Verified {
            self.state = State::Stale;
        }
        true
    }
}
