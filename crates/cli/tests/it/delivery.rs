//! Every answer arrives, in some form, or is a dead letter that says why.

use std::process::{Output, Stdio};

use larkline_proto::id::MessageId;
use larkline_sim::{Answer, AppSpec, Fault, Limits, Said, Say, SimOptions};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::rig::{ECHO, Rig, text};
use crate::waiting::{held, running};

/// The next replies get this.
pub(crate) fn reply_fault(answer: Answer, times: u32) -> Fault {
    Fault::Api { path: "/reply".to_owned(), method: String::new(), answer, times }
}

/// What the ledger holds for one message: replies, and how often one was replayed.
fn replays(rig: &Rig, message: &MessageId) -> Vec<u32> {
    rig.sim.platform().read(|l| l.replies_to(message).map(|m| m.replays).collect())
}

async fn stdin(rig: &Rig, args: &[&str], input: &[u8]) -> Output {
    let mut command = rig.command();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A command that refuses early closes the pipe; what it says is judged, not this.
    drop(pipe.write_all(input).await);
    drop(pipe);
    child.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn an_answer_lost_on_the_way_back_is_said_once() {
    let rig = Rig::start(ECHO).await;
    rig.fault(Fault::LoseAnswer { path: "/reply".to_owned(), times: 2 });
    let said = rig.say(&rig.guest, "once");
    let id = said.message_id.clone();
    rig.ledger("the repetition", |l| l.replies_to(&id).any(|m| m.replays == 2)).await;
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    assert_eq!(replays(&rig, &said.message_id), [2]);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_waited_for_as_long_as_configured_and_said_once() {
    let rig = Rig::start(&format!("{ECHO}[network]\nrequest_timeout = \"1s\"\n")).await;
    // The platform acts at once and says so too late.
    rig.fault(reply_fault(Answer::Slow { ms: 60_000 }, 1));
    let said = rig.say(&rig.guest, "once");
    rig.logged("no answer within 1s").await;
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    assert_eq!(rig.answers(&said.message_id), ["once"]);
    assert_eq!(replays(&rig, &said.message_id), [1]);
}

#[tokio::test]
async fn pages_and_cut_connections_are_retried_until_the_answer_is_there() {
    let rig = Rig::start(ECHO).await;
    for answer in [
        Answer::Html { status: 502 },
        Answer::Html { status: 200 },
        Answer::Cut,
        Answer::NullData,
        Answer::Code { status: 500, code: 300_120, msg: "internal".to_owned(), reset_s: None },
    ] {
        rig.fault(reply_fault(answer.clone(), 1));
        let said = rig.say(&rig.guest, "here");
        assert_eq!(rig.answered(&said).await, ["here"], "{answer:?}");
    }
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 5)].into());
}

#[tokio::test]
async fn a_token_revoked_early_costs_no_answer() {
    let rig = Rig::start(ECHO).await;
    for n in 0..4 {
        rig.fault(Fault::RevokeTokens);
        let said: Vec<Said> = (0..3).map(|m| rig.say(&rig.guest, &format!("{n}.{m}"))).collect();
        for (m, said) in said.iter().enumerate() {
            assert_eq!(rig.answered(said).await, [format!("{n}.{m}")]);
        }
    }
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 12)].into());
}

#[tokio::test]
async fn an_answer_to_a_recalled_message_arrives_unquoted() {
    let rig = held().await;
    let said = rig.say(&rig.guest, "gone in a moment");
    running(&rig, 1).await;
    rig.sim.platform().recall(&said.message_id).unwrap();
    std::fs::write(rig.path("go"), "").unwrap();
    rig.ledger("an unquoted answer", |l| l.in_chat(&said.chat_id).next().is_some()).await;
    let ledger = rig.sim.platform().ledger();
    let answers: Vec<_> = ledger.in_chat(&said.chat_id).collect();
    assert_eq!((answers.len(), answers[0].reply_to.clone()), (1, None));
    assert_eq!(answers[0].text.as_deref(), Some("done"));
}

#[tokio::test]
async fn an_answer_goes_to_its_message_and_stays_in_its_thread() {
    let rig = Rig::start(ECHO).await;
    let root = rig.say_in_group(&rig.guest, "root", true);
    assert_eq!(rig.answered(&root).await, ["root"]);
    let in_thread = rig.write(Say {
        user: rig.guest.clone(),
        chat: rig.group.clone(),
        text: "in the thread".to_owned(),
        mention_bot: true,
        reply_to: Some(root.message_id.clone()),
        in_thread: true,
        ..Say::default()
    });
    assert_eq!(rig.answered(&in_thread).await, ["in the thread"]);
    let ledger = rig.sim.platform().ledger();
    let thread = |id| ledger.replies_to(id).next().unwrap().thread_id.clone();
    assert_eq!(thread(&in_thread.message_id), in_thread.thread_id);
    assert_eq!(thread(&root.message_id), None, "no thread is opened where there was none");
}

