//! What people say and do, as events; the admin API.

use larkline_sim::{DEMO_APP_ID, Press, Say, Sim, SimOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, PATIENCE, Socket, impatient, payload, start};

#[tokio::test]
async fn a_mention_is_a_placeholder_and_the_answer_knows_its_tree() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let platform = sim.platform();
    let (lin, mei) = (platform.add_user("Lin"), platform.add_user("Mei"));
    let chat = platform.add_group("team", &[lin.clone(), mei.clone()]);
    let say = Say {
        chat: chat.clone(),
        user: lin,
        text: "look".to_owned(),
        mention_bot: true,
        mentions: vec![mei.clone()],
        ..Say::default()
    };
    let said = platform.say(say).unwrap();
    let envelope = payload(&socket.frame().await);
    assert_eq!(envelope["schema"], "2.0");
    assert_eq!(envelope["header"]["token"], "");
    let message = &envelope["event"]["message"];
    assert_eq!(message["content"], json!({"text": "@_user_1 @_user_2 look"}).to_string());
    assert_eq!(message["mentions"][0]["id"]["open_id"], platform.bot_open_id().as_str());
    assert_eq!(message["mentions"][1]["name"], "Mei");
    assert_eq!((&message["chat_type"], &message["root_id"]), (&json!("group"), &Value::Null));

    let answer = Say {
        chat,
        user: mei,
        reply_to: Some(said.message_id.clone()),
        in_thread: true,
        ..Say::default()
    };
    let answered = platform.say(answer).unwrap();
    let message = payload(&socket.frame().await)["event"]["message"].clone();
    assert_eq!(message["parent_id"], said.message_id.as_str());
    assert_eq!(message["root_id"], said.message_id.as_str());
    assert_eq!(message["thread_id"], answered.thread_id.unwrap().as_str());
}

