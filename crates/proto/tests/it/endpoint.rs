//! Laws of endpoint discovery and of refusals.

use std::time::Duration;

use larkline_proto::endpoint::{Endpoint, EndpointReply, EndpointRequest};
use larkline_proto::refusal::{Persistence, Refusal};

use crate::rig::secs;

fn read(status: u16, body: &str) -> Result<Endpoint, Refusal> {
    Endpoint::read(&EndpointReply { status, retry_after: None, body: body.as_bytes() }, true)
}

#[test]
fn the_request_is_the_one_of_the_official_clients() {
    let request = EndpointRequest { app_id: "cli_a1b2c3d4e5f60718", app_secret: "s" };
    let body = serde_json::to_string(&request).unwrap();
    assert_eq!(body, r#"{"AppID":"cli_a1b2c3d4e5f60718","AppSecret":"s"}"#);
}

#[test]
fn an_endpoint_is_read_from_a_url_in_any_order() {
    let endpoint = read(
        200,
        r#"{"code":0,"msg":"","data":{"URL":"wss://h.test:8443/ws/v2?ticket=T&service_id=33554678&device_id=759","ClientConfig":{"PingInterval":90}}}"#,
    )
    .unwrap();
    assert_eq!(endpoint.conn_id, "759");
    assert_eq!(endpoint.service_id, Some(33_554_678));
    assert_eq!(endpoint.url.host(), "h.test:8443");
    assert_eq!(endpoint.settings.unwrap()["PingInterval"], 90);
}

#[test]
fn a_service_id_that_is_absent_or_no_number_is_survived() {
    for query in ["", "?service_id=x", "?service_id=99999999999"] {
        let body = format!(r#"{{"code":0,"data":{{"URL":"wss://h.test/ws{query}"}}}}"#);
        assert_eq!(read(200, &body).unwrap().service_id, None);
    }
}

#[test]
fn the_ticket_never_reaches_a_debug_print() {
    let endpoint =
        read(200, r#"{"code":0,"data":{"URL":"wss://h.test/ws?ticket=SECRET"}}"#).unwrap();
    assert!(!format!("{endpoint:?}").contains("SECRET"), "{endpoint:?}");
}

#[test]
fn codes_are_classed_before_data_and_keep_code_and_message() {
    for data in ["", r#","data":null"#, r#","data":{}"#, r#","data":{"URL":""}"#] {
        let body = format!(r#"{{"code":1000040345,"msg":"app_secret is invalid"{data}}}"#);
        let refusal = read(200, &body).unwrap_err();
        assert_eq!(refusal.platform_code(), Some(1_000_040_345));
        assert_eq!(refusal.persistence(), Persistence::FatalAtFirst);
        assert!(refusal.to_string().contains("app_secret is invalid"));
    }
}

#[test]
fn the_classes_are_the_references() {
    for code in [1, 1_000_040_343, 1_000_040_350] {
        let refusal = read(200, &format!(r#"{{"code":{code}}}"#)).unwrap_err();
        assert_eq!(refusal.persistence(), Persistence::Transient, "{code}");
    }
    for code in [1_000_040_344, 1_000_040_345, 1_000_040_351, 403, 514, 77] {
        let refusal = read(200, &format!(r#"{{"code":{code}}}"#)).unwrap_err();
        assert_eq!(refusal.persistence(), Persistence::FatalAtFirst, "{code}");
    }
}

#[test]
fn every_status_but_200_is_transient() {
    for status in [204, 302, 400, 401, 403, 404, 407, 429, 500, 502, 503] {
        for body in ["", "<html>", r#"{"code":1000040345,"msg":"x"}"#] {
            assert_eq!(read(status, body).unwrap_err().persistence(), Persistence::Transient);
        }
    }
}

#[test]
fn an_answer_without_a_usable_address_is_transient() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"code":"0"}"#,
        r#"{"code":0}"#,
        r#"{"code":0,"data":null}"#,
        r#"{"code":0,"data":{"URL":""}}"#,
        r#"{"code":0,"data":{"URL":"not a url"}}"#,
        r#"{"code":0,"data":{"URL":"https://h.test"}}"#,
    ] {
        let refusal = read(200, body).unwrap_err();
        assert!(matches!(refusal, Refusal::BadReply { .. }), "{body}: {refusal:?}");
        assert_eq!(refusal.persistence(), Persistence::Transient);
    }
}

#[test]
fn tls_is_never_silently_dropped() {
    let body = br#"{"code":0,"data":{"URL":"ws://h.test/ws"}}"#;
    let reply = EndpointReply { status: 200, retry_after: None, body };
    assert!(Endpoint::read(&reply, true).is_err());
    assert!(Endpoint::read(&reply, false).is_ok());
}

#[test]
fn handshake_refusals_are_classed_by_the_platforms_headers() {
    use Persistence::{FatalAtFirst, Transient};
    for (headers, class) in [
        (vec![("Handshake-Status", "514"), ("Handshake-Autherrcode", "1000040350")], Transient),
        (vec![("Handshake-Status", "514")], Transient),
        (vec![("Handshake-Status", "403"), ("Handshake-Msg", "DEVICE_BLOCKED")], FatalAtFirst),
        (vec![("Handshake-Status", "777")], Transient),
        (vec![("Handshake-Status", "x")], Transient),
        (vec![], Transient),
    ] {
        let refusal = Refusal::handshake(403, |name| {
            headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
        });
        assert_eq!(refusal.persistence(), class, "{headers:?}");
    }
}

#[test]
fn the_connection_limit_names_other_programs() {
    let refusal = Refusal::handshake(400, |name| match name {
        "Handshake-Status" => Some("514"),
        "Handshake-Autherrcode" => Some("1000040350"),
        _ => None,
    });
    assert_eq!(refusal.platform_code(), Some(1_000_040_350));
    assert!(refusal.advice().contains("other programs"));
}

#[test]
fn server_text_is_cut_and_cleaned() {
    let msg = format!("a\\u001b[31m{}", "b".repeat(5000));
    let text = read(200, &format!(r#"{{"code":9,"msg":"{msg}"}}"#)).unwrap_err().to_string();
    assert!(text.len() < 300 && !text.contains('\u{1b}'));
}

#[test]
fn retry_after_is_kept() {
    let reply = EndpointReply { status: 429, retry_after: Some(secs(9)), body: b"" };
    let refusal = Endpoint::read(&reply, true).unwrap_err();
    assert_eq!(refusal.retry_after(), Some(Duration::from_secs(9)));
}