#[tokio::test]
async fn a_permanent_refusal_is_a_dead_letter_with_code_and_log_id_and_can_be_retried() {
    let rig = Rig::start(ECHO).await;
    let app = AppSpec::default().app_id;
    rig.sim.platform().remove_bot(&rig.group, &app).unwrap();
    let sent = rig.json(&["send", "--to", rig.group.as_str(), "to the group"]).await;
    rig.until("a dead letter", async || rig.json(&["dead"]).await[0].is_object()).await;
    let letter = rig.json(&["dead"]).await[0].clone();
    let ledger = rig.sim.platform().ledger();
    let refused: Vec<_> = ledger.calls.iter().filter(|c| c.code == Some(230_002)).collect();
    assert_eq!(refused.len(), 1, "a permanent refusal is not tried again");
    assert_eq!(letter["code"], "230002");
    let error = letter["error"].as_str().unwrap();
    assert!(error.contains(refused[0].log_id.as_str()), "{error}");
    rig.sim.platform().add_bot(&rig.group, &app).unwrap();
    let item = format!("o{}", sent["outbox_id"]);
    assert!(rig.cli(&["dead", "retry", &item]).await.status.success());
    rig.ledger("the retried message", |l| l.in_chat(&rig.group).count() == 1).await;
}

#[tokio::test]
async fn a_failed_send_logs_status_code_message_log_id_chat_and_attempt() {
    let rig = Rig::start(&format!("{ECHO}[log]\nformat = \"json\"\n")).await;
    let code = Answer::Code { status: 400, code: 300_120, msg: "internal".into(), reset_s: None };
    for answer in [code, Answer::Html { status: 502 }, Answer::Cut] {
        rig.fault(reply_fault(answer, 1));
    }
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    let ledger = rig.sim.platform().ledger();
    let log = rig.log();
    let lines: Vec<Value> = log
        .lines()
        .filter(|l| l.contains("send failed"))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let field = |n: usize, name: &str| match lines[n].get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => lines[n]["fields"][name]
            .as_str()
            .map_or_else(|| lines[n]["fields"][name].to_string(), str::to_owned),
    };
    let calls: Vec<_> = ledger.calls.iter().filter(|c| c.path.ends_with("/reply")).collect();
    let expected = [("300120", "400"), ("http_502", "502"), ("connection_broken", "")];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (n, (code, status)) in expected.into_iter().enumerate() {
        assert_eq!(
            (field(n, "code").as_str(), field(n, "chat_id")),
            (code, said.chat_id.to_string())
        );
        assert_eq!(field(n, "attempt"), (n + 1).to_string());
        if !status.is_empty() {
            assert_eq!(field(n, "status"), status);
            assert_eq!(field(n, "log_id"), calls[n].log_id.as_str());
        }
    }
    assert!(lines[0].to_string().contains("internal"), "{}", lines[0]);
    for word in ["None", "undefined", "null", "Some("] {
        assert!(!lines.iter().any(|l| l.to_string().contains(word)), "{word} in\n{log}");
    }
}

#[tokio::test]
async fn the_same_key_is_sent_once() {
    let rig = Rig::start(ECHO).await;
    let send = |key, words| ["send", "--to", rig.group.as_str(), "--key", key, words];
    let one = rig.json(&send("nightly", "report")).await;
    let two = rig.json(&send("nightly", "report")).await;
    assert_eq!(one, two);
    rig.json(&send("other", "end")).await;
    rig.ledger("the end", |l| l.in_chat(&rig.group).any(|m| m.text.as_deref() == Some("end")))
        .await;
    assert_eq!(rig.sim.platform().read(|l| l.in_chat(&rig.group).count()), 2);
}

#[tokio::test]
async fn wrong_input_to_send_is_refused_with_what_to_do() {
    let rig = Rig::start(ECHO).await;
    let group = rig.group.as_str();
    for (args, input, part) in [
        (&["send", "--to", "nobody", "hello"][..], &b""[..], "no chat"),
        (&["send", "--to", group, "  "], b"", "empty"),
        (&["send", "--to", group], b"", "empty"),
        (&["send", "--to", group, "--app", "other", "hello"], b"", "--app"),
        (&["send", "--to", group], b"\xff\xfe", "UTF-8"),
        (&["send", "--to", group], &vec![b'x'; 1024 * 1024 + 1], "too long"),
    ] {
        let output = stdin(&rig, args, input).await;
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
        assert!(err.contains(part), "{args:?}: {err}");
        assert!(output.stdout.is_empty());
    }
    assert!(rig.sim.platform().read(|l| l.messages.is_empty()));
}

#[tokio::test]
async fn a_long_text_is_split_and_arrives_in_order() {
    let options = SimOptions { limits: Limits::unlimited(), ..SimOptions::default() };
    let mut rig = Rig::with(options, &format!("{ECHO}[governor]\nchat_per_second = 100\n")).await;
    rig.run(&[]).await;
    rig.ready().await;
    let lines: Vec<String> = (0..4_000).map(|n| format!("第 {n} 行 {}", "x".repeat(40))).collect();
    let long = lines.join("\n");
    assert!(long.len() > 200_000);
    for _ in 0..2 {
        let args = ["send", "--to", rig.group.as_str(), "--key", "long"];
        let output = stdin(&rig, &args, long.as_bytes()).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let end = lines.last().unwrap();
    rig.ledger("the last line", |l| {
        l.in_chat(&rig.group).any(|m| m.text.as_ref().is_some_and(|t| t.contains(end.as_str())))
    })
    .await;
    let arrived = rig.said_in(&rig.group);
    assert!(arrived.len() > 1);
    assert_eq!(arrived.join("\n"), long);
}