#[tokio::test]
async fn an_event_of_any_type_and_what_people_do_arrive() {
    let sim = start().await;
    let mut socket = Socket::connect(&sim).await;
    let platform = sim.platform();
    let user = platform.add_user("Lin");
    let said = platform.say(Say { user: user.clone(), ..Say::default() }).unwrap();
    platform.send_event(&DEMO_APP_ID.into(), "novel.thing_v9", &json!({"a": 1})).unwrap();
    platform.react(&user, &said.message_id, "SMILE").unwrap();
    platform.recall(&said.message_id).unwrap();
    platform.menu(&user, "new_session").unwrap();
    let mut kinds = Vec::new();
    for _ in 0..5 {
        kinds.push(
            payload(&socket.frame().await)["header"]["event_type"].as_str().unwrap().to_owned(),
        );
    }
    let expected = [
        "im.message.receive_v1",
        "novel.thing_v9",
        "im.message.reaction.created_v1",
        "im.message.recalled_v1",
        "application.bot.menu_v6",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
    let said = async |seed| {
        let sim = Sim::start(SimOptions { seed, ..SimOptions::default() }).await.unwrap();
        let user = sim.platform().add_user("Lin");
        sim.platform().say(Say { user, ..Say::default() }).unwrap()
    };
    assert_eq!(said(7).await, said(7).await);
    assert_ne!(said(7).await, said(8).await);
}

#[tokio::test]
async fn a_full_ledger_lets_its_oldest_rows_go() {
    let options = SimOptions { ledger_rows_max: 2, ..SimOptions::default() };
    let sim = Sim::start(options).await.unwrap();
    let mut socket = Socket::connect(&sim).await;
    let user = sim.platform().add_user("Lin");
    let say = Say { user, ..Say::default() };
    let said: Vec<_> = (0..3).map(|_| sim.platform().say(say.clone()).unwrap()).collect();
    for _ in 0..3 {
        let frame = socket.frame().await;
        socket.ack(&frame, &json!({"code": 200})).await;
    }
    sim.platform().wait_for(|l| l.events.iter().all(|e| e.done), PATIENCE).await.unwrap();
    let ledger = sim.platform().ledger();
    let kept: Vec<_> = ledger.events.iter().map(|e| &e.event_id).collect();
    assert_eq!(kept, [&said[1].event_id, &said[2].event_id]);
    assert!(ledger.violations.is_empty());
}

async fn pressed(sim: &Sim, ack: Option<Value>) -> larkline_sim::PressResult {
    let mut socket = Socket::connect(sim).await;
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().p2p(&user).unwrap();
    let press = Press { user, chat, value: json!({"k": "v"}), ..Press::default() };
    let client = async {
        let frame = socket.frame().await;
        assert_eq!(payload(&frame)["event"]["action"]["value"], json!({"k": "v"}));
        if let Some(ack) = ack {
            socket.ack(&frame, &ack).await;
        }
    };
    let (result, ()) = tokio::join!(sim.platform().press(press), client);
    result.unwrap()
}

#[tokio::test]
async fn a_button_shows_the_toast_of_the_ack() {
    // base64 of {"toast":{"type":"success","content":"OK"}}, as vector V12 of the reference.
    let data = "eyJ0b2FzdCI6eyJ0eXBlIjoic3VjY2VzcyIsImNvbnRlbnQiOiJPSyJ9fQ==";
    let result = pressed(&start().await, Some(json!({"code": 200, "data": data}))).await;
    assert_eq!(result.code, 0);
    assert_eq!(result.toast.unwrap()["content"], "OK");
}

#[tokio::test]
async fn a_button_shows_why_there_was_no_good_answer() {
    let sim = Sim::start(impatient()).await.unwrap();
    assert_eq!(pressed(&sim, None).await.code, 200_341);
    let sim = start().await;
    assert_eq!(pressed(&sim, Some(json!({"code": 500}))).await.code, 200_671);
    let sim = start().await;
    assert_eq!(pressed(&sim, Some(json!({"code": 200, "data": "???"}))).await.code, 200_672);
}

#[tokio::test]
async fn a_button_without_a_client_fails_at_once_and_without_subscription_says_so() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().p2p(&user).unwrap();
    let press = Press { user, chat, ..Press::default() };
    assert_eq!(sim.platform().press(press.clone()).await.unwrap().code, 200_342);

    let mut options = SimOptions::default();
    options.apps[0].callbacks = false;
    let sim = Sim::start(options).await.unwrap();
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().p2p(&user).unwrap();
    assert_eq!(sim.platform().press(Press { user, chat, ..press }).await.unwrap().code, 200_340);
}

#[tokio::test]
async fn a_script_can_do_all_of_it_over_http() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let post = async |path: &str, body: Value| api.call(Method::POST, path, &body).await;
    let user = post("/_sim/users", json!({"name": "Lin"})).await.1["open_id"].clone();
    let group = post("/_sim/groups", json!({"name": "team", "members": [user]})).await.1;
    let say = json!({"chat": group["chat_id"], "user": user, "text": "hi", "mention_bot": true});
    let said = post("/_sim/say", say).await.1;
    assert_eq!(said["chat_id"], group["chat_id"]);
    let ledger = api.get("/_sim/ledger").await;
    assert_eq!(ledger["events"][0]["event_id"], said["event_id"]);
    assert_eq!(api.get("/_sim/world").await["users"][0]["name"], "Lin");
    assert_eq!(post("/_sim/fault", json!({"kind": "no_pong"})).await.0, 200);
    assert_eq!(post("/_sim/fault", json!({"kind": "no_such_fault"})).await.0, 400);
    assert_eq!(post("/_sim/say", json!({"user": "ou_nobody"})).await.0, 400);
    post("/_sim/reset", json!({})).await;
    assert_eq!(api.get("/_sim/ledger").await["events"], json!([]));
    let ledger: larkline_sim::Ledger =
        serde_json::from_value(api.get("/_sim/ledger").await).unwrap();
    assert!(ledger.messages.is_empty());
    sim.platform().wait_for(|l| l.messages.is_empty(), PATIENCE).await.unwrap();
}
