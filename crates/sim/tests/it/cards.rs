//! Cards: entities that stream (CardKit), updates by a callback's token, and what is refused.

use futures_util::future::join;
use larkline_sim::{Press, PressResult, Sim, SimOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, PATIENCE, Socket, payload, start};

const CARDS: &str = "/open-apis/cardkit/v1/cards";
const MESSAGES: &str = "/open-apis/im/v1/messages";

fn streaming_card() -> Value {
    json!({
        "schema": "2.0",
        "config": {"streaming_mode": true, "update_multi": true},
        "body": {"elements": [{"tag": "markdown", "element_id": "answer", "content": ""}]},
    })
}

/// A direct chat, an entity, and the message that shows it.
struct Shown {
    sim: Sim,
    api: Api,
    card: String,
    message: String,
}

impl Shown {
    async fn new(card: &Value) -> Self {
        Self::on(start().await, card).await
    }

    async fn on(sim: Sim, card: &Value) -> Self {
        let user = sim.platform().add_user("Lin");
        let chat = sim.platform().p2p(&user).unwrap().to_string();
        let api = Api::new(&sim).await;
        let card = create(&api, card).await["data"]["card_id"].as_str().unwrap().to_owned();
        let sent = send(&api, &chat, &by_id(&card)).await;
        let message = sent["data"]["message_id"].as_str().unwrap().to_owned();
        Self { sim, api, card, message }
    }

    async fn operate(&self, method: Method, path: &str, body: Value) -> i64 {
        let path = format!("{CARDS}/{}{path}", self.card);
        self.api.call(method, &path, &body).await.1["code"].as_i64().unwrap()
    }

    async fn stream(&self, text: &str, sequence: i64) -> i64 {
        let body = json!({"content": text, "sequence": sequence});
        self.operate(Method::PUT, "/elements/answer/content", body).await
    }

    /// The card as the ledger's message shows it.
    fn seen(&self) -> Value {
        self.sim.platform().read(|l| serde_json::from_str(&l.messages[0].content).unwrap())
    }

    fn elements(&self) -> Vec<Value> {
        self.seen()["body"]["elements"].as_array().unwrap().clone()
    }
}

async fn create(api: &Api, card: &Value) -> Value {
    let body = json!({"type": "card_json", "data": card.to_string()});
    api.call(Method::POST, CARDS, &body).await.1
}

fn by_id(card: &str) -> Value {
    json!({"type": "card", "data": {"card_id": card}})
}

async fn send(api: &Api, chat: &str, content: &Value) -> Value {
    let body =
        json!({"receive_id": chat, "msg_type": "interactive", "content": content.to_string()});
    api.call(Method::POST, &format!("{MESSAGES}?receive_id_type=chat_id"), &body).await.1
}

#[tokio::test]
async fn a_streamed_card_grows_in_its_message_until_it_is_finished() {
    let shown = Shown::new(&streaming_card()).await;
    assert_eq!(shown.stream("The", 1).await, 0);
    assert_eq!(shown.stream("The answer", 2).await, 0);
    let settings = json!({"config": {"streaming_mode": false, "summary": {"content": "The"}}});
    let finish = json!({"settings": settings.to_string(), "sequence": 9});
    assert_eq!(shown.operate(Method::PATCH, "/settings", finish).await, 0);
    assert_eq!(shown.seen()["config"]["streaming_mode"], false);
    assert_eq!(shown.seen()["config"]["summary"]["content"], "The");
    let ledger = shown.sim.platform().ledger();
    let row = &ledger.messages[0];
    assert_eq!(row.card_id.as_deref(), Some(shown.card.as_str()));
    assert_eq!((row.text.as_deref(), row.edits.len()), (Some("The answer"), 3));
    assert_eq!(shown.stream("more", 10).await, 300_309);
    // Read back as the card it is, and as anyone else sees it.
    let path = format!("{MESSAGES}/{}?card_msg_content_type=user_card_content", shown.message);
    let raw = shown.api.get(&path).await["data"]["items"][0]["body"]["content"].clone();
    assert_eq!(serde_json::from_str::<Value>(raw.as_str().unwrap()).unwrap(), shown.seen());
}

