//! What goes into a link and what comes out of it.

use std::time::Duration;

use bytes::Bytes;

use super::ack::{AckToken, Answer};
use super::note::{Failure, Fault, Note};
use crate::endpoint::{EndpointReply, TicketUrl};
use crate::header::DataKind;
use crate::refusal::Refusal;

/// One thing that happened. An input that does not fit the state (a dial result after the
/// dial was given up, say) is ignored.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Time passed. Carries the wall clock, in ms since 1970, to notice a machine's sleep.
    Tick {
        /// The wall clock.
        wall_ms: i64,
    },
    /// [`Output::Discover`] was answered.
    Discovered(EndpointReply<'a>),
    /// [`Output::Dial`] led to a WebSocket.
    Upgraded,
    /// [`Output::Dial`] was answered with something else than an upgrade.
    Refused(Refusal),
    /// Discovery, dial, or the open socket failed.
    Failed(Failure),
    /// A binary message.
    Binary(Bytes),
    /// A text message: no frame, so counted and skipped.
    Text,
    /// A WebSocket ping; the socket has answered it by itself.
    WsPing,
    /// A WebSocket pong.
    WsPong,
    /// The peer closed, with its code and reason if it gave them.
    Closed {
        /// The close code.
        code: Option<u16>,
        /// The close reason.
        reason: String,
    },
    /// A delivery was decided.
    Answer(AckToken, Answer),
    /// A delivery found no room; it gets no ack and the platform sends it again.
    Shed(AckToken),
    /// Something about the network changed: cut a wait short, or probe the open link.
    Wake,
    /// Give up the connection and make another now.
    Redial,
    /// Stop: take nothing more, let the answers under way out, close.
    Close,
}

/// One thing to do. Draining after each input ends with `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask for an endpoint; answer with [`Input::Discovered`] or [`Input::Failed`].
    Discover {
        /// How long it may take; the link gives up by itself then.
        timeout: Duration,
    },
    /// Dial; answer with [`Input::Upgraded`], [`Input::Refused`] or [`Input::Failed`].
    Dial {
        /// Where to.
        url: TicketUrl,
        /// How long it may take; the link gives up by itself then.
        timeout: Duration,
    },
    /// Send a binary message.
    Send(Vec<u8>),
    /// Send an empty WebSocket ping.
    SendWsPing,
    /// Drop the discovery, dial or socket under way, if any, before doing anything else. A
    /// code is sent in a close frame if that takes no longer than a moment.
    Hangup {
        /// The close code.
        code: Option<u16>,
    },
    /// Hand a message to its handler.
    Deliver(Delivered),
    /// Something worth a log line or a metric.
    Note(Note),
    /// The link is over; nothing follows.
    Stopped(LinkEnd),
}

/// One complete message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Answers this delivery.
    pub ack: AckToken,
    /// What it is.
    pub kind: DataKind,
    /// The joined payload, verbatim: usually JSON, promised by nobody.
    pub payload: Bytes,
    /// The frame's `message_id`, empty when absent.
    pub frame_message_id: String,
    /// The frame's `trace_id`.
    pub trace_id: Option<String>,
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEnd {
    /// It was asked to.
    Closed,
    /// The platform refused a link that never worked, in a way that waiting does not repair.
    Refused(Fault),
}
