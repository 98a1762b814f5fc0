//! What has to wait is kept, comes when it can, and holds up nobody else.

use std::time::Duration;

use larkline_sim::{Answer, Fault, Limits, Said, SimOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::delivery::reply_fault;
use crate::rig::{ECHO, Rig, WORK, figure, read};

/// Answers when the test says so: a file `go` beside the configuration.
const HELD: &str = r#"
[[route]]
name = "all"
senders = "everyone"
mention = "never"
handler = "held"

[handler.held]
kind = "command"
argv = ["{dir}/held"]
"#;

const HELD_SCRIPT: &str = "while [ ! -e go ]; do sleep 0.1; done; echo done";

/// A gateway whose handler waits for the file `go`.
pub(crate) async fn held() -> Rig {
    let mut rig = Rig::new(HELD).await;
    rig.script("held", HELD_SCRIPT);
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// Waits until so many children run.
pub(crate) async fn running(rig: &Rig, count: usize) {
    rig.until("running children", async || {
        let status = rig.status().await.unwrap_or_default();
        status["children"].as_array().is_some_and(|c| c.len() == count)
    })
    .await;
}

#[tokio::test]
async fn no_single_message_waits_for_a_workers_period() {
    let options = SimOptions { limits: Limits::unlimited(), ..SimOptions::default() };
    let mut rig = Rig::with(options, &format!("{ECHO}[governor]\nchat_per_second = 100\n")).await;
    rig.run(&[]).await;
    rig.ready().await;
    for n in 0..80 {
        let before = rig.sim.platform().now_ms();
        let said = rig.say(&rig.guest, &format!("m {n}"));
        rig.answered(&said).await;
        let took = Duration::from_millis(rig.sim.platform().now_ms() - before);
        // A lost wake-up would be found by the period of 5 s.
        assert!(took < Duration::from_secs(4), "message {n} took {took:?}");
    }
    let metrics = rig.metrics().await;
    let count = |name: &str| figure(&metrics, name);
    assert_eq!(count("larkline_handler_wait_seconds_count"), Some(80.0), "{metrics}");
    let within = count("larkline_handler_wait_seconds_bucket{le=\"1.0\"}").unwrap();
    assert!(within >= 40.0, "handlers started late:\n{metrics}");
}

#[tokio::test]
async fn one_chat_in_order_and_chats_in_parallel() {
    let rig = held().await;
    let held: Vec<Said> = (0..3).map(|n| rig.say(&rig.guest, &n.to_string())).collect();
    let other = rig.say_in_group(&rig.owner, "other", false);
    // Both chats run at once, and the rest of the busy chat does not.
    running(&rig, 2).await;
    std::fs::write(rig.path("go"), "").unwrap();
    rig.answered(&held[2]).await;
    rig.answered(&other).await;
    let chat = &held[0].chat_id;
    let order: Vec<_> =
        rig.sim.platform().read(|l| l.in_chat(chat).filter_map(|m| m.reply_to.clone()).collect());
    assert_eq!(order, held.iter().map(|s| s.message_id.clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_handler_that_is_down_keeps_its_messages_and_holds_up_nobody_else() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let mut rig = Rig::new(&format!(
        r#"
[[route]]
name = "service"
chats = ["{{group}}"]
senders = "everyone"
mention = "never"
handler = "service"

[[route]]
name = "all"
senders = "everyone"
handler = "echo"

[handler.echo]
kind = "echo"

[handler.service]
kind = "http"
url = "http://{address}/"
allow_private = true
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
retry = {{ attempts = 20, first = "1s", max = "1s" }}
"#
    ))
    .await;
    rig.run(&[]).await;
    rig.ready().await;
    let pid = rig.pid();
    let waits = rig.say_in_group(&rig.guest, "for the service", false);
    rig.logged("to be tried again").await;
    let live = rig.say(&rig.guest, "live");
    assert_eq!(rig.answered(&live).await, ["live"]);
    assert_eq!(rig.json(&["dead"]).await, serde_json::json!([]));
    let status = rig.status().await.unwrap();
    assert_eq!((&status["ready"], &status["pid"]), (&true.into(), &pid.into()), "no restart");
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let serve = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The request is not judged here; one read is enough to have been asked.
            let mut head = [0; 64 * 1024];
            assert_ne!(stream.read(&mut head).await.unwrap(), 0);
            let body = br#"{"text":"up again"}"#;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let head = format!("{head}content-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
        }
    };
    tokio::select! {
        () = serve => {}
        answers = rig.answered(&waits) => assert_eq!(answers, ["up again"]),
    }
    assert!(rig.metrics().await.contains("larkline_worker_restarts 0"));
    assert_eq!(rig.log().matches("larkline starts").count(), 1);
}

#[tokio::test]
async fn answers_wait_while_the_platform_is_down_and_arrive_in_order_after_it() {
    let rig = Rig::start(ECHO).await;
    rig.fault(reply_fault(Answer::Html { status: 503 }, u32::MAX));
    let said: Vec<Said> = (0..3).map(|n| rig.say(&rig.guest, &n.to_string())).collect();
    rig.logged("attempt=2").await;
    rig.fault(Fault::Clear);
    rig.answered(&said[2]).await;
    assert_eq!(rig.said_in(&said[0].chat_id), ["0", "1", "2"]);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 3)].into());
}

