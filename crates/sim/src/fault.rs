//! Everything that can be made to go wrong, as data: a test or `POST /_sim/fault` injects one.
//!
//! Three sorts. *At once*: it happens to the connections that are live now. *Switches*: stay
//! until [`Fault::Clear`]. *Armed*: the next `times` occasions get it, then it is spent.

use larkline_proto::id::EventId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A scripted fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// At once: live connections are neither read nor written any more; TCP stays open.
    HalfOpen,
    /// At once: live connections end with a TCP reset.
    Rst,
    /// At once: live connections are closed by a WebSocket close frame.
    Close {
        /// For example 1001.
        code: u16,
        /// Text of the close frame.
        #[serde(default)]
        reason: String,
    },
    /// At once: live connections receive bytes no client should trust.
    Malformed {
        /// Which bytes.
        shape: Malformed,
    },
    /// At once: every token issued so far is refused with 99991663.
    RevokeTokens,
    /// At once: an event is pushed again, though it may have been acknowledged.
    Duplicate {
        /// Which event.
        event_id: EventId,
        /// Push the same message under a new event id.
        #[serde(default)]
        new_event_id: bool,
    },
    /// At once: every event that waits for its redelivery is pushed now.
    RedeliverNow,
    /// Switch: every new TCP connection is reset.
    Offline,
    /// Switch: protocol pings stay unanswered.
    NoPong,
    /// Switch: WebSocket pings stay unanswered.
    NoWsPong,
    /// Switch: payloads longer than this travel in parts.
    Fragment {
        /// Largest part.
        bytes: usize,
        /// Parts leave in random order.
        #[serde(default)]
        shuffle: bool,
        /// One part leaves twice.
        #[serde(default)]
        duplicate: bool,
    },
    /// Armed: a handshake is refused.
    RefuseHandshake {
        /// HTTP status.
        #[serde(default = "bad_request")]
        status: u16,
        /// `Handshake-Status`; left out when absent.
        #[serde(default)]
        handshake_status: Option<i64>,
        /// `Handshake-Autherrcode`; left out when absent.
        #[serde(default)]
        autherrcode: Option<i64>,
        /// `Handshake-Msg`; left out when absent.
        #[serde(default)]
        msg: Option<String>,
        /// How many handshakes.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: a handshake is read and never answered.
    HangUpgrade {
        /// How many handshakes.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: events that wait leave in the same TCP segment as the 101.
    PushWithUpgrade {
        /// How many handshakes.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: discovery misbehaves.
    Endpoint {
        /// How.
        answer: Answer,
        /// How many requests.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: an API misbehaves.
    Api {
        /// Part of the path, for example `/messages`; empty matches every call.
        #[serde(default)]
        path: String,
        /// The method; empty matches every one.
        #[serde(default)]
        method: String,
        /// How.
        answer: Answer,
        /// How many requests.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: an API does its work, and its answer is lost (the connection is cut).
    LoseAnswer {
        /// Part of the path; empty matches every call.
        #[serde(default)]
        path: String,
        /// How many requests.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: the payload of a pong.
    PongConfig {
        /// Any JSON: partial, absurd, not an object.
        json: Value,
        /// How many pongs.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: an ack is lost on the platform's side, so the event comes again.
    DropAcks {
        /// How many acks.
        #[serde(default = "once")]
        times: u32,
    },
    /// Switch: the platform counts this many connections, whatever there is.
    OnlineCount {
        /// What it answers.
        count: u32,
    },
    /// Switch: the `Date` header of every answer is off.
    ClockSkew {
        /// By how much; negative is behind.
        seconds: i64,
    },
    /// Ends every switch and disarms everything.
    Clear,
}

fn once() -> u32 {
    1
}

fn bad_request() -> u16 {
    400
}

/// How an HTTP request is answered instead of properly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "with", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Answer {
    /// A JSON envelope.
    Code {
        /// HTTP status.
        #[serde(default = "bad_request")]
        status: u16,
        /// The envelope's code.
        code: i64,
        /// The envelope's msg.
        #[serde(default)]
        msg: String,
        /// `x-ogw-ratelimit-reset`, seconds.
        #[serde(default)]
        reset_s: Option<u64>,
    },
    /// A page of HTML, as gateways write.
    Html {
        /// HTTP status.
        status: u16,
    },
    /// Code 0 and `"data": null`.
    NullData,
    /// No answer, ever.
    Hang,
    /// The proper answer, late.
    Slow {
        /// By how much.
        ms: u64,
    },
    /// The connection is cut before an answer.
    Cut,
}

/// Bytes no client should trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Malformed {
    /// Random bytes in a binary message.
    Garbage,
    /// A frame without `LogID`.
    MissingRequired,
    /// `seq` is not below `sum`.
    SeqOutOfRange,
    /// `sum` is not a number.
    SumNotANumber,
    /// Two parts of one message disagree about `sum`.
    SumChanges,
    /// A text message.
    Text,
    /// A frame whose method is neither control nor data.
    UnknownMethod,
    /// An old-style card callback.
    TypeCard,
    /// A data frame of a type nobody knows.
    UnknownType,
    /// An event whose payload is not UTF-8.
    NotUtf8,
    /// An event whose payload is not JSON.
    NotJson,
    /// An event of 2 MiB.
    Large,
    /// A protocol ping from the server.
    Ping,
    /// A WebSocket ping from the server.
    WsPing,
    /// A data frame without any header.
    NoHeaders,
}

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) offline: bool,
    pub(crate) no_pong: bool,
    pub(crate) no_ws_pong: bool,
    pub(crate) fragment: Option<FragmentRule>,
    pub(crate) online_count: Option<u32>,
    pub(crate) clock_skew_s: i64,
    armed: Vec<(Fault, u32)>,
}

/// How payloads are cut into parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentRule {
    pub(crate) bytes: usize,
    pub(crate) shuffle: bool,
    pub(crate) duplicate: bool,
}

impl Faults {
    /// Arms a fault for a number of occasions.
    pub(crate) fn arm(&mut self, fault: Fault, times: u32) {
        if times > 0 {
            self.armed.push((fault, times));
        }
    }

    /// What is in force now, for people.
    pub(crate) fn describe(&self) -> Value {
        let armed: Vec<_> = self
            .armed
            .iter()
            .map(|(fault, left)| serde_json::json!({"fault": fault, "left": left}))
            .collect();
        serde_json::json!({
            "offline": self.offline,
            "no_pong": self.no_pong,
            "no_ws_pong": self.no_ws_pong,
            "fragment": self.fragment.map(|f| f.bytes),
            "armed": armed,
        })
    }

    /// Uses up one occasion of the oldest armed fault that `pick` wants.
    pub(crate) fn take<T>(&mut self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let (index, taken) =
            self.armed.iter().enumerate().find_map(|(i, (fault, _))| Some((i, pick(fault)?)))?;
        let left = &mut self.armed[index].1;
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.armed.remove(index);
        }
        Some(taken)
    }
}
