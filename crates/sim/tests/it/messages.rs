//! The open API: tokens, messages, reactions, chats, files, limits.

use larkline_sim::Sim;
use serde_json::json;

use crate::client::{Api, start};

/// A chat to send to.
fn chat(sim: &Sim) -> String {
    let user = sim.platform().add_user("Lin");
    sim.platform().add_group("team", &[user]).to_string()
}

#[tokio::test]
async fn a_sent_message_is_in_the_ledger_and_can_be_read_back() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let (status, sent) = api.send(&chat(&sim), "hello", Some("u-1")).await;
    assert_eq!((status, &sent["code"]), (200, &json!(0)));
    let id = sent["data"]["message_id"].as_str().unwrap();
    let got = api.get(&format!("/open-apis/im/v1/messages/{id}")).await;
    assert_eq!(got["data"]["items"][0]["body"]["content"], json!({"text": "hello"}).to_string());
    assert_eq!(got["data"]["items"][0]["sender"]["sender_type"], "app");
    let ledger = sim.platform().ledger();
    assert_eq!(ledger.messages[0].text.as_deref(), Some("hello"));
    assert_eq!(ledger.messages[0].uuid.as_deref(), Some("u-1"));
}
