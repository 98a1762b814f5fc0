//! Faults of events on their way, faults of one connection, faults by chance, and the clock.

use std::time::Duration;

use larkline_proto::id::OpenId;
use larkline_sim::{PlatformError, Say, Sim, SimOptions};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;

use crate::client::{Api, PATIENCE, Socket, discover, hurried, impatient, inject, payload, start};

fn say(sim: &Sim, user: &OpenId, text: &str) {
    sim.platform()
        .say(Say { user: user.clone(), text: text.to_owned(), ..Say::default() })
        .unwrap();
}

/// The words of the next event; it is acknowledged.
async fn heard(socket: &mut Socket) -> String {
    let frame = socket.frame().await;
    socket.ack(&frame, &json!({"code": 200})).await;
    let content = payload(&frame)["event"]["message"]["content"].as_str().unwrap().to_owned();
    let content: Value = serde_json::from_str(&content).unwrap();
    content["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_deaf_platform_pongs_and_delivers_later() {
    let sim = Sim::start(hurried()).await.unwrap();
    let user = sim.platform().add_user("Lin");
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "deaf"}));
    say(&sim, &user, "lost");
    socket.ping().await;
    assert_eq!(socket.frame().await.header("type"), Some("pong"));
    sim.platform().wait_for(|l| l.events[0].deliveries.len() > 1, PATIENCE).await.unwrap();
    assert!(sim.platform().read(|l| l.events[0].deliveries.iter().all(|d| d.conn.is_empty())));
    inject(&sim, json!({"kind": "clear"}));
    inject(&sim, json!({"kind": "redeliver_now"}));
    assert_eq!(heard(&mut socket).await, "lost");
}

#[tokio::test]
async fn a_stolen_event_is_done_without_us() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "deaf", "stolen": true}));
    say(&sim, &user, "theirs");
    inject(&sim, json!({"kind": "clear"}));
    say(&sim, &user, "ours");
    assert_eq!(heard(&mut socket).await, "ours");
    let row = sim.platform().read(|l| l.events[0].clone());
    assert_eq!((row.done, row.deliveries[0].conn.as_str()), (true, "another instance"));
}

#[tokio::test]
async fn held_back_pushes_change_places_and_none_is_lost() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "reorder", "window": 8}));
    let said: Vec<_> = (0..8).map(|n| n.to_string()).collect();
    said.iter().for_each(|text| say(&sim, &user, text));
    let mut order = Vec::new();
    while order.len() < said.len() {
        order.push(heard(&mut socket).await);
    }
    assert_ne!(order, said);
    order.sort();
    assert_eq!(order, said);
    // One alone is not held for ever.
    say(&sim, &user, "alone");
    assert_eq!(heard(&mut socket).await, "alone");
}

#[tokio::test]
async fn a_lost_push_comes_again_by_the_schedule() {
    let sim = Sim::start(impatient()).await.unwrap();
    let user = sim.platform().add_user("Lin");
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "drop_push"}));
    say(&sim, &user, "late");
    assert_eq!(heard(&mut socket).await, "late");
    let deliveries = sim.platform().read(|l| l.events[0].deliveries.clone());
    assert!(!deliveries[0].conn.is_empty() && deliveries[0].acked_ms.is_none());
    assert!(deliveries.len() > 1);
}

#[tokio::test]
async fn an_event_comes_two_times_or_is_cut_off() {
    let sim = Sim::start(hurried()).await.unwrap();
    let user = sim.platform().add_user("Lin");
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "duplicate_push"}));
    say(&sim, &user, "twice");
    assert_eq!(heard(&mut socket).await, "twice");
    assert_eq!(heard(&mut socket).await, "twice");
    // An ack that is still on the line would be cut off with it.
    sim.platform().wait_for(|l| l.events[0].acks() == 2, PATIENCE).await.unwrap();
    inject(&sim, json!({"kind": "cut_on_push"}));
    say(&sim, &user, "cut");
    let frame = socket.frame().await;
    assert!(frame.payload.is_some());
    let end = futures_util::StreamExt::next(&mut socket.ws).await;
    assert!(matches!(end, Some(Err(tungstenite::Error::Io(_)))), "{end:?}");
    let mut next = Socket::connect(&sim).await;
    assert_eq!(heard(&mut next).await, "cut");
    assert!(sim.platform().read(|l| l.violations.is_empty()));
}

