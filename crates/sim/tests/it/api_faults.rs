//! Faults of the HTTP side: discovery, the open API, tokens, the network as a whole.

use std::time::Duration;

use larkline_sim::{Answer, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, PATIENCE, discover, inject, start};

#[tokio::test]
async fn discovery_can_fail_in_every_way() {
    let sim = start().await;
    let endpoint = |answer| Fault::Endpoint { answer, times: 1 };
    sim.platform().fault(endpoint(Answer::NullData)).unwrap();
    assert_eq!(discover(&sim).await["data"], Value::Null);
    let busy = Answer::Code { status: 200, code: 1, msg: "busy".to_owned(), reset_s: None };
    sim.platform().fault(endpoint(busy)).unwrap();
    assert_eq!(discover(&sim).await["code"], 1);
    sim.platform().fault(endpoint(Answer::Html { status: 502 })).unwrap();
    let url = format!("{}/callback/ws/endpoint", sim.url());
    let post = async || crate::client::http().post(&url).body("{}").send().await;
    assert_eq!(post().await.unwrap().status(), 502);
    sim.platform().fault(endpoint(Answer::Cut)).unwrap();
    assert!(post().await.is_err());
    sim.platform().fault(endpoint(Answer::Hang)).unwrap();
    let unanswered = |l: &larkline_sim::Ledger| l.calls.iter().filter(|c| c.status == 0).count();
    tokio::select! {
        answer = post() => panic!("a hanging endpoint answered: {answer:?}"),
        cut = sim.platform().wait_for(|l| unanswered(l) == 2, PATIENCE) => cut.unwrap(),
    }
    assert_eq!(discover(&sim).await["code"], 0);
}

#[tokio::test]
async fn nothing_gets_through_while_offline() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    inject(&sim, json!({"kind": "offline"}));
    let path = format!("{}/open-apis/bot/v3/info", sim.url());
    assert!(crate::client::http().get(path).send().await.is_err());
    // Whoever took it away has to be able to bring it back.
    let page = crate::client::http().get(sim.url()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    sim.platform().fault(Fault::Clear).unwrap();
    assert_eq!(api.get("/open-apis/bot/v3/info").await["code"], 0);
}

#[tokio::test]
async fn an_api_can_refuse_hang_and_lose_its_answer() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    let user = sim.platform().add_user("Lin");
    let chat = sim.platform().p2p(&user).unwrap();
    let limited = json!({"with": "code", "status": 429, "code": 99_991_400, "reset_s": 3});
    inject(&sim, json!({"kind": "api", "path": "/messages", "method": "POST", "answer": limited}));
    let body =
        json!({"receive_id": chat, "msg_type": "text", "content": "{\"text\":\"a\"}", "uuid": "u"});
    let path = "/open-apis/im/v1/messages?receive_id_type=chat_id";
    let response = api.raw(Method::POST, path, &body).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["x-ogw-ratelimit-reset"], "3");

    inject(&sim, json!({"kind": "lose_answer", "path": "/messages"}));
    assert!(api.raw(Method::POST, path, &body).await.is_err());
    let sent = api.call(Method::POST, path, &body).await.1;
    let ledger = sim.platform().ledger();
    assert_eq!(ledger.messages.len(), 1);
    assert_eq!(sent["data"]["message_id"], ledger.messages[0].message_id.as_str());
    assert_eq!(ledger.messages[0].replays, 1);
}

#[tokio::test]
async fn an_api_can_answer_with_a_page_or_late() {
    let sim = start().await;
    let api = Api::new(&sim).await;
    inject(&sim, json!({"kind": "api", "answer": {"with": "html", "status": 502}}));
    let page = api.raw(Method::GET, "/open-apis/bot/v3/info", &Value::Null).await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.text().await.unwrap().contains("<html>")),
        (502, true)
    );
    inject(&sim, json!({"kind": "api", "answer": {"with": "slow", "ms": 60}}));
    let asked = tokio::time::Instant::now();
    assert_eq!(api.get("/open-apis/bot/v3/info").await["code"], 0);
    assert!(asked.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_a_new_one_works() {
    let sim = start().await;
    let mut api = Api::new(&sim).await;
    inject(&sim, json!({"kind": "revoke_tokens"}));
    assert_eq!(api.get("/open-apis/bot/v3/info").await["code"], 99_991_663);
    api.token = api.fresh_token().await;
    assert_eq!(api.get("/open-apis/bot/v3/info").await["code"], 0);
}
