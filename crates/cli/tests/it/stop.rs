//! How a running gateway ends: what it waits for, what it cuts off, what it leaves behind.

use larkline_gateway::admin::client;
use larkline_sim::Ledger;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use serde_json::{Value, json};

use crate::rig::{Rig, WORK, read};

/// Answers when the file `release` is there; writes down every signal that a person would call
/// an interruption.
const PATIENT: &str = "trap 'echo INT >> signals' INT
trap 'echo TERM >> signals; exit 1' TERM
echo $LARKLINE_TASK_ID >> starts
until [ -e release ]; do sleep 0.05; done
echo done";

/// Ignores every request to end, as does what it left in a session of its own. A second run
/// answers with the number of its attempt.
const STUBBORN: &str = "if [ -e child ]; then echo attempt $LARKLINE_ATTEMPT; exit; fi
trap 'echo TERM >> signals' TERM
setsid sh -c 'trap \"\" TERM; echo $$ > grandchild; while :; do sleep 0.1; done' &
until [ -s grandchild ]; do sleep 0.05; done
echo $$ > child
while :; do sleep 0.1; done";

async fn rig(script: &str, limits: &str) -> Rig {
    let mut rig = Rig::new(&format!("{WORK}\n[limits]\n{limits}\n")).await;
    rig.script("work", script);
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

async fn written(rig: &Rig, name: &str) -> String {
    rig.until(name, async || read(&rig.path(name)).ends_with('\n')).await;
    read(&rig.path(name)).trim().to_owned()
}

fn release(rig: &Rig) {
    std::fs::write(rig.path("release"), "").unwrap();
}

fn alive(pid: &str) -> bool {
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    // A zombie that nobody has waited for yet is dead.
    let stat = read(std::path::Path::new(&format!("/proc/{}/stat", pid.as_raw_nonzero())));
    test_kill_process(pid).is_ok() && !stat.contains(") Z ")
}

fn closed(ledger: &Ledger) -> bool {
    ledger.open_connections() == 0
}

#[tokio::test]
async fn the_link_closes_with_1000_while_running_work_goes_on_and_its_answer_still_leaves() {
    let mut rig = rig(PATIENT, "drain = \"5m\"").await;
    let said = rig.say(&rig.guest, "hello");
    let task = written(&rig, "starts").await;
    rig.signal(Signal::TERM);
    rig.ledger("the end of the link", closed).await;
    let why = rig.sim.platform().read(|l| l.connections[0].why.clone());
    assert_eq!(why.as_deref(), Some("close 1000"));
    rig.logged("waiting for running tasks").await;
    let waiting = rig.log().lines().find(|l| l.contains("waiting for running")).unwrap().to_owned();
    assert!(waiting.contains(&format!("tasks=[{task}]")), "{waiting}");
    assert!(rig.answers(&said.message_id).is_empty());
    // What comes now is acknowledged by nobody, so that it comes again.
    let late = rig.say(&rig.guest, "late");
    rig.logged("still waiting for running tasks").await;
    release(&rig);
    assert!(rig.exit().await.success());
    assert_eq!(rig.answers(&said.message_id), ["done"]);
    assert!(!rig.path("signals").exists(), "{}", read(&rig.path("signals")));
    rig.sim.platform().read(|l| {
        assert_eq!(l.event(&late.event_id).unwrap().acks(), 0);
        assert_eq!((l.connections.len(), l.open_connections()), (1, 0));
    });
    rig.run(&[]).await;
    assert_eq!(rig.answered(&late).await, ["done"]);
    assert_eq!(rig.answers(&said.message_id), ["done"]);
}

#[tokio::test]
async fn after_the_deadline_the_whole_tree_gets_term_then_kill_and_the_task_runs_again() {
    let mut rig = rig(STUBBORN, "drain = \"1s\"\nkill_grace = \"1s\"").await;
    let said = rig.say(&rig.guest, "hello");
    let child = written(&rig, "child").await;
    let grandchild = written(&rig, "grandchild").await;
    assert!(alive(&child) && alive(&grandchild));
    assert!(rig.stop().await.success());
    assert_eq!(read(&rig.path("signals")), "TERM\n");
    assert!(!alive(&child) && !alive(&grandchild));
    let log = rig.log();
    let line = log.lines().find(|l| l.contains("drain deadline reached")).unwrap();
    assert!(line.contains("tasks=[1]"), "{line}");
    assert!(rig.sim.platform().read(|l| l.messages.is_empty()), "nobody is told of a stop");
    rig.run(&[]).await;
    // The run that was cut off may have had its effects: the next one is told.
    assert_eq!(rig.answered(&said).await, ["attempt 2"]);
}

#[tokio::test]
async fn with_one_attempt_a_run_that_a_kill_cut_off_is_not_repeated_and_said_so() {
    let mut rig = Rig::new(&format!("{WORK}retry = {{ attempts = 1 }}\n")).await;
    rig.script("work", PATIENT);
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "order it");
    written(&rig, "starts").await;
    rig.kill9().await;
    rig.run(&[]).await;
    let answers = rig.answered(&said).await;
    assert!(answers[0].contains("interrupted"), "{answers:?}");
    assert_eq!(read(&rig.path("starts")).lines().count(), 1, "the program ran once");
    assert_eq!(rig.verdicts().await, [("failed/interrupted".to_owned(), 1)].into());
    assert_eq!(rig.json(&["dead"]).await[0]["code"], "interrupted");
}

