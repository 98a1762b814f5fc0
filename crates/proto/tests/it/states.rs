//! Laws of the link's states: what is called verified, what is retried, what stops.

use std::time::Duration;

use larkline_proto::backoff::BackoffConfig;
use larkline_proto::endpoint::EndpointReply;
use larkline_proto::frame::Frame;
use larkline_proto::link::{
    Cause, Failure, Input, Link, LinkConfig, LinkConfigError, LinkEnd, Note, Stage, State,
};
use larkline_proto::refusal::Refusal;

use crate::rig::{ENDPOINT, Peer, Rig, epoch, event, secs};

const SILENT: Peer = Peer { pongs: false, ws_pongs: false };

fn network() -> Input<'static> {
    Input::Failed(Failure { cause: Cause::Network, message: "connection reset".into() })
}

fn refused_forbidden() -> Input<'static> {
    let header = |name: &str| (name == "Handshake-Status").then_some("403");
    Input::Refused(Refusal::handshake(400, header))
}

#[test]
fn an_upgrade_alone_is_not_verified() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.peer = SILENT;
    rig.connect();
    assert_eq!(rig.link.state(), State::Upgraded);
    rig.feed(Input::WsPong);
    rig.feed(Input::Text);
    rig.feed(Input::Binary(vec![0xff].into()));
    assert_eq!(rig.link.state(), State::Upgraded);
    rig.frame(&Frame::control(5, "pong", None));
    assert_eq!(rig.link.state(), State::Verified);
}

#[test]
fn an_event_verifies_as_well_and_is_delivered() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.peer = SILENT;
    rig.connect();
    rig.frame(&event("m", "1", "0", b"{}"));
    assert_eq!(rig.link.state(), State::Verified);
    assert_eq!(rig.delivered.len(), 1);
}

#[test]
fn a_link_that_is_never_heard_is_given_up_after_the_verify_timeout() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.peer = SILENT;
    rig.connect();
    assert_eq!(rig.pass_until(State::Backoff, secs(11)), secs(10));
    assert_eq!(
        (rig.last_fault().stage, rig.last_fault().cause.code()),
        (Stage::Verify, "unverified")
    );
}

#[test]
fn discovery_and_dial_have_a_limit() {
    let mut rig = Rig::new(LinkConfig::default());
    assert_eq!(rig.pass_until(State::Backoff, secs(16)), secs(15));
    assert_eq!(
        (rig.last_fault().stage, rig.last_fault().cause.code()),
        (Stage::Discovery, "timeout")
    );
    rig.pass_until(State::Resolving, secs(60));
    rig.discovered(ENDPOINT);
    assert_eq!(rig.pass_until(State::Backoff, secs(16)), secs(15));
    assert_eq!((rig.last_fault().stage, rig.last_fault().cause.code()), (Stage::Dial, "timeout"));
}

#[test]
fn every_dial_has_a_fresh_endpoint() {
    let mut rig = Rig::verified(LinkConfig::default());
    for _ in 0..20 {
        rig.feed(network());
        rig.pass_until(State::Resolving, secs(61));
        rig.connect();
    }
    assert_eq!(rig.discoveries.len(), rig.dials.len());
    assert_eq!(rig.dials.len(), 21);
}

#[test]
fn attempts_are_counted_from_the_last_verified_link() {
    let mut rig = Rig::new(LinkConfig::default());
    for attempt in 1..=5 {
        assert_eq!(rig.link.attempt(), attempt);
        rig.feed(network());
        rig.pass_until(State::Resolving, secs(61));
    }
    rig.connect();
    assert_eq!(rig.link.attempt(), 0);
}

#[test]
fn a_lost_link_is_retried_within_2_s() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.feed(network());
    rig.pass_until(State::Resolving, secs(2));
}

