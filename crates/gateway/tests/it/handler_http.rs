//! The http handler: what a service is sent, what its response means, where it may stand.

use std::time::Duration;

use http::StatusCode;
use larkline_gateway::clock;
use larkline_gateway::handler::http::signature::verify;
use larkline_gateway::handler::{Answer, HandlerError, Retry};
use larkline_proto::content::Outgoing;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::handler_script::{until, within};
use crate::handler_service::{Reply, SECRETS, Service, handler, keys, settings};
use crate::handler_turn::turn;

async fn answer(reply: Reply) -> Result<Answer, HandlerError> {
    Service::new(reply).await.handle(&turn("hi")).await
}

async fn failure(reply: Reply) -> HandlerError {
    answer(reply).await.unwrap_err()
}

#[tokio::test]
async fn a_turn_is_posted_signed_with_each_secret_under_one_id_for_all_attempts() {
    let service = Service::new(Reply::ok("")).await;
    let mut turn = turn("你好");
    for attempt in 1..=2 {
        turn.attempt = attempt;
        service.handle(&turn).await.unwrap();
        let [request] = &service.seen()[..] else { panic!("one request an attempt") };
        for secret in SECRETS {
            let now_s = clock::now_ms() / 1000;
            let id = verify(&request.headers, &request.body, &keys(&[secret]), now_s);
            assert_eq!(id, Ok("msg_7"));
        }
        assert_eq!(request.headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = json!({
            "type": "im.message.receive",
            "timestamp": "2025-11-20T10:03:20.123Z",
            "data": turn.to_json(),
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn a_json_body_is_the_answer() {
    let reply = Reply::ok(r#"{"text":"one","messages":[{"card":{"schema":"2.0"}}]}"#);
    let card = Outgoing::card(&json!({ "schema": "2.0" }));
    assert_eq!(answer(reply).await.unwrap().messages, [Outgoing::text("one"), card]);
}

#[tokio::test]
async fn no_body_and_204_are_no_answer() {
    for reply in [Reply::ok(""), Reply::ok(" \n"), Reply::status(StatusCode::NO_CONTENT)] {
        assert_eq!(answer(reply).await.unwrap(), Answer::default());
    }
}

#[tokio::test]
async fn accepted_promises_a_later_answer_where_one_is_waited_for() {
    let mut service = Service::new(Reply::status(StatusCode::ACCEPTED)).await;
    assert!(!service.handle(&turn("hi")).await.unwrap().later);
    service.settings.reply_within = Some(Duration::from_secs(60));
    assert!(service.handle(&turn("hi")).await.unwrap().later);
}

#[tokio::test]
async fn a_body_that_is_no_answer_is_refused_and_the_service_is_not_asked_again() {
    for body in ["ok", "[]", r#"{"txt":"x"}"#] {
        let error = failure(Reply::ok(body)).await;
        assert_eq!((error.code, error.retry), ("bad_answer", Retry::Never), "{body}");
    }
}

#[tokio::test]
async fn a_response_larger_than_a_mebibyte_is_refused() {
    let error = failure(Reply::ok(vec![b' '; (1 << 20) + 1])).await;
    assert_eq!(error.code, "output_too_large");
    assert!(answer(Reply::ok(vec![b' '; 1 << 20])).await.is_ok());
}

#[tokio::test]
async fn gone_is_never_asked_again() {
    let error = failure(Reply::status(StatusCode::GONE)).await;
    assert_eq!((error.code, error.retry), ("http_gone", Retry::Never));
}

#[tokio::test]
async fn a_busy_service_says_when_to_come_back() {
    for status in [429, 502, 503, 504].map(|code| StatusCode::from_u16(code).unwrap()) {
        let error = failure(Reply::status(status).header("retry-after", "7")).await;
        let expected = ("http_status", Retry::After(Duration::from_secs(7)));
        assert_eq!((error.code, error.retry), expected, "{status}");
        assert_eq!(failure(Reply::status(status)).await.retry, Retry::Policy, "{status}");
    }
}

#[tokio::test]
async fn other_statuses_are_tried_again_by_policy_and_quoted() {
    let reply = Reply::With(StatusCode::BAD_REQUEST, Default::default(), "no such bot".into());
    let error = failure(reply.header("retry-after", "7")).await;
    assert_eq!((error.code, error.retry), ("http_status", Retry::Policy));
    assert!(error.detail.contains("400") && error.detail.ends_with("no such bot"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Service::new(Reply::ok("")).await;
    let there = target.settings.url.as_str();
    let error = failure(Reply::status(StatusCode::FOUND).header("location", there)).await;
    assert_eq!(error.code, "http_status");
    assert_eq!(target.seen().len(), 0);
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_left_after_the_timeout() {
    let mut service = Service::new(Reply::Silence).await;
    service.settings.timeout = Duration::from_millis(200);
    let error = service.handle(&turn("hi")).await.unwrap_err();
    assert_eq!((error.code, error.retry), ("timeout", Retry::Policy));
    assert!(!error.detail.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_service_that_is_down_is_tried_again_by_policy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(listener.local_addr().unwrap());
    drop(listener);
    let error = within(handler(settings).unwrap().handle(&turn("hi"))).await.unwrap_err();
    assert_eq!((error.code, error.retry), ("http_transport", Retry::Policy));
    assert!(!error.detail.contains("s3cret"), "{error}");
    assert!(error.detail.to_lowercase().contains("refused"), "the cause is named: {error}");
}

#[tokio::test]
async fn a_stop_ends_the_wait_and_the_attempt_does_not_count() {
    let service = Service::new(Reply::Silence).await;
    let turn = turn("hi");
    let (result, ()) = tokio::join!(service.handle(&turn), async {
        until(|| !service.seen().is_empty()).await;
        turn.cancel.cancel();
    });
    let error = result.unwrap_err();
    assert_eq!((error.code, error.retry), ("cancelled", Retry::Stopped));
}

#[tokio::test]
async fn an_address_of_the_gateways_own_network_is_refused_before_anything_is_sent() {
    let mut service = Service::new(Reply::ok("")).await;
    service.settings.allow_private = false;
    assert!(handler(service.settings.clone()).is_err(), "as a number");

    service.settings.url.set_host(Some("localhost")).unwrap();
    let error = service.handle(&turn("hi")).await.unwrap_err();
    assert_eq!((error.code, error.retry), ("http_refused", Retry::Never), "as a name: {error}");
    assert!(error.detail.contains("allow_private"), "{error}");
    assert_eq!(service.seen().len(), 0);
}
