//! Acks: matched by frame id, judged by what they bring back, settled by their code.
//!
//! Reference: long connection, 5.3. What an ack decides (done, again, given up) is carried out
//! by `delivery`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use larkline_proto::frame::Frame;
use larkline_proto::header::{BIZ_RT, MESSAGE_ID, SEQ};
use larkline_proto::id::EventId;
use serde_json::Value;

use crate::connection::ConnId;
use crate::delivery::{Pushed, part_of};
use crate::fault::Fault;
use crate::press::CallbackEnd;
use crate::world::World;

impl World {
    /// Takes an ack from a client.
    pub(crate) fn ack(&mut self, now_ms: u64, conn: ConnId, frame: &Frame) {
        if self.load_acked(now_ms, conn, frame) {
            return;
        }
        let id = frame.header(MESSAGE_ID).unwrap_or_default().to_owned();
        let Some(pushed) = self.deliveries.pushed.get_mut(&id) else {
            if self.deliveries.scripted.contains(&id) {
                return;
            }
            return self.violation(format!("connection {conn}: ack of unknown message {id:?}"));
        };
        if pushed.conn != conn {
            tracing::debug!(conn_id = %conn, frame = %id, "ack on another connection ignored");
            return;
        }
        if pushed.acked {
            return self.violation(format!("connection {conn}: second ack of message {id}"));
        }
        if self.faults.strikes(conn, |f| matches!(f, Fault::DropAcks { .. })) {
            return;
        }
        pushed.acked = true;
        let (event, late) = (pushed.event.clone(), pushed.expired);
        let (headers_echoed, ids_echoed) = echoed(pushed, frame);
        let (index, body) = (pushed.delivery, AckBody::read(frame));
        if let Some(stored) = self.deliveries.events.get(&event)
            && let Some(row) = self.ledger.events.get_mut(stored.row)
            && let Some(delivery) = row.deliveries.get_mut(index)
        {
            delivery.acked_ms = Some(now_ms);
            delivery.late = late;
            delivery.code = body.code;
            delivery.data.clone_from(&body.data);
            delivery.biz_rt = frame.header(BIZ_RT).map(str::to_owned);
            delivery.headers_echoed = headers_echoed;
            delivery.ids_echoed = ids_echoed;
        }
        if !headers_echoed {
            self.violation(format!("connection {conn}: ack of {id} does not echo the headers"));
        }
        if body.code.is_none() {
            self.violation(format!("connection {conn}: ack of {id} has no code"));
        }
        if !late {
            self.acked_in_time(now_ms, conn, &event, body);
        }
    }

    fn acked_in_time(&mut self, now_ms: u64, conn: ConnId, event: &EventId, body: AckBody) {
        let code = body.code.unwrap_or_default();
        let stored = self.deliveries.events.get_mut(event);
        if let Some(stored) = stored.filter(|s| s.is_callback) {
            let callback = stored.callback.take();
            if code == 200 && body.data.is_none() && !body.malformed {
                self.violation(format!(
                    "connection {conn}: callback {event} answered without data"
                ));
            }
            if let Some(callback) = callback {
                let end = CallbackEnd::Acked { code, data: body.data, malformed: body.malformed };
                self.end_callback(now_ms, event, callback, end);
            }
        }
        if code == 200 {
            self.settle(event, true);
        } else {
            self.failed(now_ms, event, || CallbackEnd::TimedOut);
        }
    }
}

/// The payload of an ack.
struct AckBody {
    code: Option<i64>,
    data: Option<Value>,
    malformed: bool,
}

impl AckBody {
    fn read(frame: &Frame) -> Self {
        let payload = frame.payload.as_deref().unwrap_or_default();
        let json: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = json.get("data").and_then(Value::as_str).filter(|t| !t.is_empty());
        let decoded = text.map(|t| {
            let bytes = BASE64_STANDARD.decode(t).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok()
        });
        Self {
            code: json.get("code").and_then(Value::as_i64),
            malformed: matches!(decoded, Some(None)),
            data: decoded.flatten(),
        }
    }
}

/// Whether an ack brings the headers back, and whether it brings the numbers back.
fn echoed(pushed: &Pushed, ack: &Frame) -> (bool, bool) {
    let seq = ack.header(SEQ).and_then(|s| s.parse().ok()).unwrap_or(usize::MAX);
    if seq >= pushed.parts {
        return (false, false);
    }
    let sent = part_of(&pushed.template, seq);
    let headers = ack.headers.iter().filter(|h| h.key != BIZ_RT);
    let ids = ack.seq_id == sent.seq_id
        && ack.log_id == sent.log_id
        && ack.service == sent.service
        && ack.payload_encoding == sent.payload_encoding
        && ack.payload_type == sent.payload_type
        && ack.log_id_new == sent.log_id_new;
    (headers.eq(sent.headers.iter()), ids)
}