#[test]
fn the_waits_start_over_after_a_stable_link_and_not_before() {
    // Fails often, then lives for `lived`; returns the longest wait after the next loss.
    let longest = |lived: Duration| {
        let mut longest = Duration::ZERO;
        for seed in 0..40 {
            let config = LinkConfig { probe_interval: secs(1000), ..LinkConfig::default() };
            let mut rig = Rig::new(config.clone());
            rig.link = Link::new(epoch(), config, seed).unwrap();
            rig.feed(Input::Wake);
            for _ in 0..8 {
                rig.feed(network());
                rig.pass_until(State::Resolving, secs(61));
            }
            rig.connect();
            rig.pass(lived);
            assert_eq!(rig.link.state(), State::Verified);
            rig.feed(network());
            longest = longest.max(rig.pass_until(State::Resolving, secs(61)));
        }
        longest
    };
    assert!(longest(secs(61)) <= secs(2));
    assert!(longest(secs(59)) > secs(10));
}

#[test]
fn a_server_that_hangs_up_after_the_upgrade_is_not_redialled_at_once() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.peer = SILENT;
    for _ in 0..30 {
        rig.connect();
        rig.feed(Input::Closed { code: None, reason: String::new() });
        rig.pass_until(State::Resolving, secs(61));
    }
    let took = rig.now - epoch();
    assert!(took > secs(300), "30 dials in {took:?}");
}

#[test]
fn wrong_credentials_stop_a_link_that_never_worked() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.discovered(br#"{"code":1000040345,"msg":"invalid"}"#);
    assert_eq!(rig.link.state(), State::Stopped);
    assert_eq!(rig.link.next_wakeup(), None);
    let Some(LinkEnd::Refused(fault)) = &rig.end else { panic!("{:?}", rig.end) };
    assert_eq!(fault.platform_code, Some(1_000_040_345));
    assert!(fault.message.contains("copy app id and secret again"), "{fault}");
}

#[test]
fn wrong_credentials_are_retried_once_the_link_has_worked() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.feed(network());
    rig.pass_until(State::Resolving, secs(2));
    for _ in 0..50 {
        rig.discovered(br#"{"code":1000040345,"msg":"invalid"}"#);
        assert_eq!(rig.link.state(), State::Backoff);
        rig.pass_until(State::Resolving, secs(61));
    }
    rig.connect();
    assert_eq!(rig.link.state(), State::Verified);
}

#[test]
fn a_forbidden_handshake_stops_at_first_and_is_retried_later() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.discovered(ENDPOINT);
    rig.feed(refused_forbidden());
    assert_eq!(rig.link.state(), State::Stopped);

    let mut rig = Rig::verified(LinkConfig::default());
    rig.feed(Input::Redial);
    rig.discovered(ENDPOINT);
    rig.feed(refused_forbidden());
    assert_eq!(rig.link.state(), State::Backoff);
}

#[test]
fn the_servers_retry_after_is_obeyed_up_to_our_maximum() {
    for (asked, least, most) in [(40, 40, 40), (4000, 60, 60), (1, 1, 2)] {
        let mut rig = Rig::new(LinkConfig::default());
        let retry_after = Some(secs(asked));
        rig.feed(Input::Discovered(EndpointReply { status: 429, retry_after, body: b"" }));
        let waited = rig.pass_until(State::Resolving, secs(61));
        assert!(waited >= secs(least) && waited <= secs(most), "{asked}: {waited:?}");
    }
}

