//! One WebSocket of a client, frames until it ends.
//!
//! A single task owns the stream and both directions, so it can stop both (half-open), reset
//! it, or write events together with the 101. Which events go where is `delivery`'s business.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use larkline_proto::frame::{Frame, METHOD_CONTROL, METHOD_DATA};
use larkline_proto::header::TYPE;
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;
use crate::handshake::{Handshake, handshake};
use crate::ledger::ConnectionRow;
use crate::platform::Platform;
use crate::stream::{Head, Stream};
use crate::world::World;
use crate::ws;

/// Bytes taken from the queue before they are written.
const OUT_BYTES_MAX: usize = 256 * 1024;

/// A connection's `device_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnId(pub(crate) u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:019}", self.0)
    }
}

/// What the platform tells a connection to do.
#[derive(Debug)]
pub(crate) enum Out {
    /// Write this.
    Bytes(Bytes),
    /// Neither read nor write any more.
    Freeze,
    /// End with a TCP reset.
    Reset,
    /// Write what is waiting, then end with a TCP reset.
    Cut,
    /// Write this close frame and end.
    Close(Bytes, String),
}

/// Serves `GET /ws/v2` on a stream until it ends.
pub(crate) async fn serve(
    platform: Arc<Platform>,
    mut stream: Stream,
    head: Head,
    cancel: CancellationToken,
) -> io::Result<()> {
    match platform.with(|world, now| handshake(world, now, &head)) {
        Handshake::Refused(response) => {
            stream.write_all(response.as_bytes()).await?;
            stream.shutdown().await
        }
        Handshake::Hang => {
            cancel.cancelled().await;
            Ok(())
        }
        Handshake::Accepted { id, orders, bytes } => {
            let mut decoder = ws::Decoder::default();
            decoder.buffer.extend_from_slice(&head.rest);
            let mut session = Session {
                platform: platform.clone(),
                id,
                decoder,
                out: bytes,
                read: 0,
                written: 0,
            };
            let (stream, end) = session.run(stream, orders, cancel).await;
            session.closed(end.why());
            if matches!(end, End::Reset) {
                stream.reset();
            }
            Ok(())
        }
    }
}

/// How a connection ends.
enum End {
    /// In an orderly way, or by the peer's doing; the text says which.
    Because(String),
    /// With a TCP reset.
    Reset,
}

impl End {
    fn why(&self) -> String {
        match self {
            Self::Because(why) => why.clone(),
            Self::Reset => "reset by fault".to_owned(),
        }
    }
}

struct Session {
    platform: Arc<Platform>,
    id: ConnId,
    decoder: ws::Decoder,
    out: BytesMut,
    read: u64,
    written: u64,
}

