//! What counts as proof that a link is alive.

use larkline_client::link::{LinkConfig, LinkStatus, Probe, Stage, State};
use larkline_sim::Fault;
use tokio::time::Instant;

use crate::link_rig::{Rig, ms, quick};

#[tokio::test]
async fn a_link_is_verified_after_the_servers_frame_and_says_what_it_is() {
    let mut rig = Rig::start(quick(), &[]).await;
    let status = rig.until(LinkStatus::is_verified).await;
    assert!(rig.sim.url().ends_with(&status.host), "{}", status.host);
    assert!(!status.conn_id.is_empty() && status.service_id.is_some());
    assert_eq!(status.peer_addr, Some(rig.sim.address()));
    assert_eq!((status.route.as_str(), status.attempt), ("direct", 0));
    assert!(status.times.verified_ms >= status.times.dial_ms);
    assert!(status.last_frame_at_ms.is_some() && status.last_pong_at_ms.is_some());
    assert_eq!(status.ping_interval_ms, 1000, "the platform's setting is in force");
    assert_eq!((status.heartbeat.probe_interval_ms, status.heartbeat.misses_max), (200, 1));
}

#[tokio::test]
async fn an_upgrade_without_a_frame_is_never_called_verified() {
    let mut rig = Rig::start(quick(), &[Fault::NoPong]).await;
    let status = rig.until(|status| status.last_fault.is_some()).await;
    let fault = status.last_fault.unwrap();
    assert_eq!((fault.stage, fault.cause.code()), (Stage::Verify, "unverified"));
    assert_eq!(status.counters.connects, 0);
}

#[tokio::test]
async fn a_half_open_link_is_replaced_within_15_s_with_default_settings() {
    let mut rig = Rig::verified(LinkConfig::default()).await;
    let began = Instant::now();
    rig.fault(Fault::HalfOpen);
    rig.until(|status| status.counters.connects == 2 && status.is_verified()).await;
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
    let fault = rig.status().last_fault.unwrap();
    assert_eq!((fault.stage, fault.cause.code()), (Stage::Open, "silent"));
}

#[tokio::test]
async fn a_half_open_link_is_replaced_when_the_server_answers_no_websocket_pings() {
    let mut rig = Rig::start(quick(), &[Fault::NoWsPong]).await;
    rig.until(LinkStatus::is_verified).await;
    rig.fault(Fault::HalfOpen);
    rig.until(|status| status.counters.connects == 2).await;
}

#[tokio::test]
async fn a_server_without_websocket_pongs_keeps_its_link() {
    let mut rig = Rig::start(quick(), &[Fault::NoWsPong]).await;
    rig.until(LinkStatus::is_verified).await;
    let counters = rig.until_counted(|counters| counters.pongs >= 8).await;
    assert_eq!((counters.failures, counters.ws_pongs, counters.connects), (0, 0, 1));
}

#[tokio::test]
async fn the_other_answer_makes_the_same_link_unusable_when_websocket_probes_are_forced() {
    let config = LinkConfig { probe: Probe::WebSocket, ..quick() };
    let mut rig = Rig::start(config, &[Fault::NoWsPong]).await;
    rig.until(|status| {
        status.last_fault.as_ref().is_some_and(|fault| fault.cause.code() == "silent")
    })
    .await;
}

#[tokio::test]
async fn a_service_that_stops_answering_behind_a_live_socket_is_replaced() {
    let mut rig = Rig::verified(quick()).await;
    rig.fault(Fault::NoPong);
    let status = rig.until(|status| status.last_fault.is_some()).await;
    assert_eq!(status.last_fault.unwrap().cause.code(), "silent");
    rig.fault(Fault::Clear);
    rig.until(|status| status.is_verified() && status.counters.connects >= 2).await;
}

#[tokio::test]
async fn a_wake_probes_the_open_link() {
    let config = LinkConfig { probe_interval: ms(600_000), ..quick() };
    let mut rig = Rig::verified(config).await;
    let pings = rig.status().counters.pings;
    rig.handle.wake();
    rig.until_counted(|counters| counters.pings > pings).await;
    rig.until(|status| status.state == State::Verified).await;
}
