//! A restart ends with a verified link, or says that it did not.

use std::process::Stdio;

use larkline_sim::{Answer, Fault};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::rig::{ECHO, LARKLINE, Rig, WORK, read, text};

/// Starts the gateway again whenever it has ended, as a container or a service manager does.
const LOOP: &str = "while :; do \"$0\" run 2>> gateway.log; done";

#[tokio::test]
async fn restart_prints_the_verified_link_of_the_next_run() {
    let rig = Rig::new(ECHO).await;
    let mut supervisor = tokio::process::Command::new("sh");
    supervisor.args(["-c", LOOP, LARKLINE]).current_dir(rig.dir.path());
    supervisor.envs(rig.command().as_std().get_envs().filter_map(|(k, v)| Some((k, v?))));
    let _supervisor = supervisor.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    rig.ready().await;
    let before = rig.status().await.unwrap();
    let output = rig.cli(&["restart"]).await;
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    let after = rig.status().await.unwrap();
    assert_ne!(before["boot_id"], after["boot_id"]);
    assert!(said.contains(after["boot_id"].as_str().unwrap()), "{said}");
    let local = after["apps"][0]["link"]["local_addr"].as_str().unwrap();
    assert!(said.contains(&format!("link of main verified: {local} → ")), "{said}");

    // A platform that is away: it runs again, and its link is not verified.
    let busy = Answer::Code { status: 200, code: 1, msg: "busy".to_owned(), reset_s: None };
    rig.fault(Fault::Endpoint { answer: busy, times: 1000 });
    let output = rig.cli(&["restart", "--timeout", "10s"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("NOT VERIFIED") && said.contains("busy"), "{said}");
}

#[tokio::test]
async fn a_plain_process_is_stopped_and_nobody_starting_it_is_said() {
    let mut rig = Rig::start(ECHO).await;
    let output = rig.cli(&["restart", "--timeout", "3s"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("no unit of systemd keeps pid"), "{said}");
    assert!(said.contains("nobody started it again") && said.contains("larkline run"), "{said}");
    assert_eq!(rig.exit().await.code(), Some(0));
    assert!(rig.log().contains("reason=\"restart\""), "{}", rig.log());

    let output = rig.cli(&["restart"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no gateway listens"), "{}", text(&output.stderr));
}

/// What the check after an upgrade says, as JSON; its exit code is the report's.
async fn report_of(rig: &Rig, args: &[&str]) -> Value {
    let doctor = ["doctor", "--post-upgrade", "--format", "json"];
    let output = rig.cli(&[&doctor, args].concat()).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code().map(i64::from), report["exit_code"].as_i64(), "{report}");
    report
}

#[tokio::test]
async fn after_an_upgrade_version_link_queue_and_sessions_are_confirmed() {
    let mut rig = Rig::new("").await;
    rig.script("work", "touch begun; sleep 1000");
    rig.configure(WORK);
    let absent = report_of(&rig, &["--timeout", "0.1"]).await;
    assert_eq!(absent["verdict"], "local fault");
    rig.run(&[]).await;
    rig.ready().await;
    rig.say(&rig.owner, "work");
    rig.until("the program's begin", async || rig.path("begun").exists()).await;
    rig.kill9().await;
    rig.run(&[]).await;
    let report = report_of(&rig, &[]).await;
    let check = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {report}")).clone()
    };
    let detail = |name: &str| check(name)["detail"].as_str().unwrap().to_owned();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(detail("version"), format!("{version}, the run before was {version}"));
    assert_eq!(check("schema")["outcome"], "pass");
    assert_eq!(check("previous run")["outcome"], "warn");
    let previous = "ended without a word (crash, kill, power loss); start number 2; 1 items";
    assert!(detail("previous run").starts_with(previous), "{report}");
    assert!(detail("queue").contains("1 tasks") && detail("queue").contains("the oldest for"));
    assert!(detail("sessions").contains("0 suspended and resumable"), "{report}");
    assert_eq!(check("link")["outcome"], "pass");
    assert!(detail("children").contains("none left by an earlier run"), "{report}");
    assert_eq!(check("ready")["outcome"], "pass");
    assert_eq!(
        (report["verdict"].as_str(), report["exit_code"].as_u64()),
        (Some("healthy"), Some(0))
    );
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let mut rig = Rig::start(ECHO).await;
    rig.answered(&rig.say(&rig.owner, "hello")).await;
    rig.stop().await;
    let path = rig.path("state/larkline.db");
    let raise = rusqlite::Connection::open(&path).unwrap();
    raise.pragma_update(None, "user_version", 999).unwrap();
    raise.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    rig.run(&[]).await;
    assert_eq!(rig.exit().await.code(), Some(1));
    let log = rig.log();
    let known = larkline_store::SCHEMA;
    assert!(log.contains(&format!("schema 999, this version knows up to {known}")), "{log}");
    assert!(log.contains("install the newer larkline again, or restore the backup"), "{log}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "nothing of it was touched");
}

#[tokio::test]
async fn processes_of_a_killed_run_are_listed_and_ended_and_one_with_their_name_lives() {
    let mut rig = Rig::new(WORK).await;
    rig.script("work", "sh -c 'echo $$ > pid; exec sleep 1000' & wait");
    rig.run(&[]).await;
    rig.ready().await;
    rig.say(&rig.owner, "work");
    rig.until("the program's begin", async || !read(&rig.path("pid")).is_empty()).await;
    let pid: i32 = read(&rig.path("pid")).trim().parse().unwrap();
    // The same program, of somebody else.
    let mut other = tokio::process::Command::new("sleep");
    let mut other = other.arg("1000").kill_on_drop(true).spawn().unwrap();
    rig.kill9().await;
    assert!(is_alive(pid), "a kill of the gateway leaves it");
    rig.run(&[]).await;
    rig.logged("children of an earlier run were still alive and were ended").await;
    let line =
        rig.log().lines().find(|line| line.contains("of an earlier run")).unwrap().to_owned();
    assert!(line.contains(&pid.to_string()) && line.contains("left=0"), "{line}");
    assert!(!is_alive(pid));
    assert!(other.try_wait().unwrap().is_none(), "it is nobody of ours");
    rig.signal(Signal::KILL);
}

fn is_alive(pid: i32) -> bool {
    let stat = read(format!("/proc/{pid}/stat").as_ref());
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false) && kill_process(Pid::from_raw(pid).unwrap(), Signal::CONT).is_ok()
}
