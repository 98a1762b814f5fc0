//! Faults of the long connection: each changes what a client sees, and only that.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use larkline_proto::frame::Frame;
use larkline_sim::{Fault, Malformed, Said, Say, Sim, SimOptions, TlsFiles};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{PATIENCE, Socket, dial, hurried, inject, payload, refused, start, ws_url};

fn say(sim: &Sim, text: &str) -> Said {
    let user = sim.platform().add_user("Lin");
    sim.platform().say(Say { user, text: text.to_owned(), ..Say::default() }).unwrap()
}

/// The end of a connection, as its client sees it.
async fn end(socket: &mut Socket) -> Option<Result<Message, Error>> {
    tokio::time::timeout(PATIENCE, socket.ws.next()).await.unwrap()
}

#[tokio::test]
async fn a_reset_ends_the_connection_without_a_close_frame() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "rst"}));
    let reset = end(&mut socket).await;
    let is_reset = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(matches!(&reset, Some(Err(Error::Io(e))) if is_reset(e)), "{reset:?}");
    sim.platform().wait_for(|l| l.open_connections() == 0, PATIENCE).await.unwrap();
    assert_eq!(sim.platform().ledger().connections[0].why.as_deref(), Some("reset by fault"));
}

#[tokio::test]
async fn a_close_carries_its_code_and_reason() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "close", "code": 1011, "reason": "internal error"}));
    let Some(Ok(Message::Close(Some(frame)))) = end(&mut socket).await else {
        panic!("no close frame")
    };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1011, "internal error"));
}

#[tokio::test]
async fn a_half_open_connection_says_nothing_and_stays_open() {
    let sim = start().await;
    let mut frozen = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "half_open"}));
    frozen.ping().await;
    let mut fresh = Socket::connect(&sim).await;
    fresh.ping().await;
    assert_eq!(fresh.frame().await.header("type"), Some("pong"));
    let silence = tokio::time::timeout(Duration::from_millis(100), frozen.ws.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    let ledger = sim.platform().ledger();
    assert_eq!((ledger.connections[0].pings, ledger.connections[1].pings), (0, 1));
    assert_eq!(ledger.open_connections(), 2);
}

#[tokio::test]
async fn a_half_open_connection_is_forgotten_in_the_end_and_events_go_elsewhere() {
    let idle_timeout = Duration::from_millis(300);
    let sim = Sim::start(SimOptions { idle_timeout, ..SimOptions::default() }).await.unwrap();
    let _frozen = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "half_open"}));
    let forgotten = |l: &larkline_sim::Ledger| l.connections[0].closed_ms.is_some();
    sim.platform().wait_for(forgotten, PATIENCE).await.unwrap();
    let mut fresh = Socket::connect(&sim).await;
    let said = say(&sim, "here");
    let event = payload(&fresh.frame().await);
    assert_eq!(event["header"]["event_id"], said.event_id.as_str());
}

#[tokio::test]
async fn pings_of_either_kind_can_stay_unanswered() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "no_pong"}));
    socket.ping().await;
    socket.ws.send(Message::Ping("a".into())).await.unwrap();
    assert_eq!(socket.message().await, Message::Pong("a".into()));
    inject(&sim, json!({"kind": "clear"}));
    inject(&sim, json!({"kind": "no_ws_pong"}));
    socket.ws.send(Message::Ping("b".into())).await.unwrap();
    socket.ping().await;
    assert_eq!(socket.frame().await.header("type"), Some("pong"));
    let ledger = sim.platform().ledger();
    assert_eq!((ledger.connections[0].pings, ledger.connections[0].ws_pings), (2, 2));
}

#[tokio::test]
async fn a_pong_can_carry_any_settings_for_a_while() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "pong_config", "json": {"PingInterval": 0}}));
    socket.ping().await;
    assert_eq!(payload(&socket.frame().await), json!({"PingInterval": 0}));
    socket.ping().await;
    assert_eq!(payload(&socket.frame().await)["PingInterval"], 120);
}