#[tokio::test]
async fn beyond_a_handlers_cap_tasks_queue_and_their_chats_hear_their_positions() {
    let capped = format!("{HELD}concurrency = 2\n[limits]\ntell_position_after = \"1s\"\n");
    let mut rig = Rig::new(&capped).await;
    rig.script("held", HELD_SCRIPT);
    rig.run(&[]).await;
    rig.ready().await;
    let people: Vec<_> =
        (0..5).map(|n| rig.sim.platform().add_user(&format!("person {n}"))).collect();
    let said: Vec<Said> = people.iter().map(|person| rig.say(person, "my turn?")).collect();
    running(&rig, 2).await;
    for (place, said) in (1..).zip(&said[2..]) {
        let [told] = &rig.answered(said).await[..] else { panic!("one word on the position") };
        assert!(told.contains(&format!("it is number {place} in the queue")), "{told}");
    }
    assert!(said[..2].iter().all(|said| rig.answers(&said.message_id).is_empty()));
    // A process that starts anew says nothing twice.
    rig.kill9().await;
    rig.run(&[]).await;
    running(&rig, 2).await;
    std::fs::write(rig.path("go"), "").unwrap();
    rig.ready().await;
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 5)].into());
    for said in &said[2..] {
        let answers = rig.answers(&said.message_id);
        assert_eq!((answers.len(), answers[1].as_str()), (2, "done"), "{answers:?}");
    }
}

#[tokio::test]
async fn a_retry_comes_when_it_is_due_though_other_work_stands_still() {
    let hold = r#"
[[route]]
name = "hold"
chats = ["{group}"]
senders = "everyone"
handler = "hold"

[[route]]
name = "all"
senders = "everyone"
handler = "echo"

[handler.echo]
kind = "echo"

[handler.hold]
kind = "command"
argv = ["{dir}/hold"]
concurrency = 1
session = "sender"
"#;
    let mut rig = Rig::new(hold).await;
    rig.script("hold", "while [ ! -e go ]; do sleep 0.1; done");
    rig.run(&[]).await;
    rig.ready().await;
    // One runs, the other could run but for the cap.
    rig.say_in_group(&rig.guest, "hold", true);
    rig.say_in_group(&rig.owner, "hold", true);
    running(&rig, 1).await;
    let limit =
        Answer::Code { status: 400, code: 230_020, msg: "limit".to_owned(), reset_s: Some(1) };
    rig.fault(reply_fault(limit, 4));
    let started = rig.sim.platform().now_ms();
    let said = rig.say(&rig.guest, "through");
    rig.answered(&said).await;
    let waited = Duration::from_millis(rig.sim.platform().now_ms() - started);
    std::fs::write(rig.path("go"), "").unwrap();
    // Four waits of a second; by the period alone it would be four of five.
    assert!(waited < Duration::from_secs(12), "{waited:?}");
}

#[tokio::test]
async fn after_a_crash_no_handler_starts_before_the_platform_has_told_who_the_bot_is() {
    let mut rig = Rig::start(WORK).await;
    rig.script("work", "cat >> seen; echo done");
    // Its task is committed with the message, and nobody has claimed it.
    rig.env.insert("LARKLINE_FAILPOINT", "accepted:1".to_owned());
    rig.kill9().await;
    rig.run(&[]).await;
    let said = rig.say_in_group(&rig.guest, "words", true);
    rig.exit().await;
    rig.env.clear();
    // Twice, with a second between them: the handler would have had the time.
    let (status, code, msg) = (500, 1, "internal".to_owned());
    let answer = Answer::Code { status, code, msg, reset_s: None };
    rig.fault(Fault::Api { path: "/bot/".to_owned(), method: String::new(), answer, times: 2 });
    rig.run(&[]).await;
    assert_eq!(rig.answered(&said).await, ["done"]);
    let turn: serde_json::Value = serde_json::from_str(&read(&rig.path("seen"))).unwrap();
    assert_eq!((&turn["text"], &turn["mentioned"]), (&"words".into(), &true.into()));
}

/// What came before the bot was known is decided first, and nothing of a chat overtakes it.
#[tokio::test]
async fn a_chat_keeps_its_order_while_a_backlog_is_decided() {
    const BEFORE: usize = 700;
    let mut rig = Rig::new(WORK).await;
    rig.script("work", r#"sed 's/.*"text":"\([0-9]*\)".*/\1/' >> seen"#);
    let (status, code, msg) = (500, 1, "internal".to_owned());
    let answer = Answer::Code { status, code, msg, reset_s: None };
    rig.fault(Fault::Api { path: "/bot/".to_owned(), method: String::new(), answer, times: 1 });
    rig.run(&[]).await;
    rig.until("a link", async || rig.sim.platform().read(|l| l.open_connections() == 1)).await;
    let mut said = 0;
    for _ in 0..BEFORE {
        rig.say(&rig.guest, &said.to_string());
        said += 1;
    }
    // Messages go on coming while the bot becomes known and the backlog is decided.
    rig.until("some are handled", async || {
        rig.say(&rig.guest, &said.to_string());
        said += 1;
        read(&rig.path("seen")).lines().count() > 20
    })
    .await;
    let seen = read(&rig.path("seen"));
    let numbers: Vec<usize> = seen.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(numbers.len() > 20 && numbers.iter().copied().eq(0..numbers.len()), "{numbers:?}");
}
