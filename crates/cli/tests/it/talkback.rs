//! A running task talks back to its chat: by `larkline send`, a token and a socket of its own, and to
//! no other chat, and no longer than it runs.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use larkline_sim::{Answer, AppSpec, Fault, MessageRow, Said};
use serde_json::{Value, json};

use crate::agent;
use crate::rig::{PATIENCE, Rig, WORK, read, text};

/// One message in three seconds to a chat: what is more waits.
const SLOW: &str = "\n[governor.chat]\npoints = 1\nwindow = \"3s\"\n";
/// Leaves its environment behind, and runs until it is let go.
const HOLD: &str = "env > held.new && mv held.new held\n\
    while [ ! -e go ]; do sleep 0.05; done\necho released";

/// A gateway with this script as its handler, and keys that may follow.
async fn rig(script: &str, keys: &str) -> Rig {
    let mut rig = Rig::new(&format!("{WORK}{keys}")).await;
    rig.script("work", script);
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// What a task that runs has in its environment.
pub(crate) async fn held(rig: &Rig) -> BTreeMap<String, String> {
    rig.until("the task's environment", async || rig.path("held").exists()).await;
    let env = read(&rig.path("held"));
    let pairs = env.lines().filter_map(|line| line.split_once('='));
    pairs
        .filter(|(name, _)| matches!(*name, "LARKLINE_SOCKET" | "LARKLINE_TOKEN" | "LARKLINE_OUT"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A gateway with a task that runs, its message, and its environment.
pub(crate) async fn holding(keys: &str) -> (Rig, Said, BTreeMap<String, String>) {
    let rig = rig(HOLD, keys).await;
    let said = rig.say(&rig.owner, "hold");
    let env = held(&rig).await;
    (rig, said, env)
}

/// Lets the task end.
pub(crate) async fn release(rig: &Rig, said: &Said) {
    std::fs::write(rig.path("go"), "").unwrap();
    let id = said.message_id.clone();
    rig.until("the task's end", async || {
        rig.answers(&id).iter().any(|answer| answer.contains("released"))
    })
    .await;
}

/// Runs the binary as a program of a task would.
async fn in_task(rig: &Rig, env: &BTreeMap<String, String>, args: &[&str]) -> Output {
    let run = rig.command().args(args).envs(env).output();
    tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap()
}

fn rows(rig: &Rig, said: &Said) -> Vec<MessageRow> {
    agent::rows(rig, &said.message_id)
}

#[tokio::test]
async fn what_a_script_sends_arrives_in_its_chat_beside_its_answer() {
    let rig = rig(
        "\"$LARKLINE_BIN\" send 'on it' && \"$LARKLINE_BIN\" send --markdown 'half **done**' \
         && echo done",
        "",
    )
    .await;
    let said = rig.say(&rig.owner, "go");
    let id = &said.message_id;
    rig.ledger("three messages", |l| l.replies_to(id).count() == 3).await;
    let mut answers = rig.answers(id);
    answers.sort();
    assert_eq!(answers, ["done", "half **done**", "on it"]);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_task_reaches_its_own_chat_and_nothing_else_by_its_token() {
    let (rig, said, env) = holding("").await;
    let group = rig.group.to_string();
    let refused = in_task(&rig, &env, &["send", "--to", &group, "psst"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("its own chat"), "{}", text(&refused.stderr));
    // Nor by any other word on the socket.
    for (path, body) in [
        ("/v1/send", json!({ "to": group, "text": "psst" })),
        ("/v1/task/say", json!({ "to": group, "text": "psst" })),
        ("/v1/task/say", json!({ "chat_id": group, "text": "psst" })),
        ("/v1/task/messages", json!({ "chat": group })),
    ] {
        let answer = raw(&env, "POST", path, &body).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        assert!(!answer.contains("HTTP/1.1 401"), "{path}: {answer}");
    }
    let listed = raw(&env, "GET", "/v1/task/messages?limit=5", &Value::Null).await;
    assert!(listed.contains(said.chat_id.as_str()) && listed.contains("hold"), "{listed}");
    let mode = std::fs::metadata(&env["LARKLINE_SOCKET"]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    release(&rig, &said).await;
    assert!(rig.said_in(&rig.group).is_empty());
}

#[tokio::test]
async fn a_token_dies_with_its_task_and_no_restart_brings_it_back() {
    let (mut rig, said, env) = holding("").await;
    assert!(in_task(&rig, &env, &["send", "still here"]).await.status.success());
    let mut wrong = env.clone();
    wrong.insert("LARKLINE_TOKEN".to_owned(), "0".repeat(64));
    for (env, what) in [(&wrong, "a token of nobody")] {
        refused(&in_task(&rig, env, &["send", "psst"]).await, what);
    }
    release(&rig, &said).await;
    refused(&in_task(&rig, &env, &["send", "psst"]).await, "its task has ended");
    rig.stop().await;
    rig.run(&[]).await;
    rig.ready().await;
    refused(&in_task(&rig, &env, &["send", "psst"]).await, "another run");
    let answers = rig.answers(&said.message_id);
    assert!(answers.iter().all(|answer| !answer.contains("psst")), "{answers:?}");
}

fn refused(output: &Output, what: &str) {
    assert_eq!(output.status.code(), Some(1), "{what}");
    let words = text(&output.stderr);
    assert!(words.contains("not that of a running task"), "{what}: {words}");
}

#[tokio::test]
async fn a_child_knows_its_chat_message_and_task_and_not_the_apps_secret() {
    let (rig, said, env) = holding("").await;
    let all = read(&rig.path("held"));
    for known in [
        format!("LARKLINE_CHAT_ID={}", said.chat_id),
        format!("LARKLINE_MESSAGE_ID={}", said.message_id),
        "LARKLINE_TASK_ID=1".to_owned(),
    ] {
        assert!(all.lines().any(|line| line == known), "{known} in {all}");
    }
    assert!(!all.contains(&AppSpec::default().app_secret), "the app's secret is in it");
    assert!(!read(&rig.path("gateway.log")).contains(&env["LARKLINE_TOKEN"]), "the log has it");
    release(&rig, &said).await;
}

#[tokio::test]
async fn progress_under_a_key_is_one_message_that_changes() {
    let rig = rig(
        "for n in 1 2 3; do \"$LARKLINE_BIN\" send --key p \"step $n\"; done\n\
         \"$LARKLINE_BIN\" send --key other 'another message'\necho done",
        "",
    )
    .await;
    let said = rig.say(&rig.owner, "go");
    rig.until("the last step", async || {
        let rows = rows(&rig, &said);
        rows.len() == 3 && rows.iter().any(|row| said_last(row) == "step 3")
    })
    .await;
    let rows = rows(&rig, &said);
    let steps: Vec<_> = rows.iter().filter(|row| said_last(row).starts_with("step")).collect();
    assert_eq!(steps.len(), 1, "{rows:?}");
    assert_eq!(steps[0].msg_type, "interactive");
    assert!(rows.iter().any(|row| said_last(row) == "another message"));
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
}

fn said_last(row: &MessageRow) -> String {
    row.text.clone().unwrap_or_default()
}

#[tokio::test]
async fn updates_that_wait_become_one_and_the_last_word_arrives() {
    let rig = rig(
        "for n in $(seq 40); do \"$LARKLINE_BIN\" send --key p \"step $n\" >/dev/null; done\n\
         echo done",
        SLOW,
    )
    .await;
    let said = rig.say(&rig.owner, "go");
    rig.until("the last step", async || {
        rows(&rig, &said).iter().any(|row| said_last(row) == "step 40")
    })
    .await;
    let rows = rows(&rig, &said);
    let step = rows.iter().find(|row| said_last(row) == "step 40").unwrap();
    assert!(step.edits.len() < 35, "{} changes were sent of 39", step.edits.len());
}

#[tokio::test]
async fn a_message_that_cannot_be_changed_any_more_is_said_again_and_changed_from_there() {
    let (rig, said, env) = holding("").await;
    let say = async |words: &str| {
        let output = in_task(&rig, &env, &["send", "--key", "p", words]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        rig.until(words, async || rows(&rig, &said).iter().any(|row| said_last(row) == words))
            .await;
    };
    say("step 1").await;
    // Somebody deleted it: the platform changes it no more.
    for (method, path) in [("PUT", "/cardkit/v1/cards"), ("PATCH", "/im/v1/messages")] {
        let answer = Answer::Code { status: 400, code: 230_110, msg: "gone".into(), reset_s: None };
        let (path, method) = (path.to_owned(), method.to_owned());
        rig.fault(Fault::Api { path, method, answer, times: 1 });
    }
    say("step 2").await;
    say("step 3").await;
    let rows = rows(&rig, &said);
    let words: Vec<String> = rows.iter().map(said_last).collect();
    assert_eq!(words, ["step 1", "step 3"], "one that is gone, and one that changes");
    release(&rig, &said).await;
}

#[tokio::test]
async fn replies_leave_before_progress_that_waits() {
    let rig = rig(
        "for n in $(seq 8); do \"$LARKLINE_BIN\" send \"progress $n\" >/dev/null; done\necho done",
        SLOW,
    )
    .await;
    let said = rig.say(&rig.owner, "go");
    let id = &said.message_id;
    rig.ledger("all of it", |l| l.replies_to(id).count() == 9).await;
    let answers = rig.answers(id);
    let done = answers.iter().position(|answer| answer == "done").unwrap();
    assert!(done < 8, "the answer waited for all progress: {answers:?}");
    let progress: Vec<&String> = answers.iter().filter(|answer| *answer != "done").collect();
    let wanted: Vec<String> = (1..=8).map(|n| format!("progress {n}")).collect();
    assert_eq!(progress, wanted.iter().collect::<Vec<_>>(), "progress keeps its order");
}

#[tokio::test]
async fn a_question_waits_for_a_button_of_somebody_who_may_press_it() {
    let rig = rig(
        "choice=$(\"$LARKLINE_BIN\" send --ask Yes --ask No --wait 5m 'Deploy **now**?')\n\
         echo \"chose $choice\"",
        "",
    )
    .await;
    let said = rig.say(&rig.guest, "go");
    let question = agent::question(&rig, &said).await;
    assert!(said_last(&question).contains("Deploy"), "{question:?}");
    let stranger = rig.sim.platform().add_user("stranger");
    let pressed = agent::press(&rig, &question, &stranger, "Yes").await;
    assert_eq!(pressed.toast.unwrap()["type"], "error");
    assert_eq!(agent::press(&rig, &question, &rig.owner, "No").await.code, 0);
    agent::answered(&rig, &said, "chose No").await;
    // The card tells what was chosen, and offers nothing any more.
    rig.until("the settled card", async || {
        rows(&rig, &said)
            .iter()
            .any(|row| row.message_id == question.message_id && agent::buttons(row).is_empty())
    })
    .await;
}

#[tokio::test]
async fn a_question_that_nobody_answers_ends_and_so_does_one_whose_asker_is_gone() {
    let rig = rig(
        "\"$LARKLINE_BIN\" send --ask Yes --wait 1s 'Anybody?'; echo \"code $?\"\n\
         timeout 1 \"$LARKLINE_BIN\" send --ask Yes --wait 1h 'Still there?'\n\
         while [ ! -e go ]; do sleep 0.05; done",
        "",
    )
    .await;
    let said = rig.say(&rig.owner, "go");
    rig.until("two questions that are over", async || {
        let rows = rows(&rig, &said);
        rows.len() == 2 && rows.iter().all(|row| agent::buttons(row).is_empty())
    })
    .await;
    let words: Vec<String> = rows(&rig, &said).iter().map(said_last).collect();
    assert!(words[0].contains("Nobody chose within"), "{words:?}");
    assert!(words[1].contains("Taken back"), "{words:?}");
    std::fs::write(rig.path("go"), "").unwrap();
    agent::answered(&rig, &said, "code 1").await;
}

#[tokio::test]
async fn a_file_of_a_script_arrives_with_its_name_and_bytes() {
    let rig = rig(
        "printf 'a,b\\n1,2\\n' > 'table 1.csv'\n\
         \"$LARKLINE_BIN\" send --file 'table 1.csv' 'here it is' >/dev/null\n\
         \"$LARKLINE_BIN\" send --file nowhere 2>&1",
        "",
    )
    .await;
    let said = rig.say(&rig.owner, "go");
    let id = &said.message_id;
    rig.ledger("a failure", |l| l.replies_to(id).count() == 2).await;
    let row = rows(&rig, &said).into_iter().find(|row| row.msg_type == "file").unwrap();
    let (name, bytes) = fetched(&rig, &row).await;
    assert_eq!((name.as_str(), bytes.as_slice()), ("table 1.csv", &b"a,b\n1,2\n"[..]));
    assert!(rig.answers(id).contains(&"here it is".to_owned()));
    // The script ended with the failure of its last line: the file was not there.
    rig.logged("exit code 1").await;
}

/// A file of the app as the platform has it.
async fn fetched(rig: &Rig, row: &MessageRow) -> (String, Vec<u8>) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let app = AppSpec::default();
    let client = reqwest::Client::new();
    let base = rig.sim.url();
    let base = base.trim_end_matches('/');
    let ask = json!({ "app_id": app.app_id, "app_secret": app.app_secret });
    let url = format!("{base}/open-apis/auth/v3/tenant_access_token/internal");
    let answer = client
        .post(url)
        .header("content-type", "application/json")
        .body(ask.to_string())
        .send()
        .await
        .unwrap();
    let token: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let token = token["tenant_access_token"].as_str().unwrap().to_owned();
    let content: Value = serde_json::from_str(&row.content).unwrap();
    let key = content["file_key"].as_str().unwrap();
    let url = format!("{base}/open-apis/im/v1/files/{key}");
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
    let name = name.split('"').nth(1).unwrap_or(&name).to_owned();
    (name, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn an_operator_sends_files_and_needs_to_say_to_whom() {
    let rig = rig("echo never", "").await;
    std::fs::write(rig.path("report.txt"), "all is well").unwrap();
    let group = rig.group.to_string();
    let sent = rig.json(&["send", "--to", &group, "--file", "report.txt", "--key", "once"]).await;
    let again = rig.json(&["send", "--to", &group, "--file", "report.txt", "--key", "once"]).await;
    assert_eq!(sent["outbox_id"], again["outbox_id"], "one key is one message");
    rig.ledger("the file", |l| l.in_chat(&rig.group).count() == 1).await;
    let row = rig.sim.platform().read(|l| l.in_chat(&rig.group).next().cloned()).unwrap();
    assert_eq!(fetched(&rig, &row).await.1, b"all is well");
    for (args, why) in [
        (&["send", "hi"][..], "--to"),
        (&["send", "--to", "oc_1", "--ask", "Yes", "hm?"][..], "running task"),
        (&["send", "--to", "oc_1", "--file", "."][..], "not a file"),
        (&["send", "--token-env", "NO_SUCH", "hi"][..], "NO_SUCH"),
    ] {
        let output = rig.cli(args).await;
        assert!(!output.status.success(), "{args:?}");
        assert!(text(&output.stderr).contains(why), "{args:?}: {}", text(&output.stderr));
    }
}

#[tokio::test]
async fn an_agent_runs_the_same_command_in_its_own_shell() {
    let rig = agent::start("permission = \"allow\"\n").await;
    let call = json!({ "command": "\"$LARKLINE_BIN\" send \"from the shell\"" });
    let said = rig.say(&rig.owner, &format!("[[tool Bash {call}]][[say finished]]"));
    agent::answered(&rig, &said, "finished").await;
    agent::answered(&rig, &said, "from the shell").await;
}

#[tokio::test]
async fn an_agent_that_may_not_talk_back_has_no_token() {
    let rig = agent::start("permission = \"allow\"\ntalk_back = false\n").await;
    let call = json!({ "command": "env | grep -c LARKLINE_TOKEN" });
    let said = rig.say(&rig.owner, &format!("[[tool Bash {call}]]"));
    agent::answered(&rig, &said, "Exit code 1").await;
}

/// One request on the socket of a task, as bytes.
async fn raw(env: &BTreeMap<String, String>, method: &str, path: &str, body: &Value) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::UnixStream::connect(&env["LARKLINE_SOCKET"]).await.unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        env["LARKLINE_TOKEN"],
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    text(&answer)
}
