//! What people do besides writing, topic groups, contacts, histories, and an app by QR code.

use larkline_proto::id::OpenId;
use larkline_sim::{AppSpec, Say, Sim, SimOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, PATIENCE, Socket, http, payload, start};

const MESSAGES: &str = "/open-apis/im/v1/messages";

async fn act(sim: &Sim, act: Value) {
    let url = format!("{}/_sim/act", sim.url());
    let answer = http().post(url).json(&act).send().await.unwrap();
    let status = answer.status();
    assert_eq!(status, 200, "{act}: {}", answer.text().await.unwrap());
}

/// The next event, acknowledged: its type and its body.
async fn event(socket: &mut Socket) -> (String, Value) {
    let frame = socket.frame().await;
    socket.ack(&frame, &json!({"code": 200})).await;
    let event = payload(&frame);
    (event["header"]["event_type"].as_str().unwrap().to_owned(), event["event"].clone())
}

#[tokio::test]
async fn in_a_topic_group_every_message_begins_a_thread_and_answers_stay_in_it() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().add_topic_group("topics", std::slice::from_ref(&user));
    let say = |text: &str, reply_to| {
        let text = text.to_owned();
        let say = Say { user: user.clone(), chat: chat.clone(), text, reply_to, ..Say::default() };
        sim.platform().say(say).unwrap()
    };
    let (one, other) = (say("one", None), say("other", None));
    assert!(one.thread_id.is_some() && one.thread_id != other.thread_id);
    assert_eq!(say("more", Some(one.message_id.clone())).thread_id, one.thread_id);
    let sent = api.send(chat.as_str(), "mine", None).await.1["data"].clone();
    assert!(sent["thread_id"].is_string() && sent["root_id"].is_null(), "{sent}");
    let body = json!({"msg_type": "text", "content": "{\"text\":\"answer\"}"});
    let path = format!("{MESSAGES}/{}/reply", one.message_id);
    let reply = api.call(Method::POST, &path, &body).await.1["data"].clone();
    assert_eq!(reply["thread_id"], json!(one.thread_id));
    let info = api.get(&format!("/open-apis/im/v1/chats/{chat}")).await["data"].clone();
    assert_eq!((&info["chat_mode"], &info["group_message_type"]), (&json!("topic"), &Value::Null));
}

#[tokio::test]
async fn reading_entering_joining_and_renaming_are_told() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let (user, late) = (sim.platform().add_user("Lin"), sim.platform().add_user("Mei"));
    let direct = sim.platform().p2p(&user).unwrap();
    let group = sim.platform().add_group("team", std::slice::from_ref(&user));
    let sent = api.send(direct.as_str(), "read me", None).await.1["data"]["message_id"].clone();
    let mut socket = Socket::connect(&sim).await;
    for (deed, kind, at, value) in [
        (
            json!({"kind": "read", "user": user, "message": sent}),
            "im.message.message_read_v1",
            "/message_id_list/0",
            sent.clone(),
        ),
        (
            json!({"kind": "enter", "user": user}),
            "im.chat.access_event.bot_p2p_chat_entered_v1",
            "/last_message_id",
            sent.clone(),
        ),
        (
            json!({"kind": "add_member", "chat": group, "user": late}),
            "im.chat.member.user.added_v1",
            "/users/0/name",
            json!("Mei"),
        ),
        (
            json!({"kind": "remove_member", "chat": group, "user": late}),
            "im.chat.member.user.deleted_v1",
            "/users/0/name",
            json!("Mei"),
        ),
        (
            json!({"kind": "rename", "chat": group, "name": "crew"}),
            "im.chat.updated_v1",
            "/after_change/name",
            json!("crew"),
        ),
        (
            json!({"kind": "react", "user": user, "message": sent, "emoji": "OK"}),
            "im.message.reaction.created_v1",
            "/operator_type",
            json!("user"),
        ),
        (
            json!({"kind": "unreact", "user": user, "message": sent, "emoji": "OK"}),
            "im.message.reaction.deleted_v1",
            "/operator_type",
            json!("user"),
        ),
    ] {
        act(&sim, deed).await;
        let (told, body) = event(&mut socket).await;
        assert_eq!((told.as_str(), body.pointer(at)), (kind, Some(&value)), "{body}");
    }
    let path = format!("{MESSAGES}/{}/read_users?user_id_type=open_id", sent.as_str().unwrap());
    assert_eq!(api.get(&path).await["data"]["items"][0]["user_id"], json!(user));
    let path = format!("{MESSAGES}/{}/urgent_app?user_id_type=open_id", sent.as_str().unwrap());
    let urged = json!({"user_id_list": [user, late]});
    let answer = api.call(Method::PATCH, &path, &urged).await.1;
    assert_eq!(answer["data"]["invalid_user_id_list"], json!([late]));
}

