//! What an app may ask about itself, and what the console answers.

use larkline_proto::id::AppId;
use larkline_sim::{Console, DEMO_APP_ID, Draft, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, http, start};

const APPLICATION: &str = "/open-apis/application/v6/applications/me?lang=zh_cn";
const VERSIONS: &str =
    "/open-apis/application/v6/applications/me/app_versions?lang=zh_cn&page_size=2";

#[tokio::test]
async fn the_released_version_its_draft_and_the_callbacks_are_told() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let app = api.call(Method::GET, APPLICATION, &Value::Null).await.1;
    assert_eq!(app["data"]["app"]["callback_info"]["callback_type"], "websocket");
    let live = api.call(Method::GET, VERSIONS, &Value::Null).await.1;
    assert_eq!(live["data"]["items"].as_array().unwrap().len(), 1);
    assert_eq!(live["data"]["items"][0]["event_infos"][0]["event_type"], "im.message.receive_v1");

    let draft = Draft { status: 4, events: vec!["im.message.receive_v1".into()], scopes: vec![] };
    let console =
        Console { draft: Some(draft), unreleased: true, activate_status: 1, ..Console::default() };
    let id = AppId::new(DEMO_APP_ID);
    sim.platform().console(&id, |spec| spec.console = console).unwrap();
    let items = api.call(Method::GET, VERSIONS, &Value::Null).await.1["data"]["items"].clone();
    assert_eq!((items[0]["status"].as_i64(), items[0]["publish_time"].is_null()), (Some(4), true));
    assert_eq!(items.as_array().unwrap().len(), 1, "nothing was released");
    let bot = api.call(Method::GET, "/open-apis/bot/v3/info", &Value::Null).await.1;
    assert_eq!(bot["bot"]["activate_status"], 1);
}

#[tokio::test]
async fn scopes_are_what_is_granted_and_the_console_needs_one() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let change = json!({"app": DEMO_APP_ID, "scopes": ["im:message"], "callbacks": false});
    let url = format!("{}/_sim/console", sim.url());
    let answer = http().post(url).body(change.to_string()).send().await.unwrap();
    assert!(answer.status().is_success());
    let scopes = api.call(Method::GET, "/open-apis/application/v6/scopes", &Value::Null).await.1;
    assert_eq!(scopes["data"]["scopes"].as_array().unwrap().len(), 1);
    assert_eq!(scopes["data"]["scopes"][0]["scope_name"], "im:message");
    let refused = api.call(Method::GET, APPLICATION, &Value::Null).await.1;
    assert_eq!(refused["code"], 99_991_672);
}

#[tokio::test]
async fn the_count_and_the_date_can_be_made_to_lie() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    sim.platform().fault(Fault::OnlineCount { count: 7 }).unwrap();
    let count = api.call(Method::GET, "/open-apis/event/v1/connection", &Value::Null).await.1;
    assert_eq!(count["data"]["online_instance_cnt"], 7);
    sim.platform().fault(Fault::ClockSkew { seconds: 86_400 * 400 }).unwrap();
    let path = format!("{}/open-apis/bot/v3/info", sim.url());
    let skewed = http().get(&path).send().await.unwrap();
    sim.platform().fault(Fault::Clear).unwrap();
    let honest = http().get(&path).send().await.unwrap();
    let year = |answer: &reqwest::Response| -> u32 {
        let date = answer.headers()["date"].to_str().unwrap().to_owned();
        date.split(' ').nth(3).unwrap().parse().unwrap()
    };
    assert!(year(&skewed) > year(&honest));
}
