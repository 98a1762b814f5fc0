//! Load runs: what they count, and what they leave alone.

use larkline_sim::{DEMO_APP_ID, Load, Sim};
use serde_json::json;

use crate::client::{Api, Socket, payload, start};

/// Starts a run beside a test's client.
fn run(sim: &Sim, load: Load) -> tokio::task::JoinHandle<larkline_sim::LoadReport> {
    let platform = sim.platform().clone();
    #[expect(clippy::disallowed_methods, reason = "a test waits for the task itself")]
    tokio::spawn(async move { platform.load(load).await.unwrap() })
}

#[tokio::test]
async fn a_run_keeps_so_many_events_outstanding_and_counts_their_acks() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let report = run(&sim, Load { events: 40, outstanding: 3, chats: 2, ..Load::default() });
    let mut waiting = vec![socket.frame().await, socket.frame().await, socket.frame().await];
    let mut ids = std::collections::BTreeSet::new();
    for n in 0..40 {
        let frame = waiting.remove(0);
        let event = payload(&frame);
        ids.insert(event["header"]["event_id"].as_str().unwrap().to_owned());
        ids.insert(event["event"]["message"]["message_id"].as_str().unwrap().to_owned());
        let code = if n == 0 { 500 } else { 200 };
        socket.ack(&frame, &json!({ "code": code })).await;
        if n < 37 {
            waiting.push(socket.frame().await);
        }
    }
    let report = report.await.unwrap();
    assert_eq!(ids.len(), 80, "every event and message has an id of its own");
    assert_eq!((report.pushed, report.acked, report.refused, report.missing), (40, 39, 1, 0));
    assert!(report.ack_us.p50 > 0 && report.ack_us.max >= report.ack_us.p99);
    let ledger = sim.platform().ledger();
    assert!(ledger.events.is_empty() && ledger.violations.is_empty());
}

#[tokio::test]
async fn a_run_at_a_pace_counts_replies_their_order_and_doubles() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let api = Api::new(&sim).await;
    let load = Load { events: 3, per_second: 1_000.0, chats: 1, replies: true, ..Load::default() };
    let report = run(&sim, load);
    let mut messages = Vec::new();
    for _ in 0..3 {
        let event = payload(&socket.frame().await);
        messages.push(event["event"]["message"]["message_id"].as_str().unwrap().to_owned());
    }
    // Two replies to the newest, then the two older ones: both were overtaken.
    for message in [&messages[2], &messages[2], &messages[0], &messages[1]] {
        let body = json!({"msg_type": "text", "content": json!({"text": "x"}).to_string()});
        let path = format!("/open-apis/im/v1/messages/{message}/reply");
        let (status, answer) = api.call(reqwest::Method::POST, &path, &body).await;
        assert_eq!(status, 200, "{answer}");
    }
    let report = report.await.unwrap();
    assert_eq!((report.replied, report.doubled, report.overtaken), (3, 1, 2));
    assert_eq!((report.acked, report.missing), (0, 0));
}

#[tokio::test]
async fn what_is_never_answered_is_missing() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let load = Load { events: 2, patience_ms: 50, app: DEMO_APP_ID.into(), ..Load::default() };
    let report = run(&sim, load);
    let frame = socket.frame().await;
    socket.ack(&frame, &json!({"code": 200})).await;
    let report = report.await.unwrap();
    // On a busy machine the one ack may come after the run's end, too.
    assert!(report.missing >= 1 && report.acked + report.missing == 2, "{report:?}");
}

#[tokio::test]
async fn runs_that_cannot_work_are_refused_with_what_to_do() {
    let sim = start().await;
    let refused = async |load: Load| sim.platform().load(load).await.unwrap_err().to_string();
    assert!(refused(Load::default()).await.contains("start the bot"));
    let _socket = Socket::connect(&sim).await;
    assert!(refused(Load { events: 0, ..Load::default() }).await.contains("1 to"));
    assert!(refused(Load { outstanding: 0, ..Load::default() }).await.contains("outstanding"));
    assert!(refused(Load { app: "cli_0".into(), ..Load::default() }).await.contains("cli_0"));
}