#[tokio::test]
async fn a_message_of_days_ago_arrives_now() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let mut socket = Socket::connect(&sim).await;
    let ago_ms = 3 * 24 * 3_600_000;
    let before = sim.platform().now_ms();
    sim.platform().say(Say { user, text: "late".to_owned(), ago_ms, ..Say::default() }).unwrap();
    let frame = socket.frame().await;
    let event = payload(&frame);
    for at in ["/event/message/create_time", "/header/create_time"] {
        let written: u64 = event.pointer(at).unwrap().as_str().unwrap().parse().unwrap();
        assert!(written + ago_ms >= before && written < before, "{at}");
    }
}

#[tokio::test]
async fn people_are_found_one_by_one_and_many_at_once() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let users: Vec<OpenId> = ["Lin", "Mei"].map(|name| sim.platform().add_user(name)).into();
    let contact = "/open-apis/contact/v3/users";
    let one = api.get(&format!("{contact}/{}?user_id_type=open_id", users[0])).await;
    assert_eq!(one["data"]["user"]["name"], "Lin");
    let batch =
        format!("{contact}/batch?user_ids={}&user_ids={}&user_ids=ou_x", users[0], users[1]);
    let batch = api.get(&batch).await["data"]["items"].clone();
    assert_eq!((batch[1]["name"].as_str(), batch.as_array().unwrap().len()), (Some("Mei"), 2));
    let basic = json!({"user_ids": users});
    let basic = api.call(Method::POST, &format!("{contact}/basic_batch"), &basic).await.1;
    assert_eq!(basic["data"]["users"][1]["name"], "Mei");
    let mail = batch[0]["email"].as_str().unwrap().to_owned();
    let asked = json!({"emails": [mail, "nobody@example.com"]});
    let ids = api.call(Method::POST, &format!("{contact}/batch_get_id"), &asked).await.1;
    let list = &ids["data"]["user_list"];
    assert_eq!((&list[0]["user_id"], &list[1]["user_id"]), (&json!(users[0]), &Value::Null));
    let unknown = api.get(&format!("{contact}/ou_unknown")).await;
    assert_eq!(unknown["code"], 41_012);
}

#[tokio::test]
async fn a_page_token_belongs_to_its_question() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().add_group("team", std::slice::from_ref(&user));
    for n in 0..3 {
        let text = n.to_string();
        let say = Say { user: user.clone(), chat: chat.clone(), text, ..Say::default() };
        sim.platform().say(say).unwrap();
    }
    let list = format!("{MESSAGES}?container_id_type=chat&container_id={chat}&page_size=2");
    let page = api.get(&list).await["data"].clone();
    let token = page["page_token"].as_str().unwrap();
    let rest = api.get(&format!("{list}&page_token={token}")).await["data"].clone();
    assert_eq!(
        (page["has_more"].as_bool(), rest["items"].as_array().unwrap().len()),
        (Some(true), 1)
    );
    for query in [
        format!("&page_token={token}&sort_type=ByCreateTimeDesc"),
        "&page_token=nonsense".to_owned(),
        "&start_time=20&end_time=10".to_owned(),
        "&sort_type=Sideways".to_owned(),
    ] {
        assert_eq!(api.get(&format!("{list}{query}")).await["code"], 230_001, "{query}");
    }
}

#[tokio::test]
async fn the_history_of_a_group_needs_its_scope() {
    let mut options = SimOptions::default();
    options.apps[0].scopes = Some(vec!["im:message".to_owned()]);
    let sim = Sim::start(options).await.unwrap();
    let api = Api::new(&sim).await;
    let user = sim.platform().add_user("Lin");
    let group = sim.platform().add_group("team", std::slice::from_ref(&user));
    let direct = sim.platform().p2p(&user).unwrap();
    let list = |chat: &str| format!("{MESSAGES}?container_id_type=chat&container_id={chat}");
    assert_eq!(api.get(&list(direct.as_str())).await["code"], 0);
    assert_eq!(api.get(&list(group.as_str())).await["code"], 230_027);
}

