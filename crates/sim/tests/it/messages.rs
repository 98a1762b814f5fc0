//! The open API: tokens, messages, reactions, chats, files, limits.

use std::time::Duration;

use futures_util::future::join_all;
use larkline_sim::{Attachment, Limits, Say, Sim, SimOptions};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::client::{Api, PATIENCE, start};

const MESSAGES: &str = "/open-apis/im/v1/messages";

/// A group to send to.
fn group(sim: &Sim) -> String {
    let user = sim.platform().add_user("Lin");
    sim.platform().add_group("team", &[user]).to_string()
}

async fn sent(api: &Api, chat: &str, text: &str) -> String {
    let answer = api.send(chat, text, None).await.1;
    answer["data"]["message_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_sent_message_is_in_the_ledger_and_can_be_read_back() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let (status, sent) = api.send(&group(&sim), "hello", Some("u-1")).await;
    assert_eq!((status, &sent["code"]), (200, &json!(0)));
    let id = sent["data"]["message_id"].as_str().unwrap();
    let got = api.get(&format!("{MESSAGES}/{id}")).await;
    assert_eq!(got["data"]["items"][0]["body"]["content"], json!({"text": "hello"}).to_string());
    assert_eq!(got["data"]["items"][0]["sender"]["sender_type"], "app");
    let ledger = sim.platform().ledger();
    assert_eq!(ledger.messages[0].text.as_deref(), Some("hello"));
    assert_eq!(ledger.messages[0].uuid.as_deref(), Some("u-1"));
}

#[tokio::test]
async fn tokens_and_scopes_are_checked_in_front_of_every_api() {
    let mut options = SimOptions::default();
    options.apps[0].scopes = Some(vec!["im:chat".to_owned()]);
    let sim = Sim::start(options).await.unwrap();
    let mut api = Api::new(&sim).await;
    let (status, refusal) = api.call(Method::POST, MESSAGES, &json!({})).await;
    assert_eq!((status, &refusal["code"]), (400, &json!(99_991_672)));
    let missing = &refusal["error"]["permission_violations"][0];
    assert_eq!(missing, &json!({"type": "action_scope_required", "subject": "im:message"}));
    assert_eq!(refusal["error"]["helps"].as_array().unwrap().len(), 1);
    for (token, code) in [("", 99_991_661), ("nonsense", 99_991_671), ("t-unknown", 99_991_663)] {
        api.token = token.to_owned();
        assert_eq!(api.get("/open-apis/bot/v3/info").await["code"], code, "{token:?}");
    }
}

#[tokio::test]
async fn every_answer_has_a_log_id_and_refusals_repeat_it() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let response =
        api.raw(Method::GET, "/open-apis/im/v1/messages/om_none", &Value::Null).await.unwrap();
    let header = response.headers()["x-tt-logid"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["code"], &body["error"]["log_id"]), (&json!(99_992_354), &json!(header)));
    assert_eq!(sim.platform().ledger().calls.last().unwrap().log_id.as_str(), header);
}

#[tokio::test]
async fn the_token_endpoint_fails_with_http_200() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let path = "/open-apis/auth/v3/tenant_access_token/internal";
    for (body, code) in [
        (json!({"app_id": "cli_a1b2c3d4e5f60718", "app_secret": "wrong"}), 10_014),
        (json!({"app_id": "cli_0000000000000000", "app_secret": "s"}), 10_014),
        (json!({"app_id": "x", "app_secret": "s"}), 10_003),
    ] {
        let (status, answer) = api.call(Method::POST, path, &body).await;
        assert_eq!((status, &answer["code"]), (200, &json!(code)));
    }
    assert_eq!(api.fresh_token().await, api.token);
}

#[tokio::test]
async fn the_sixth_message_of_a_second_in_one_chat_is_refused() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let (chat, other) = (group(&sim), group(&sim));
    let sends = (0..6).map(|_| api.send(&chat, "a", None));
    let mut codes: Vec<_> =
        join_all(sends).await.iter().map(|a| a.1["code"].as_i64().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 0, 0, 0, 0, 230_020]);
    assert_eq!(api.send(&other, "here", None).await.1["code"], 0);
}

#[tokio::test]
async fn too_many_calls_of_one_api_get_429_and_a_reset() {
    let limits = Limits { per_api_per_min: 3, ..Limits::default() };
    let sim = Sim::start(SimOptions { limits, ..SimOptions::default() }).await.unwrap();
    let api = Api::new(&sim).await;
    for _ in 0..3 {
        assert_eq!(api.get("/open-apis/bot/v3/info").await["code"], 0);
    }
    let refused = api.raw(Method::GET, "/open-apis/bot/v3/info", &Value::Null).await.unwrap();
    assert_eq!(refused.status(), 429);
    let reset: u64 = refused.headers()["x-ogw-ratelimit-reset"].to_str().unwrap().parse().unwrap();
    assert!((50..=60).contains(&reset), "{reset}");
    assert_eq!(api.get("/open-apis/im/v1/chats").await["code"], 0);
}

