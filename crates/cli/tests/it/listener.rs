//! The HTTP listener: beyond loopback it asks for a token, or does not start; and whoever connects
//! takes nothing from the rest.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::rig::{ECHO, PATIENCE, Rig, figure, text};

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

#[tokio::test]
async fn a_reload_never_leaves_a_listener_beyond_loopback_without_a_token() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let port = free_port();
    let token = "token = \"open-sesame-open-sesame\"\n";
    let server = format!("[server]\nhttp = \"0.0.0.0:{port}\"\n{token}");
    let rig = Rig::start(&format!("{ECHO}\n{server}")).await;
    // The new file is right by itself; what it says of the address needs a restart.
    rig.amend("0.0.0.0", "127.0.0.1");
    assert!(rig.cli(&["reload"]).await.status.success());
    rig.amend(token, "");
    let refused = rig.cli(&["reload"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("0.0.0.0:{port} is listened on")), "{said}");
    assert!(said.contains("keep the token, or restart"), "{said}");
    rig.signal(rustix::process::Signal::HUP);
    rig.until("its reason in the log", async || {
        rig.log().matches("not reloaded, the old one stays").count() == 2
    })
    .await;
    for path in ["/metrics", "/api/messages?limit=1"] {
        assert_eq!(get(port, path, None).await, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_token_of_a_program_is_answered_late_and_on_record() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let port = free_port();
    let server = format!("[server]\nhttp = \"127.0.0.1:{port}\"\ntoken = \"open-sesame\"\n");
    let rig = Rig::start(&format!("{ECHO}\n{server}")).await;
    for path in ["/metrics", "/api/status"] {
        assert_eq!(get(port, path, None).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert!(!rig.log().contains("dashboard_login"), "nobody guessed");
    for (nth, path) in ["/metrics", "/api/status"].into_iter().enumerate() {
        let begun = Instant::now();
        assert_eq!(get(port, path, Some("guess")).await, StatusCode::UNAUTHORIZED, "{path}");
        assert!(begun.elapsed() >= Duration::from_millis(400), "{path}: {:?}", begun.elapsed());
        assert_eq!(rig.log().matches("dashboard_login").count(), nth + 1, "{}", rig.log());
    }
}

#[tokio::test]
async fn a_token_that_no_program_can_show_is_refused() {
    for token in ["芝麻开门", "open sesame", "open\\tsesame"] {
        let server = format!("[server]\nhttp = \"127.0.0.1:1\"\ntoken = \"{token}\"\n");
        let rig = Rig::new(&format!("{ECHO}\n{server}")).await;
        let checked = rig.cli(&["config", "check"]).await;
        assert_eq!(checked.status.code(), Some(1), "{token}");
        let said = text(&[checked.stdout, checked.stderr].concat());
        assert!(said.contains("visible ASCII") && said.contains("openssl rand"), "{said}");
    }
}

#[tokio::test]
async fn idle_connections_of_anybody_take_a_bounded_part_of_the_descriptors() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let port = free_port();
    let server = format!("[server]\nhttp = \"127.0.0.1:{port}\"\ntoken = \"open-sesame\"\n");
    let rig = Rig::start(&format!("{ECHO}\n{server}")).await;
    let open = async || figure(&rig.metrics().await, "larkline_open_descriptors").unwrap();
    let before = open().await;
    let connect = || std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let idle: Vec<_> = (0..300).map(|_| connect()).collect();
    rig.until("connections", async || open().await >= before + 100.0).await;
    assert!(open().await <= before + 140.0, "{} of {before} before", open().await);
    assert!(rig.cli(&["status", "--check"]).await.status.success());
    drop(idle);
    assert_eq!(get(port, "/live", None).await, StatusCode::OK, "who has gone is forgotten");
}

#[tokio::test]
async fn a_taken_address_is_found_before_the_platform_knows_of_a_connection() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut rig = Rig::new(&format!("{ECHO}\n[server]\nhttp = \"{address}\"\n")).await;
    rig.run(&[]).await;
    assert_eq!(rig.exit().await.code(), Some(1));
    assert!(rig.log().contains(&format!("cannot listen on {address}")), "{}", rig.log());
    let seen = rig.sim.platform().read(|l| (l.connections.len(), l.calls.len()));
    assert_eq!(seen, (0, 0), "connections and calls");
}