#[tokio::test]
async fn sequences_only_grow_and_a_uuid_repeats_one_operation() {
    let shown = Shown::new(&streaming_card()).await;
    assert_eq!(shown.stream("a", 5).await, 0);
    assert_eq!(shown.stream("b", 5).await, 300_317);
    assert_eq!(shown.stream("b", 4).await, 300_317);
    assert_eq!(shown.stream("b", 0).await, 10_002);
    assert_eq!(shown.stream("b", 2_147_483_648).await, 10_002);
    let once = |text: &str| json!({"content": text, "sequence": 6, "uuid": "u-6"});
    let path = "/elements/answer/content";
    assert_eq!(shown.operate(Method::PUT, path, once("c")).await, 0);
    assert_eq!(shown.operate(Method::PUT, path, once("c")).await, 0);
    assert_eq!(shown.operate(Method::PUT, path, once("d")).await, 200_770);
    assert_eq!(shown.elements()[0]["content"], "c");
}

#[tokio::test]
async fn elements_are_added_replaced_patched_and_deleted() {
    let shown = Shown::new(&streaming_card()).await;
    let hr = |id: &str| json!([{"tag": "hr", "element_id": id}]).to_string();
    let add = json!({"type": "append", "elements": hr("last"), "sequence": 1});
    assert_eq!(shown.operate(Method::POST, "/elements", add).await, 0);
    let add = json!({"type": "insert_before", "target_element_id": "answer",
                     "elements": hr("front"), "sequence": 2});
    assert_eq!(shown.operate(Method::POST, "/elements", add.clone()).await, 0);
    let again = json!({"sequence": 3});
    let merged = |more: &Value| {
        let mut body = add.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(shown.operate(Method::POST, "/elements", merged(&again)).await, 300_301);
    let patch = json!({"partial_element": "{\"content\":\"x\"}", "sequence": 3});
    assert_eq!(shown.operate(Method::PATCH, "/elements/answer", patch).await, 0);
    let retag = json!({"partial_element": "{\"tag\":\"div\"}", "sequence": 4});
    assert_eq!(shown.operate(Method::PATCH, "/elements/answer", retag).await, 300_312);
    let put = json!({"element": "{\"tag\":\"hr\",\"element_id\":\"tail\"}", "sequence": 4});
    assert_eq!(shown.operate(Method::PUT, "/elements/last", put).await, 0);
    assert_eq!(shown.operate(Method::DELETE, "/elements/front", json!({"sequence": 5})).await, 0);
    assert_eq!(
        shown.operate(Method::DELETE, "/elements/front", json!({"sequence": 6})).await,
        300_314
    );
    let ids: Vec<_> = shown.elements().iter().map(|e| e["element_id"].clone()).collect();
    assert_eq!(ids, ["answer", "tail"]);
    assert_eq!(shown.elements()[0]["content"], "x");
    let content = json!({"content": "text", "sequence": 7});
    assert_eq!(shown.operate(Method::PUT, "/elements/tail/content", content).await, 300_310);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let shown = Shown::new(&streaming_card()).await;
    let stop = json!({"action": "partial_update_setting",
                      "params": {"settings": {"config": {"streaming_mode": false}}}});
    let patch = json!({"action": "partial_update_element",
                       "params": {"element_id": "answer", "partial_element": {"content": "done"}}});
    let lost = json!({"action": "delete_elements", "params": {"element_ids": ["nowhere"]}});
    let batch = |actions: Value, sequence: i64| json!({"actions": actions.to_string(), "sequence": sequence});
    let failing = batch(json!([stop, patch, lost]), 1);
    assert_eq!(shown.operate(Method::POST, "/batch_update", failing).await, 300_314);
    assert_eq!(
        (shown.elements()[0]["content"].as_str(), shown.stream("a", 1).await),
        (Some(""), 0)
    );
    assert_eq!(
        shown.operate(Method::POST, "/batch_update", batch(json!([stop, patch]), 2)).await,
        0
    );
    assert_eq!(shown.elements()[0]["content"], "done");
    let whole = json!({"schema": "2.0", "body": {"elements": [{"tag": "hr"}]}});
    let card = json!({"type": "card_json", "data": whole.to_string()});
    assert_eq!(shown.operate(Method::PUT, "", json!({"card": card, "sequence": 3})).await, 0);
    assert_eq!(shown.seen(), whole);
}

#[tokio::test]
async fn an_entity_is_sent_one_time_and_changed_by_cardkit_alone() {
    let shown = Shown::new(&streaming_card()).await;
    let user = shown.sim.platform().add_user("Tom");
    let chat = shown.sim.platform().p2p(&user).unwrap().to_string();
    let again = send(&shown.api, &chat, &by_id(&shown.card)).await;
    assert_eq!(again["code"], 230_099);
    let unknown = send(&shown.api, &chat, &by_id("7000000000000000001")).await;
    assert!(unknown["msg"].as_str().unwrap().contains("ErrCode: 200740"), "{unknown}");
    let path = format!("{MESSAGES}/{}", shown.message);
    let patch = json!({"content": streaming_card().to_string()});
    assert_eq!(shown.api.call(Method::PATCH, &path, &patch).await.1["code"], 230_099);
    // A card sent as JSON becomes an entity when asked for.
    let plain = send(&shown.api, &chat, &streaming_card()).await["data"]["message_id"].clone();
    let path = format!("{CARDS}/id_convert");
    let converted = shown.api.call(Method::POST, &path, &json!({"message_id": plain})).await.1;
    let card = converted["data"]["card_id"].as_str().unwrap();
    let body = json!({"content": "grown", "sequence": 1});
    let path = format!("{CARDS}/{card}/elements/answer/content");
    assert_eq!(shown.api.call(Method::PUT, &path, &body).await.1["code"], 0);
    let seen = shown.sim.platform().ledger().messages[1].text.clone();
    assert_eq!(seen.as_deref(), Some("grown"));
}

#[tokio::test]
async fn a_card_has_limits_wherever_it_comes_from() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().p2p(&user).unwrap().to_string();
    let api = Api::new(&sim).await;
    let of = |elements: Value| json!({"schema": "2.0", "body": {"elements": elements}});
    let table = "| a |\n|---|\n| 1 |\n\n".repeat(4);
    let many = of(json!(vec![json!({"tag": "hr"}); 201]));
    let tables = of(json!([{"tag": "markdown", "content": table}]));
    let old = json!({"elements": [{"tag": "hr"}]});
    for (card, created, sent) in [
        (many, 300_305, "11310; ErrMsg: element exceeds the limit"),
        (tables, 11_310, "11310; ErrMsg: card table number over limit"),
        (of(json!([{"tag": "note"}])), 200_220, "200861"),
    ] {
        assert_eq!(create(&api, &card).await["code"], created);
        let refused = send(&api, &chat, &card).await;
        assert_eq!(refused["code"], 230_099);
        assert!(refused["msg"].as_str().unwrap().contains(sent), "{refused}");
    }
    assert_eq!(create(&api, &old).await["code"], 300_303);
    assert_eq!(create(&api, &json!({})).await["code"], 300_307);
    let large = of(json!([{"tag": "markdown", "content": "x".repeat(31_000)}]));
    assert_eq!(create(&api, &large).await["code"], 200_860);
    assert_eq!(send(&api, &chat, &large).await["code"], 230_025);
}

