//! What goes wrong, and that each says what, why and what to do, with the doctor's exit codes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larkline_sim::{Answer, AppSpec, Fault, Scan, SimOptions};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Novice, whole};
use crate::rig::read;

const DEMO: [&str; 4] = ["--app-secret-env", "SECRET", "--app-id", "cli_a1b2c3d4e5f60718"];

#[tokio::test]
async fn a_refusal_of_the_person_ends_it_and_writes_nothing() {
    let mut novice = Novice::new().await;
    novice.begin(&["--qr"]);
    novice.scan(Scan::Deny).await;
    let (code, _, all) = novice.end().await;
    assert_eq!(code, 13, "{all}");
    assert!(all.contains("the person refused") && all.contains("next: run it again"), "{all}");
    assert!(!novice.file("larkline.toml").exists() && !novice.file("larkline.secret").exists());
}

#[tokio::test]
async fn an_expired_code_is_replaced_by_another_which_works() {
    // A code works for five seconds here.
    let mut novice = Novice::on(SimOptions { speed: 120.0, ..SimOptions::default() }).await;
    novice.begin(&["--qr", "--no-link", "--handler", "echo"]);
    let second = novice.code(1).await;
    assert!(novice.said().contains("that code has expired"), "{}", novice.said());
    novice.rig.sim.platform().visit(&second, &novice.rig.owner, Scan::Allow).unwrap();
    let (code, _, all) = novice.end().await;
    assert_eq!(code, 0, "{all}");
}

#[tokio::test]
async fn nobody_at_all_is_said_after_three_codes() {
    let mut novice = Novice::on(SimOptions { speed: 600.0, ..SimOptions::default() }).await;
    novice.begin(&["--qr"]);
    let (code, _, all) = novice.end().await;
    assert_eq!(code, 13, "{all}");
    assert_eq!(all.matches("user_code=").count(), 3, "{all}");
    assert!(all.contains("nobody scanned a code"), "{all}");
}

/// A host of accounts that says what it is told to, one answer a poll, and notes when it was polled.
struct Accounts {
    url: String,
    polls: Arc<Mutex<Vec<Instant>>>,
    _server: tokio::task::JoinSet<()>,
}