#[test]
fn the_settings_of_endpoint_and_pong_are_obeyed() {
    let config = LinkConfig { probe_interval: secs(1000), ..LinkConfig::default() };
    let mut rig = Rig::new(config);
    rig.discovered(
        br#"{"code":0,"data":{"URL":"wss://h.test/","ClientConfig":{"PingInterval":30}}}"#,
    );
    rig.feed(Input::Upgraded);
    rig.pass(secs(89));
    assert_eq!(rig.sent.len(), 3, "at once, after 30 s, after 60 s");
    let pong = Frame::control(5, "pong", Some(br#"{"PingInterval":10}"#.as_slice().into()));
    rig.frame(&pong);
    rig.pass(secs(32));
    assert_eq!(rig.sent.len(), 7, "the running interval ends at 90 s, then each 10 s");
    assert_eq!(rig.noted(|note| matches!(note, Note::SettingsChanged { .. })), 2);
}

#[test]
fn each_connection_is_pinged_at_once_with_its_service_id() {
    let mut rig = Rig::verified(LinkConfig::default());
    assert_eq!((rig.sent.len(), rig.sent[0].service), (1, 5));
    rig.feed(network());
    rig.pass_until(State::Resolving, secs(2));
    rig.connect();
    assert_eq!(rig.sent.len(), 2);
}

#[test]
fn a_close_waits_for_the_answers_under_way_and_takes_nothing_more() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.frame(&event("m", "1", "0", b"{}"));
    rig.feed(Input::Close);
    assert_eq!(rig.link.state(), State::Closing);
    rig.frame(&event("n", "1", "0", b"{}"));
    assert_eq!(rig.delivered.len(), 1);
    let ack = rig.delivered[0].ack;
    rig.feed(Input::Answer(ack, larkline_proto::link::Answer::ok()));
    assert_eq!(rig.sent.last().unwrap().header("message_id"), Some("m"));
    assert_eq!((rig.end.clone(), rig.hangups.last()), (Some(LinkEnd::Closed), Some(&Some(1000))));
}

#[test]
fn a_close_waits_no_longer_than_the_drain_timeout() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.frame(&event("m", "1", "0", b"{}"));
    rig.feed(Input::Close);
    assert_eq!(rig.pass_until(State::Stopped, secs(3)), secs(2));
    assert_eq!(rig.end, Some(LinkEnd::Closed));
}

#[test]
fn a_close_in_any_state_stops() {
    let mut rigs = [
        Rig::new(LinkConfig::default()),
        Rig::new(LinkConfig::default()),
        Rig::verified(LinkConfig::default()),
        Rig::verified(LinkConfig::default()),
    ];
    rigs[1].discovered(ENDPOINT);
    rigs[3].feed(network());
    for rig in &mut rigs {
        rig.feed(Input::Close);
        assert_eq!((rig.link.state(), rig.link.next_wakeup()), (State::Stopped, None));
        let before = (rig.dials.len(), rig.sent.len());
        rig.feed(Input::Redial);
        rig.feed(Input::Wake);
        rig.feed(Input::Tick { wall_ms: i64::MAX });
        assert_eq!((rig.dials.len(), rig.sent.len()), before, "stopped is stopped");
    }
}

#[test]
fn a_redial_replaces_the_connection_at_once() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.feed(Input::Redial);
    assert_eq!((rig.link.state(), rig.hangups.last()), (State::Resolving, Some(&Some(1000))));
}

#[test]
fn a_wake_cuts_a_wait_short() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.feed(network());
    rig.feed(Input::Wake);
    assert_eq!(rig.link.state(), State::Resolving);
}

#[test]
fn a_close_code_is_counted_and_named() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.feed(Input::Closed { code: Some(1011), reason: "internal\nerror".into() });
    let fault = rig.last_fault();
    assert_eq!(
        (fault.cause.code(), fault.platform_code, fault.is_routine()),
        ("closed", Some(1011), false)
    );
    assert!(fault.message.contains("1011") && fault.message.contains("internalerror"));
    assert_eq!(rig.link.counters().closes[&1011], 1);
    assert_eq!(rig.link.counters().waits, [(Cause::Closed, 1)].into());
}

#[test]
fn hostile_close_codes_are_counted_in_bounded_memory() {
    let mut rig = Rig::verified(LinkConfig::default());
    for code in 0..500 {
        rig.feed(Input::Closed { code: Some(code), reason: String::new() });
        rig.feed(Input::Wake);
    }
    let closes = &rig.link.counters().closes;
    assert!(closes.len() <= 33);
    assert_eq!(closes.values().sum::<u64>(), 500);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let zero = LinkConfig { probe_timeout: Duration::ZERO, ..LinkConfig::default() };
    assert_eq!(Link::new(epoch(), zero, 0).err(), Some(LinkConfigError::Zero("probe_timeout")));
    let backoff = BackoffConfig { min: Duration::ZERO, ..BackoffConfig::default() };
    let bad = LinkConfig { backoff, ..LinkConfig::default() };
    assert!(matches!(Link::new(epoch(), bad, 0), Err(LinkConfigError::Backoff(_))));
}