#[tokio::test]
async fn the_eleventh_operation_of_a_second_is_refused() {
    let shown = Shown::new(&streaming_card()).await;
    // Asked together, so that a slow machine has them within one second: the clock is the
    // simulator's own, and all of them are waiting when it answers.
    let operations = (1..=40).map(|n| shown.stream("x", n));
    let codes = futures_util::future::join_all(operations).await;
    let refused = codes.iter().filter(|code| **code == 99_991_400).count();
    assert!(refused > 0, "{codes:?}");
}

/// Presses the button of a card; `answer` is what the client sends back.
async fn pressed(shown: &Shown, socket: &mut Socket, answer: &Value) -> (String, PressResult) {
    use base64::Engine;
    let user = shown.sim.platform().add_user("Presser");
    let message = Some(shown.message.as_str().into());
    let press = Press { user, message, value: json!({"k": "v"}), ..Press::default() };
    let answered = async {
        let frame = socket.frame().await;
        let token = payload(&frame)["event"]["token"].as_str().unwrap().to_owned();
        // While the callback waits for its answer the card is locked.
        assert_eq!(shown.stream("locked", 900).await, 200_810);
        assert_eq!(update(shown, &token, &plain_card("early")).await, 200_810);
        let data = base64::prelude::BASE64_STANDARD.encode(answer.to_string());
        socket.ack(&frame, &json!({"code": 200, "data": data})).await;
        token
    };
    let (result, token) = join(shown.sim.platform().press(press), answered).await;
    (token, result.unwrap())
}

