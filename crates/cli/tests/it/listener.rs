//! The HTTP listener: beyond loopback it asks for a token, or does not start.

use reqwest::StatusCode;

use crate::rig::{ECHO, PATIENCE, Rig};

/// A port nobody listens on now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn get(port: u16, path: &str, token: Option<&str>) -> StatusCode {
    let request = reqwest::Client::new().get(format!("http://127.0.0.1:{port}{path}"));
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    request.timeout(PATIENCE).send().await.unwrap().status()
}

#[tokio::test]
async fn a_listener_beyond_loopback_without_a_token_is_refused_at_the_start() {
    let mut rig =
        Rig::new(&format!("{ECHO}\n[server]\nhttp = \"0.0.0.0:{}\"\n", free_port())).await;
    rig.run(&[]).await;
    assert_eq!(rig.exit().await.code(), Some(1));
    assert!(rig.log().contains("set `token`"), "{}", rig.log());
    assert_eq!(rig.sim.platform().read(|l| l.calls.len()), 0, "nothing was begun");
}

#[tokio::test]
async fn a_listener_beyond_loopback_answers_those_who_show_the_token() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let port = free_port();
    let server =
        format!("[server]\nhttp = \"0.0.0.0:{port}\"\ntoken = \"open-sesame-open-sesame\"\n");
    let rig = Rig::start(&format!("{ECHO}\n{server}")).await;
    for path in ["/ready", "/metrics"] {
        assert_eq!(get(port, path, None).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(get(port, path, Some("guess")).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            get(port, path, Some("open-sesame-open-sesame")).await,
            StatusCode::OK,
            "{path}"
        );
    }
    assert_eq!(get(port, "/live", None).await, StatusCode::OK, "tells nothing but that it lives");
    assert_eq!(
        get(port, "/v1/status", Some("open-sesame-open-sesame")).await,
        StatusCode::NOT_FOUND
    );
    assert!(!rig.log().contains("open-sesame"), "the token is in the log");
}
