//! Discovery, handshake, ping, push, ack, redelivery.

use std::time::Duration;

use larkline_sim::{AppSpec, Limits, Say, Sim, SimOptions};
use serde_json::json;

use crate::client::{
    PATIENCE, Socket, ack_of, dial, discover, http, hurried, impatient, payload, refused, start,
    ws_url,
};

fn hello(sim: &Sim) -> larkline_sim::Said {
    let user = sim.platform().add_user("Lin");
    sim.platform().say(Say { user, text: "hello".to_owned(), ..Say::default() }).unwrap()
}

#[tokio::test]
async fn discovery_gives_a_url_with_the_six_parameters_and_the_settings() {
    let sim = start().await;
    let answer = discover(&sim).await;
    let url = url::Url::parse(answer["data"]["URL"].as_str().unwrap()).unwrap();
    let keys: Vec<_> = url.query_pairs().map(|(k, _)| k.into_owned()).collect();
    assert_eq!(keys, ["fpid", "aid", "device_id", "access_key", "service_id", "ticket"]);
    let device = url.query_pairs().find(|(k, _)| k == "device_id").unwrap().1.into_owned();
    assert_eq!((device.len(), device.parse::<u64>().is_ok()), (19, true));
    assert_eq!(answer["data"]["ClientConfig"]["PingInterval"], 120);
    assert_eq!(answer["data"]["ClientConfig"]["ReconnectCount"], -1);
}

#[tokio::test]
async fn discovery_refuses_wrong_and_missing_credentials_with_http_200() {
    let sim = start().await;
    for (body, code) in [
        (json!({"AppID": "cli_a1b2c3d4e5f60718", "AppSecret": "wrong"}), 1_000_040_345),
        (json!({"AppID": "", "AppSecret": ""}), 1_000_040_344),
    ] {
        let url = format!("{}/callback/ws/endpoint", sim.url());
        let response = http().post(url).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let answer: serde_json::Value = response.json().await.unwrap();
        assert_eq!((&answer["code"], &answer["data"]), (&json!(code), &json!({})));
    }
}

#[tokio::test]
async fn a_ticket_works_once() {
    let sim = start().await;
    let url = ws_url(&sim).await;
    let _open = dial(&url).await.unwrap();
    let (status, headers) = refused(&url).await;
    assert_eq!(status, 400);
    assert!(headers.contains(&("handshake-status".to_owned(), "514".to_owned())));
    assert_eq!(sim.platform().read(|l| l.violations.len()), 1);
}

#[tokio::test]
async fn one_connection_too_many_is_refused_with_its_code() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let sim = Sim::start(SimOptions { limits, ..SimOptions::default() }).await.unwrap();
    let _open = Socket::connect(&sim).await;
    let (_, headers) = refused(&ws_url(&sim).await).await;
    assert!(headers.contains(&("handshake-autherrcode".to_owned(), "1000040350".to_owned())));
}

#[tokio::test]
async fn a_ping_is_answered_by_a_pong_with_the_settings() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    socket.ping().await;
    let pong = socket.frame().await;
    assert_eq!((pong.method, pong.header("type"), pong.service), (0, Some("pong"), socket.service));
    assert_eq!(payload(&pong)["ReconnectInterval"], 120);
    assert_eq!(sim.platform().read(|l| l.connections[0].pings), 1);
}

#[tokio::test]
async fn an_acked_event_is_done_and_the_ledger_has_its_ack() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let said = hello(&sim);
    let frame = socket.frame().await;
    assert_eq!(payload(&frame)["header"]["event_id"], said.event_id.as_str());
    socket.ack(&frame, &json!({"code": 200})).await;
    let acked = |l: &larkline_sim::Ledger| l.event(&said.event_id).is_some_and(|e| e.done);
    sim.platform().wait_for(acked, PATIENCE).await.unwrap();
    let ledger = sim.platform().ledger();
    let delivery = &ledger.events[0].deliveries[0];
    assert_eq!((delivery.code, delivery.biz_rt.as_deref()), (Some(200), Some("3")));
    assert!(delivery.headers_echoed && delivery.ids_echoed && !delivery.late);
    assert!(ledger.violations.is_empty());
}

#[tokio::test]
async fn a_rounded_log_id_and_a_lost_header_are_seen() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    hello(&sim);
    let frame = socket.frame().await;
    let mut ack = ack_of(&frame, &json!({"code": 200}));
    ack.log_id = ack.log_id / 1024 * 1024 + 1;
    ack.headers.retain(|h| h.key != "instance_id");
    socket.send(ack).await;
    sim.platform().wait_for(|l| l.events[0].done, PATIENCE).await.unwrap();
    let ledger = sim.platform().ledger();
    let delivery = &ledger.events[0].deliveries[0];
    assert_eq!((delivery.headers_echoed, delivery.ids_echoed), (false, false));
    assert_eq!(ledger.violations.len(), 1);
}

