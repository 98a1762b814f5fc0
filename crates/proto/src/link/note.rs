//! What a link says about itself: states, faults, counters, and notes for the log.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::cause::Cause;
use crate::refusal::Refusal;

/// Where a link is. `connected` is a fair word for [`State::Verified`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Asking for an endpoint.
    Resolving,
    /// Dialling it.
    Dialing,
    /// The upgrade went through; nothing has been heard yet.
    Upgraded,
    /// The upgrade went through and the server sent a frame.
    Verified,
    /// Verified before, now suspected: a probe is unanswered, or the machine slept.
    Stale,
    /// Waiting for the next attempt.
    Backoff,
    /// Letting the last answers out.
    Closing,
    /// Over.
    Stopped,
}

impl State {
    /// The state's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolving => "resolving",
            Self::Dialing => "dialing",
            Self::Upgraded => "upgraded",
            Self::Verified => "verified",
            Self::Stale => "stale",
            Self::Backoff => "backoff",
            Self::Closing => "closing",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The step at which a link failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Endpoint discovery.
    Discovery,
    /// Name, proxy, TCP, TLS or upgrade.
    Dial,
    /// Waiting for the server's frame after the upgrade.
    Verify,
    /// The open link.
    Open,
}

impl Stage {
    /// The stage's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Dial => "dial",
            Self::Verify => "verify",
            Self::Open => "open",
        }
    }
}

/// A failure the shell met while it carried an order out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// The whole chain of causes, without secrets.
    pub message: String,
}

/// Why a link was lost, or did not come up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// At which step.
    pub stage: Stage,
    /// Why; in JSON its code.
    #[serde(rename = "code")]
    pub cause: Cause,
    /// The platform's number, the HTTP status, or the WebSocket close code.
    pub platform_code: Option<i64>,
    /// What happened, and what to do next.
    pub message: String,
}

impl Fault {
    pub(super) fn new(stage: Stage, cause: Cause, message: impl Into<String>) -> Self {
        Self { stage, cause, platform_code: None, message: message.into() }
    }

    pub(super) fn refused(stage: Stage, refusal: &Refusal) -> Self {
        let cause =
            if let Refusal::BadReply { .. } = refusal { Cause::BadReply } else { Cause::Refused };
        let message = format!("{refusal}; {}", refusal.advice());
        Self { platform_code: refusal.platform_code(), ..Self::new(stage, cause, message) }
    }

    /// True when the operator asked for it, or the peer ended the link in an orderly way:
    /// without a code, with 1000 (normal), 1001 (going away) or 1012 (restarting).
    pub fn is_routine(&self) -> bool {
        let in_order = matches!(self.platform_code, None | Some(1000 | 1001 | 1012));
        self.cause == Cause::Requested || self.cause == Cause::Closed && in_order
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage.as_str(), self.message)
    }
}

/// What was counted since the link began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Inbound WebSocket frames of any kind; each is a proof of life.
    pub heard: u64,
    /// Binary messages received.
    pub frames: u64,
    /// Messages that were no usable frame or part; each has a [`Note::Malformed`].
    pub malformed: u64,
    /// Frames with a method nobody knows.
    pub unknown_methods: u64,
    /// Split messages whose parts did not come in time.
    pub parts_expired: u64,
    /// Messages handed out.
    pub delivered: u64,
    /// Acks sent.
    pub acked: u64,
    /// Answers to a connection that is gone, or second answers; nothing was sent for them.
    pub late_acks: u64,
    /// Deliveries that found no room; not acked.
    pub shed: u64,
    /// Deliveries forgotten because too many waited for an answer; not acked.
    pub forgotten: u64,
    /// Old-style card callbacks.
    pub old_cards: u64,
    /// Protocol pings sent.
    pub pings: u64,
    /// Protocol pongs received.
    pub pongs: u64,
    /// WebSocket pings sent.
    pub ws_pings: u64,
    /// WebSocket pongs received.
    pub ws_pongs: u64,
    /// Probes and pings that went unanswered.
    pub misses: u64,
    /// Links verified.
    pub connects: u64,
    /// Connections lost, and attempts that failed.
    pub failures: u64,
    /// Closes by the peer, by code; 0 stands for no code, and for any beyond the 32 codes
    /// that are told apart.
    pub closes: BTreeMap<u16, u64>,
    /// Waits to reconnect, by what went wrong before.
    pub waits: BTreeMap<Cause, u64>,
    /// Times the machine or the process was found to have slept.
    pub clock_jumps: u64,
}

/// Close codes told apart; a hostile peer has 65 536 to choose from.
const CLOSE_CODES_MAX: usize = 32;

impl Counters {
    pub(super) fn count_close(&mut self, code: Option<u16>) {
        let code = code.unwrap_or(0);
        let known = self.closes.contains_key(&code) || self.closes.len() < CLOSE_CODES_MAX;
        *self.closes.entry(if known { code } else { 0 }).or_default() += 1;
    }
}

/// One thing worth a log line. The driver gives each a stable event name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Discovery worked.
    EndpointObtained {
        /// Host to dial.
        host: String,
        /// The platform's id of the connection.
        conn_id: String,
        /// Its service id, if usable.
        service_id: Option<i32>,
        /// Time discovery took.
        elapsed: Duration,
    },
    /// The dial began.
    Connecting,
    /// The upgrade went through.
    Upgraded {
        /// Time the dial took.
        elapsed: Duration,
    },
    /// The server's frame arrived: the link is proven.
    Verified {
        /// Time since the attempt began.
        elapsed: Duration,
    },
    /// A protocol ping was sent.
    Ping,
    /// A protocol pong arrived.
    Pong {
        /// Time since the latest ping.
        rtt: Option<Duration>,
    },
    /// A probe or ping stayed unanswered.
    Missed {
        /// In a row.
        misses: u32,
        /// Time since the peer was heard.
        silent: Duration,
        /// The deadline it missed.
        deadline: Duration,
    },
    /// A suspected link was heard again.
    Recovered,
    /// The machine or the process slept.
    ClockJumped {
        /// About how long.
        by: Duration,
    },
    /// The server changed its settings.
    SettingsChanged {
        /// The ping interval now in force.
        ping_interval: Duration,
        /// Fields that were out of range.
        clamped: Vec<&'static str>,
    },
    /// Settings, or some fields of them, made no sense and were ignored.
    SettingsIgnored {
        /// The fields; empty when it was no JSON object at all.
        fields: Vec<&'static str>,
    },
    /// An old-style card callback: the console still sends cards the old way.
    OldCard,
    /// A message that was no usable frame or part. It gets no ack.
    Malformed {
        /// Stable code.
        code: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A connection ended, or an attempt failed.
    Closed {
        /// Why.
        fault: Fault,
        /// How long the link had been verified.
        lifetime: Option<Duration>,
    },
    /// The next attempt is set.
    Reconnecting {
        /// What went wrong before.
        cause: Cause,
        /// The wait.
        wait: Duration,
        /// Attempts since the last verified link, this one included.
        attempt: u32,
        /// How long the lost link had been verified.
        lifetime: Option<Duration>,
    },
    /// The link stops taking messages.
    Closing {
        /// Answers still awaited.
        unacked: usize,
    },
}