/// One step of the registration flow.
async fn register(sim: &Sim, form: &[(&str, &str)]) -> Value {
    let url = format!("{}/oauth/v1/app/registration", sim.url());
    http().post(url).form(form).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn an_app_comes_from_a_scanned_code() {
    let sim = Sim::start(SimOptions { speed: 100.0, ..SimOptions::default() }).await.unwrap();
    let user = sim.platform().add_user("Lin");
    let init = register(&sim, &[("action", "init")]).await;
    assert_eq!(init["supported_auth_methods"], json!(["client_secret"]));
    let begin =
        [("action", "begin"), ("archetype", "PersonalAgent"), ("auth_method", "client_secret")];
    let code = async || register(&sim, &begin).await["device_code"].as_str().unwrap().to_owned();
    let poll =
        async |code: &str| register(&sim, &[("action", "poll"), ("device_code", code)]).await;
    let allowed = code().await;
    assert_eq!(poll(&allowed).await["error"], "authorization_pending");
    act(
        &sim,
        json!({"kind": "scan", "device_code": allowed, "user": user, "answer": "allow_on_lark"}),
    )
    .await;
    assert_eq!(poll(&allowed).await, json!({"user_info": {"tenant_brand": "lark"}}));
    let done = poll(&allowed).await;
    let (id, secret) =
        (done["client_id"].as_str().unwrap(), done["client_secret"].as_str().unwrap());
    // The new app works: it has a token, and the person has an open id for it.
    let asked = json!({"app_id": id, "app_secret": secret});
    let api = Api::new(&sim).await;
    let path = "/open-apis/auth/v3/tenant_access_token/internal";
    assert_eq!(api.call(Method::POST, path, &asked).await.1["code"], 0);
    let owner = sim.platform().open_id_for(&user, &id.into());
    assert_eq!(json!(owner), done["user_info"]["open_id"]);
    let denied = code().await;
    act(&sim, json!({"kind": "scan", "device_code": denied, "user": user, "answer": "deny"})).await;
    assert_eq!(poll(&denied).await["error"], "access_denied");
    assert_eq!(poll("unknown").await["error"], "expired_token");
    let named = code().await;
    let known = AppSpec::default().app_id;
    act(&sim, json!({"kind": "scan", "device_code": named, "user": user, "answer": "allow", "app": known})).await;
    assert_eq!(poll(&named).await["client_id"], json!(known));
    // Ten minutes of the platform's clock are six seconds here.
    let left = code().await;
    let start = sim.platform().now_ms();
    tokio::time::timeout(PATIENCE, async {
        while poll(&left).await["error"] != "expired_token" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(sim.platform().now_ms() >= start + 590_000);
}

#[tokio::test]
async fn whoever_polls_too_often_is_slowed_down() {
    let sim = start().await;
    let begin = register(&sim, &[("action", "begin"), ("auth_method", "client_secret")]).await;
    assert_eq!((&begin["interval"], &begin["expires_in"]), (&json!(5), &json!(600)));
    let code = begin["device_code"].as_str().unwrap();
    let poll = [("action", "poll"), ("device_code", code)];
    assert_eq!(register(&sim, &poll).await["error"], "authorization_pending");
    assert_eq!(register(&sim, &poll).await["error"], "slow_down");
}

#[tokio::test]
async fn a_groups_hook_takes_messages_without_any_token() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().add_group("team", std::slice::from_ref(&user));
    let post = async |path: &str, body: Value| -> Value {
        let url = format!("{}{path}", sim.url());
        http().post(url).json(&body).send().await.unwrap().json().await.unwrap()
    };
    let hook = post("/_sim/hooks", json!({"chat": chat, "keyword": "build"})).await;
    let path = hook["path"].as_str().unwrap();
    let text = |text: &str| json!({"msg_type": "text", "content": {"text": text}});
    assert_eq!(post(path, text("all is well")).await["code"], 19_024);
    assert_eq!(post(path, text("the build failed")).await["StatusCode"], 0);
    let ledger = sim.platform().ledger();
    assert_eq!((ledger.hooked.len(), &ledger.hooked[0].chat_id), (1, &chat));
}