#[tokio::test]
async fn without_an_ack_the_event_comes_four_more_times_and_is_given_up() {
    let sim = Sim::start(impatient()).await.unwrap();
    let mut socket = Socket::connect(&sim).await;
    let said = hello(&sim);
    let mut frame_ids = Vec::new();
    for _ in 0..5 {
        let frame = socket.frame().await;
        assert_eq!(payload(&frame)["header"]["event_id"], said.event_id.as_str());
        frame_ids.push(frame.header("message_id").unwrap().to_owned());
    }
    frame_ids.dedup();
    assert_eq!(frame_ids.len(), 5);
    sim.platform().wait_for(|l| l.events[0].given_up, PATIENCE).await.unwrap();
    assert_eq!(sim.platform().read(|l| l.events[0].deliveries.len()), 5);
}

#[tokio::test]
async fn an_ack_with_another_code_brings_the_event_back() {
    let sim = Sim::start(hurried()).await.unwrap();
    let mut socket = Socket::connect(&sim).await;
    hello(&sim);
    let frame = socket.frame().await;
    socket.ack(&frame, &json!({"code": 500})).await;
    let again = socket.frame().await;
    assert_ne!(again.header("message_id"), frame.header("message_id"));
    socket.ack(&again, &json!({"code": 200})).await;
    sim.platform().wait_for(|l| l.events[0].done, PATIENCE).await.unwrap();
    let codes: Vec<_> =
        sim.platform().ledger().events[0].deliveries.iter().filter_map(|d| d.code).collect();
    assert_eq!(codes, [500, 200]);
}

#[tokio::test]
async fn an_event_said_to_nobody_comes_when_a_client_is_there() {
    let redelivery = vec![Duration::from_millis(20); 1_000];
    let sim = Sim::start(SimOptions { redelivery, ..SimOptions::default() }).await.unwrap();
    let said = hello(&sim);
    let mut socket = Socket::connect(&sim).await;
    let frame = socket.frame().await;
    assert_eq!(payload(&frame)["header"]["event_id"], said.event_id.as_str());
    assert_eq!(sim.platform().read(|l| l.events[0].deliveries[0].conn.clone()), "");
}

#[tokio::test]
async fn each_event_goes_to_one_of_several_connections() {
    let sim = start().await;
    let mut sockets = [Socket::connect(&sim).await, Socket::connect(&sim).await];
    let user = sim.platform().add_user("Lin");
    for n in 0..40 {
        let say = Say { user: user.clone(), text: n.to_string(), ..Say::default() };
        sim.platform().say(say).unwrap();
    }
    let ledger = sim.platform().ledger();
    assert!(ledger.events.iter().all(|e| e.deliveries.len() == 1));
    let share = |n: usize| {
        let conn = &ledger.connections[n].id;
        ledger.events.iter().filter(|e| &e.deliveries[0].conn == conn).count()
    };
    assert_eq!(share(0) + share(1), 40);
    assert!(share(0) > 5 && share(1) > 5, "{} and {}", share(0), share(1));
    for (n, socket) in sockets.iter_mut().enumerate() {
        for _ in 0..share(n) {
            socket.frame().await;
        }
    }
}

#[tokio::test]
async fn what_a_real_server_would_object_to_is_written_down() {
    use futures_util::SinkExt;
    use tokio_tungstenite::tungstenite::Message;
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    hello(&sim);
    let frame = socket.frame().await;
    socket.ack(&frame, &json!({"code": 200})).await;
    socket.ack(&frame, &json!({"code": 200})).await;
    let mut stranger = ack_of(&frame, &json!({"code": 200}));
    stranger.headers[1].value = "nobody".to_owned();
    socket.send(stranger).await;
    socket.ws.send(Message::text("{\"type\":\"PING\"}")).await.unwrap();
    socket.ws.send(Message::binary(&b"\x08\x00"[..])).await.unwrap();
    sim.platform().wait_for(|l| l.violations.len() == 4, PATIENCE).await.unwrap();
    let ledger = sim.platform().ledger();
    let said: Vec<_> = ledger.violations.iter().collect();
    for (violation, word) in said.iter().zip(["second ack", "unknown message", "text", "LogID"]) {
        assert!(violation.contains(word), "{violation} lacks {word}");
    }
}

#[tokio::test]
async fn a_group_message_reaches_an_app_by_its_scopes() {
    let only = |scope: &str| Some(vec![scope.to_owned()]);
    let app = |n: u8, scopes| AppSpec {
        app_id: format!("cli_a1b2c3d4e5f6071{n}").into(),
        scopes,
        ..AppSpec::default()
    };
    let apps = vec![
        app(0, only("im:message.group_at_msg:readonly")),
        app(1, only("im:message.group_msg")),
        app(2, only("im:message.p2p_msg:readonly")),
    ];
    let sim = Sim::start(SimOptions { apps, ..SimOptions::default() }).await.unwrap();
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().add_group("team", std::slice::from_ref(&user));
    let say =
        |mention_bot| Say { chat: chat.clone(), user: user.clone(), mention_bot, ..Say::default() };
    sim.platform().say(say(false)).unwrap();
    sim.platform().say(say(true)).unwrap();
    let ledger = sim.platform().ledger();
    let apps: Vec<_> =
        ledger.events.iter().map(|e| e.app_id.as_str().chars().last().unwrap()).collect();
    assert_eq!(apps, ['1', '0', '1']);
}

#[tokio::test]
async fn stopping_ends_every_connection() {
    use futures_util::StreamExt;
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    sim.stop().await;
    let end = tokio::time::timeout(PATIENCE, socket.ws.next()).await.unwrap();
    assert!(matches!(end, None | Some(Err(_))));
}
