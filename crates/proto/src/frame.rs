//! The `pbbp2.Frame` codec: one protobuf message in one WebSocket binary message.
//!
//! The schema is proto2: `SeqID`, `LogID`, `service` and `method` are *required* and are
//! written even when zero; a frame without them is refused. Fields are written in ascending
//! order, as every official SDK does, so that bytes can be compared. Reference: long
//! connection, section 3.

use bytes::Bytes;
use prost::Message;

/// Control frames: ping and pong.
pub const METHOD_CONTROL: i32 = 0;
/// Data frames: events, callbacks and their acknowledgements.
pub const METHOD_DATA: i32 = 1;

/// Largest WebSocket message accepted. The platform states no limit; the Node SDK allows
/// 100 MiB, Python 1 MiB. 16 MiB is what the reference asks a client to allow.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One header of a frame. Keys may repeat; the first match wins.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Header {
    /// Name, for example `type`.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Value, always text.
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// One frame, in either direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// 0 in pings; chosen by the server in data frames; echoed in the ack.
    pub seq_id: u64,
    /// All 64 bits count: an ack with a rounded id belongs to nobody.
    pub log_id: u64,
    /// The connection's `service_id` in pings; echoed in acks.
    pub service: i32,
    /// [`METHOD_CONTROL`], [`METHOD_DATA`], or a value to ignore.
    pub method: i32,
    /// In the order received; unknown keys are kept because the ack must carry them back.
    pub headers: Vec<Header>,
    /// Never seen set; echoed.
    pub payload_encoding: Option<String>,
    /// Never read; echoed.
    pub payload_type: Option<String>,
    /// JSON, or a part of it: a part may end inside a UTF-8 sequence.
    pub payload: Option<Bytes>,
    /// A textual log id; echoed.
    pub log_id_new: Option<String>,
}

/// The bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Not protobuf, or a field of the wrong wire type.
    #[error("the bytes are not a protobuf frame: {0}")]
    Malformed(String),
    /// A proto2 required field is absent.
    #[error("the frame lacks its required field {0}")]
    Missing(&'static str),
}

/// The wire form: `optional` on all four required numbers, so that an absent one can be told
/// from a zero, and a zero is written.
#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(uint64, optional, tag = "1")]
    seq_id: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    log_id: Option<u64>,
    #[prost(int32, optional, tag = "3")]
    service: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    method: Option<i32>,
    #[prost(message, repeated, tag = "5")]
    headers: Vec<Header>,
    #[prost(string, optional, tag = "6")]
    payload_encoding: Option<String>,
    #[prost(string, optional, tag = "7")]
    payload_type: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "8")]
    payload: Option<Bytes>,
    #[prost(string, optional, tag = "9")]
    log_id_new: Option<String>,
}

impl Frame {
    /// Decodes one WebSocket binary message. The payload shares the input's memory.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes are not protobuf or a required field is absent.
    pub fn decode(bytes: Bytes) -> Result<Self, FrameError> {
        let wire = Wire::decode(bytes).map_err(|e| FrameError::Malformed(e.to_string()))?;
        Ok(Self {
            seq_id: wire.seq_id.ok_or(FrameError::Missing("SeqID"))?,
            log_id: wire.log_id.ok_or(FrameError::Missing("LogID"))?,
            service: wire.service.ok_or(FrameError::Missing("service"))?,
            method: wire.method.ok_or(FrameError::Missing("method"))?,
            headers: wire.headers,
            payload_encoding: wire.payload_encoding,
            payload_type: wire.payload_type,
            payload: wire.payload,
            log_id_new: wire.log_id_new,
        })
    }

    /// Encodes into one WebSocket binary message, fields in ascending order.
    pub fn encode(&self) -> Vec<u8> {
        self.clone().into_wire().encode_to_vec()
    }

    /// Encodes without copying the headers first.
    pub fn into_bytes(self) -> Vec<u8> {
        self.into_wire().encode_to_vec()
    }

    /// The value of the first header with this key.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|h| h.key == key).map(|h| h.value.as_str())
    }

    /// A control frame (`ping` or `pong`) for the connection's service.
    pub fn control(service: i32, kind: &str, payload: Option<Bytes>) -> Self {
        Self {
            service,
            method: METHOD_CONTROL,
            headers: vec![Header { key: "type".to_owned(), value: kind.to_owned() }],
            payload,
            ..Self::default()
        }
    }

    fn into_wire(self) -> Wire {
        Wire {
            seq_id: Some(self.seq_id),
            log_id: Some(self.log_id),
            service: Some(self.service),
            method: Some(self.method),
            headers: self.headers,
            payload_encoding: self.payload_encoding,
            payload_type: self.payload_type,
            payload: self.payload,
            log_id_new: self.log_id_new,
        }
    }
}
