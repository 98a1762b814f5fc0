//! The typed view of a data frame's headers.

use crate::frame::Frame;

/// Header key of the kind of frame.
pub const TYPE: &str = "type";
/// Header key of the logical message, shared by its parts.
pub const MESSAGE_ID: &str = "message_id";
/// Header key of the number of parts.
pub const SUM: &str = "sum";
/// Header key of this part's index, from 0.
pub const SEQ: &str = "seq";
/// Header key of the trace id, seen equal to the event id.
pub const TRACE_ID: &str = "trace_id";
/// Header key of the handler's milliseconds, appended in the ack.
pub const BIZ_RT: &str = "biz_rt";

/// What a data frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Events, and callbacks of the new style.
    Event,
    /// An old-style card callback: the console's configuration is wrong or unpublished.
    Card,
    /// A kind this version does not know; kept verbatim.
    Other(String),
}

impl DataKind {
    /// The header's text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Event => "event",
            Self::Card => "card",
            Self::Other(kind) => kind,
        }
    }
}

impl From<&str> for DataKind {
    fn from(kind: &str) -> Self {
        match kind {
            "event" => Self::Event,
            "card" => Self::Card,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Headers of a data frame; a missing `sum` reads as 1 and a missing `seq` as 0, as the
/// reference recommends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataHeaders {
    /// What the frame carries.
    pub kind: DataKind,
    /// Id of the logical message; empty when the server sent none.
    pub message_id: String,
    /// Number of parts.
    pub sum: u32,
    /// This part's index.
    pub seq: u32,
    /// Trace id, when present.
    pub trace_id: Option<String>,
}

/// `sum` or `seq` is present and is not a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame's {header} header is not a number: {value:?}")]
pub struct HeaderError {
    /// Which header.
    pub header: &'static str,
    /// Its text, cut to 32 characters.
    pub value: String,
}

impl DataHeaders {
    /// Reads the headers of a data frame.
    ///
    /// # Errors
    /// [`HeaderError`] when `sum` or `seq` is not a number.
    pub fn read(frame: &Frame) -> Result<Self, HeaderError> {
        Ok(Self {
            kind: frame.header(TYPE).map_or_else(|| DataKind::Other(String::new()), DataKind::from),
            message_id: frame.header(MESSAGE_ID).unwrap_or_default().to_owned(),
            sum: number(frame, SUM, 1)?,
            seq: number(frame, SEQ, 0)?,
            trace_id: frame.header(TRACE_ID).map(str::to_owned),
        })
    }
}

fn number(frame: &Frame, header: &'static str, absent: u32) -> Result<u32, HeaderError> {
    frame.header(header).map_or(Ok(absent), |text| {
        text.parse().map_err(|_| HeaderError { header, value: text.chars().take(32).collect() })
    })
}
