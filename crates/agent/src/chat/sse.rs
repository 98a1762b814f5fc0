//! Server-sent events: bytes cut anywhere in, the data of events out.
//!
//! Names and ids of events are not read: nothing depends on them here.

use serde::de::IgnoredAny;

/// The longest line, and the most data of one event, bytes. A piece of an answer has a few hundred.
pub(super) const EVENT_MAX: usize = 1 << 20;
/// What is kept of lines that are no events, bytes: a page of an error, in the place of a stream.
const STRAY_MAX: usize = 4 << 10;

/// A line or an event is longer than any can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// What has come of a stream and is no event yet.
#[derive(Default)]
pub(super) struct Sse {
    line: Vec<u8>,
    /// The data of an event whose first line was not the whole of it.
    data: String,
    stray: String,
    begun: bool,
}

impl Sse {
    /// Takes bytes up to the end of an event and gives its data; `None` when there are no more. What
    /// comes after an event is left for the next call: it may have been the last one.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<String>, TooLong> {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            let (piece, rest) = bytes.split_at(end);
            *bytes = rest;
            if self.line.len() + piece.len() > EVENT_MAX {
                return Err(TooLong);
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n")
                && let Some(event) = self.completed()?
            {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// There are no more bytes: what has come counts, as some servers leave the last line feeds out.
    pub(super) fn end(&mut self) -> Result<Option<String>, TooLong> {
        // The beginning of a field's name says nothing, not even that this is no stream.
        let event = if b"data".starts_with(&self.line) { None } else { self.completed()? };
        Ok(event.or_else(|| self.dispatched()))
    }

    /// The beginning of what came and was no event.
    pub(super) fn stray(&self) -> &str {
        &self.stray
    }

    fn completed(&mut self) -> Result<Option<String>, TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let mut line = text.trim_end_matches(['\n', '\r']);
        if !std::mem::replace(&mut self.begun, true) {
            line = line.trim_start_matches('\u{feff}');
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "data" => return self.data(value.strip_prefix(' ').unwrap_or(value)),
            "" if line.is_empty() => return Ok(self.dispatched()),
            // A comment, which keeps the connection awake, and fields that are not read.
            "" | "event" | "id" | "retry" => {}
            _ if self.stray.len() + line.len() < STRAY_MAX => {
                self.stray.push_str(line);
                self.stray.push('\n');
            }
            _ => {}
        }
        Ok(None)
    }

    /// A line that is whole by itself is an event at once, as some servers leave the empty line
    /// out; others are joined until it comes.
    fn data(&mut self, value: &str) -> Result<Option<String>, TooLong> {
        if self.data.is_empty() {
            if value == "[DONE]" || serde_json::from_str::<IgnoredAny>(value).is_ok() {
                return Ok(Some(value.to_owned()));
            }
        } else {
            self.data.push('\n');
        }
        if self.data.len() + value.len() > EVENT_MAX {
            return Err(TooLong);
        }
        self.data.push_str(value);
        Ok(None)
    }

    fn dispatched(&mut self) -> Option<String> {
        (!self.data.is_empty()).then(|| std::mem::take(&mut self.data))
    }
}
