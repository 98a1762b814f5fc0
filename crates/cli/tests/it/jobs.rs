//! Durable commands: they answer their chat, survive what kills the gateway, and hold up nobody.

use larkline_sim::MessageRow;
use serde_json::{Value, json};

use crate::agent;
use crate::rig::{ECHO, Rig, WORK, read, text};

/// A second attempt comes soon.
const SOON: &str = "\n[jobs]\nretry = { first = \"100ms\" }\n";

/// A gateway that echoes, with these keys besides.
async fn rig(keys: &str) -> Rig {
    Rig::start(&format!("{ECHO}{keys}")).await
}

/// Starts a job that answers the group; its number.
async fn run(rig: &Rig, flags: &[&str], command: &[&str]) -> String {
    let group = rig.group.to_string();
    let args = [&["job", "run", "--chat", &group][..], flags, &["--"], command].concat();
    let output = rig.cli(&args).await;
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

async fn shown(rig: &Rig, job: &str) -> Value {
    rig.json(&["job", "show", job]).await
}

/// Waits until a job is in this state.
async fn until(rig: &Rig, job: &str, state: &str) -> Value {
    rig.until(&format!("{job} {state}"), async || shown(rig, job).await["state"] == state).await;
    shown(rig, job).await
}

/// Waits for a message of the bot in the group that holds this.
async fn told(rig: &Rig, words: &str) -> MessageRow {
    let holds = |row: &&MessageRow| row.text.as_deref().unwrap_or_default().contains(words);
    let group = &rig.group;
    rig.ledger(words, |l| l.in_chat(group).any(|row| holds(&row))).await;
    rig.sim.platform().read(|l| l.in_chat(group).find(holds).cloned()).unwrap()
}

#[tokio::test]
async fn a_job_answers_its_chat_with_exit_code_duration_and_last_words() {
    let rig = rig("").await;
    let job = run(
        &rig,
        &["--name", "nightly"],
        &["/bin/sh", "-c", "for n in $(seq 100); do echo line $n; done; echo problem >&2"],
    )
    .await;
    let row = told(&rig, "nightly").await;
    let words = row.text.unwrap();
    assert!(words.contains("exit code 0") && words.contains("line 100\nproblem"), "{words}");
    assert!(words.contains("ms") || words.contains(" s"), "{words}");
    assert!(!words.contains("line 50\n"), "more than the end of it: {words}");
    let shown = until(&rig, &job, "done").await;
    assert_eq!(
        (&shown["outcome"]["exit_code"], &shown["outcome"]["word"]),
        (&json!(0), &json!("ok"))
    );
    let log = read(std::path::Path::new(shown["log"].as_str().unwrap()));
    assert!(log.starts_with("line 1\n") && log.ends_with("problem\n"), "{log}");
    // It has a story and a verdict like every event.
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    let listed = rig.json(&["job", "list"]).await;
    assert_eq!(listed[0]["id"], job);
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failing_job_is_tried_again_and_its_end_is_told_once() {
    let rig = rig(SOON).await;
    let script = rig.script("fails", "echo \"try $LARKLINE_ATTEMPT\"; exit 3");
    let job = run(&rig, &["--attempts", "3"], &[script.to_str().unwrap()]).await;
    let shown = until(&rig, &job, "failed").await;
    assert_eq!((&shown["code"], &shown["attempt"]), (&json!("exit"), &json!(3)));
    let row = told(&rig, "exit code 3").await;
    let words = row.text.unwrap();
    assert!(words.contains("attempt 3 of 3") && words.contains("try 3"), "{words}");
    assert!(words.contains(&format!("larkline job retry {job}")), "{words}");
    let log = read(std::path::Path::new(shown["log"].as_str().unwrap()));
    assert_eq!(log, "try 1\n--- attempt 2\ntry 2\n--- attempt 3\ntry 3\n");
    assert_eq!(rig.said_in(&rig.group).len(), 1, "one message for three attempts");
    assert_eq!(rig.verdicts().await, [("failed/exit".to_owned(), 1)].into());
    let story = rig.json(&["explain", shown["event_id"].as_str().unwrap()]).await;
    let steps = story["steps"].as_array().unwrap();
    let count = |step: &str| steps.iter().filter(|s| s["step"] == step).count();
    assert_eq!((count("attempt"), count("attempt_failed"), count("dead")), (3, 2, 1), "{steps:?}");
    assert_eq!((count("journaled"), count("acked")), (0, 0), "nobody waits for an ack of it");
    // It is a dead letter, and can be run again.
    rig.script("fails", "echo well now");
    assert!(rig.cli(&["job", "retry", &job]).await.status.success());
    told(&rig, "well now").await;
    until(&rig, &job, "done").await;
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    let again = rig.cli(&["job", "retry", &job]).await;
    assert!(text(&again.stderr).contains("has not failed"), "{}", text(&again.stderr));
}

#[tokio::test]
async fn a_job_that_was_killed_with_the_gateway_runs_again_and_is_told_once() {
    let mut rig = rig(SOON).await;
    let script = rig.script(
        "work",
        "echo run >> runs\n[ $(wc -l < runs) = 1 ] && { touch first; exec sleep 600; }\necho second",
    );
    let job = run(&rig, &["--attempts", "2"], &[script.to_str().unwrap()]).await;
    rig.until("the first run", async || rig.path("first").exists()).await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    told(&rig, "second").await;
    assert_eq!(until(&rig, &job, "done").await["attempt"], 2);
    assert_eq!(read(&rig.path("runs")), "run\nrun\n");
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    assert_eq!(rig.said_in(&rig.group).len(), 1);
}

#[tokio::test]
async fn a_job_with_one_attempt_is_reported_after_a_kill_and_not_repeated() {
    let mut rig = rig("").await;
    let script = rig.script("work", "echo run >> runs\ntouch first\nexec sleep 600");
    let flags = ["--attempts", "1", "--name", "deploy"];
    let job = run(&rig, &flags, &[script.to_str().unwrap()]).await;
    rig.until("the run", async || rig.path("first").exists()).await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    let row = told(&rig, "deploy").await;
    assert!(row.text.as_deref().unwrap().contains("cut off by a restart"), "{row:?}");
    assert_eq!(until(&rig, &job, "failed").await["code"], "interrupted");
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    assert_eq!(rig.verdicts().await, [("failed/interrupted".to_owned(), 1)].into());
    assert_eq!(read(&rig.path("runs")), "run\n");
    assert_eq!(rig.said_in(&rig.group).len(), 1);
}

#[tokio::test]
async fn a_job_that_a_stop_cuts_off_goes_on_after_the_start() {
    let mut rig = rig("\n[limits]\ndrain = \"1s\"\nkill_grace = \"1s\"\n").await;
    let script = rig.script(
        "work",
        "echo run >> runs\n[ $(wc -l < runs) = 1 ] && { touch first; exec sleep 600; }\necho second",
    );
    run(&rig, &["--attempts", "2"], &[script.to_str().unwrap()]).await;
    rig.until("the first run", async || rig.path("first").exists()).await;
    assert!(rig.stop().await.success());
    assert!(rig.said_in(&rig.group).is_empty(), "a stop is no failure");
    rig.run(&[]).await;
    rig.ready().await;
    told(&rig, "second").await;
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
}

#[tokio::test]
async fn jobs_are_stopped_while_they_run_and_taken_back_while_they_wait() {
    let rig = rig("\n[jobs]\nconcurrency = 1\n").await;
    let running =
        run(&rig, &["--name", "one"], &["/bin/sh", "-c", "echo begun; exec sleep 600"]).await;
    until(&rig, &running, "running").await;
    let waiting = run(&rig, &["--name", "two"], &["touch", "never"]).await;
    assert_eq!(shown(&rig, &waiting).await["state"], "queued");
    rig.until("what it printed", async || shown(&rig, &running).await["output"] == "begun").await;
    assert!(rig.cli(&["job", "stop", &waiting]).await.status.success());
    told(&rig, "taken back").await;
    assert!(rig.cli(&["job", "stop", &running]).await.status.success());
    let row = told(&rig, "was stopped").await;
    assert!(row.text.unwrap().contains("begun"));
    for job in [&running, &waiting] {
        assert_eq!(until(&rig, job, "done").await["outcome"]["word"], "stopped");
        let over = rig.cli(&["job", "stop", job]).await;
        assert!(text(&over.stderr).contains("is over"), "{}", text(&over.stderr));
    }
    assert!(!rig.path("never").exists());
    let nobody = rig.cli(&["job", "stop", "j999"]).await;
    assert!(text(&nobody.stderr).contains("no job j999"), "{}", text(&nobody.stderr));
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 2)].into());
}

