//! How links are lost, refused, retried and ended.

use larkline_client::link::{Answer, LinkConfig, LinkEnd, LinkStatus, Stage, State};
use larkline_proto::backoff::BackoffConfig;
use larkline_sim::{Answer as Http, Fault, Sim, SimOptions};

use crate::link_rig::{Rig, SOON, ms, quick};

#[tokio::test]
async fn a_reset_is_classed_as_network_and_the_link_comes_back() {
    let mut rig = Rig::verified(quick()).await;
    rig.fault(Fault::Rst);
    let status = rig.until(|status| status.counters.connects == 2).await;
    let fault = status.last_fault.unwrap();
    assert_eq!((fault.stage, fault.cause.code()), (Stage::Open, "network"));
    assert!(fault.message.contains("without a close frame"), "{fault}");
}

#[tokio::test]
async fn every_close_code_is_counted_and_survived() {
    let mut rig = Rig::verified(quick()).await;
    for (n, code) in [1000, 1001, 1006, 1011, 1012, 4000].into_iter().enumerate() {
        rig.fault(Fault::Close { code, reason: "routine".into() });
        let connects = n as u64 + 2;
        rig.until(|status| status.is_verified() && status.counters.connects == connects).await;
    }
    let counters = rig.status().counters;
    for code in [1000, 1001, 1011, 1012, 4000] {
        assert_eq!(counters.closes.get(&code), Some(&1), "{code}: {:?}", counters.closes);
    }
}

#[tokio::test]
async fn a_wrong_secret_ends_a_link_that_never_worked() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let mut rig = Rig::on(sim, quick(), "wrong", 64);
    let LinkEnd::Refused(fault) = rig.end().await else { panic!("{:?}", rig.status()) };
    assert_eq!(fault.stage, Stage::Discovery);
    assert!(fault.message.contains("copy app id and secret again"), "{fault}");
    assert_eq!(rig.status().state, State::Stopped);
}

#[tokio::test]
async fn the_connection_limit_is_waited_for() {
    let fault = Fault::RefuseHandshake {
        status: 400,
        handshake_status: Some(514),
        autherrcode: Some(1_000_040_350),
        msg: Some("too many connections".into()),
        times: 3,
    };
    let mut rig = Rig::start(quick(), &[fault]).await;
    let status = rig.until(LinkStatus::is_verified).await;
    let fault = status.last_fault.unwrap();
    assert_eq!((fault.stage, fault.platform_code), (Stage::Dial, Some(1_000_040_350)));
    assert_eq!(status.counters.failures, 3);
}

#[tokio::test]
async fn a_forbidden_handshake_ends_a_link_that_never_worked() {
    let fault = Fault::RefuseHandshake {
        status: 403,
        handshake_status: Some(403),
        autherrcode: None,
        msg: Some("DEVICE_BLOCKED".into()),
        times: 1,
    };
    let mut rig = Rig::start(quick(), &[fault]).await;
    let LinkEnd::Refused(fault) = rig.end().await else { panic!("{:?}", rig.status()) };
    assert!(fault.message.contains("DEVICE_BLOCKED"), "{fault}");
}

