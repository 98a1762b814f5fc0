//! Laws of proof of life, on simulated time.

use std::time::Duration;

use larkline_proto::frame::Frame;
use larkline_proto::link::{Input, LinkConfig, Note, Probe, State};

use crate::rig::{Peer, Rig, event, secs};

const SILENT: Peer = Peer { pongs: false, ws_pongs: false };

fn probing(probe: Probe) -> LinkConfig {
    LinkConfig { probe, ..LinkConfig::default() }
}

/// Time from the peer's death to a new dial's discovery.
fn replaced_after(config: LinkConfig, alive: Peer) -> Duration {
    let mut rig = Rig::new(config);
    rig.peer = alive;
    rig.connect();
    rig.pass(secs(100));
    assert_eq!(rig.link.state(), State::Verified);
    // The worst moment to die is right after being heard.
    rig.frame(&Frame::control(5, "pong", None));
    rig.peer = SILENT;
    let died = rig.now;
    rig.pass_until(State::Resolving, secs(400));
    assert_eq!(rig.last_fault().cause.code(), "silent");
    rig.now - died
}

#[test]
fn a_half_open_link_is_replaced_within_15_s() {
    let full = Peer { pongs: true, ws_pongs: true };
    let no_ws = Peer { pongs: true, ws_pongs: false };
    for (probe, alive) in [
        (Probe::Auto, full),
        (Probe::Auto, no_ws),
        (Probe::WebSocket, full),
        (Probe::Protocol, full),
        (Probe::Protocol, no_ws),
    ] {
        let took = replaced_after(probing(probe), alive);
        assert!(took <= secs(15), "{probe:?} {alive:?}: {took:?}");
    }
}

#[test]
fn without_probes_a_dead_link_is_found_by_the_servers_ping_interval() {
    let took = replaced_after(probing(Probe::Off), Peer { pongs: true, ws_pongs: true });
    assert!(took <= secs(120 + 10 + 2), "{took:?}");
}

#[test]
fn a_server_that_never_answers_websocket_pings_keeps_its_link() {
    let mut rig = Rig::new(LinkConfig::default());
    rig.peer.ws_pongs = false;
    rig.connect();
    rig.pass(secs(3600));
    assert_eq!((rig.link.state(), rig.dials.len()), (State::Verified, 1));
    assert_eq!(rig.ws_pings, 1, "asked at the upgrade and not again");
}

#[test]
fn an_idle_link_is_kept_for_hours_on_few_bytes() {
    // Masked WebSocket header, TLS record, TCP and IP with timestamps, and a bare TCP ack.
    const OVERHEAD: usize = 6 + 22 + 52 + 52;
    for ws_pongs in [true, false] {
        let mut rig = Rig::new(LinkConfig::default());
        rig.peer.ws_pongs = ws_pongs;
        rig.connect();
        rig.pass(secs(4 * 3600));
        assert_eq!((rig.link.state(), rig.dials.len()), (State::Verified, 1));
        let pings: usize = rig.sent.iter().map(|frame| frame.encode().len() + OVERHEAD).sum();
        let both_ways =
            2 * (pings + rig.ws_pings * OVERHEAD) - 52 * (rig.sent.len() + rig.ws_pings);
        assert!(both_ways / 240 < 3000, "{} bytes a minute", both_ways / 240);
    }
}

#[test]
fn any_inbound_frame_is_a_proof_of_life() {
    let inputs: [fn(&mut Rig); 4] = [
        |rig| rig.feed(Input::WsPing),
        |rig| rig.feed(Input::WsPong),
        |rig| rig.feed(Input::Text),
        |rig| rig.frame(&event("m", "1", "0", b"{}")),
    ];
    for input in inputs {
        let mut rig = Rig::verified(LinkConfig::default());
        rig.peer = SILENT;
        rig.pass(secs(9));
        input(&mut rig);
        rig.pass(secs(9));
        assert_eq!((rig.link.state(), rig.hangups.len()), (State::Verified, 0));
    }
}

#[test]
fn a_busy_link_is_not_probed() {
    let mut rig = Rig::verified(LinkConfig::default());
    let before = rig.ws_pings;
    for _ in 0..100 {
        rig.pass(secs(1));
        rig.frame(&event("m", "1", "0", b"{}"));
    }
    assert_eq!((rig.ws_pings, rig.sent.len()), (before, 1));
}

