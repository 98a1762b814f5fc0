//! Faults that happen at once, and the arming of the others.

use bytes::Bytes;
use larkline_proto::frame::{Frame, Header, METHOD_DATA};
use larkline_proto::id::EventId;
use serde_json::{Value, json};

use crate::connection::{ConnId, Out};
use crate::delivery::NewEvent;
use crate::fault::{Fault, Faults, FragmentRule, Malformed};
use crate::platform::PlatformError;
use crate::world::World;
use crate::ws;

/// Payload of [`Malformed::Large`].
const LARGE_BYTES: usize = 2 * 1024 * 1024;

impl World {
    pub(crate) fn inject(&mut self, now_ms: u64, fault: Fault) -> Result<(), PlatformError> {
        match fault {
            Fault::HalfOpen => self.order_all(|| Out::Freeze),
            Fault::Rst => self.order_all(|| Out::Reset),
            Fault::Close { code, reason } => {
                let frame = ws::close(code, &reason);
                self.order_all(|| {
                    Out::Close(frame.clone(), format!("closed by fault with {code}"))
                });
            }
            Fault::Malformed { shape } => self.send_malformed(shape),
            Fault::RevokeTokens => self.tokens.revoke_all(),
            Fault::Duplicate { event_id, new_event_id } => {
                return self.duplicate(now_ms, &event_id, new_event_id);
            }
            Fault::RedeliverNow => {
                for event in self.waiting(None) {
                    self.push(now_ms, &event);
                }
            }
            Fault::Offline => self.faults.offline = true,
            Fault::NoPong => self.faults.no_pong = true,
            Fault::NoWsPong => self.faults.no_ws_pong = true,
            Fault::Fragment { bytes, shuffle, duplicate } => {
                self.faults.fragment = Some(FragmentRule { bytes, shuffle, duplicate });
            }
            Fault::OnlineCount { count } => self.faults.online_count = Some(count),
            Fault::ClockSkew { seconds } => self.faults.clock_skew_s = seconds,
            Fault::Clear => self.faults = Faults::default(),
            Fault::RefuseHandshake { times, .. }
            | Fault::HangUpgrade { times }
            | Fault::PushWithUpgrade { times }
            | Fault::Endpoint { times, .. }
            | Fault::Api { times, .. }
            | Fault::LoseAnswer { times, .. }
            | Fault::PongConfig { times, .. }
            | Fault::DropAcks { times } => self.faults.arm(fault, times),
        }
        Ok(())
    }

    fn order_all(&self, order: impl Fn() -> Out) {
        for (id, conn) in &self.conns {
            if conn.tx.try_send(order()).is_err() {
                tracing::warn!(conn_id = %id, "the connection's queue is full; the fault does not reach it");
            }
        }
    }

    fn duplicate(
        &mut self,
        now_ms: u64,
        event_id: &EventId,
        new_id: bool,
    ) -> Result<(), PlatformError> {
        let (app, payload) = self
            .event_payload(event_id)
            .ok_or_else(|| PlatformError::unknown("event", event_id))?;
        if !new_id {
            self.push(now_ms, event_id);
            return Ok(());
        }
        let mut envelope: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let fresh = EventId::new(self.hex(32));
        envelope["header"]["event_id"] = json!(fresh);
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let event = NewEvent {
            app,
            event_id: fresh,
            kind: text(&envelope["header"]["event_type"]),
            message_id: envelope["event"]["message"]["message_id"].as_str().map(Into::into),
            payload: envelope.to_string().into(),
            callback: None,
        };
        self.publish(now_ms, event);
        Ok(())
    }

    fn send_malformed(&mut self, shape: Malformed) {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            let bytes = self.malformed(conn, shape);
            let sent = self.conns.get(&conn).map(|c| c.tx.try_send(Out::Bytes(bytes)));
            if matches!(sent, Some(Err(_))) {
                tracing::warn!(conn_id = %conn, "the connection's queue is full; the fault does not reach it");
            }
        }
    }

    fn malformed(&mut self, conn: ConnId, shape: Malformed) -> Bytes {
        let service = self.conns.get(&conn).map_or(0, |c| self.app(c.app).service_id);
        let id = if shape == Malformed::NoHeaders { String::new() } else { self.uuid() };
        self.deliveries.expect_ack(id.clone());
        let data = |headers: &[(&str, &str)], payload: Vec<u8>| Frame {
            seq_id: 1,
            log_id: 2,
            service,
            method: METHOD_DATA,
            headers: headers
                .iter()
                .map(|(k, v)| Header { key: (*k).to_owned(), value: (*v).to_owned() })
                .collect(),
            payload: Some(payload.into()),
            ..Frame::default()
        };
        let part = |sum: &str, seq: &str, payload: &[u8]| {
            let headers =
                [("type", "event"), ("message_id", id.as_str()), ("sum", sum), ("seq", seq)];
            ws::binary(data(&headers, payload.to_vec()).into_bytes())
        };
        match shape {
            Malformed::Garbage => {
                let mut bytes = vec![0; 64];
                self.rng.fill(&mut bytes);
                ws::binary(bytes)
            }
            // SeqID 0, service 1, method 0, type=pong; no LogID.
            Malformed::MissingRequired => {
                ws::binary(b"\x08\x00\x18\x01\x20\x00\x2a\x0c\x0a\x04type\x12\x04pong".to_vec())
            }
            Malformed::SeqOutOfRange => part("2", "7", b"{}"),
            Malformed::SumNotANumber => part("many", "0", b"{}"),
            Malformed::SumChanges => [part("3", "0", b"{"), part("2", "1", b"}")].concat().into(),
            Malformed::Text => ws::text("{\"type\":\"event\"}"),
            Malformed::UnknownMethod => {
                let frame = Frame { method: 7, ..data(&[("type", "event")], Vec::new()) };
                ws::binary(frame.into_bytes())
            }
            Malformed::TypeCard => {
                let headers =
                    [("type", "card"), ("message_id", id.as_str()), ("sum", "1"), ("seq", "0")];
                ws::binary(data(&headers, b"{\"open_id\":\"ou_1\"}".to_vec()).into_bytes())
            }
            Malformed::UnknownType => {
                let headers =
                    [("type", "novel"), ("message_id", id.as_str()), ("sum", "1"), ("seq", "0")];
                ws::binary(data(&headers, b"{}".to_vec()).into_bytes())
            }
            Malformed::NotUtf8 => part("1", "0", b"{\"schema\":\"2.0\",\"x\":\"\xff\xfe\"}"),
            Malformed::NotJson => part("1", "0", b"<html>"),
            Malformed::Large => part("1", "0", &vec![b' '; LARGE_BYTES]),
            Malformed::Ping => ws::binary(Frame::control(service, "ping", None).into_bytes()),
            Malformed::WsPing => ws::ping(),
            Malformed::NoHeaders => ws::binary(data(&[], b"{}".to_vec()).into_bytes()),
        }
    }
}
