//! Handlers that fail: tried again, then a dead letter that the chat hears of and the operator
//! can retry or drop; and handlers that answer over HTTP, at once, later, or never.

use larkline_gateway::handler::http::signature::{self, SigningKey};
use larkline_sim::{Answer, Said};
use serde_json::Value;

use crate::delivery::reply_fault;
use crate::rig::{ECHO, Rig, WORK, read, text};

/// The script fails in every way, each named by the message, until the file `fixed` is there.
const SETTINGS: &str = r#"
timeout = "1s"
output_max = "1KiB"
session = "sender"
retry = { attempts = 2, first = "100ms", max = "100ms" }
"#;

const FAILING: &str = r#"in=$(cat)
echo x >> runs
[ -e fixed ] && { echo fixed; exit; }
case $in in
*'"text":"exit"'*) echo out of beans >&2; exit 3;;
*'"text":"timeout"'*) sleep 1000;;
*'"text":"output_too_large"'*) head -c 5000 /dev/zero;;
*'"text":"killed"'*) kill -9 $$;;
*'"text":"utf8"'*) printf 'a\377b';;
esac"#;

async fn rig() -> Rig {
    let mut rig = Rig::new(&format!("{WORK}{SETTINGS}")).await;
    rig.script("work", FAILING);
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// The dead letter with this code: its id as commands take it, and its row.
async fn letter(rig: &Rig, code: &str) -> (String, Value) {
    let letters = rig.json(&["dead"]).await;
    let row = letters.as_array().unwrap().iter().find(|l| l["code"] == code).cloned();
    let row = row.unwrap_or_else(|| panic!("no {code} in {letters}"));
    (format!("t{}", row["item"]["task"]), row)
}

#[tokio::test]
async fn every_failure_is_tried_again_then_said_in_the_chat_and_listed_with_its_code() {
    let rig = rig().await;
    for code in ["exit", "timeout", "output_too_large", "killed"] {
        let said = rig.say(&rig.guest, code);
        let [notice] = &rig.answered(&said).await[..] else { panic!("one notice") };
        assert!(notice.contains(&format!("work failed ({code}), attempt 2")), "{notice}");
        let (item, row) = letter(&rig, code).await;
        assert_eq!((&row["attempts"], &row["handler"]), (&2.into(), &"work".into()));
        assert_eq!(row["message_id"], said.message_id.as_str());
        let shown = text(&rig.cli(&["dead"]).await.stdout);
        assert!(
            shown.lines().any(|l| l.trim_start().starts_with(&item) && l.contains(code)),
            "{shown}"
        );
    }
    let (_, exit) = letter(&rig, "exit").await;
    assert!(exit["error"].as_str().unwrap().contains("exit code 3"), "{exit}");
    assert!(exit["error"].as_str().unwrap().contains("out of beans"), "{exit}");
    assert_eq!(read(&rig.path("runs")).lines().count(), 8, "two runs each");
    let said = rig.say(&rig.guest, "utf8");
    assert_eq!(rig.answered(&said).await, ["a\u{fffd}b"]);
    let failed = |code| (format!("failed/{code}"), 1);
    let expected = ["exit", "timeout", "output_too_large", "killed"].map(failed);
    let answered = [("replied".to_owned(), 1)];
    assert_eq!(rig.verdicts().await, expected.into_iter().chain(answered).collect());
}

#[tokio::test]
async fn an_id_that_is_none_is_refused_by_the_gateway_and_not_on_the_way() {
    let rig = rig().await;
    let commands: [&[&str]; 5] = [
        &["dead", "retry", "t 1"],
        &["dead", "drop", "t/1?x#y"],
        &["dead", "give-up", "a b/c"],
        &["job", "show", "a b"],
        &["job", "stop", "ä%2F"],
    ];
    for args in commands {
        let output = rig.cli(args).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(!said.contains("did not answer") && !said.contains("uri"), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn a_dead_letter_can_be_retried_or_dropped_and_nothing_else_can() {
    let mut rig = rig().await;
    let said = [(); 2].map(|()| rig.say(&rig.guest, "exit"));
    for said in &said {
        rig.answered(said).await;
    }
    rig.until("two letters", async || rig.json(&["dead"]).await.as_array().unwrap().len() == 2)
        .await;
    // They outlive the process.
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    std::fs::write(rig.path("fixed"), "").unwrap();
    assert!(rig.cli(&["dead", "retry", "t1"]).await.status.success());
    rig.ledger("the answer", |l| l.replies_to(&said[0].message_id).count() == 2).await;
    assert_eq!(rig.answers(&said[0].message_id)[1], "fixed");
    assert!(rig.cli(&["dead", "drop", "t2"]).await.status.success());
    assert_eq!(rig.json(&["dead"]).await, Value::Array(Vec::new()));
    let expected = [("replied".to_owned(), 1), ("failed/exit".to_owned(), 1)];
    assert_eq!(rig.verdicts().await, expected.into());
    for (item, hint) in [("t2", "larkline dead"), ("t99", "larkline dead"), ("seven", "t7, o7")] {
        for action in ["retry", "drop"] {
            let output = rig.cli(&["dead", action, item]).await;
            let said = text(&output.stderr);
            assert!(output.status.code() == Some(1) && said.contains(hint), "{item}: {said}");
        }
    }
    assert_eq!(rig.answers(&said[1].message_id).len(), 1, "no run after the drop");
    // The stories keep what was done by hand, and the deaths before it.
    for (said, word) in said.iter().zip(["retried", "dropped"]) {
        let story = crate::story::story(&rig, said.message_id.as_str()).await;
        let dead = crate::story::step(&story, "dead");
        assert_eq!((&dead["code"], &dead["attempt"]), (&"exit".into(), &2.into()), "{story}");
        crate::story::step(&story, word);
    }
}

/// What signs, and what does not.
/// However long the events of that time are gone, nobody has decided about them yet.
#[tokio::test]
async fn a_dead_letter_is_kept_beyond_the_retention_until_somebody_decides() {
    const DAY_MS: u64 = 86_400_000;
    let mut rig = Rig::new(&format!("{WORK}{SETTINGS}")).await;
    rig.script("work", FAILING);
    std::fs::write(rig.path("clock"), "0").unwrap();
    rig.env.insert("LARKLINE_CLOCK", rig.path("clock").display().to_string());
    rig.run(&[]).await;
    rig.ready().await;
    let failed = rig.say(&rig.guest, "exit");
    rig.answered(&failed).await;
    let refused = Answer::Code { status: 400, code: 230_028, msg: "no".to_owned(), reset_s: None };
    rig.fault(reply_fault(refused, 1));
    let unsaid = rig.say(&rig.owner, "utf8");
    rig.until("two letters", async || rig.json(&["dead"]).await.as_array().unwrap().len() == 2)
        .await;
    let fine = rig.say(&rig.owner, "utf8");
    rig.answered(&fine).await;
    rig.verdicts().await;
    let is_known = async |said: &Said| {
        let id = said.message_id.as_str();
        rig.cli(&["explain", id]).await.status.success()
    };
    let newest = rig.say(&rig.owner, "utf8");
    rig.answered(&newest).await;
    std::fs::write(rig.path("clock"), (8 * DAY_MS).to_string()).unwrap();
    rig.until("forgetting", async || !is_known(&fine).await).await;
    assert!(is_known(&failed).await && is_known(&unsaid).await);
    let letters = rig.json(&["dead"]).await;
    assert_eq!(letters.as_array().unwrap().len(), 2, "{letters}");
    for item in ["t1", "o2"] {
        let drop = rig.cli(&["dead", "drop", item]).await;
        assert!(drop.status.success(), "{item} of {letters}: {}", text(&drop.stderr));
    }
    std::fs::write(rig.path("clock"), (9 * DAY_MS).to_string()).unwrap();
    rig.until("forgetting", async || !is_known(&failed).await && !is_known(&unsaid).await).await;
}

pub(crate) const SECRETS: [&str; 2] =
    ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_GBkaGxwdHh8gISIjJCUmJygpKissLS4v"];

/// `http please` goes to a service on this port, all else to echo.
pub(crate) fn http(port: u16, listen: u16, more: &str) -> String {
    format!(
        "[server]\nhttp = \"127.0.0.1:{listen}\"\n\n[[route]]\nname = \"service\"\nsenders = \"everyone\"\n\
         match = {{ keywords = [\"http please\"] }}\nhandler = \"service\"\n\n\
         [[route]]\nname = \"rest\"\nsenders = \"everyone\"\nhandler = \"echo\"\n\n\
         [handler.echo]\nkind = \"echo\"\n\n[handler.service]\nkind = \"http\"\n\
         url = \"http://127.0.0.1:{port}/turns\"\nsecret = \"{}\"\nallow_private = true\n{more}\n",
        SECRETS[0]
    )
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A service that gives every turn the same answer, and what it was sent.
pub(crate) async fn service(
    port: u16,
    status: u16,
    answer: &'static str,
) -> (Seen, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let seen = Seen::default();
    let kept = std::sync::Arc::clone(&seen);
    let router = axum::Router::new().fallback(move |headers: http::HeaderMap, body: String| {
        kept.lock().unwrap().push((headers, body));
        let status = http::StatusCode::from_u16(status).unwrap();
        async move { (status, answer) }
    });
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (seen, server)
}

pub(crate) type Seen = std::sync::Arc<std::sync::Mutex<Vec<(http::HeaderMap, String)>>>;

#[tokio::test]
async fn while_a_service_is_down_its_messages_wait_and_all_others_are_answered() {
    let port = free_port();
    let retry = "retry = { attempts = 20, first = \"200ms\", factor = 1 }";
    let mut rig = Rig::new(&http(port, free_port(), retry)).await;
    rig.run(&[]).await;
    rig.ready().await;
    let waiting = rig.say(&rig.guest, "http please");
    rig.logged("handler failed, to be tried again").await;
    for user in [&rig.guest, &rig.owner] {
        let said = rig.say(user, "hello");
        assert_eq!(rig.answered(&said).await, ["hello"]);
    }
    assert!(rig.answers(&waiting.message_id).is_empty());
    let (seen, _server) = service(port, 200, r#"{"text":"at last"}"#).await;
    assert_eq!(rig.answered(&waiting).await, ["at last"]);
    let (headers, body) = seen.lock().unwrap()[0].clone();
    let key = SigningKey::parse(&SECRETS[0].into()).unwrap();
    let now = headers[signature::TIMESTAMP].to_str().unwrap().parse().unwrap();
    assert!(signature::verify(&headers, body.as_bytes(), &[key], now).is_ok());
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 3)].into());
}

/// Posts an answer to a turn's reply URL, signed with a secret; the status it gets.
pub(crate) async fn post(url: &str, id: &str, secret: &str, body: &'static str) -> u16 {
    // Installed already is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let now = jiff::Timestamp::now().as_second();
    let key = SigningKey::parse(&secret.into()).unwrap();
    let response = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(url)
        .header(signature::ID, id)
        .header(signature::TIMESTAMP, now)
        .header(signature::SIGNATURE, signature::sign(&[key], id, now, body.as_bytes()))
        .header("content-type", "application/json")
        .body(body)
        .send();
    response.await.unwrap().status().as_u16()
}

/// A turn that a service promised to answer later: the message, its reply URL and its id.
pub(crate) async fn promised(rig: &Rig, seen: &Seen) -> (Said, String, String) {
    let before = seen.lock().unwrap().len();
    let said = rig.say(&rig.guest, "http please");
    rig.until("the turn", async || seen.lock().unwrap().len() > before).await;
    let (headers, body) = seen.lock().unwrap()[before].clone();
    let turn: Value = serde_json::from_str(&body).unwrap();
    let url = turn["data"]["reply_url"].as_str().unwrap().to_owned();
    rig.until("the wait", async || {
        rig.status().await.is_some_and(|s| s["depths"]["awaiting"] == before + 1)
    })
    .await;
    (said, url, headers[signature::ID].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_later_answer_is_taken_once_if_it_is_signed_and_well_formed() {
    let (port, answer) = (free_port(), r#"{"text":"later"}"#);
    let mut rig = Rig::new(&http(port, free_port(), "reply_within = \"10m\"")).await;
    let (seen, _server) = service(port, 202, "").await;
    rig.run(&[]).await;
    rig.ready().await;
    let (said, url, id) = promised(&rig, &seen).await;
    assert_eq!(post(&url, &id, SECRETS[1], answer).await, 401, "a stranger's signature");
    assert_eq!(post(&url, "msg_99", SECRETS[0], answer).await, 401, "an answer to another turn");
    assert_eq!(post(&url, &id, SECRETS[0], r#"{"txet":"later"}"#).await, 422);
    assert!(rig.answers(&said.message_id).is_empty());
    // The promise outlives the process.
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    assert_eq!(post(&url, &id, SECRETS[0], answer).await, 200);
    assert_eq!(rig.answered(&said).await, ["later"]);
    assert_eq!(post(&url, &id, SECRETS[0], answer).await, 404, "a second answer");
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    assert_eq!(rig.answers(&said.message_id), ["later"]);
}

#[tokio::test]
async fn a_later_answer_that_overtakes_its_own_promise_is_taken() {
    let port = free_port();
    let mut rig = Rig::new(&http(port, free_port(), "reply_within = \"10m\"")).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (posted, mut answers) = tokio::sync::mpsc::channel(1);
    let router = axum::Router::new().fallback(move |headers: http::HeaderMap, body: String| {
        let posted = posted.clone();
        async move {
            let turn: Value = serde_json::from_str(&body).unwrap();
            let url = turn["data"]["reply_url"].as_str().unwrap().to_owned();
            let id = headers[signature::ID].to_str().unwrap().to_owned();
            let mut answer =
                Box::pin(async move { post(&url, &id, SECRETS[0], r#"{"text":"early"}"#).await });
            // The answer is on its way, and refused by nobody, before the promise is made.
            let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut answer);
            assert!(early.await.is_err(), "answered before it was promised");
            assert!(posted.send(answer).await.is_ok());
            http::StatusCode::ACCEPTED
        }
    });
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "http please");
    assert_eq!(answers.recv().await.unwrap().await, 200);
    assert_eq!(rig.answered(&said).await, ["early"]);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
}

#[tokio::test]
async fn an_answer_that_never_comes_is_a_dead_letter_said_in_the_chat() {
    let (port, answer) = (free_port(), r#"{"text":"too late"}"#);
    let mut rig = Rig::new(&http(port, free_port(), "reply_within = \"2s\"")).await;
    let (seen, _server) = service(port, 202, "").await;
    rig.run(&[]).await;
    rig.ready().await;
    let (said, url, id) = promised(&rig, &seen).await;
    let [notice] = &rig.answered(&said).await[..] else { panic!("one notice") };
    assert!(notice.contains("no_reply"), "{notice}");
    assert_eq!(rig.verdicts().await, [("failed/no_reply".to_owned(), 1)].into());
    let (_, row) = letter(&rig, "no_reply").await;
    assert_eq!(row["message_id"], said.message_id.as_str());
    assert_eq!(post(&url, &id, SECRETS[0], answer).await, 404);
    assert_eq!(rig.answers(&said.message_id).len(), 1);
}

/// What waits for a handler that was removed is given up by hand, and only then: dead letters, which
/// live again when the handler is back.
#[tokio::test]
async fn what_waits_for_a_removed_handler_is_given_up_by_hand() {
    let mut rig = Rig::new(&format!("{WORK}session = \"sender\"\n")).await;
    rig.script("work", "echo x >> runs; while [ ! -e go ]; do sleep 0.1; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = ["one", "two", "three"].map(|text| rig.say(&rig.guest, text));
    rig.until("one running and two waiting", async || {
        let messages = rig.json(&["messages"]).await;
        let messages = messages.as_array().unwrap().iter();
        rig.path("runs").exists() && messages.filter(|m| m["outcome"] == "waiting").count() == 3
    })
    .await;
    let refused = rig.cli(&["dead", "give-up", "work"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("work is configured"), "{}", text(&refused.stderr));

    rig.configure(ECHO);
    assert!(rig.cli(&["reload"]).await.status.success());
    let done = rig.cli(&["dead", "give-up", "work"]).await;
    assert!(text(&done.stderr).contains("2 tasks for work are given up"), "{}", text(&done.stderr));
    let none = rig.cli(&["dead", "give-up", "work"]).await;
    assert!(text(&none.stderr).contains("nothing waits for a handler work"));
    let (item, row) = letter(&rig, "handler_removed").await;
    assert_eq!((&row["handler"], &row["attempts"]), (&"work".into(), &0.into()));

    // What was running when its handler went is finished.
    std::fs::write(rig.path("go"), "").unwrap();
    assert_eq!(rig.answered(&said[0]).await, ["done"]);
    assert_eq!(rig.verdicts().await["failed/handler_removed"], 2);
    rig.configure(&format!("{WORK}session = \"sender\"\n"));
    assert!(rig.cli(&["reload"]).await.status.success());
    assert!(rig.cli(&["dead", "retry", &item]).await.status.success());
    let again = said.iter().find(|said| row["message_id"] == said.message_id.as_str()).unwrap();
    assert_eq!(rig.answered(again).await, ["done"]);
}
