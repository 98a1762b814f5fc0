//! The upgrade by hand: tickets, limits, refusals, and events in the same segment as the 101.
//!
//! Reference: long connection, section 2.

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::connection::{ConnId, Out};
use crate::delivery::Conn;
use crate::fault::Fault;
use crate::ledger::ConnectionRow;
use crate::stream::Head;
use crate::world::World;

/// Frames waiting for a slow client; more than this and the platform lets them go, to be
/// redelivered. 8192 events of 2 KB are 16 MB.
const QUEUE_FRAMES_MAX: usize = 8_192;

/// What a handshake leads to.
pub(crate) enum Handshake {
    Accepted { id: ConnId, orders: mpsc::Receiver<Out>, bytes: BytesMut },
    Refused(String),
    Hang,
}
/// Reads a handshake and decides.
pub(crate) fn handshake(world: &mut World, now_ms: u64, head: &Head) -> Handshake {
    let log_id = world.log_id(now_ms);
    if world.faults.take(|f| matches!(f, Fault::HangUpgrade { .. }).then_some(())).is_some() {
        world.log_call(now_ms, head, 0, None, &log_id);
        return Handshake::Hang;
    }
    let ticket = head.query("ticket").unwrap_or_default();
    let refusal = refusal(world, &ticket);
    let key = head.header("sec-websocket-key");
    let upgrades = key.is_some() && head.header("sec-websocket-version") == Some("13");
    let refusal = refusal.or_else(|| {
        (!upgrades).then(|| Refusal::new(400, None, None, Some("not a WebSocket handshake")))
    });
    let status = refusal.as_ref().map_or(101, |r| r.status);
    world.log_call(now_ms, head, status, None, &log_id);
    if let Some(refusal) = refusal {
        return Handshake::Refused(refusal.response());
    }
    let Some(known) = world.tickets.get_mut(&ticket) else { return Handshake::Hang };
    known.used = true;
    let (id, app) = (known.conn, known.app);
    let (tx, orders) = mpsc::channel(QUEUE_FRAMES_MAX);
    let row = ConnectionRow {
        id: id.to_string(),
        app_id: world.app_id(app),
        opened_ms: now_ms,
        ..ConnectionRow::default()
    };
    let row = world.ledger.connections.push(row, world.options.ledger_rows_max);
    world.conns.insert(id, Conn { app, tx, row });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let mut bytes = BytesMut::from(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .as_str(),
    );
    if world.faults.take(|f| matches!(f, Fault::PushWithUpgrade { .. }).then_some(())).is_some() {
        for event in world.waiting(Some(app)) {
            for frame in world.push_frames(now_ms, &event, id) {
                bytes.extend_from_slice(&frame);
            }
        }
    }
    world.replay(now_ms, app);
    Handshake::Accepted { id, orders, bytes }
}

/// The headers and status of a refused handshake.
#[derive(Clone)]
struct Refusal {
    status: u16,
    handshake_status: Option<i64>,
    autherrcode: Option<i64>,
    msg: Option<String>,
}

impl Refusal {
    fn new(
        status: u16,
        handshake_status: Option<i64>,
        autherrcode: Option<i64>,
        msg: Option<&str>,
    ) -> Self {
        Self { status, handshake_status, autherrcode, msg: msg.map(str::to_owned) }
    }

    fn response(&self) -> String {
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|s| s.canonical_reason())
            .unwrap_or("Refused");
        let mut response = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        let headers = [
            ("Handshake-Status", self.handshake_status.map(|n| n.to_string())),
            ("Handshake-Autherrcode", self.autherrcode.map(|n| n.to_string())),
            ("Handshake-Msg", self.msg.clone()),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                response.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        response.push_str("Content-Length: 0\r\nConnection: close\r\n\r\n");
        response
    }
}

fn refusal(world: &mut World, ticket: &str) -> Option<Refusal> {
    let fault = world.faults.take(|f| {
        let Fault::RefuseHandshake { status, handshake_status, autherrcode, msg, .. } = f else {
            return None;
        };
        Some(Refusal::new(*status, *handshake_status, *autherrcode, msg.as_deref()))
    });
    if fault.is_some() {
        return fault;
    }
    let Some(known) = world.tickets.get(ticket) else {
        return Some(Refusal::new(400, Some(514), Some(1_000_040_345), Some("unknown ticket")));
    };
    let (app, used) = (known.app, known.used);
    if used {
        world.violation("a ticket was used twice".to_owned());
        return Some(Refusal::new(400, Some(514), Some(1_000_040_345), Some("ticket used")));
    }
    let open = world.conns.values().filter(|c| c.app == app).count();
    (open >= world.options.limits.connections)
        .then(|| Refusal::new(400, Some(514), Some(1_000_040_350), Some("exceed connection limit")))
}
