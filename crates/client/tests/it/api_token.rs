//! The token: fetched once for many, replaced once when refused.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use larkline_client::ApiErrorKind;
use larkline_proto::api::{Disposition, Endpoint};
use larkline_proto::content::Outgoing;
use larkline_proto::id::MessageId;

use crate::peer::{Peer, json, token};

const SENT: &str = r#"{"code":0,"msg":"success","data":{"message_id":"om_new"}}"#;
const REFUSED: &str = r#"{"code":99991663,"msg":"Invalid access token","error":{"log_id":"L9"}}"#;

#[tokio::test]
async fn many_calls_at_once_fetch_one_token() {
    let peer = Peer::start(|request| match request.is_token() {
        true => token("t-1"),
        false => json("200 OK", SENT),
    })
    .await;
    let (client, to, text) = (peer.client(), MessageId::new("om_1"), Outgoing::text("hi"));
    let replies = join_all((0..20).map(|_| client.reply(&to, &text, false, "uuid"))).await;
    assert!(replies.iter().all(Result::is_ok));
    assert_eq!(peer.tokens(), 1);
}

#[tokio::test]
async fn every_reply_arrives_when_the_platform_revokes_the_token_early() {
    let issued = AtomicUsize::new(0);
    let peer = Peer::start(move |request| {
        if request.is_token() {
            token(&format!("t-{}", issued.fetch_add(1, Ordering::SeqCst) + 1))
        } else if request.has("authorization: Bearer t-1") {
            json("400 Bad Request", REFUSED)
        } else {
            json("200 OK", SENT)
        }
    })
    .await;
    let (client, to, text) = (peer.client(), MessageId::new("om_1"), Outgoing::text("hi"));
    let replies = join_all((0..8).map(|_| client.reply(&to, &text, false, "uuid"))).await;
    assert!(
        replies.iter().all(|reply| reply.as_ref().unwrap().data.message_id.as_str() == "om_new")
    );
    assert_eq!(peer.tokens(), 2, "eight refusals of one token cost one fetch");
}

#[tokio::test]
async fn a_token_refused_twice_is_reported_after_two_tries() {
    let peer = Peer::start(|request| match request.is_token() {
        true => token("t-1"),
        false => json("400 Bad Request", REFUSED),
    })
    .await;
    let error = peer.client().recall(&MessageId::new("om_1")).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Reauthenticate);
    assert_eq!(error.code(), "99991663");
    assert_eq!(peer.requests().len() - peer.tokens(), 2);
    assert_eq!(peer.tokens(), 2);
}

#[tokio::test]
async fn wrong_credentials_are_fatal_and_named_with_code_message_and_log_id() {
    let body = r#"{"code":10014,"msg":"app secret invalid","log_id":"L7"}"#;
    let peer = Peer::start(move |_| json("200 OK", body)).await;
    let error = peer.client().verify().await.unwrap_err();
    assert_eq!((error.endpoint, error.disposition()), (Endpoint::Token, Disposition::Fatal));
    assert_eq!(
        error.to_string(),
        "token failed: code 10014 \"app secret invalid\", HTTP 200, log id L7; \
         check app_id, app_secret and that the domain is the app's own"
    );
    assert!(matches!(error.kind, ApiErrorKind::Platform { status: 200, .. }));
    assert!(!format!("{error:?} {error}").contains("s3cret"));
}

#[tokio::test]
async fn verifying_asks_the_platform_whatever_is_cached() {
    let peer = Peer::start(|_| token("t-1")).await;
    let client = peer.client();
    client.verify().await.unwrap();
    client.verify().await.unwrap();
    assert_eq!(peer.tokens(), 2);
}