#[tokio::test]
async fn a_uuid_gives_the_same_message_inside_its_window_and_a_new_one_after() {
    for (uuid_window, messages) in [(Duration::from_secs(3600), 1), (Duration::ZERO, 2)] {
        let sim = Sim::start(SimOptions { uuid_window, ..SimOptions::default() }).await.unwrap();
        let api = Api::new(&sim).await;
        let chat = group(&sim);
        for _ in 0..2 {
            assert_eq!(api.send(&chat, "a", Some("u-1")).await.1["code"], 0);
        }
        assert_eq!(sim.platform().ledger().messages.len(), messages, "{uuid_window:?}");
    }
}

#[tokio::test]
async fn sends_are_refused_with_the_platforms_codes() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let (platform, chat) = (sim.platform(), group(&sim));
    let code = async |chat: &str, msg_type: &str, content: &str| {
        let body = json!({"receive_id": chat, "msg_type": msg_type, "content": content});
        api.call(Method::POST, &format!("{MESSAGES}?receive_id_type=chat_id"), &body).await.1["code"].clone()
    };
    assert_eq!(code("oc_none", "text", "{\"text\":\"a\"}").await, 230_001);
    assert_eq!(code(&chat, "text", "plain words").await, 230_001);
    assert_eq!(code(&chat, "novel", "{}").await, 230_001);
    assert_eq!(code(&chat, "image", "{\"image_key\":\"img_none\"}").await, 230_001);
    let long = json!({"text": "x".repeat(150 * 1024)}).to_string();
    assert_eq!(code(&chat, "text", &long).await, 230_025);
    let card = json!({"elements": "x".repeat(30 * 1024)}).to_string();
    assert_eq!(code(&chat, "interactive", &card).await, 230_025);
    let ok = "{\"text\":\"a\"}";
    platform.mute(&chat.as_str().into(), true).unwrap();
    assert_eq!(code(&chat, "text", ok).await, 230_018);
    platform.remove_bot(&chat.as_str().into(), &larkline_sim::DEMO_APP_ID.into()).unwrap();
    assert_eq!(code(&chat, "text", ok).await, 230_002);
    platform.dissolve(&chat.as_str().into()).unwrap();
    assert_eq!(code(&chat, "text", ok).await, 232_009);
    let user = platform.add_user("Mei");
    let p2p = platform.p2p(&user).unwrap();
    platform.set_available(&user, false).unwrap();
    assert_eq!(code(p2p.as_str(), "text", ok).await, 230_013);
    assert!(platform.ledger().messages.is_empty());
}

#[tokio::test]
async fn a_reply_knows_its_tree_and_a_recalled_target_refuses_it() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let user = sim.platform().add_user("Lin");
    let said = sim.platform().say(Say { user, text: "?".to_owned(), ..Say::default() }).unwrap();
    let path = format!("{MESSAGES}/{}/reply", said.message_id);
    let body = json!({"msg_type": "text", "content": "{\"text\":\"!\"}", "reply_in_thread": true});
    let reply = api.call(Method::POST, &path, &body).await.1["data"].clone();
    let said_id = said.message_id.as_str();
    assert_eq!((&reply["root_id"], &reply["parent_id"]), (&json!(said_id), &json!(said_id)));
    assert!(reply["thread_id"].as_str().unwrap().starts_with("omt_"));
    assert_eq!(sim.platform().ledger().replies_to(&said.message_id).count(), 1);
    sim.platform().recall(&said.message_id).unwrap();
    assert_eq!(api.call(Method::POST, &path, &body).await.1["code"], 230_011);
}

#[tokio::test]
async fn a_message_is_edited_twenty_times_and_recalled_once() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let path = format!("{MESSAGES}/{}", sent(&api, &group(&sim), "0").await);
    let edit = json!({"msg_type": "text", "content": "{\"text\":\"new\"}"});
    for _ in 0..20 {
        assert_eq!(api.call(Method::PUT, &path, &edit).await.1["data"]["updated"], true);
    }
    assert_eq!(api.call(Method::PUT, &path, &edit).await.1["code"], 230_072);
    assert_eq!(api.call(Method::DELETE, &path, &Value::Null).await.1["code"], 0);
    assert_eq!(api.call(Method::DELETE, &path, &Value::Null).await.1["code"], 230_110);
    let ledger = sim.platform().ledger();
    let row = &ledger.messages[0];
    assert_eq!((row.text.as_deref(), row.edits.len(), row.recalled), (Some("new"), 20, true));
}

#[tokio::test]
async fn a_card_is_updated_in_place_and_nothing_else_is() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let chat = group(&sim);
    let card =
        |words: &str| json!({"elements": [{"tag": "markdown", "content": words}]}).to_string();
    let body = json!({"receive_id": chat, "msg_type": "interactive", "content": card("a")});
    let answer =
        api.call(Method::POST, &format!("{MESSAGES}?receive_id_type=chat_id"), &body).await.1;
    let path = format!("{MESSAGES}/{}", answer["data"]["message_id"].as_str().unwrap());
    let new = json!({"content": card("b")});
    let updates = (0..6).map(|_| api.call(Method::PATCH, &path, &new));
    let mut codes: Vec<_> =
        join_all(updates).await.iter().map(|a| a.1["code"].as_i64().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 0, 0, 0, 0, 230_020]);
    assert_eq!(sim.platform().ledger().messages[0].text.as_deref(), Some("b"));
    let text = format!("{MESSAGES}/{}", sent(&api, &chat, "text").await);
    assert_eq!(
        api.call(Method::PATCH, &text, &json!({"content": card("b")})).await.1["code"],
        230_001
    );
}