#[tokio::test]
async fn a_fault_of_one_connection_spares_the_others() {
    let sim = start().await;
    let mut hit = Socket::connect(&sim).await;
    let spared_url = crate::client::ws_url(&sim).await;
    let id = sim.platform().read(|l| l.connections[0].id.clone());
    let _spared = crate::client::dial(&spared_url).await.unwrap();
    inject(&sim, json!({"kind": "on", "conn": id, "fault": {"kind": "close", "code": 4000}}));
    let close = hit.message().await;
    assert!(close.is_close(), "{close:?}");
    let one_left = |l: &larkline_sim::Ledger| l.open_connections() == 1;
    sim.platform().wait_for(one_left, PATIENCE).await.unwrap();
    let fault = |json: Value| sim.platform().fault(serde_json::from_value(json).unwrap());
    let gone = json!({"kind": "on", "conn": "7", "fault": {"kind": "rst"}});
    assert!(matches!(fault(gone), Err(PlatformError::Unknown { .. })));
    let id = sim.platform().read(|l| l.connections[1].id.clone());
    let general = json!({"kind": "on", "conn": id, "fault": {"kind": "offline"}});
    assert!(matches!(fault(general), Err(PlatformError::Refused(_))));
}

#[tokio::test]
async fn chance_strikes_some_calls_and_not_others() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let answer = json!({"with": "code", "status": 503, "code": 1});
    let api_fault = json!({"kind": "api", "path": "/bot/v3/info", "answer": answer});
    inject(&sim, json!({"kind": "chance", "probability": 0.5, "fault": api_fault}));
    let mut bad = 0;
    for _ in 0..40 {
        bad += u32::from(api.get("/open-apis/bot/v3/info").await["code"] != 0);
    }
    assert!((5..=35).contains(&bad), "{bad}");
    let at_once = json!({"kind": "chance", "probability": 0.5, "fault": {"kind": "rst"}});
    let refused = sim.platform().fault(serde_json::from_value(at_once).unwrap());
    assert!(matches!(refused, Err(PlatformError::Refused(_))));
}

#[tokio::test]
async fn the_months_quota_ends() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    inject(&sim, json!({"kind": "quota", "left": 2}));
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(api.get("/open-apis/im/v1/chats").await["code"].clone());
    }
    assert_eq!(codes, [0, 0, 99_991_403]);
}

#[tokio::test]
async fn discovery_may_serve_absurd_settings() {
    let sim = start().await;
    inject(&sim, json!({"kind": "endpoint_config", "json": {"PingInterval": 0}}));
    assert_eq!(discover(&sim).await["data"]["ClientConfig"], json!({"PingInterval": 0}));
    assert_eq!(discover(&sim).await["data"]["ClientConfig"]["PingInterval"], 120);
}

#[tokio::test]
async fn a_new_connection_may_get_the_past_again_under_new_ids() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let mut socket = Socket::connect(&sim).await;
    say(&sim, &user, "known");
    assert_eq!(heard(&mut socket).await, "known");
    sim.platform().wait_for(|l| l.events[0].done, PATIENCE).await.unwrap();
    inject(&sim, json!({"kind": "replay_on_connect", "ms": 60_000, "new_event_id": true}));
    inject(&sim, json!({"kind": "rst"}));
    sim.platform().wait_for(|l| l.open_connections() == 0, PATIENCE).await.unwrap();
    let mut next = Socket::connect(&sim).await;
    assert_eq!(heard(&mut next).await, "known");
    let ledger = sim.platform().ledger();
    assert_eq!(ledger.events.len(), 2);
    assert_eq!(ledger.events[0].message_id, ledger.events[1].message_id);
    assert_ne!(ledger.events[0].event_id, ledger.events[1].event_id);
}

#[tokio::test]
async fn a_fast_clock_speeds_up_everything_it_measures() {
    let options = SimOptions { speed: 3_600.0, ..SimOptions::default() };
    let sim = Sim::start(options).await.unwrap();
    let user = sim.platform().add_user("Lin");
    let api = Api::new(&sim).await;
    // Two hours of a token are two seconds for its user, and an interval stays a second.
    let path = "/open-apis/auth/v3/tenant_access_token/internal";
    let asked =
        json!({"app_id": larkline_sim::DEMO_APP_ID, "app_secret": larkline_sim::DEMO_APP_SECRET});
    let expire = api.call(reqwest::Method::POST, path, &asked).await.1["expire"].as_u64().unwrap();
    assert!(expire <= 2, "{expire}");
    assert_eq!(discover(&sim).await["data"]["ClientConfig"]["PingInterval"], 1);
    // The whole schedule of seven hours without any client, in some seconds.
    say(&sim, &user, "nobody is there");
    sim.platform().wait_for(|l| l.events[0].given_up, Duration::from_secs(30)).await.unwrap();
    let times = sim.platform().read(|l| {
        l.events[0].deliveries.iter().map(|d| d.at_ms - l.events[0].at_ms).collect::<Vec<_>>()
    });
    assert_eq!(times.len(), 5);
    assert!(times[4] >= 7 * 3_600_000, "{times:?}");
}
