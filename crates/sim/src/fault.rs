//! Everything that can be made to go wrong, as data: a test or `POST /_sim/fault` injects one.
//!
//! Three sorts. *At once*: it happens to the connections that are live now. *Switches*: stay
//! until [`Fault::Clear`]. *Armed*: the next `times` occasions get it, then it is spent. Two forms
//! wrap another fault: [`Fault::On`] for one connection, [`Fault::Chance`] for some occasions.

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
    /// Switch: connections live and pong, and no event arrives.
    Deaf {
        /// Another instance of the app takes and acknowledges them; else they are lost.
        #[serde(default)]
        stolen: bool,
    },
    /// Switch: pushes wait for each other and leave in random order.
    Reorder {
        /// How many change places.
        #[serde(default = "few")]
        window: usize,
    },
    /// Switch: a new connection gets events of the recent past again.
    ReplayOnConnect {
        /// How far back.
        ms: u64,
        /// The same messages under new event ids.
        #[serde(default)]
        new_event_id: bool,
    },
    /// Switch: the month's quota; after so many calls every API answers 99991403.
    Quota {
        /// Calls left.
        left: u64,
    },
    /// Armed: an event is lost on its way to the client, and comes again by the schedule.
    DropPush {
        /// How many pushes.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: an event is pushed two times.
    DuplicatePush {
        /// How many pushes.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: the connection is reset when the event has left, before its ack can come.
    CutOnPush {
        /// How many pushes.
        #[serde(default = "once")]
        times: u32,
    },
    /// Armed: the settings in the answer of discovery.
    EndpointConfig {
        /// Any JSON: partial, absurd, null.
        json: Value,
        /// How many requests.
        #[serde(default = "once")]
        times: u32,
    },
    /// Another fault, for one connection: its id is in the ledger.
    On {
        /// The connection's `device_id`.
        conn: String,
        /// Which fault.
        fault: Box<Self>,
    },
    /// An armed fault that comes by chance.
    Chance {
        /// From 0 to 1, rolled at each occasion.
        probability: f64,
        /// How often it may strike; without end when absent.
        #[serde(default = "always")]
        times: u32,
        /// Which fault; its own `times` does not count.
        fault: Box<Self>,
    },
    /// Ends every switch and disarms everything.
    Clear,
}

fn few() -> usize {
    4
}

fn always() -> u32 {
    u32::MAX
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

impl Fault {
    /// For how many occasions a fault is armed; `None` for those that wait for none.
    pub(crate) fn times(&self) -> Option<u32> {
        match self {
            Self::RefuseHandshake { times, .. }
            | Self::HangUpgrade { times }
            | Self::PushWithUpgrade { times }
            | Self::Endpoint { times, .. }
            | Self::EndpointConfig { times, .. }
            | Self::Api { times, .. }
            | Self::LoseAnswer { times, .. }
            | Self::PongConfig { times, .. }
            | Self::DropAcks { times }
            | Self::DropPush { times }
            | Self::DuplicatePush { times }
            | Self::CutOnPush { times } => Some(*times),
            Self::HalfOpen
            | Self::Rst
            | Self::Close { .. }
            | Self::Malformed { .. }
            | Self::RevokeTokens
            | Self::Duplicate { .. }
            | Self::RedeliverNow
            | Self::Offline
            | Self::NoPong
            | Self::NoWsPong
            | Self::Fragment { .. }
            | Self::OnlineCount { .. }
            | Self::ClockSkew { .. }
            | Self::Deaf { .. }
            | Self::Reorder { .. }
            | Self::ReplayOnConnect { .. }
            | Self::Quota { .. }
            | Self::On { .. }
            | Self::Chance { .. }
            | Self::Clear => None,
        }
    }
}