impl Session {
    async fn run(
        &mut self,
        stream: Stream,
        mut orders: mpsc::Receiver<Out>,
        cancel: CancellationToken,
    ) -> (Stream, End) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut frozen = false;
        let mut closing = None;
        // TLS may hold written bytes back until it is flushed.
        let mut unflushed = false;
        let idle = self.platform.with(|world, _| world.options.silence());
        let mut last_read = Instant::now();
        let silence = tokio::time::sleep(idle);
        tokio::pin!(silence);
        let end = loop {
            if self.out.is_empty()
                && !unflushed
                && let Some(end) = closing.take()
            {
                break end;
            }
            let writable = !frozen && (unflushed || !self.out.is_empty());
            let readable = !frozen && closing.is_none();
            let hungry = closing.is_none() && self.out.len() < OUT_BYTES_MAX;
            tokio::select! {
                // In this order, so that an order given before a client's frame is carried out
                // before it; a full buffer makes room for reading and writing.
                biased;
                () = cancel.cancelled() => break End::Because("simulator stopped".to_owned()),
                order = orders.recv(), if hungry || frozen => match order {
                    Some(Out::Bytes(bytes)) if !frozen => self.out.extend_from_slice(&bytes),
                    Some(Out::Bytes(_)) => {}
                    Some(Out::Freeze) => frozen = true,
                    Some(Out::Reset) => break End::Reset,
                    Some(Out::Cut) => closing = Some(End::Reset),
                    Some(Out::Close(bytes, why)) => {
                        self.out.extend_from_slice(&bytes);
                        closing = Some(End::Because(why));
                    }
                    None => break End::Because("forgotten".to_owned()),
                },
                read = reader.read_buf(&mut self.decoder.buffer), if readable => match read {
                    Ok(0) => break End::Because("end of stream without a close frame".to_owned()),
                    Ok(n) => {
                        last_read = Instant::now();
                        self.read += n as u64;
                        closing = self.drain();
                    }
                    Err(e) => break End::Because(format!("read failed: {e}")),
                },
                () = &mut silence => {
                    if last_read.elapsed() >= idle {
                        break End::Because("nothing received for too long".to_owned());
                    }
                    silence.as_mut().reset(last_read + idle);
                },
                wrote = write_some(&mut writer, &mut self.out), if writable => match wrote {
                    Ok(n) => {
                        self.written += n as u64;
                        unflushed = n > 0;
                    }
                    Err(e) => break End::Because(format!("write failed: {e}")),
                },
            }
        };
        (reader.unsplit(writer), end)
    }

    /// Handles every complete message in the buffer; says when the connection is to end.
    fn drain(&mut self) -> Option<End> {
        loop {
            match self.decoder.next() {
                Ok(None) => return None,
                Ok(Some(message)) => {
                    if let Some(end) = self.message(message) {
                        return Some(end);
                    }
                }
                Err(error) => {
                    let why = format!("connection {}: {error}", self.id);
                    self.platform.with(|world, _| world.violation(why.clone()));
                    self.out.extend_from_slice(&ws::close(1002, "protocol error"));
                    return Some(End::Because(why));
                }
            }
        }
    }

    fn message(&mut self, message: ws::Incoming) -> Option<End> {
        let (id, read, written) = (self.id, self.read, self.written);
        let answer = match message {
            ws::Incoming::Binary(bytes) => self.platform.with(|world, now| {
                world.count_bytes(id, read, written);
                world.frame(now, id, bytes)
            }),
            ws::Incoming::Text => self.platform.with(|world, _| {
                world.violation(format!("connection {id}: a text message"));
                None
            }),
            ws::Incoming::Ping(payload) => self.platform.with(|world, _| {
                world.count_bytes(id, read, written);
                world.count(id, |row| row.ws_pings += 1);
                let silent = world.faults.no_ws_pong || world.faults.no_ws_pong_on.contains(&id);
                (!silent).then(|| ws::pong(payload))
            }),
            ws::Incoming::Pong => None,
            ws::Incoming::Close(code) => {
                self.out.extend_from_slice(&ws::close(code.unwrap_or(1000), ""));
                let code = code.map_or_else(|| "without code".to_owned(), |c| c.to_string());
                return Some(End::Because(format!("close {code}")));
            }
        };
        self.out.extend_from_slice(&answer.unwrap_or_default());
        None
    }

    fn closed(&self, why: String) {
        self.platform.with(|world, now| {
            world.count_bytes(self.id, self.read, self.written);
            world.count(self.id, |row| {
                row.closed_ms = Some(now);
                row.why = Some(why);
            });
            world.conns.remove(&self.id);
        });
    }
}

/// Writes what it can, or flushes when all is written; loses nothing when dropped.
async fn write_some(writer: &mut WriteHalf<Stream>, out: &mut BytesMut) -> io::Result<usize> {
    match out.is_empty() {
        true => writer.flush().await.map(|()| 0),
        false => writer.write_buf(out).await,
    }
}

impl World {
    fn count(&mut self, conn: ConnId, change: impl FnOnce(&mut ConnectionRow)) {
        if let Some(row) = self.conns.get(&conn).map(|c| c.row)
            && let Some(row) = self.ledger.connections.get_mut(row)
        {
            change(row);
        }
    }

    fn count_bytes(&mut self, conn: ConnId, read: u64, written: u64) {
        self.count(conn, |row| {
            row.bytes_in = read;
            row.bytes_out = written;
        });
    }

    /// Takes one frame of a client; the answer, if any, is ready to be written.
    fn frame(&mut self, now_ms: u64, conn: ConnId, bytes: Bytes) -> Option<Bytes> {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                self.violation(format!("connection {conn}: {error}"));
                return None;
            }
        };
        match (frame.method, frame.header(TYPE)) {
            (METHOD_CONTROL, Some("ping")) => self.ping(conn, &frame),
            (METHOD_DATA, _) => {
                self.count(conn, |row| row.acks += 1);
                self.ack(now_ms, conn, &frame);
                None
            }
            (method, kind) => {
                self.violation(format!(
                    "connection {conn}: frame of method {method}, type {kind:?}"
                ));
                None
            }
        }
    }

    fn ping(&mut self, conn: ConnId, frame: &Frame) -> Option<Bytes> {
        self.count(conn, |row| row.pings += 1);
        let app = self.conns.get(&conn)?.app;
        let service = self.app(app).service_id;
        if frame.service != service {
            self.violation(format!("connection {conn}: ping for service {}", frame.service));
        }
        if self.faults.no_pong || self.faults.no_pong_on.contains(&conn) {
            return None;
        }
        let scripted = self.faults.take_on(Some(conn), |f| {
            let Fault::PongConfig { json, .. } = f else { return None };
            Some(json.to_string())
        });
        let config = match scripted {
            Some(text) => text,
            None => serde_json::to_string(&self.options.served_config()).ok()?,
        };
        let pong = Frame::control(service, "pong", Some(config.into()));
        Some(ws::binary(pong.into_bytes()))
    }
}