#[tokio::test]
async fn limits_of_a_job_end_it_and_its_chat_is_told() {
    let rig = rig("").await;
    let flags = ["--attempts", "1", "--timeout", "1s", "--name", "slow"];
    run(&rig, &flags, &["sleep", "600"]).await;
    told(&rig, "still running after 1 s").await;
    let flags = ["--attempts", "1", "--memory", "64M", "--name", "greedy"];
    run(&rig, &flags, &["/bin/sh", "-c", "x=x; while :; do x=$x$x; done"]).await;
    told(&rig, "more memory than its limit").await;
    let flags = ["--attempts", "1", "--name", "missing"];
    run(&rig, &flags, &["no-such-program"]).await;
    told(&rig, "exit code 127").await;
}

#[tokio::test]
async fn a_job_of_an_agent_answers_the_message_that_it_came_from() {
    let rig = agent::start("permission = \"allow\"\n").await;
    let call = json!({ "command": "\"$LARKLINE_BIN\" job run --name build -- echo built" });
    let said = rig.say(&rig.owner, &format!("[[tool Bash {call}]][[say started]]"));
    agent::answered(&rig, &said, "started").await;
    agent::answered(&rig, &said, "built").await;
    let jobs = rig.json(&["job", "list"]).await;
    assert_eq!((&jobs[0]["name"], &jobs[0]["chat_id"]), (&json!("build"), &json!(said.chat_id)));
    let listed = rig.say(&rig.owner, "/jobs");
    agent::answered(&rig, &listed, "build").await;
    // Another chat has none.
    let other = rig.say(&rig.guest, "/jobs");
    agent::answered(&rig, &other, "no jobs").await;
}