#[tokio::test]
async fn a_handshake_is_refused_with_the_headers_asked_for() {
    let sim = start().await;
    let fault = json!({"kind": "refuse_handshake", "handshake_status": 514, "autherrcode": 1_000_040_350, "msg": "limit"});
    inject(&sim, fault);
    let url = ws_url(&sim).await;
    let (status, headers) = refused(&url).await;
    assert_eq!(status, 400);
    for (name, value) in [
        ("handshake-status", "514"),
        ("handshake-autherrcode", "1000040350"),
        ("handshake-msg", "limit"),
    ] {
        assert!(headers.contains(&(name.to_owned(), value.to_owned())), "{headers:?}");
    }
    dial(&url).await.unwrap();
}

/// The parts of one event, by `seq`, and how many frames brought them.
async fn parts(socket: &mut Socket, frames: usize) -> Vec<Frame> {
    let mut parts = Vec::new();
    for _ in 0..frames {
        parts.push(socket.frame().await);
    }
    parts.sort_by_key(|f| f.header("seq").unwrap().parse::<u32>().unwrap());
    parts.dedup_by_key(|f| f.header("seq").unwrap().to_owned());
    parts
}

#[tokio::test]
async fn a_long_event_travels_in_parts_and_any_of_them_can_be_acked() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "fragment", "bytes": 100, "shuffle": true, "duplicate": true}));
    let said = say(&sim, "你好，世界");
    let frames = sim.platform().read(|l| l.connections[0].frames_out);
    let parts = parts(&mut socket, usize::try_from(frames).unwrap()).await;
    assert_eq!(parts.len() + 1, usize::try_from(frames).unwrap());
    assert!(parts.iter().all(|p| p.header("sum") == Some(&parts.len().to_string())));
    let whole: Vec<u8> = parts.iter().flat_map(|p| p.payload.clone().unwrap()).collect();
    let event: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(event["header"]["event_id"], said.event_id.as_str());
    socket.ack(&parts[1], &json!({"code": 200})).await;
    sim.platform().wait_for(|l| l.events[0].done, PATIENCE).await.unwrap();
    let ledger = sim.platform().ledger();
    assert!(
        ledger.events[0].deliveries[0].headers_echoed && ledger.events[0].deliveries[0].ids_echoed
    );
}

#[tokio::test]
async fn a_waiting_event_can_leave_in_one_segment_with_the_101() {
    let sim = start().await;
    let said = say(&sim, "early");
    inject(&sim, json!({"kind": "push_with_upgrade"}));
    let url = url::Url::parse(&ws_url(&sim).await).unwrap();
    let mut tcp = TcpStream::connect(sim.address()).await.unwrap();
    let request = format!(
        "GET {}?{} HTTP/1.1\r\nHost: sim\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        url.path(),
        url.query().unwrap()
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 16 * 1024];
    let read = tcp.read(&mut bytes).await.unwrap();
    let text = String::from_utf8_lossy(&bytes[..read]);
    assert!(text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(text.contains(said.event_id.as_str()), "the event is not in the segment of the 101");
}

#[tokio::test]
async fn malformed_frames_reach_the_client_as_promised() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let send = |shape| sim.platform().fault(Fault::Malformed { shape }).unwrap();
    for shape in [Malformed::Garbage, Malformed::MissingRequired] {
        send(shape);
        let message = socket.message().await;
        assert!(Frame::decode(message.into_data()).is_err(), "{shape:?}");
    }
    send(Malformed::Text);
    assert!(socket.message().await.is_text());
    send(Malformed::SeqOutOfRange);
    let frame = socket.frame().await;
    assert_eq!((frame.header("sum"), frame.header("seq")), (Some("2"), Some("7")));
    send(Malformed::NotUtf8);
    assert!(std::str::from_utf8(&socket.frame().await.payload.unwrap()).is_err());
    send(Malformed::TypeCard);
    let card = socket.frame().await;
    assert_eq!(card.header("type"), Some("card"));
    send(Malformed::Large);
    assert_eq!(socket.frame().await.payload.unwrap().len(), 2 * 1024 * 1024);
    send(Malformed::UnknownMethod);
    assert_eq!(socket.frame().await.method, 7);
    // An ack of something malformed but readable is nobody's fault.
    socket.ack(&card, &json!({"code": 200})).await;
    socket.ping().await;
    socket.frame().await;
    assert!(sim.platform().ledger().violations.is_empty());
}