impl Accounts {
    async fn saying(init: Value, polls: Vec<Value>) -> Self {
        let answers = Arc::new(Mutex::new(VecDeque::from(polls)));
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let answer = move |form: axum::Form<Vec<(String, String)>>| {
            let action = form.iter().find(|(name, _)| name == "action").unwrap().1.clone();
            let body = match action.as_str() {
                "init" => init.clone(),
                "begin" => json!({
                    "device_code": "d", "interval": 1, "expires_in": 60,
                    "verification_uri_complete": "https://accounts.example/p?user_code=U",
                }),
                _ => {
                    seen.lock().unwrap().push(Instant::now());
                    let mut left = answers.lock().unwrap();
                    left.pop_front().unwrap_or_else(|| json!({"error": "authorization_pending"}))
                }
            };
            async move { axum::Json(body) }
        };
        let app =
            axum::Router::new().route("/oauth/v1/app/registration", axum::routing::post(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, polls: times, _server: server }
    }
}

fn methods() -> Value {
    json!({"supported_auth_methods": ["client_secret"]})
}

#[tokio::test]
async fn slow_down_is_obeyed_by_five_seconds_more() {
    let app = AppSpec::default();
    let done = json!({"client_id": app.app_id, "client_secret": app.app_secret});
    let accounts = Accounts::saying(methods(), vec![json!({"error": "slow_down"}), done]).await;
    let novice = Novice::new().await;
    let args = ["--qr", "--no-link", "--handler", "echo", "--accounts", &accounts.url];
    let (code, all) = whole(&novice.init(&args).await);
    assert_eq!(code, 0, "{all}");
    let polls = accounts.polls.lock().unwrap();
    assert!(polls[1] - polls[0] >= Duration::from_secs(6), "one second, and five more");
    assert!(novice.config().contains("owners = []"), "nobody was named: {}", novice.config());
}

#[tokio::test]
async fn any_other_refusal_is_printed_in_the_servers_words() {
    let refusal = json!({"error": "invalid_scope", "error_description": "scope x is not for you"});
    let accounts = Accounts::saying(methods(), vec![refusal]).await;
    let novice = Novice::new().await;
    let (code, all) = whole(&novice.init(&["--qr", "--accounts", &accounts.url]).await);
    assert_eq!(code, 16, "{all}");
    assert!(all.contains("invalid_scope") && all.contains("scope x is not for you"), "{all}");
    let other = json!({"supported_auth_methods": ["private_key_jwt"]});
    let accounts = Accounts::saying(other, Vec::new()).await;
    let (code, all) = whole(&novice.init(&["--qr", "--accounts", &accounts.url]).await);
    assert_eq!(code, 16, "{all}");
    assert!(all.contains("private_key_jwt"), "{all}");
    let (code, all) = whole(&novice.init(&["--qr", "--accounts", "http://127.0.0.1:1"]).await);
    assert_eq!(code, 10, "{all}");
    assert!(all.contains("--proxy"), "{all}");
}

#[tokio::test]
async fn a_wrong_secret_and_a_wrong_id_are_told_apart_and_write_nothing() {
    let novice = Novice::new().await;
    let url = novice.rig.sim.url();
    let tried = async |id: &str, secret: &str| {
        let args = ["init", "--domain", &url, "--app-id", id, "--app-secret-env", "SECRET"];
        whole(&novice.command(&args).env("SECRET", secret).output().await.unwrap())
    };
    let (code, all) = tried("cli_a1b2c3d4e5f60718", "not-the-secret").await;
    assert_eq!(code, 3, "{all}");
    assert!(all.contains("copy app_secret again") && !all.contains("not-the-secret"), "{all}");
    let (code, all) = tried("cli_ffffffffffffffff", "not-the-secret").await;
    assert_eq!(code, 3, "{all}");
    assert!(all.contains("copy app_id again"), "{all}");
    let (code, all) = tried("cli_short", "not-the-secret").await;
    assert_eq!(code, 1, "{all}");
    assert!(all.contains("is no app id"), "{all}");
    assert!(!novice.file("larkline.toml").exists());
    // Nobody at that address: the network's class, and where to look.
    let args = [&["init", "--domain", "http://127.0.0.1:1"], &DEMO[..]].concat();
    let output = novice.command(&args).env("SECRET", "simulator-secret").output().await.unwrap();
    let (code, all) = whole(&output);
    assert_eq!(code, 10, "{all}");
    assert!(all.contains("next:") && all.contains("--proxy"), "{all}");
}

#[tokio::test]
async fn a_file_that_is_there_is_kept_unless_somebody_says_so() {
    let novice = Novice::new().await;
    std::fs::write(novice.file("larkline.toml"), "# mine\n").unwrap();
    let url = novice.rig.sim.url();
    let base = [&["init", "--domain", &url, "--no-link"], &DEMO[..]].concat();
    let tried = async |more: &[&str]| {
        let args = [&base[..], more].concat();
        let secret = AppSpec::default().app_secret;
        whole(&novice.command(&args).env("SECRET", secret).output().await.unwrap())
    };
    let (code, all) = tried(&[]).await;
    assert_eq!(code, 1, "{all}");
    assert!(all.contains("--yes") && all.contains("--output"), "{all}");
    assert_eq!(novice.config(), "# mine\n");
    let (code, all) = tried(&["--yes"]).await;
    assert_eq!(code, 0, "{all}");
    assert!(novice.config().contains("app_secret = { env = \"SECRET\" }"), "{}", novice.config());
    assert_eq!(read(&novice.file("larkline.toml.bak1")), "# mine\n");
}

#[tokio::test]
async fn silence_over_a_good_link_ends_in_advice() {
    let novice = Novice::new().await;
    let url = novice.rig.sim.url();
    let args = [&["init", "--domain", &url, "--wait", "1"], &DEMO[..]].concat();
    let secret = AppSpec::default().app_secret;
    let (code, all) = whole(&novice.command(&args).env("SECRET", secret).output().await.unwrap());
    assert_eq!(code, 13, "{all}");
    for part in ["the link is verified", "no event came within 0:01", "larkline doctor --fix"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    novice.rig.ledger("the end of its link", |l| l.open_connections() == 0).await;
}

#[tokio::test]
async fn a_link_that_is_refused_is_told_with_its_class() {
    let novice = Novice::new().await;
    let answer =
        Answer::Code { status: 200, code: 1_000_040_350, msg: "limit".to_owned(), reset_s: None };
    novice.rig.fault(Fault::Endpoint { answer, times: 100_000 });
    let url = novice.rig.sim.url();
    let args = [&["init", "--domain", &url, "--wait", "1"], &DEMO[..]].concat();
    let secret = AppSpec::default().app_secret;
    let args = [&args[..], &["--timeout", "5"]].concat();
    let (code, all) = whole(&novice.command(&args).env("SECRET", secret).output().await.unwrap());
    assert_eq!(code, 14, "{all}");
    assert!(all.contains("1000040350") && all.contains("larkline doctor"), "{all}");
}