fn plain_card(text: &str) -> Value {
    let elements = json!([{"tag": "markdown", "element_id": "answer", "content": text}]);
    json!({"schema": "2.0", "body": {"elements": elements}})
}

async fn update(shown: &Shown, token: &str, card: &Value) -> i64 {
    let body = json!({"token": token, "card": card});
    let path = "/open-apis/interactive/v1/card/update";
    shown.api.call(Method::POST, path, &body).await.1["code"].as_i64().unwrap()
}

#[tokio::test]
async fn a_callbacks_token_updates_the_card_two_times_after_the_answer() {
    let shown = Shown::new(&plain_card("press me")).await;
    let mut socket = Socket::connect(&shown.sim).await;
    let (token, result) = pressed(&shown, &mut socket, &json!({})).await;
    assert_eq!(result.code, 0);
    let old = json!({"elements": []});
    assert_eq!(update(&shown, &token, &old).await, 200_830);
    assert_eq!(update(&shown, &token, &plain_card("one")).await, 0);
    assert_eq!(update(&shown, &token, &plain_card("two")).await, 0);
    assert_eq!(update(&shown, &token, &plain_card("three")).await, 300_040);
    assert_eq!(update(&shown, "c-unknown", &plain_card("x")).await, 300_020);
    assert_eq!(shown.elements()[0]["content"], "two");
}

#[tokio::test]
async fn a_card_in_the_answer_shows_at_once_unless_it_goes_back_to_schema_1_or_streams() {
    let shown = Shown::new(&plain_card("press me")).await;
    let mut socket = Socket::connect(&shown.sim).await;
    let raw = |card: Value| json!({"card": {"type": "raw", "data": card}});
    let (_, result) = pressed(&shown, &mut socket, &raw(plain_card("pressed"))).await;
    assert_eq!((result.code, shown.elements()[0]["content"].as_str()), (0, Some("pressed")));
    let (_, result) = pressed(&shown, &mut socket, &raw(json!({"elements": []}))).await;
    assert_eq!(result.code, 200_830);
    let on = json!({"settings": "{\"config\":{\"streaming_mode\":true}}", "sequence": 1});
    assert_eq!(shown.operate(Method::PATCH, "/settings", on).await, 0);
    let (_, result) = pressed(&shown, &mut socket, &raw(plain_card("not now"))).await;
    assert_eq!((result.code, shown.elements()[0]["content"].as_str()), (0, Some("pressed")));
    shown.sim.platform().wait_for(|l| l.violations.is_empty(), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn card_entities_need_their_scope() {
    let mut options = SimOptions::default();
    options.apps[0].scopes = Some(vec!["im:message".to_owned()]);
    let sim = Sim::start(options).await.unwrap();
    let api = Api::new(&sim).await;
    let refused = create(&api, &streaming_card()).await;
    assert_eq!(refused["error"]["permission_violations"][0]["subject"], "cardkit:card:write");
}