#[tokio::test]
async fn a_reaction_is_added_once_and_removed_by_its_id() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let path = format!("{MESSAGES}/{}/reactions", sent(&api, &group(&sim), "a").await);
    let typing = json!({"reaction_type": {"emoji_type": "Typing"}});
    let id = api.call(Method::POST, &path, &typing).await.1["data"]["reaction_id"].clone();
    assert_eq!(api.call(Method::POST, &path, &typing).await.1["data"]["reaction_id"], id);
    let typo = json!({"reaction_type": {"emoji_type": "typing"}});
    assert_eq!(api.call(Method::POST, &path, &typo).await.1["code"], 231_001);
    assert_eq!(api.get(&path).await["data"]["items"].as_array().unwrap().len(), 1);
    let one = format!("{path}/{}", id.as_str().unwrap());
    assert_eq!(api.call(Method::DELETE, &one, &Value::Null).await.1["code"], 0);
    assert_eq!(api.call(Method::DELETE, &one, &Value::Null).await.1["code"], 231_011);
    assert!(sim.platform().ledger().reactions[0].removed_ms.is_some());
}

#[tokio::test]
async fn chats_members_history_and_the_bot_can_be_asked_for() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let chat = group(&sim);
    for text in ["a", "b", "c"] {
        sent(&api, &chat, text).await;
    }
    let info = api.get(&format!("/open-apis/im/v1/chats/{chat}")).await;
    assert_eq!((&info["data"]["name"], &info["data"]["user_count"]), (&json!("team"), &json!("1")));
    assert_eq!(api.get("/open-apis/im/v1/chats/oc_none").await["code"], 99_992_356);
    assert_eq!(
        api.get("/open-apis/im/v1/chats").await["data"]["items"][0]["chat_id"],
        chat.as_str()
    );
    let members = api.get(&format!("/open-apis/im/v1/chats/{chat}/members")).await;
    assert_eq!(members["data"]["items"][0]["name"], "Lin");
    let bot = api.get("/open-apis/bot/v3/info").await;
    assert_eq!(bot["bot"]["open_id"], sim.platform().bot_open_id().as_str());
    let list = format!("{MESSAGES}?container_id_type=chat&container_id={chat}&page_size=2");
    let page = api.get(&list).await["data"].clone();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["has_more"]), (2, &json!(true)));
    let next = format!("{list}&page_token={}", page["page_token"].as_str().unwrap());
    assert_eq!(api.get(&next).await["data"]["items"][0]["body"]["content"], "{\"text\":\"c\"}");
}

#[tokio::test]
async fn the_connection_count_is_what_the_platform_believes() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let count = async || {
        api.get("/open-apis/event/v1/connection").await["data"]["online_instance_cnt"].clone()
    };
    assert_eq!(count().await, 0);
    let socket = crate::client::Socket::connect(&sim).await;
    assert_eq!(count().await, 1);
    drop(socket);
    sim.platform().wait_for(|l| l.open_connections() == 0, PATIENCE).await.unwrap();
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn files_go_up_and_come_down_and_belong_to_their_message() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let file = Form::new()
        .text("file_type", "stream")
        .text("file_name", "a.txt")
        .part("file", Part::bytes(b"words".to_vec()).file_name("a.txt"));
    let key = api.form("/open-apis/im/v1/files", file).await["data"]["file_key"].clone();
    let key = key.as_str().unwrap();
    let down =
        api.raw(Method::GET, &format!("/open-apis/im/v1/files/{key}"), &Value::Null).await.unwrap();
    assert_eq!(down.bytes().await.unwrap(), "words");
    let image = Form::new()
        .text("image_type", "message")
        .part("image", Part::bytes(b"no picture".to_vec()).file_name("a.png"));
    assert_eq!(api.form("/open-apis/im/v1/images", image).await["code"], 234_011);

    let user = sim.platform().add_user("Lin");
    let attachment = Attachment { name: "b.bin".to_owned(), image: false, bytes: vec![7; 10] };
    let say = Say { user, attachment: Some(attachment), ..Say::default() };
    let message = sim.platform().say(say).unwrap().message_id;
    let got = api.get(&format!("{MESSAGES}/{message}")).await;
    let content: Value =
        serde_json::from_str(got["data"]["items"][0]["body"]["content"].as_str().unwrap()).unwrap();
    let resource = |key: &str| format!("{MESSAGES}/{message}/resources/{key}?type=file");
    let theirs = content["file_key"].as_str().unwrap();
    let down = api.raw(Method::GET, &resource(theirs), &Value::Null).await.unwrap();
    assert_eq!(down.bytes().await.unwrap().to_vec(), [7; 10]);
    assert_eq!(api.get(&resource(key)).await["code"], 234_003);
}