#[tokio::test]
async fn discovery_that_misbehaves_is_retried() {
    for answer in [
        Http::Hang,
        Http::Cut,
        Http::NullData,
        Http::Html { status: 200 },
        Http::Html { status: 502 },
        Http::Code { status: 200, code: 1, msg: "system busy".into(), reset_s: None },
        Http::Code { status: 429, code: 99_991_400, msg: "slow down".into(), reset_s: None },
    ] {
        let name = format!("{answer:?}");
        let mut rig = Rig::start(quick(), &[Fault::Endpoint { answer, times: 2 }]).await;
        let status = rig.until(LinkStatus::is_verified).await;
        assert_eq!(status.counters.failures, 2, "{name}");
        assert_eq!(status.last_fault.unwrap().stage, Stage::Discovery, "{name}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_is_given_up() {
    let mut rig = Rig::start(quick(), &[Fault::HangUpgrade { times: 1 }]).await;
    let status = rig.until(LinkStatus::is_verified).await;
    let fault = status.last_fault.unwrap();
    assert_eq!((fault.stage, fault.cause.code()), (Stage::Dial, "timeout"));
}

#[tokio::test]
async fn a_platform_that_is_down_is_waited_for() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let address = sim.address();
    let mut rig = Rig::on(sim, quick(), larkline_sim::DEMO_APP_SECRET, 64);
    rig.until(LinkStatus::is_verified).await;
    let again = SimOptions { listen: address, ..SimOptions::default() };
    let old = std::mem::replace(&mut rig.sim, Sim::start(SimOptions::default()).await.unwrap());
    old.stop().await;
    let status = rig.until(|status| status.attempt >= 3).await;
    assert_eq!(status.last_fault.unwrap().stage, Stage::Discovery);
    rig.sim = Sim::start(again).await.unwrap();
    rig.until(|status| status.is_verified() && status.counters.connects == 2).await;
}

#[tokio::test]
async fn a_thousand_reconnects_leave_one_socket() {
    let config = LinkConfig {
        backoff: BackoffConfig { quick: ms(0), min: ms(1), max: ms(1) },
        probe_interval: ms(60_000),
        ..quick()
    };
    let mut rig = Rig::verified(config).await;
    for n in 2..=1001_u64 {
        if n % 2 == 0 {
            rig.fault(Fault::Rst)
        } else {
            rig.handle.redial()
        }
        rig.until(|status| status.is_verified() && status.counters.connects == n).await;
    }
    let one = |ledger: &larkline_sim::Ledger| ledger.open_connections() == 1;
    rig.sim.platform().wait_for(one, SOON).await.unwrap();
    // One heartbeat, not a thousand: the last connection's pings are its own.
    let pings = rig.status().counters.pings;
    assert!((1001..=1100).contains(&pings), "{pings} pings on 1 001 connections");
}

#[tokio::test]
async fn a_redial_replaces_the_socket_in_order() {
    let mut rig = Rig::verified(quick()).await;
    rig.handle.redial();
    rig.until(|status| status.counters.connects == 2).await;
    let why = rig.sim.platform().read(|ledger| ledger.connections[0].why.clone());
    assert!(why.as_ref().is_some_and(|why| why.contains("1000")), "{why:?}");
}

#[tokio::test]
async fn a_stop_closes_the_socket_and_ends_the_task() {
    let mut rig = Rig::verified(quick()).await;
    rig.handle.close();
    assert_eq!(rig.end().await, LinkEnd::Closed);
    let none = |ledger: &larkline_sim::Ledger| ledger.open_connections() == 0;
    rig.sim.platform().wait_for(none, SOON).await.unwrap();
    let why = rig.sim.platform().read(|ledger| ledger.connections[0].why.clone());
    assert!(why.as_ref().is_some_and(|why| why.contains("1000")), "{why:?}");
    // The task is gone, so there is nobody left to ping, redial or deliver.
    rig.send_small();
    assert!(rig.received.recv().await.is_none());
    assert_eq!((rig.status().state, rig.status().peer_addr), (State::Stopped, None));
}

#[tokio::test]
async fn a_stop_lets_the_answers_under_way_out() {
    let mut rig = Rig::verified(quick()).await;
    let id = rig.send_small();
    let delivery = rig.receive().await;
    rig.handle.close();
    rig.until(|status| status.state == State::Closing).await;
    rig.handle.answer(vec![(delivery.ack, Answer::ok())]);
    assert_eq!(rig.end().await, LinkEnd::Closed);
    rig.until_done(&id).await;
}

#[tokio::test]
async fn a_stop_during_a_wait_or_a_dial_ends_at_once() {
    for fault in [
        Fault::Endpoint { answer: Http::Hang, times: 9 },
        Fault::Endpoint { answer: Http::Cut, times: 9 },
        Fault::HangUpgrade { times: 9 },
    ] {
        let mut rig = Rig::start(quick(), &[fault]).await;
        rig.handle.close();
        assert_eq!(rig.end().await, LinkEnd::Closed);
    }
}

#[tokio::test]
async fn a_link_nobody_listens_to_closes_so_that_others_get_the_events() {
    let mut rig = Rig::verified(quick()).await;
    rig.received.close();
    let id = rig.send_small();
    assert_eq!(rig.end().await, LinkEnd::Closed);
    assert_eq!(rig.open_connections(), 0);
    assert!(!rig.sim.platform().read(|ledger| ledger.event(&id).unwrap().done));
}