#[test]
fn a_service_that_stops_answering_behind_a_live_socket_is_found() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.peer.pongs = false;
    let took = rig.pass_until(State::Backoff, secs(140));
    assert!(took <= secs(130), "{took:?}");
    assert!(rig.last_fault().message.contains("service behind it"), "{}", rig.last_fault());
}

#[test]
fn the_number_of_misses_is_settable() {
    let mut rig = Rig::verified(LinkConfig { misses_max: 3, ..LinkConfig::default() });
    rig.peer = SILENT;
    rig.pass(secs(11));
    assert_eq!(rig.link.state(), State::Stale);
    assert_eq!(rig.pass_until(State::Backoff, secs(10)) + secs(11), secs(20));
    assert_eq!(rig.noted(|note| matches!(note, Note::Missed { .. })), 3);
}

#[test]
fn misses_count_in_a_row_and_not_over_a_lifetime() {
    let mut rig = Rig::verified(LinkConfig { misses_max: 2, ..LinkConfig::default() });
    for _ in 0..5 {
        rig.peer = SILENT;
        rig.pass(secs(11));
        assert_eq!(rig.link.state(), State::Stale);
        rig.feed(Input::WsPong);
    }
    assert_eq!(rig.hangups.len(), 0);

    // The same for pings that go unanswered on a live socket.
    let mut rig = Rig::verified(LinkConfig { misses_max: 2, ..LinkConfig::default() });
    for _ in 0..5 {
        rig.peer = Peer { pongs: false, ws_pongs: true };
        rig.pass_until(State::Stale, secs(140));
        rig.frame(&Frame::control(5, "pong", None));
        assert_eq!(rig.link.state(), State::Verified);
    }
    assert_eq!(rig.hangups.len(), 0);
}

#[test]
fn a_suspected_link_that_is_heard_again_is_verified_again() {
    let mut rig = Rig::verified(LinkConfig { misses_max: 2, ..LinkConfig::default() });
    rig.peer = SILENT;
    rig.pass(secs(11));
    assert_eq!(rig.link.state(), State::Stale);
    rig.feed(Input::WsPong);
    assert_eq!(
        (rig.link.state(), rig.noted(|note| *note == Note::Recovered)),
        (State::Verified, 1)
    );
}

#[test]
fn after_a_machines_sleep_the_link_is_probed_at_once() {
    for backwards in [false, true] {
        let mut rig = Rig::verified(LinkConfig::default());
        rig.pass(secs(6));
        let pings = rig.sent.len();
        rig.peer = SILENT;
        let hour = if backwards { -3_600_000 } else { 3_600_000 };
        rig.wall_ms += hour;
        let wall_ms = rig.wall_ms;
        rig.feed(Input::Tick { wall_ms });
        assert_eq!((rig.link.state(), rig.sent.len()), (State::Stale, pings + 1));
        assert_eq!(rig.pass_until(State::Backoff, secs(6)), secs(5));
    }
}

#[test]
fn a_late_tick_does_not_condemn_a_link_that_was_not_asked() {
    // The process was stopped for a minute; its monotonic clock went on.
    let mut rig = Rig::verified(LinkConfig::default());
    rig.peer = SILENT;
    rig.pass(secs(6));
    rig.now += secs(60);
    rig.wall_ms += 60_000;
    let wall_ms = rig.wall_ms;
    rig.feed(Input::Tick { wall_ms });
    assert_eq!((rig.link.state(), rig.hangups.len()), (State::Stale, 0));
    rig.frame(&Frame::control(5, "pong", None));
    assert_eq!(rig.link.state(), State::Verified);
}

#[test]
fn a_sleep_during_a_wait_ends_the_wait() {
    let mut rig = Rig::verified(LinkConfig::default());
    let wall_ms = rig.wall_ms;
    rig.feed(Input::Tick { wall_ms });
    rig.feed(Input::Closed { code: None, reason: String::new() });
    rig.feed(Input::Tick { wall_ms: wall_ms + 3_600_000 });
    assert_eq!(rig.link.state(), State::Resolving);
}

#[test]
fn a_wake_probes_and_repeated_wakes_do_not_postpone_the_verdict() {
    let mut rig = Rig::verified(LinkConfig::default());
    rig.peer = SILENT;
    rig.feed(Input::Wake);
    assert_eq!(rig.link.state(), State::Stale);
    for _ in 0..5 {
        rig.feed(Input::Wake);
        rig.pass(secs(1));
    }
    assert_eq!(rig.link.state(), State::Backoff);
}
