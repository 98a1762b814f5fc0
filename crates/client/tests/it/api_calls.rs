//! Calls: what goes over the wire, and what a bad answer becomes.

use std::time::Duration;

use larkline_client::ProxyChoice;
use larkline_client::{ApiClient, ApiError, ApiErrorKind, Container, Listing, Secret};
use larkline_proto::api::{Disposition, ReceiveId, RetryReason};
use larkline_proto::content::Outgoing;
use larkline_proto::id::{AppId, ChatId, MessageId};
use serde_json::{Value, json as value};
use tokio::net::TcpListener;
use url::Url;

use crate::peer::{Peer, answer, closed, dialer, json, token};

/// A peer that answers every call but the token's with `reply`.
async fn peer(reply: String) -> Peer {
    Peer::start(move |request| match request.is_token() {
        true => token("t-1"),
        false => reply.clone(),
    })
    .await
}

async fn failed(reply: String) -> ApiError {
    let to = ReceiveId::Chat(ChatId::new("oc_1"));
    let peer = peer(reply).await;
    peer.client().send(&to, &Outgoing::text("hi"), "u-1").await.unwrap_err()
}

#[tokio::test]
async fn a_send_carries_token_receiver_content_and_uuid() {
    let peer =
        peer(json("200 OK", r#"{"code":0,"data":{"message_id":"om_9","chat_id":"oc_1"}}"#)).await;
    let to = ReceiveId::Chat(ChatId::new("oc_1"));
    let sent = peer.client().send(&to, &Outgoing::text("hi"), "u-1").await.unwrap();
    assert_eq!(sent.data.message_id.as_str(), "om_9");

    let request = peer.requests().pop().unwrap();
    assert_eq!(request.line, "POST /open-apis/im/v1/messages?receive_id_type=chat_id HTTP/1.1");
    assert!(request.has("authorization: Bearer t-1"));
    assert!(request.has("content-type: application/json; charset=utf-8"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let wanted = value!({"receive_id": "oc_1", "msg_type": "text", "content": "{\"text\":\"hi\"}", "uuid": "u-1"});
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn an_identifier_cannot_change_the_path() {
    let peer = peer(json("200 OK", r#"{"code":0,"data":{"items":[]}}"#)).await;
    let client = peer.client();
    client.get(&MessageId::new("a/../b?c#d%2f")).await.unwrap();
    let line = peer.requests().pop().unwrap().line;
    let path = line.split('?').next().unwrap();
    assert_eq!(path, "GET /open-apis/im/v1/messages/a%2F..%2Fb%3Fc%23d%252f");

    for id in ["", ".", ".."] {
        let error = client.recall(&MessageId::new(id)).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::Input { .. }), "{id:?}");
    }
    assert_eq!(peer.requests().len(), 2, "nothing was sent for them");
}

#[tokio::test]
async fn a_listing_asks_for_its_page_and_reads_where_the_next_begins() {
    let page = r#"{"code":0,"data":{"has_more":true,"page_token":"p2","items":[
        {"message_id":"om_1","msg_type":"text","create_time":"1615380573411","body":{"content":"{}"}}]}}"#;
    let peer = peer(json("200 OK", page)).await;
    let mut listing = Listing::of(Container::Chat(ChatId::new("oc_1")));
    listing.page_token = Some("p1".to_owned());
    listing.start_s = Some(7);
    let found = peer.client().list(&listing).await.unwrap().data;
    assert_eq!(found.page_token.as_deref(), Some("p2"));
    assert_eq!(found.items[0].create_ms, 1_615_380_573_411);
    let line = peer.requests().pop().unwrap().line;
    assert!(line.contains("container_id_type=chat&container_id=oc_1&sort_type=ByCreateTimeAsc"));
    assert!(line.contains("page_size=50&start_time=7&page_token=p1"), "{line}");
}

#[tokio::test]
async fn bot_and_connections_are_read_from_their_own_places() {
    let bot =
        r#"{"code":0,"msg":"ok","bot":{"open_id":"ou_b","app_name":"B","activate_status":2}}"#;
    let found = peer(json("200 OK", bot)).await.client().bot_info().await.unwrap().data;
    assert_eq!((found.open_id.as_str(), found.activate_status), ("ou_b", 2));
    let none = peer(json("200 OK", r#"{"code":0}"#)).await.client().bot_info().await.unwrap_err();
    assert!(matches!(none.kind, ApiErrorKind::Unreadable { .. }));
    let count = r#"{"code":0,"msg":"","data":{"online_instance_cnt":2}}"#;
    let count = peer(json("200 OK", count)).await.client().connection_count().await.unwrap();
    assert_eq!(count.data, 2);
}

#[tokio::test]
async fn a_rate_limit_says_when_it_resets() {
    let limits = [
        ("x-ogw-ratelimit-reset: 52\r\nretry-after: 9\r\n", Some(52)),
        ("retry-after: 9\r\n", Some(9)),
        ("x-ogw-ratelimit-reset: 999999999\r\n", Some(3600)),
        ("x-ogw-ratelimit-reset: soon\r\n", None),
    ];
    for (headers, seconds) in limits {
        let body = r#"{"code":99991400,"msg":"request trigger frequency limit"}"#;
        let error = failed(answer("429 Too Many Requests", headers, body)).await;
        let after = seconds.map(Duration::from_secs);
        let reason = RetryReason::RateLimited;
        assert_eq!(error.disposition(), Disposition::Retry { reason, after }, "{headers}");
        assert_eq!(error.status(), Some(429));
    }
}

#[tokio::test]
async fn a_gateways_html_page_is_a_retry_and_no_panic() {
    let page = answer("502 Bad Gateway", "content-type: text/html\r\n", "<html>bad</html>");
    let error = failed(page).await;
    assert_eq!(error.disposition(), Disposition::UNAVAILABLE);
    assert_eq!((error.code().as_ref(), error.is_ambiguous()), ("http_502", true));
}

#[tokio::test]
async fn a_success_is_one_by_status_and_by_code() {
    let page = answer("200 OK", "content-type: text/html\r\n", "<html>please log in</html>");
    let torn = json("500 Internal Server Error", r#"{"code":0,"data":{"message_id":"om_1"}}"#);
    for (reply, code) in [(page, "http_200"), (torn, "http_500")] {
        let error = failed(reply).await;
        assert_eq!((error.code().as_ref(), error.is_ambiguous()), (code, true));
        assert_eq!(error.disposition(), Disposition::UNAVAILABLE);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let peer = peer(answer("302 Found", "location: /open-apis/elsewhere\r\n", "")).await;
    let error = peer.client().recall(&MessageId::new("om_1")).await.unwrap_err();
    assert_eq!(
        (error.code().as_ref(), error.disposition()),
        ("http_302", Disposition::UNAVAILABLE)
    );
    assert_eq!(peer.requests().len(), 2, "the token and the call");
}

#[tokio::test]
async fn an_error_prints_what_support_needs_and_nothing_empty() {
    let body = r#"{"code":230002,"msg":"The bot can not be outside the group."}"#;
    let error = failed(answer("400 Bad Request", "x-tt-logid: L5\r\n", body)).await;
    assert_eq!(
        error.to_string(),
        "send failed: code 230002 \"The bot can not be outside the group.\", HTTP 400, \
         log id L5; look the code up and change the call"
    );
    let bare = failed(json("400 Bad Request", r#"{"code":230002,"msg":null,"data":null}"#)).await;
    assert_eq!(
        bare.to_string(),
        "send failed: code 230002, HTTP 400; look the code up and change the call"
    );
}

#[tokio::test]
async fn a_missing_scope_names_the_scope_and_the_page_that_grants_it() {
    let body = r#"{"code":99991672,"msg":"Access denied.","error":{
        "permission_violations":[{"subject":"im:message"},{"subject":"im:message:send_as_bot"}],
        "helps":[{"url":"https://open.feishu.cn/app/x/auth"}]}}"#;
    let error = failed(json("400 Bad Request", body)).await;
    assert_eq!(error.disposition(), Disposition::Fatal);
    let advice =
        "grant one of im:message, im:message:send_as_bot at https://open.feishu.cn/app/x/auth";
    assert!(error.to_string().ends_with(advice), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_call_its_time_and_no_more() {
    // Bound but never accepted: the kernel completes the connection, nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let (call, transfer) = (Duration::from_millis(50), Duration::from_millis(60));
    let app = AppId::new("cli_a1b2c3d4e5f60718");
    let dialer = dialer(ProxyChoice::None);
    let client = ApiClient::with_timeouts(dialer, url, app, Secret::new("s"), call, transfer);
    let message = MessageId::new("om_1");
    let error = client.recall(&message).await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::Timeout { after } if after == call));
    assert_eq!(error.disposition(), Disposition::UNAVAILABLE);
    let error = client.download_file(&message, "file_1", 1).await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::Timeout { after } if after == transfer));
}

#[tokio::test]
async fn a_refused_connection_says_why() {
    let (_closed, address) = closed();
    let url = Url::parse(&format!("http://{address}")).unwrap();
    let app = AppId::new("cli_a1b2c3d4e5f60718");
    let client = ApiClient::new(dialer(ProxyChoice::None), url, app, Secret::new("s"));
    let error = client.verify().await.unwrap_err();
    assert_eq!(error.code(), "connect_failed");
    assert!(error.to_string().contains("refused"), "{error}");
}
