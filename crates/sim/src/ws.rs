//! The server's half of RFC 6455, frame by frame.
//!
//! A WebSocket library would answer pings by itself and hide the stream; a simulator must be
//! able to stay silent, to write frames together with the 101, and to reset the connection.
//! So: headers are tungstenite's, the rest is here. No compression, no subprotocols.

use std::io::Cursor;

use bytes::{Buf, Bytes, BytesMut};
use larkline_proto::frame::FRAME_BYTES_MAX;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Binary(Bytes),
    Text,
    Ping(Bytes),
    Pong,
    Close(Option<u16>),
}

/// A client that breaks the WebSocket protocol.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WsError {
    #[error("the bytes are not a WebSocket frame: {0}")]
    Header(String),
    #[error("a client's frame is not masked")]
    Unmasked,
    #[error("a message is larger than {FRAME_BYTES_MAX} bytes")]
    TooLarge,
    #[error("a continuation without a beginning, or a beginning inside a message")]
    Sequence,
}

/// Cuts the byte stream of a client into messages.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pub(crate) buffer: BytesMut,
    message: Option<(bool, BytesMut)>,
}

impl Decoder {
    /// The next message, or `None` when more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, WsError> {
        loop {
            let Some((header, payload)) = self.frame()? else { return Ok(None) };
            match header.opcode {
                OpCode::Control(Control::Ping) => {
                    return Ok(Some(Incoming::Ping(payload.freeze())));
                }
                OpCode::Control(Control::Pong) => return Ok(Some(Incoming::Pong)),
                OpCode::Control(Control::Close | Control::Reserved(_)) => {
                    let code =
                        (payload.len() >= 2).then(|| u16::from_be_bytes([payload[0], payload[1]]));
                    return Ok(Some(Incoming::Close(code)));
                }
                OpCode::Data(data) => {
                    self.gather(data, payload)?;
                    if header.is_final
                        && let Some((text, message)) = self.message.take()
                    {
                        let binary = Incoming::Binary(message.freeze());
                        return Ok(Some(if text { Incoming::Text } else { binary }));
                    }
                }
            }
        }
    }

    fn gather(&mut self, data: Data, payload: BytesMut) -> Result<(), WsError> {
        match (data, &mut self.message) {
            (Data::Continue, Some((_, message))) => {
                if message.len() + payload.len() > FRAME_BYTES_MAX {
                    return Err(WsError::TooLarge);
                }
                message.extend_from_slice(&payload);
            }
            (Data::Text | Data::Binary, None) => self.message = Some((data == Data::Text, payload)),
            (Data::Continue | Data::Text | Data::Binary | Data::Reserved(_), _) => {
                return Err(WsError::Sequence);
            }
        }
        Ok(())
    }

    fn frame(&mut self) -> Result<Option<(FrameHeader, BytesMut)>, WsError> {
        let mut cursor = Cursor::new(&self.buffer[..]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|e| WsError::Header(e.to_string()))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let head = usize::try_from(cursor.position()).map_err(|_| WsError::TooLarge)?;
        let length = usize::try_from(length).map_err(|_| WsError::TooLarge)?;
        if length > FRAME_BYTES_MAX {
            return Err(WsError::TooLarge);
        }
        let mask = header.mask.ok_or(WsError::Unmasked)?;
        if self.buffer.len() < head + length {
            self.buffer.reserve(head + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(head);
        let mut payload = self.buffer.split_to(length);
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        Ok(Some((header, payload)))
    }
}

fn encode(frame: Frame) -> Bytes {
    let mut out = Vec::with_capacity(frame.len());
    match frame.format(&mut out) {
        Ok(()) => out.into(),
        // Writing into memory does not fail; an empty write is the harmless reading of it.
        Err(_) => Bytes::new(),
    }
}

/// A binary message, in one WebSocket frame.
pub(crate) fn binary(payload: Vec<u8>) -> Bytes {
    encode(Frame::message(payload, OpCode::Data(Data::Binary), true))
}

/// A text message.
pub(crate) fn text(payload: &str) -> Bytes {
    encode(Frame::message(payload.to_owned(), OpCode::Data(Data::Text), true))
}

/// A WebSocket ping.
pub(crate) fn ping() -> Bytes {
    encode(Frame::ping(&b"sim"[..]))
}

/// The answer to a WebSocket ping.
pub(crate) fn pong(payload: Bytes) -> Bytes {
    encode(Frame::pong(payload))
}

/// A close frame.
pub(crate) fn close(code: u16, reason: &str) -> Bytes {
    encode(Frame::close(Some(CloseFrame { code: code.into(), reason: reason.into() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame, masked with a fixed key.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let key = [7, 1, 200, 33];
        let length = u8::try_from(payload.len()).unwrap();
        let body = payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k);
        [first, 0x80 | length].into_iter().chain(key).chain(body).collect()
    }

    #[test]
    fn a_message_in_two_frames_with_a_ping_between_arrives_whole() {
        let bytes = [masked(0x02, b"ab"), masked(0x89, b"p"), masked(0x80, b"cd")].concat();
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for byte in bytes {
            decoder.buffer.extend_from_slice(&[byte]);
            seen.extend(decoder.next().unwrap());
        }
        let ping = Incoming::Ping(Bytes::from_static(b"p"));
        assert_eq!(seen, [ping, Incoming::Binary(Bytes::from_static(b"abcd"))]);
    }

    #[test]
    fn an_unmasked_frame_is_refused() {
        let mut decoder = Decoder::default();
        decoder.buffer.extend_from_slice(&[0x82, 0x01, 0x00]);
        assert!(matches!(decoder.next(), Err(WsError::Unmasked)));
    }
}