#[tokio::test]
async fn a_grace_is_not_cut_short_by_the_end_of_the_drain() {
    let script = "trap 'sleep 6; echo through > through; exit 0' TERM
echo $$ > child
while :; do sleep 0.1; done";
    let mut rig = rig(script, "drain = \"0s\"\nkill_grace = \"1m\"").await;
    rig.say(&rig.guest, "hello");
    written(&rig, "child").await;
    assert!(rig.stop().await.success());
    assert_eq!(read(&rig.path("through")), "through\n");
}

#[tokio::test]
async fn a_second_signal_ends_gateway_and_children_at_once_and_the_task_runs_again() {
    for second in [Signal::TERM, Signal::INT] {
        let mut rig = rig(STUBBORN, "drain = \"1h\"\nkill_grace = \"5m\"").await;
        let said = rig.say(&rig.guest, "hello");
        let child = written(&rig, "child").await;
        let grandchild = written(&rig, "grandchild").await;
        rig.signal(Signal::TERM);
        rig.logged("waiting for running tasks").await;
        // A reload is no second request to stop.
        rig.signal(Signal::HUP);
        rig.logged("stopping already").await;
        assert!(alive(&child) && alive(&grandchild));
        rig.signal(second);
        assert!(rig.exit().await.success());
        assert!(!alive(&child) && !alive(&grandchild));
        assert!(rig.log().contains("stopped"));
        rig.run(&[]).await;
        // What was killed without a word may have had its effects: the attempt counts.
        assert_eq!(rig.answered(&said).await, ["attempt 2"]);
        assert!(rig.stop().await.success());
    }
}

#[tokio::test]
async fn the_log_names_a_signal_its_sender_and_the_parent() {
    let mut rig = rig(PATIENT, "").await;
    let (us, uid) = (std::process::id(), rustix::process::getuid().as_raw());
    for (signal, name) in [(Signal::HUP, "SIGHUP"), (Signal::INT, "SIGINT")] {
        rig.signal(signal);
        let sender = format!(r#"signal={name} sender_pid={us} sender_uid={uid} sender=""#);
        rig.logged(&format!("signal received {sender}")).await;
        rig.logged(&format!("parent_pid={us} parent=")).await;
    }
    assert!(rig.exit().await.success());
}

#[tokio::test]
async fn what_the_gateway_holds_back_from_itself_reaches_its_children() {
    let mut rig = rig("sed -n s/^SigBlk:.//p /proc/self/status", "").await;
    let said = rig.say(&rig.guest, "hello");
    assert_eq!(rig.answered(&said).await, ["0000000000000000"]);
    rig.signal(Signal::TERM);
    assert!(rig.exit().await.success());
}

#[tokio::test]
async fn ctrl_c_for_the_gateways_group_does_not_interrupt_its_children() {
    let mut rig = rig(PATIENT, "drain = \"5m\"").await;
    let said = rig.say(&rig.guest, "hello");
    written(&rig, "starts").await;
    let group = Pid::from_raw(i32::try_from(rig.pid()).unwrap()).unwrap();
    kill_process_group(group, Signal::INT).unwrap();
    rig.logged("waiting for running tasks").await;
    release(&rig);
    assert!(rig.exit().await.success());
    assert_eq!(rig.answers(&said.message_id), ["done"]);
    assert!(!rig.path("signals").exists());
}

#[tokio::test]
async fn a_second_order_to_stop_changes_nothing_and_is_noted() {
    let mut rig = rig(PATIENT, "drain = \"5m\"").await;
    let said = rig.say(&rig.guest, "hello");
    written(&rig, "starts").await;
    let socket = rig.path("state").join("larkline.sock");
    for reason in ["one", "two"] {
        let order = json!({ "reason": reason });
        let method = http::Method::POST;
        // The answer is empty, which the client calls broken; what it did is in the log.
        drop(client::call::<Value>(&socket, method, "/v1/stop", Some(&order)).await);
        rig.logged("waiting for running tasks").await;
    }
    rig.logged("stopping already").await;
    release(&rig);
    assert!(rig.exit().await.success());
    assert_eq!(rig.answers(&said.message_id), ["done"]);
    assert!(
        rig.log().contains("reason=\"one\"") && rig.log().matches("larkline starts").count() == 1
    );
}

#[tokio::test]
async fn a_step_of_the_stop_that_fails_is_logged_and_the_others_still_run() {
    let mut rig = rig(PATIENT, "drain = \"1s\"").await;
    let blocker = rusqlite::Connection::open(rig.path("state").join("larkline.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(rig.stop().await.success());
    let log = rig.log();
    for step in ["release_leases", "end_boot"] {
        let line =
            log.lines().find(|l| l.contains("a step of the stop failed") && l.contains(step));
        assert!(line.is_some_and(|l| l.contains("ERROR")), "{step} is missing in\n{log}");
    }
    assert!(log.contains("stopped"), "{log}");
    rig.sim.platform().read(|l| {
        assert_eq!(l.connections[0].why.as_deref(), Some("close 1000"));
    });
    drop(blocker);
    rig.run(&[]).await;
    let said = rig.say(&rig.guest, "hello");
    release(&rig);
    assert_eq!(rig.answered(&said).await, ["done"]);
}
