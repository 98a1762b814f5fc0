//! Messages and their acks over a real socket.

use std::collections::BTreeSet;

use bytes::Bytes;
use larkline_client::link::{Answer, LinkStatus};
use larkline_proto::header::DataKind;
use larkline_sim::{Fault, Malformed, Press, Sim, SimOptions};
use serde_json::json;

use crate::link_rig::{Rig, quick};

#[tokio::test]
async fn an_event_is_delivered_and_its_ack_carries_everything_back() {
    let mut rig = Rig::verified(quick()).await;
    let id = rig.send_small();
    let delivery = rig.receive_and_ack().await;
    assert_eq!(delivery.kind, DataKind::Event);
    assert!(delivery.received_ms > 1_700_000_000_000);
    rig.until_done(&id).await;
    let event = rig.sim.platform().read(|ledger| ledger.event(&id).unwrap().clone());
    assert_eq!((event.deliveries.len(), event.acks()), (1, 1));
    let ack = &event.deliveries[0];
    assert!(ack.headers_echoed && ack.ids_echoed && ack.biz_rt.is_some(), "{ack:?}");
    assert_eq!(rig.sim.platform().read(|ledger| ledger.violations.len()), 0);
    assert!(rig.status().last_event_at_ms.is_some());
}

#[tokio::test]
async fn nothing_is_acked_before_it_is_answered() {
    let mut rig = Rig::verified(quick()).await;
    let first = rig.send_small();
    rig.receive().await;
    let second = rig.send_small();
    rig.receive_and_ack().await;
    rig.until_done(&second).await;
    assert!(!rig.sim.platform().read(|ledger| ledger.event(&first).unwrap().done));
}

#[tokio::test]
async fn frames_in_the_segment_of_the_upgrade_are_kept() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    sim.platform().fault(Fault::PushWithUpgrade { times: 1 }).unwrap();
    let app = larkline_sim::DEMO_APP_ID.into();
    let id = sim.platform().send_event(&app, "test.happened_v1", &json!({})).unwrap();
    let mut rig = Rig::on(sim, quick(), larkline_sim::DEMO_APP_SECRET, 64);
    rig.receive_and_ack().await;
    rig.until_done(&id).await;
}

#[tokio::test]
async fn parts_in_any_order_with_duplicates_are_one_message_with_one_ack() {
    let mut rig = Rig::verified(quick()).await;
    rig.fault(Fault::Fragment { bytes: 7, shuffle: true, duplicate: true });
    let text = "你好，世界".repeat(50);
    let id = rig.send(&json!({ "text": text }));
    let delivery = rig.receive_and_ack().await;
    let event: serde_json::Value = serde_json::from_slice(&delivery.payload).unwrap();
    assert_eq!(event["event"]["text"], text);
    rig.until_done(&id).await;
    let event = rig.sim.platform().read(|ledger| ledger.event(&id).unwrap().clone());
    assert_eq!(event.acks(), 1);
}

#[tokio::test]
async fn a_burst_is_delivered_in_order_and_acked_in_batches() {
    let mut rig = Rig::verified(quick()).await;
    let sent: Vec<_> = (0..500).map(|n| rig.send(&json!({ "n": n }))).collect();
    let mut expected = 0;
    while expected < 500 {
        let mut batch = vec![rig.receive().await];
        while let Ok(delivery) = rig.received.try_recv() {
            batch.push(delivery);
        }
        for delivery in &batch {
            let event: serde_json::Value = serde_json::from_slice(&delivery.payload).unwrap();
            assert_eq!(event["event"]["n"], expected);
            expected += 1;
        }
        rig.handle.answer(batch.iter().map(|delivery| (delivery.ack, Answer::ok())).collect());
    }
    for id in &sent {
        rig.until_done(id).await;
    }
    let counters = rig.until_counted(|counters| counters.acked == 500).await;
    assert_eq!((counters.delivered, counters.late_acks, counters.shed), (500, 0, 0));
}

