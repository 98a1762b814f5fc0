//! Parts of one message, put together again.
//!
//! A part may end inside a UTF-8 sequence, so only bytes are joined here. Everything is
//! bounded, because the ids, the sums and the order come from the network. A message that
//! finds no room or loses a part is simply not acknowledged: the platform sends it again.
//! Recognising redelivered *events* is not done here; the store does that. Reference: long
//! connection, section 5.1.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::header::DataHeaders;

/// Bounds of what is held for unfinished messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReassemblyLimits {
    /// Age, counted from the part that came in before the others, at which a message is forgotten.
    pub ttl: Duration,
    /// Most parts of one message.
    pub parts_max: u32,
    /// Most unfinished messages.
    pub messages_max: usize,
    /// Most bytes of all unfinished messages, ids included.
    pub bytes_max: usize,
}

impl Default for ReassemblyLimits {
    /// 10 s and 1 024 parts as the reference recommends; 256 messages is above what the
    /// platform keeps in flight for one link; 32 MiB is twice the largest frame.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(10),
            parts_max: 1024,
            messages_max: 256,
            bytes_max: 32 * 1024 * 1024,
        }
    }
}

/// A part that cannot be used. It is dropped and its message gets no ack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// Without an id, parts of two messages cannot be told apart.
    #[error("a part of a split message carries no message_id")]
    NoMessageId,
    /// More parts than allowed.
    #[error("the message claims {sum} parts; at most {max} are accepted")]
    TooManyParts {
        /// The part's `sum`.
        sum: u32,
        /// The limit.
        max: u32,
    },
    /// `seq` is not below `sum`.
    #[error("part {seq} of {sum} does not exist; parts count from 0")]
    SeqOutOfRange {
        /// The part's index.
        seq: u32,
        /// Its number of parts.
        sum: u32,
    },
    /// `sum` differs from the one the message began with.
    #[error("the message began with {expected} parts and now claims {sum}")]
    SumChanged {
        /// The sum the message began with.
        expected: u32,
        /// This part's sum.
        sum: u32,
    },
    /// No room for one more unfinished message.
    #[error("{max} messages are unfinished already; the platform will send this one again")]
    TooManyMessages {
        /// The limit.
        max: usize,
    },
    /// No room for the bytes. The whole message is forgotten.
    #[error("unfinished messages would exceed {max} bytes; the platform will send this one again")]
    TooManyBytes {
        /// The limit.
        max: usize,
    },
}

impl PartError {
    /// A stable code for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoMessageId => "part_no_id",
            Self::TooManyParts { .. } => "part_sum_too_large",
            Self::SeqOutOfRange { .. } => "part_seq_out_of_range",
            Self::SumChanged { .. } => "part_sum_changed",
            Self::TooManyMessages { .. } => "part_messages_full",
            Self::TooManyBytes { .. } => "part_bytes_full",
        }
    }
}

struct Unfinished {
    expires: Instant,
    sum: u32,
    parts: BTreeMap<u32, Bytes>,
    bytes: usize,
}

/// Holds the parts of unfinished messages.
pub struct Reassembler {
    limits: ReassemblyLimits,
    unfinished: BTreeMap<String, Unfinished>,
    bytes: usize,
}

impl Reassembler {
    /// Creates an empty one.
    pub fn new(limits: ReassemblyLimits) -> Self {
        Self { limits, unfinished: BTreeMap::new(), bytes: 0 }
    }

    /// Takes one part and returns the payload when it was the last one missing. An unsplit
    /// message (`sum` 0 or 1) passes straight through, whatever its `seq`; a part that came
    /// before replaces its predecessor.
    ///
    /// # Errors
    /// [`PartError`] when the part is refused; what was held stays, except after
    /// [`PartError::TooManyBytes`].
    pub fn accept(
        &mut self,
        now: Instant,
        headers: &DataHeaders,
        payload: Bytes,
    ) -> Result<Option<Bytes>, PartError> {
        if headers.sum <= 1 {
            return Ok(Some(payload));
        }
        self.expire(now);
        self.check(headers)?;
        let id = &headers.message_id;
        if !self.unfinished.contains_key(id) && self.unfinished.len() >= self.limits.messages_max {
            return Err(PartError::TooManyMessages { max: self.limits.messages_max });
        }
        let replaced = self.held(id, headers.seq);
        let added = payload.len() + if self.unfinished.contains_key(id) { 0 } else { id.len() };
        if self.bytes - replaced + added > self.limits.bytes_max {
            self.forget(id);
            return Err(PartError::TooManyBytes { max: self.limits.bytes_max });
        }
        let message = self.unfinished.entry(id.clone()).or_insert_with(|| Unfinished {
            expires: now + self.limits.ttl,
            sum: headers.sum,
            parts: BTreeMap::new(),
            bytes: 0,
        });
        // A copy, because a slice would keep its whole frame alive, headers and all, and the
        // byte count would be a lie.
        message.parts.insert(headers.seq, Bytes::copy_from_slice(&payload));
        message.bytes = message.bytes - replaced + added;
        self.bytes = self.bytes - replaced + added;
        if message.parts.len() < message.sum as usize {
            return Ok(None);
        }
        let parts = self.forget(id).map(|whole| whole.parts.into_values().collect::<Vec<_>>());
        Ok(parts.map(|parts| Bytes::from(parts.concat())))
    }

    /// Forgets messages past their time and returns how many.
    pub fn expire(&mut self, now: Instant) -> u64 {
        let before = self.unfinished.len();
        let bytes = &mut self.bytes;
        self.unfinished.retain(|_, message| {
            let keep = now < message.expires;
            if !keep {
                *bytes -= message.bytes;
            }
            keep
        });
        (before - self.unfinished.len()) as u64
    }

    /// When [`Self::expire`] has work next.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.unfinished.values().map(|message| message.expires).min()
    }

    /// Bytes held for unfinished messages.
    pub fn bytes_held(&self) -> usize {
        self.bytes
    }

    /// Number of unfinished messages.
    pub fn messages_held(&self) -> usize {
        self.unfinished.len()
    }

    fn check(&self, headers: &DataHeaders) -> Result<(), PartError> {
        let DataHeaders { sum, seq, .. } = *headers;
        if headers.message_id.is_empty() {
            return Err(PartError::NoMessageId);
        }
        if sum > self.limits.parts_max {
            return Err(PartError::TooManyParts { sum, max: self.limits.parts_max });
        }
        if seq >= sum {
            return Err(PartError::SeqOutOfRange { seq, sum });
        }
        match self.unfinished.get(&headers.message_id) {
            Some(message) if message.sum != sum => {
                Err(PartError::SumChanged { expected: message.sum, sum })
            }
            _ => Ok(()),
        }
    }

    fn held(&self, id: &str, seq: u32) -> usize {
        self.unfinished.get(id).and_then(|message| message.parts.get(&seq)).map_or(0, Bytes::len)
    }

    fn forget(&mut self, id: &str) -> Option<Unfinished> {
        let message = self.unfinished.remove(id)?;
        self.bytes -= message.bytes;
        Some(message)
    }
}