#[tokio::test]
async fn a_job_posts_progress_and_starts_no_further_jobs() {
    let rig = rig("").await;
    let script = rig.script(
        "work",
        "\"$LARKLINE_BIN\" send --key p 'at 50%'\n\"$LARKLINE_BIN\" job run -- true 2>&1\necho end",
    );
    run(&rig, &[], &[script.to_str().unwrap()]).await;
    told(&rig, "at 50%").await;
    let row = told(&rig, "end").await;
    assert!(row.text.as_deref().unwrap().contains("may start no jobs"), "{row:?}");
    assert_eq!(rig.json(&["job", "list"]).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_long_job_holds_up_no_turn_of_its_chat() {
    let rig = rig("").await;
    let job = run(&rig, &[], &["sleep", "600"]).await;
    until(&rig, &job, "running").await;
    let said = rig.say_in_group(&rig.owner, "hello", true);
    assert_eq!(rig.answered(&said).await, ["hello"]);
    assert!(rig.cli(&["job", "stop", &job]).await.status.success());
}

#[tokio::test]
async fn messages_of_a_background_handler_run_side_by_side() {
    let mut rig = Rig::new(&format!("{WORK}background = true\n")).await;
    rig.script("work", "read -r turn\ncase $turn in *long*) exec sleep 600;; esac\necho quick");
    rig.run(&[]).await;
    rig.ready().await;
    rig.say(&rig.owner, "long");
    rig.until("the long one", async || {
        rig.status().await.is_some_and(|s| s["children"].as_array().is_some_and(|c| c.len() == 1))
    })
    .await;
    let said = rig.say(&rig.owner, "short");
    assert_eq!(rig.answered(&said).await, ["quick"]);
}

#[tokio::test]
async fn nobody_on_the_line_can_have_a_job_run() {
    let rig = rig("").await;
    let stolen = rig.path("stolen");
    let event = json!({
        "chat_id": rig.group,
        "operator_id": { "open_id": rig.owner },
        "job": { "argv": ["touch", stolen] },
    });
    let app = larkline_sim::AppSpec::default().app_id;
    rig.sim.platform().send_event(&app, "larkline.job", &event).unwrap();
    let said = rig.say(&rig.owner, "still there?");
    rig.answered(&said).await;
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["filtered/unsupported_type"], 1, "{verdicts:?}");
    assert!(rig.json(&["job", "list"]).await.as_array().unwrap().is_empty());
    assert!(!stolen.exists());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_it_is_taken() {
    let rig = rig("").await;
    for (args, why) in [
        (&["job", "run", "--chat", "ou_1", "--", "true"][..], "larkline chats"),
        (&["job", "run", "--cwd", "nowhere", "--", "true"], "no directory"),
        (&["job", "run", "--attempts", "0", "--", "true"], "1 to 20"),
        (&["job", "run", "--timeout", "soon", "--", "true"], "90s"),
        (&["job", "run", "--memory", "lots", "--", "true"], "512M"),
        (&["job", "run"], "PROGRAM"),
        (&["job", "show", "7"], "no job 7"),
    ] {
        let output = rig.cli(args).await;
        assert!(!output.status.success(), "{args:?}");
        assert!(text(&output.stderr).contains(why), "{args:?}: {}", text(&output.stderr));
    }
    // Without a chat nobody is told, and the outcome is kept all the same.
    let output = rig.cli(&["job", "run", "--", "echo", "quiet"]).await;
    let job = text(&output.stdout).trim().to_owned();
    assert_eq!(until(&rig, &job, "done").await["output"], "quiet");
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
}
