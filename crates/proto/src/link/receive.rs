//! Frames from the server, and the answers to them.

use std::time::Instant;

use bytes::Bytes;

use super::ack::{AckToken, Answer};
use super::io::{Delivered, LinkEnd, Output};
use super::note::{Note, State};
use super::{CLOSE_NORMAL, Link};
use crate::frame::{Frame, METHOD_CONTROL, METHOD_DATA};
use crate::header::{DataHeaders, DataKind, TYPE};
use crate::settings::Merge;

/// Most bytes of all headers of a data frame, which are kept until its answer; real ones are
/// below 300.
const HEADER_BYTES_MAX: usize = 8 * 1024;

impl Link {
    pub(super) fn receive(&mut self, now: Instant, bytes: Bytes) {
        // A closing link takes nothing more: what it does not ack comes again, elsewhere.
        if !self.is_open() {
            return;
        }
        self.counters.frames += 1;
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                self.heard(now);
                return self.malformed("frame", error.to_string());
            }
        };
        self.verify(now);
        self.heard_service(now);
        match frame.method {
            METHOD_CONTROL => self.receive_control(now, &frame),
            METHOD_DATA => self.receive_data(now, frame),
            _ => self.counters.unknown_methods += 1,
        }
    }

    pub(super) fn receive_text(&mut self, now: Instant) {
        if self.is_open() {
            self.heard(now);
            self.malformed("text", "a text message; the protocol sends binary ones".to_owned());
        }
    }

    pub(super) fn answer(&mut self, now: Instant, token: AckToken, answer: &Answer) {
        let sent = self.connection.as_mut().and_then(|c| c.acks.settle(now, token, answer));
        if let Some(bytes) = sent {
            self.counters.acked += 1;
            self.outputs.push_back(Output::Send(bytes));
            self.close_when_drained();
        } else {
            self.counters.late_acks += 1;
        }
    }

    pub(super) fn shed(&mut self, token: AckToken) {
        if self.connection.as_mut().is_some_and(|c| c.acks.forget(token)) {
            self.counters.shed += 1;
            self.close_when_drained();
        }
    }

    /// Reports what a merge of the server's settings found.
    pub(super) fn note_merge(&mut self, merge: Merge) {
        if !merge.ignored.is_empty() {
            self.note(Note::SettingsIgnored { fields: merge.ignored });
        }
        if merge.changed {
            let ping_interval = self.settings.ping_interval;
            self.note(Note::SettingsChanged { ping_interval, clamped: merge.clamped });
        }
    }

    fn receive_control(&mut self, now: Instant, frame: &Frame) {
        // A server's ping is answered by no official client, and unknown types are ignored.
        if frame.header(TYPE) != Some("pong") {
            return;
        }
        self.pong(now);
        let Some(payload) = frame.payload.as_ref().filter(|payload| !payload.is_empty()) else {
            return;
        };
        match self.settings.merge_json(payload, self.config.ping_bounds) {
            Ok(merge) => self.note_merge(merge),
            Err(_) => self.note(Note::SettingsIgnored { fields: Vec::new() }),
        }
    }

    fn receive_data(&mut self, now: Instant, mut frame: Frame) {
        let headers = match DataHeaders::read(&frame) {
            Ok(headers) => headers,
            Err(error) => return self.malformed("header", error.to_string()),
        };
        let header_bytes: usize = frame.headers.iter().map(|h| h.key.len() + h.value.len()).sum();
        if header_bytes > HEADER_BYTES_MAX {
            let detail = format!("{header_bytes} bytes of headers; at most {HEADER_BYTES_MAX}");
            return self.malformed("headers_too_large", detail);
        }
        let Some(connection) = self.connection.as_mut() else { return };
        self.counters.parts_expired += connection.reassembly.expire(now);
        let part = frame.payload.take().unwrap_or_default();
        let payload = match connection.reassembly.accept(now, &headers, part) {
            Ok(Some(payload)) => payload,
            Ok(None) => return,
            Err(error) => return self.malformed(error.code(), error.to_string()),
        };
        let (ack, forgot) = connection.acks.admit(now, frame);
        self.counters.forgotten += u64::from(forgot);
        self.counters.delivered += 1;
        if headers.kind == DataKind::Card {
            self.counters.old_cards += 1;
            self.note(Note::OldCard);
        }
        self.outputs.push_back(Output::Deliver(Delivered {
            ack,
            kind: headers.kind,
            payload,
            frame_message_id: headers.message_id,
            trace_id: headers.trace_id,
        }));
    }

    fn malformed(&mut self, code: &'static str, detail: String) {
        self.counters.malformed += 1;
        self.note(Note::Malformed { code, detail });
    }

    fn close_when_drained(&mut self) {
        let drained = self.connection.as_ref().is_none_or(|c| c.acks.len() == 0);
        if self.state == State::Closing && drained {
            self.stop(LinkEnd::Closed, Some(CLOSE_NORMAL));
        }
    }
}