#[tokio::test]
async fn an_acked_event_can_come_again_under_its_own_or_a_new_id() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let said = say(&sim, "once");
    let frame = socket.frame().await;
    socket.ack(&frame, &json!({"code": 200})).await;
    sim.platform().wait_for(|l| l.events[0].done, PATIENCE).await.unwrap();
    inject(&sim, json!({"kind": "duplicate", "event_id": said.event_id}));
    let again = payload(&socket.frame().await);
    assert_eq!(again["header"]["event_id"], said.event_id.as_str());
    inject(&sim, json!({"kind": "duplicate", "event_id": said.event_id, "new_event_id": true}));
    let renamed = payload(&socket.frame().await);
    assert_ne!(renamed["header"]["event_id"], said.event_id.as_str());
    assert_eq!(renamed["event"], again["event"]);
}

#[tokio::test]
async fn a_lost_ack_brings_the_event_back() {
    let options = SimOptions { ack_timeout: Duration::from_millis(500), ..hurried() };
    let sim = Sim::start(options).await.unwrap();
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "drop_acks"}));
    say(&sim, "lost");
    let acking = async {
        loop {
            let frame = socket.frame().await;
            socket.ack(&frame, &json!({"code": 200})).await;
        }
    };
    tokio::select! {
        done = sim.platform().wait_for(|l| l.events[0].done, PATIENCE) => done.unwrap(),
        () = acking => {}
    }
    let ledger = sim.platform().ledger();
    let deliveries = &ledger.events[0].deliveries;
    assert!(deliveries[0].acked_ms.is_none() && deliveries.last().unwrap().acked_ms.is_some());
}

#[tokio::test]
async fn a_hanging_handshake_says_nothing_and_the_next_one_works() {
    let sim = start().await;
    inject(&sim, json!({"kind": "hang_upgrade"}));
    let url = ws_url(&sim).await;
    let read =
        |l: &larkline_sim::Ledger| l.calls.iter().any(|c| c.path == "/ws/v2" && c.status == 0);
    tokio::select! {
        answer = dial(&url) => panic!("a hanging handshake was answered: {answer:?}"),
        read = sim.platform().wait_for(read, PATIENCE) => read.unwrap(),
    }
    assert_eq!(sim.platform().read(|l| l.connections.len()), 0);
    dial(&url).await.unwrap();
}

#[tokio::test]
async fn waiting_events_can_be_pushed_at_once() {
    let sim = start().await;
    let (one, two) = (say(&sim, "1"), say(&sim, "2"));
    let mut socket = Socket::connect(&sim).await;
    inject(&sim, json!({"kind": "redeliver_now"}));
    for said in [one, two] {
        let event = payload(&socket.frame().await);
        assert_eq!(event["header"]["event_id"], said.event_id.as_str());
    }
}

#[tokio::test]
async fn a_reset_forgets_but_does_not_blame_an_ack_on_its_way() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    say(&sim, "1");
    let frame = socket.frame().await;
    sim.platform().reset();
    socket.ack(&frame, &json!({"code": 200})).await;
    socket.ping().await;
    socket.frame().await;
    let ledger = sim.platform().ledger();
    assert!(ledger.events.is_empty() && ledger.violations.is_empty());
    assert_eq!(ledger.open_connections(), 1);
}

#[tokio::test]
async fn over_tls_the_url_is_wss_and_everything_works_as_without() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&tls.cert, made.cert.pem()).unwrap();
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let sim = Sim::start(SimOptions { tls: Some(tls), ..SimOptions::default() }).await.unwrap();
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    drop(crate::client::http());
    let http = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let url = format!("https://localhost:{}/callback/ws/endpoint", sim.address().port());
    let body =
        json!({"AppID": larkline_sim::DEMO_APP_ID, "AppSecret": larkline_sim::DEMO_APP_SECRET});
    let answer: Value = http.post(url).json(&body).send().await.unwrap().json().await.unwrap();
    let ws = answer["data"]["URL"].as_str().unwrap();
    assert!(ws.starts_with(&format!("wss://localhost:{}/", sim.address().port())), "{ws}");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(sim.address()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(ws, tls).await.unwrap();
    socket.send(Message::Ping("a".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong("a".into()));
    inject(&sim, json!({"kind": "rst"}));
    assert!(matches!(socket.next().await, Some(Err(Error::Io(_)))));
}
