//! The reference's golden frames, byte for byte in both directions.

use std::time::Duration;

use bytes::Bytes;
use larkline_proto::frame::{Frame, FrameError, METHOD_CONTROL, METHOD_DATA};
use larkline_proto::header::DataHeaders;
use larkline_proto::link::{Answer, ack};
use larkline_proto::reassembly::{Reassembler, ReassemblyLimits};

use crate::rig::epoch;

const FILE: &str = include_str!("vectors.txt");

/// The bytes of one vector.
pub(crate) fn vector(name: &str) -> Bytes {
    let hex = FILE.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    hex::decode(hex).unwrap().into()
}

fn frame(name: &str) -> Frame {
    Frame::decode(vector(name)).unwrap()
}

#[test]
fn every_vector_survives_decode_and_encode() {
    for name in (1..=12).map(|n| format!("V{n}")) {
        assert_eq!(frame(&name).encode(), vector(&name), "{name}");
    }
}

#[test]
fn our_ping_is_the_ping_of_the_official_clients() {
    assert_eq!(Frame::control(33_554_678, "ping", None).into_bytes(), vector("V1"));
}

#[test]
fn pong_with_and_without_settings() {
    let settings =
        br#"{"ReconnectCount":-1,"ReconnectInterval":90,"ReconnectNonce":25,"PingInterval":90}"#;
    let with = Frame::control(33_554_678, "pong", Some(Bytes::from_static(settings)));
    assert_eq!(with.into_bytes(), vector("V2"));
    assert_eq!(Frame::control(33_554_678, "pong", None).into_bytes(), vector("V3"));
    assert_eq!(frame("V3").method, METHOD_CONTROL);
}

#[test]
fn acks_are_made_from_their_events() {
    let ok = Answer::ok();
    let toast =
        Answer::with_data(Bytes::from_static(br#"{"toast":{"type":"success","content":"OK"}}"#));
    for (event, answer, took, expected) in
        [("V4", &ok, 3, "V5"), ("V7", &ok, 12, "V8"), ("V11", &toast, 41, "V12")]
    {
        let made = ack(frame(event), answer, Duration::from_millis(took));
        assert_eq!(made.into_bytes(), vector(expected), "{event}");
    }
}

#[test]
fn a_log_id_above_2_to_the_53_goes_back_unrounded() {
    let event = frame("V7");
    assert_eq!(event.log_id, 7_300_000_000_000_000_001);
    assert_eq!(ack(event, &Answer::ok(), Duration::ZERO).log_id, 7_300_000_000_000_000_001);
}

#[test]
fn two_parts_cut_inside_a_character_join_in_either_order() {
    let parts = [frame("V6"), frame("V7")];
    assert!(std::str::from_utf8(parts[0].payload.as_ref().unwrap()).is_err());
    for order in [[0, 1], [1, 0]] {
        let mut reassembler = Reassembler::new(ReassemblyLimits::default());
        let joined = order.map(|i: usize| {
            let headers = DataHeaders::read(&parts[i]).unwrap();
            reassembler.accept(epoch(), &headers, parts[i].payload.clone().unwrap()).unwrap()
        });
        assert_eq!(joined[0], None);
        let payload = joined[1].clone().unwrap();
        assert_eq!(payload.len(), 291);
        let event: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(event["event"]["message"]["content"], r#"{"text":"你好"}"#);
    }
}

#[test]
fn a_frame_without_a_required_field_is_refused() {
    // V1 with one required field cut out each time.
    let ping = vector("V1");
    for (cut, name) in [(0..2, "SeqID"), (2..4, "LogID"), (4..9, "service"), (9..11, "method")] {
        let mut bytes = ping.to_vec();
        bytes.drain(cut);
        assert_eq!(Frame::decode(bytes.into()), Err(FrameError::Missing(name)));
    }
}

#[test]
fn fields_in_any_order_and_unknown_fields_are_accepted() {
    let ping = vector("V1");
    let mut bytes = ping[4..].to_vec();
    bytes.extend_from_slice(&ping[..4]);
    bytes.extend_from_slice(&[0x52, 0x01, 0x00]); // field 10, unknown
    assert_eq!(Frame::decode(bytes.into()), Ok(frame("V1")));
}

#[test]
fn a_negative_service_takes_ten_bytes_and_comes_back() {
    let frame = Frame { service: -1, method: METHOD_DATA, ..Frame::default() };
    assert_eq!(Frame::decode(frame.encode().into()), Ok(frame));
}
