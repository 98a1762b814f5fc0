//! Errors of chat completions, in the shapes that services and proxies give them.

use std::time::Duration;

use larkline_agent::Outcome;
use larkline_agent::chat::{ErrorClass, error};
use serde_json::json;

const LATER: ErrorClass = ErrorClass::Overloaded { after: None };

#[test]
fn recorded_errors_are_read() {
    let read = |name: &str| {
        let folder = env!("CARGO_MANIFEST_DIR");
        std::fs::read(format!("{folder}/fixtures/openai/{name}")).unwrap()
    };
    let unauthorized = error(401, None, &read("error_401.json"));
    assert_eq!(unauthorized.class, ErrorClass::Auth);
    assert_eq!(unauthorized.code, "invalid_api_key");
    assert_eq!(unauthorized.message, "Incorrect API key provided.");
    let limited = error(429, Some("2"), &read("error_429.json"));
    assert_eq!(limited.class, ErrorClass::Overloaded { after: Some(Duration::from_secs(2)) });
    assert_eq!(limited.code, "limit_requests");
}

#[test]
fn every_status_and_code_of_the_table_has_its_class() {
    for (status, code, class, outcome) in [
        (400, "invalid_parameter_error", ErrorClass::Final, Outcome::Failed),
        (400, "InvalidParameter", ErrorClass::Final, Outcome::Failed),
        (400, "context_length_exceeded", ErrorClass::Final, Outcome::Limit),
        (400, "Arrearage", ErrorClass::Auth, Outcome::Auth),
        (400, "data_inspection_failed", ErrorClass::Refused, Outcome::Refused),
        (400, "DataInspectionFailed", ErrorClass::Refused, Outcome::Refused),
        (401, "invalid_api_key", ErrorClass::Auth, Outcome::Auth),
        (402, "", ErrorClass::Auth, Outcome::Auth),
        (403, "AccessDenied.Unpurchased", ErrorClass::Auth, Outcome::Auth),
        (404, "model_not_found", ErrorClass::NotFound, Outcome::Failed),
        (408, "", ErrorClass::Retryable, Outcome::Failed),
        (409, "", ErrorClass::Retryable, Outcome::Failed),
        (413, "", ErrorClass::Final, Outcome::Failed),
        (425, "", ErrorClass::Retryable, Outcome::Failed),
        (429, "Throttling.RateQuota", LATER, Outcome::Overloaded),
        (429, "insufficient_quota", LATER, Outcome::Overloaded),
        (500, "internal_error", ErrorClass::Retryable, Outcome::Failed),
        (500, "RequestTimeOut", ErrorClass::Retryable, Outcome::Failed),
        (502, "", ErrorClass::Retryable, Outcome::Failed),
        (503, "", ErrorClass::Retryable, Outcome::Failed),
        (504, "", ErrorClass::Retryable, Outcome::Failed),
        (529, "", LATER, Outcome::Overloaded),
        (302, "", ErrorClass::Final, Outcome::Failed),
    ] {
        let body = json!({"error": {"message": "m", "type": "t", "code": code}}).to_string();
        let error = error(status, None, body.as_bytes());
        assert_eq!(error.class, class, "{status} {code}");
        assert_eq!(error.outcome(), outcome, "{status} {code}");
        assert_eq!(error.status, status);
    }
}

#[test]
fn bodies_of_any_shape_are_read() {
    let long = "x".repeat(100_000);
    let deep = "[".repeat(100_000);
    for (body, code, message) in [
        (json!({"error": {"message": "m", "code": null, "type": "t"}}).to_string(), "t", "m"),
        (json!({"error": {"message": "m", "code": 400}}).to_string(), "400", "m"),
        (json!({"error": "m"}).to_string(), "", "m"),
        (
            json!({"code": "Throttling", "message": "m", "request_id": "r"}).to_string(),
            "Throttling",
            "m",
        ),
        (json!([{"error": {"code": 400, "message": "m"}}]).to_string(), "400", "m"),
        (json!({"object": "error", "code": 40401, "message": "m"}).to_string(), "40401", "m"),
        (json!({"detail": "m"}).to_string(), "", "m"),
        (json!({"error": {"code": "c"}}).to_string(), "c", "{\"code\":\"c\"}"),
        ("<html>\n<body>Bad\tGateway".to_owned(), "", "<html> <body>Bad Gateway"),
        ("null".to_owned(), "", "null"),
        (String::new(), "", ""),
    ] {
        let error = error(400, None, body.as_bytes());
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{body}");
    }
    for body in [long, deep, json!({"error": {"message": "你".repeat(9_999)}}).to_string()] {
        assert_eq!(error(400, None, body.as_bytes()).message.chars().count(), 300);
    }
    assert_eq!(error(502, None, b"\xff\xfe").message, "\u{fffd}\u{fffd}");
}

#[test]
fn a_wait_is_read_and_bounded() {
    let hour = Duration::from_secs(3_600);
    for (header, after) in [
        ("2", Some(Duration::from_secs(2))),
        (" 1.5 ", Some(Duration::from_millis(1_500))),
        ("0", Some(Duration::ZERO)),
        ("99999999", Some(hour)),
        ("1e300", Some(hour)),
        ("inf", Some(hour)),
        ("NaN", None),
        ("-1", None),
        ("", None),
        ("Sun, 29 Nov 2026 00:00:00 GMT", None),
    ] {
        let class = error(429, Some(header), b"").class;
        assert_eq!(class, ErrorClass::Overloaded { after }, "{header}");
    }
    let class = error(503, Some("1"), b"").class;
    assert_eq!(class, ErrorClass::Overloaded { after: Some(Duration::from_secs(1)) });
}

#[test]
fn an_error_says_what_is_known() {
    let error = error(500, None, json!({"code": "c", "message": "m"}).to_string().as_bytes());
    assert_eq!(error.to_string(), "the model did not answer (status 500, code `c`): m");
}
