//! Faults that happen at once, and the arming of the others.

use bytes::Bytes;
use larkline_proto::frame::{Frame, Header, METHOD_DATA};
use larkline_proto::id::EventId;
use serde_json::{Value, json};

use crate::armed::{Deaf, FragmentRule, Replay, Scope};
use crate::connection::{ConnId, Out};
use crate::delivery::NewEvent;
use crate::fault::{Fault, Malformed};
use crate::platform::PlatformError;
use crate::world::World;
use crate::ws;

/// Payload of [`Malformed::Large`].
const LARGE_BYTES: usize = 2 * 1024 * 1024;

impl World {
    pub(crate) fn inject(&mut self, now_ms: u64, fault: Fault) -> Result<(), PlatformError> {
        self.inject_on(now_ms, fault, Scope::default())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other fault is asked for its occasions"
    )]
    fn inject_on(&mut self, now_ms: u64, fault: Fault, scope: Scope) -> Result<(), PlatformError> {
        match fault {
            Fault::On { conn, fault } => {
                let known = self.conns.keys().find(|id| id.to_string() == conn).copied();
                let conn = known.ok_or_else(|| PlatformError::unknown("connection", conn))?;
                return self.inject_on(now_ms, *fault, Scope { conn: Some(conn), ..scope });
            }
            Fault::Chance { probability, times, fault } => {
                if !(0.0..=1.0).contains(&probability) {
                    let text = "the probability of a fault lies from 0 to 1".to_owned();
                    return Err(PlatformError::Refused(text));
                }
                let (probability, times) = (Some(probability), Some(times));
                return self.inject_on(now_ms, *fault, Scope { probability, times, ..scope });
            }
            fault => match fault.times() {
                Some(times) => self.faults.arm(fault, scope.times.unwrap_or(times), scope),
                None if scope.probability.is_some() => {
                    let text = "only a fault that waits for an occasion can come by chance";
                    return Err(PlatformError::Refused(text.to_owned()));
                }
                None => return self.strike(now_ms, fault, scope.conn),
            },
        }
        Ok(())
    }

    /// What happens at once, and the switches.
    fn strike(
        &mut self,
        now_ms: u64,
        fault: Fault,
        conn: Option<ConnId>,
    ) -> Result<(), PlatformError> {
        match (fault, conn) {
            (Fault::HalfOpen, conn) => self.order(conn, || Out::Freeze),
            (Fault::Rst, conn) => self.order(conn, || Out::Reset),
            (Fault::Close { code, reason }, conn) => {
                let frame = ws::close(code, &reason);
                let why = format!("closed by fault with {code}");
                self.order(conn, || Out::Close(frame.clone(), why.clone()));
            }
            (Fault::Malformed { shape }, conn) => self.send_malformed(shape, conn),
            (Fault::NoPong, Some(conn)) => {
                self.faults.no_pong_on.insert(conn);
            }
            (Fault::NoWsPong, Some(conn)) => {
                self.faults.no_ws_pong_on.insert(conn);
            }
            (_, Some(_)) => {
                let text = "this fault is no matter of one connection".to_owned();
                return Err(PlatformError::Refused(text));
            }
            (Fault::RevokeTokens, None) => self.tokens.revoke_all(),
            (Fault::Duplicate { event_id, new_event_id }, None) => {
                return self.duplicate(now_ms, &event_id, new_event_id);
            }
            (Fault::RedeliverNow, None) => {
                for event in self.waiting(None) {
                    self.push(now_ms, &event);
                }
            }
            (switch, None) => self.switch(now_ms, switch),
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is no switch never comes here")]
    fn switch(&mut self, now_ms: u64, fault: Fault) {
        let faults = &mut self.faults;
        match fault {
            Fault::Offline => faults.offline = true,
            Fault::NoPong => faults.no_pong = true,
            Fault::NoWsPong => faults.no_ws_pong = true,
            Fault::Fragment { bytes, shuffle, duplicate } => {
                faults.fragment = Some(FragmentRule { bytes, shuffle, duplicate });
            }
            Fault::OnlineCount { count } => faults.online_count = Some(count),
            Fault::ClockSkew { seconds } => faults.clock_skew_s = seconds,
            Fault::Deaf { stolen } => {
                faults.deaf = Some(if stolen { Deaf::Stolen } else { Deaf::Lost });
            }
            Fault::Reorder { window } => faults.reorder = Some(window),
            Fault::ReplayOnConnect { ms, new_event_id } => {
                faults.replay = Some(Replay { ms, new_event_id });
            }
            Fault::Quota { left } => faults.quota = Some(left),
            // Clear; everything else has been dealt with.
            _ => {
                faults.clear();
                self.release(now_ms);
            }
        }
    }

    /// Gives an order to one connection, or to all.
    fn order(&self, conn: Option<ConnId>, order: impl Fn() -> Out) {
        for (id, known) in self.conns.iter().filter(|(id, _)| conn.is_none_or(|c| c == **id)) {
            if known.tx.try_send(order()).is_err() {
                tracing::warn!(conn_id = %id, "the connection's queue is full; the fault does not reach it");
            }
        }
    }

    pub(crate) fn duplicate(
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

    fn send_malformed(&mut self, shape: Malformed, only: Option<ConnId>) {
        let conns: Vec<ConnId> =
            self.conns.keys().copied().filter(|id| only.is_none_or(|o| o == *id)).collect();
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
