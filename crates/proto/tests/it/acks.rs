//! Laws of deliveries and their acknowledgements.

use bytes::Bytes;
use larkline_proto::frame::{Frame, Header};
use larkline_proto::header::DataKind;
use larkline_proto::link::{Answer, Input, LinkConfig, Note, State};

use crate::rig::{Rig, event, secs};

fn delivered(frame: &Frame) -> Rig {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.frame(frame);
    rig
}

fn answer(rig: &mut Rig, index: usize, answer: Answer) {
    let ack = rig.delivered[index].ack;
    rig.feed(Input::Answer(ack, answer));
}

fn payload(rig: &Rig) -> &[u8] {
    rig.sent.last().unwrap().payload.as_ref().unwrap()
}

#[test]
fn an_ack_echoes_everything_and_appends_the_time_taken() {
    let mut event = event("m", "1", "0", b"{}");
    event.payload_type = Some("json".into());
    event.payload_encoding = Some("none".into());
    event.log_id_new = Some("new".into());
    let mut rig = delivered(&event);
    rig.pass(std::time::Duration::from_millis(37));
    answer(&mut rig, 0, Answer::ok());
    let mut expected = event;
    expected.headers.push(Header { key: "biz_rt".into(), value: "37".into() });
    expected.payload = Some(Bytes::from_static(br#"{"code":200}"#));
    assert_eq!(rig.sent.last(), Some(&expected));
}

#[test]
fn nothing_is_acked_before_it_is_answered() {
    let mut rig = delivered(&event("m", "1", "0", b"{}"));
    rig.pass(secs(60));
    assert_eq!(rig.link.counters().acked, 0);
}

#[test]
fn one_message_gets_one_ack() {
    let mut rig = delivered(&event("m", "1", "0", b"{}"));
    answer(&mut rig, 0, Answer::ok());
    let sent = rig.sent.len();
    answer(&mut rig, 0, Answer::failed());
    assert_eq!(rig.sent.len(), sent);
    assert_eq!((rig.link.counters().acked, rig.link.counters().late_acks), (1, 1));
}

#[test]
fn a_split_message_is_acked_by_the_part_that_completed_it() {
    let mut rig = delivered(&event("m", "2", "1", b"}"));
    assert!(rig.delivered.is_empty());
    rig.frame(&event("m", "2", "0", b"{"));
    assert_eq!(rig.delivered[0].payload, "{}");
    answer(&mut rig, 0, Answer::ok());
    assert_eq!(rig.sent.last().unwrap().header("seq"), Some("0"));
    assert_eq!(rig.link.counters().acked, 1);
}

#[test]
fn acks_may_come_in_any_order() {
    let mut rig = delivered(&event("a", "1", "0", b"{}"));
    rig.frame(&event("b", "1", "0", b"{}"));
    for (index, id) in [(1, "b"), (0, "a")] {
        answer(&mut rig, index, Answer::ok());
        assert_eq!(rig.sent.last().unwrap().header("message_id"), Some(id));
    }
}

#[test]
fn a_token_dies_with_its_connection() {
    let mut rig = delivered(&event("m", "1", "0", b"{}"));
    rig.feed(Input::Redial);
    answer(&mut rig, 0, Answer::ok());
    rig.connect();
    rig.frame(&event("n", "1", "0", b"{}"));
    let sent = rig.sent.len();
    answer(&mut rig, 0, Answer::ok());
    assert_eq!(rig.sent.len(), sent);
    assert_eq!((rig.link.counters().acked, rig.link.counters().late_acks), (0, 2));
}

#[test]
fn a_shed_delivery_gets_no_ack() {
    let mut rig = delivered(&event("m", "1", "0", b"{}"));
    let ack = rig.delivered[0].ack;
    rig.feed(Input::Shed(ack));
    answer(&mut rig, 0, Answer::ok());
    let counters = rig.link.counters();
    assert_eq!((counters.shed, counters.acked, counters.late_acks), (1, 0, 1));
}

#[test]
fn too_many_unanswered_deliveries_forget_the_oldest() {
    let mut rig = Rig::verified(LinkConfig { unacked_max: 2, ..LinkConfig::default() });
    for id in ["a", "b", "c"] {
        rig.frame(&event(id, "1", "0", b"{}"));
    }
    answer(&mut rig, 0, Answer::ok());
    answer(&mut rig, 1, Answer::ok());
    let counters = rig.link.counters();
    assert_eq!((counters.forgotten, counters.acked, counters.late_acks), (1, 1, 1));
}

#[test]
fn a_callbacks_result_travels_in_base64() {
    for (given, expected) in [
        (
            Answer::with_data(Bytes::from_static(br#"{"a":1}"#)),
            r#"{"code":200,"data":"eyJhIjoxfQ=="}"#,
        ),
        (Answer::with_data(Bytes::from_static(b" null ")), r#"{"code":200,"data":"e30="}"#),
        (Answer::with_data(Bytes::new()), r#"{"code":200,"data":"e30="}"#),
        (Answer::neutral(), r#"{"code":200,"data":"e30="}"#),
        (Answer::failed(), r#"{"code":500}"#),
    ] {
        let mut rig = delivered(&event("m", "1", "0", b"{}"));
        answer(&mut rig, 0, given);
        assert_eq!(payload(&rig), expected.as_bytes());
    }
}

#[test]
fn an_old_card_is_delivered_and_said_aloud() {
    let mut card = event("m", "1", "0", b"{}");
    card.headers[0].value = "card".into();
    let rig = delivered(&card);
    assert_eq!(rig.delivered[0].kind, DataKind::Card);
    assert_eq!(rig.noted(|note| *note == Note::OldCard), 1);
}

#[test]
fn an_unknown_kind_is_delivered_verbatim() {
    let mut odd = event("m", "1", "0", &[0xff, 0xfe]);
    odd.headers[0].value = "hologram".into();
    let rig = delivered(&odd);
    assert_eq!(rig.delivered[0].kind, DataKind::Other("hologram".into()));
    assert_eq!(&rig.delivered[0].payload[..], [0xff, 0xfe]);
}

#[test]
fn a_delivery_that_waits_for_its_answer_keeps_no_payload() {
    let rig = delivered(&event("m", "1", "0", b"{}"));
    assert!(rig.delivered[0].payload.is_unique());
}

#[test]
fn a_part_that_comes_after_its_time_counts_the_message_it_missed() {
    let mut rig = delivered(&event("m", "2", "0", b"{"));
    rig.now += secs(10);
    rig.frame(&event("m", "2", "1", b"}"));
    assert_eq!((rig.link.counters().parts_expired, rig.delivered.len()), (1, 0));
}

#[test]
fn a_repeated_message_is_delivered_again() {
    let mut rig = delivered(&event("m", "1", "0", b"{}"));
    rig.frame(&event("m", "1", "0", b"{}"));
    assert_eq!(rig.delivered.len(), 2);
    assert_ne!(rig.delivered[0].ack, rig.delivered[1].ack);
}

#[test]
fn missing_headers_read_as_an_unsplit_message() {
    let mut bare = event("m", "1", "0", b"{}");
    bare.headers.truncate(2);
    assert_eq!(delivered(&bare).delivered.len(), 1);
}

#[test]
fn bad_input_is_counted_with_a_code_and_the_link_goes_on() {
    let mut huge = event("m", "1", "0", b"{}");
    huge.headers[4].value = "x".repeat(9000);
    let mut rig = Rig::verified(LinkConfig::default());
    for frame in
        [event("m", "x", "0", b""), event("m", "2", "2", b""), event("", "2", "0", b""), huge]
    {
        rig.frame(&frame);
    }
    rig.feed(Input::Binary(Bytes::from_static(&[0xff; 40])));
    // A header value that is no UTF-8.
    let mut bytes = event("m", "1", "0", b"{}").encode();
    let at = bytes.windows(3).position(|window| window == b"i-1").unwrap();
    bytes[at] = 0xff;
    rig.feed(Input::Binary(bytes.into()));
    rig.feed(Input::Text);
    let code =
        |note: &Note| if let Note::Malformed { code, .. } = note { Some(*code) } else { None };
    let codes: Vec<_> = rig.notes.iter().filter_map(code).collect();
    assert_eq!(
        codes,
        [
            "header",
            "part_seq_out_of_range",
            "part_no_id",
            "headers_too_large",
            "frame",
            "frame",
            "text"
        ]
    );
    assert_eq!(rig.link.counters().malformed, 7);
    assert_eq!((rig.link.state(), rig.delivered.len()), (State::Verified, 0));
}

#[test]
fn unknown_methods_and_control_types_are_ignored() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.frame(&Frame { method: 7, ..event("m", "1", "0", b"{}") });
    rig.frame(&Frame::control(5, "ping", None));
    rig.frame(&Frame::control(5, "gong", None));
    assert_eq!(
        (rig.link.counters().unknown_methods, rig.delivered.len(), rig.sent.len()),
        (1, 0, 1)
    );
}

#[test]
fn a_part_that_never_gets_its_rest_is_forgotten_and_counted() {
    let mut rig = delivered(&event("m", "2", "0", b"{"));
    rig.pass(secs(10));
    assert_eq!(rig.link.counters().parts_expired, 1);
    rig.frame(&event("m", "2", "1", b"}"));
    assert!(rig.delivered.is_empty());
}
