//! Acknowledgements: the answer frame, and the ledger of deliveries that wait for one.
//!
//! An ack is the received frame (of a split message, the part that completed it) with its
//! payload replaced and `biz_rt` appended; everything else goes back unchanged, because the
//! platform routes the ack by headers no client reads. Reference: long connection, 5.3.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::frame::{Frame, Header};
use crate::header::BIZ_RT;

/// Code of a delivery that was taken over.
pub const CODE_OK: u16 = 200;
/// Code of a delivery that was not; the platform sends it again.
pub const CODE_FAILED: u16 = 500;

/// What a callback is answered with when there is nothing to say.
const NEUTRAL: &[u8] = b"{}";

/// Names one delivery on one connection. It dies with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckToken {
    pub(super) connection: u64,
    pub(super) delivery: u64,
}

/// The answer to one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// [`CODE_OK`], [`CODE_FAILED`], or another HTTP-like status.
    pub code: u16,
    /// JSON result of a callback, in plain text; sent base64-encoded. `None` for events.
    pub data: Option<Bytes>,
}

impl Answer {
    /// The event is safe.
    pub fn ok() -> Self {
        Self { code: CODE_OK, data: None }
    }

    /// The event is not safe: please send it again.
    pub fn failed() -> Self {
        Self { code: CODE_FAILED, data: None }
    }

    /// A callback's result. `null` becomes `{}`, because the platform shows its users an
    /// error for a null result.
    pub fn with_data(result: Bytes) -> Self {
        let nothing = matches!(result.trim_ascii(), b"" | b"null");
        Self {
            code: CODE_OK,
            data: Some(if nothing { Bytes::from_static(NEUTRAL) } else { result }),
        }
    }

    /// A callback that changes nothing: `{}`.
    pub fn neutral() -> Self {
        Self { code: CODE_OK, data: Some(Bytes::from_static(NEUTRAL)) }
    }
}

/// Turns a received frame into its ack; `took` is the time since it was received.
pub fn ack(mut frame: Frame, answer: &Answer, took: Duration) -> Frame {
    frame.headers.push(Header { key: BIZ_RT.to_owned(), value: took.as_millis().to_string() });
    let payload = answer.data.as_ref().map_or_else(
        || format!("{{\"code\":{}}}", answer.code),
        |data| format!("{{\"code\":{},\"data\":\"{}\"}}", answer.code, STANDARD.encode(data)),
    );
    frame.payload = Some(Bytes::from(payload));
    frame
}

struct Waiting {
    frame: Frame,
    received: Instant,
}

/// Deliveries of one connection that wait for their answer.
pub(super) struct AckLedger {
    connection: u64,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    waiting_max: usize,
}

impl AckLedger {
    pub(super) fn new(connection: u64, waiting_max: usize) -> Self {
        Self { connection, next: 0, waiting: BTreeMap::new(), waiting_max }
    }

    /// Keeps the frame, whose payload the caller has taken out, until its answer comes. Returns
    /// the token and whether the oldest delivery had to be forgotten for it.
    pub(super) fn admit(&mut self, now: Instant, frame: Frame) -> (AckToken, bool) {
        let full = self.waiting.len() >= self.waiting_max;
        if full {
            self.waiting.pop_first();
        }
        let delivery = self.next;
        self.next += 1;
        self.waiting.insert(delivery, Waiting { frame, received: now });
        (AckToken { connection: self.connection, delivery }, full)
    }

    /// The ack's bytes, or `None` when the token was answered before, forgotten, or belongs
    /// to an earlier connection.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        token: AckToken,
        answer: &Answer,
    ) -> Option<Vec<u8>> {
        let Waiting { frame, received } = self.take(token)?;
        Some(ack(frame, answer, now.saturating_duration_since(received)).into_bytes())
    }

    /// Forgets a delivery nobody took; it gets no ack.
    pub(super) fn forget(&mut self, token: AckToken) -> bool {
        self.take(token).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn take(&mut self, token: AckToken) -> Option<Waiting> {
        if token.connection == self.connection {
            self.waiting.remove(&token.delivery)
        } else {
            None
        }
    }
}