#[tokio::test]
async fn a_callback_is_answered_inside_its_ack() {
    let rig = Rig::verified(quick()).await;
    let platform = rig.sim.platform().clone();
    let user = platform.add_user("Lin");
    let chat = platform.p2p(&user).unwrap();
    let press = Press { user, chat, value: json!({ "k": "v" }), ..Press::default() };
    let mut rig = rig;
    for (answer, toast) in [
        (
            Answer::with_data(Bytes::from_static(br#"{"toast":{"type":"info","content":"OK"}}"#)),
            true,
        ),
        (Answer::neutral(), false),
    ] {
        let pressed = platform.press(press.clone());
        let answered = async {
            let delivery = rig.receive().await;
            rig.handle.answer(vec![(delivery.ack, answer)]);
        };
        let (seen, ()) = tokio::join!(pressed, answered);
        let seen = seen.unwrap();
        assert_eq!((seen.code, seen.toast.is_some()), (0, toast), "{seen:?}");
    }
}

#[tokio::test]
async fn a_token_of_an_earlier_connection_is_counted_and_the_event_comes_again() {
    let mut rig = Rig::hasty(64).await;
    let id = rig.send_small();
    let old = rig.receive().await;
    rig.fault(Fault::Rst);
    rig.until(|status| status.is_verified() && status.counters.connects == 2).await;
    rig.handle.answer(vec![(old.ack, Answer::ok())]);
    rig.until_counted(|counters| counters.late_acks == 1).await;
    rig.receive_and_ack().await;
    rig.until_done(&id).await;
}

#[tokio::test]
async fn a_full_receiver_sheds_unacked_while_the_link_lives_on() {
    let rig = Rig::hasty(1).await;
    rig.send_small();
    rig.send_small();
    let counters = rig.until_counted(|counters| counters.shed >= 3).await;
    assert_eq!((counters.acked, counters.failures, counters.connects), (0, 0, 1));
}

#[tokio::test]
async fn what_was_shed_comes_again() {
    let mut rig = Rig::hasty(1).await;
    let ids = [rig.send_small(), rig.send_small()];
    rig.until_counted(|counters| counters.shed >= 1).await;
    let done = |ledger: &larkline_sim::Ledger| {
        ids.iter().all(|id| ledger.event(id).is_some_and(|event| event.done))
    };
    rig.ack_until(done).await;
}

#[tokio::test]
async fn a_receiver_that_makes_room_in_time_loses_nothing() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let mut rig = Rig::on(sim, quick(), larkline_sim::DEMO_APP_SECRET, 1);
    rig.until(LinkStatus::is_verified).await;
    let ids: BTreeSet<_> = (0..20).map(|_| rig.send_small()).collect();
    for _ in 0..20 {
        rig.receive_and_ack().await;
    }
    for id in &ids {
        rig.until_done(id).await;
    }
    assert_eq!(rig.status().counters.shed, 0);
}

#[tokio::test]
async fn bytes_no_client_should_trust_are_counted_and_survived() {
    let mut rig = Rig::verified(quick()).await;
    let bad = [
        Malformed::Garbage,
        Malformed::MissingRequired,
        Malformed::SeqOutOfRange,
        Malformed::SumNotANumber,
        Malformed::SumChanges,
        Malformed::Text,
    ];
    for (n, shape) in bad.into_iter().enumerate() {
        rig.fault(Fault::Malformed { shape });
        rig.until_counted(|counters| counters.malformed > n as u64).await;
    }
    for shape in [Malformed::UnknownMethod, Malformed::Ping, Malformed::WsPing] {
        rig.fault(Fault::Malformed { shape });
    }
    for (shape, kind) in [
        (Malformed::TypeCard, DataKind::Card),
        (Malformed::UnknownType, DataKind::Other("novel".into())),
        (Malformed::NotUtf8, DataKind::Event),
        (Malformed::NotJson, DataKind::Event),
        (Malformed::Large, DataKind::Event),
        (Malformed::NoHeaders, DataKind::Other(String::new())),
    ] {
        rig.fault(Fault::Malformed { shape });
        assert_eq!(rig.receive_and_ack().await.kind, kind, "{shape:?}");
    }
    let counters = rig.status().counters;
    assert_eq!((counters.malformed, counters.unknown_methods, counters.old_cards), (6, 1, 1));
    assert_eq!((counters.failures, counters.connects), (0, 1));
}

#[tokio::test]
async fn settings_in_a_pong_are_obeyed_when_they_make_sense() {
    let mut rig = Rig::start(quick(), &[]).await;
    rig.until(LinkStatus::is_verified).await;
    for json in [json!([]), json!({}), json!({ "PingInterval": "9" }), json!({ "PingInterval": 7 })]
    {
        let pongs = rig.status().counters.pongs;
        rig.fault(Fault::PongConfig { json, times: 1 });
        rig.handle.wake();
        rig.until_counted(|counters| counters.pongs > pongs).await;
    }
    assert_eq!(rig.status().ping_interval_ms, 7000);
}
