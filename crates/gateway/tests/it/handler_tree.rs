//! Nothing of a child outlives it, however it hid; and nobody else's process is touched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use larkline_gateway::handler::Children;
use larkline_gateway::handler::children::Isolating;
use serde_json::{Value, json};

use crate::handler_script::{Scripts, alive, read_pid, until, within};
use crate::handler_turn::turn;

/// Starts `sleep` in the way that `$1…` says, and waits until its number is known.
fn hidden(how: &str) -> String {
    format!("{how} sh -c 'echo $$ > pid; exec sleep 1000' & until [ -s pid ]; do sleep 0.01; done")
}

async fn leaves_nothing(script: &str) {
    for isolating in [Isolating::Auto, Isolating::Off] {
        let scripts = Scripts::isolated(isolating);
        let answer = scripts.run(script, &turn("hi")).await;
        assert!(answer.is_ok(), "{answer:?}");
        let pid = scripts.pid("pid").await;
        assert!(!alive(pid), "{pid} still runs after: {script}; {isolating:?}");
    }
}

#[tokio::test]
async fn a_background_process_ends_with_its_child() {
    leaves_nothing(&hidden("")).await;
}

#[tokio::test]
async fn a_process_in_a_session_of_its_own_ends_too() {
    leaves_nothing(&hidden("setsid")).await;
}

#[tokio::test]
async fn a_double_forked_process_ends_too() {
    leaves_nothing(&format!("( {} ) &\nuntil [ -s pid ]; do sleep 0.01; done", hidden("setsid")))
        .await;
}

#[tokio::test]
async fn a_double_forked_process_that_wiped_its_environment_ends_too() {
    let wiped = hidden("env -i PATH=\"$PATH\" setsid");
    let script = format!("( {wiped} ) &\nuntil [ -s pid ]; do sleep 0.01; done");
    for isolating in [Isolating::Auto, Isolating::Off] {
        let scripts = Scripts::isolated(isolating);
        let answer = scripts.run(&script, &turn("hi")).await;
        assert!(answer.is_ok(), "{answer:?}");
        let pid = scripts.pid("pid").await;
        if scripts.children().isolation().place.is_empty() {
            // Children of tests in this process that run at the same time could have left it
            // behind: then it ends with the last of them.
            until(|| !alive(pid)).await;
        }
        assert!(!alive(pid), "{isolating:?}");
    }
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_ends_too() {
    let mut scripts = Scripts::new();
    scripts.resources.kill_grace = Duration::from_millis(100);
    let script = hidden("trap '' TERM; setsid");
    assert!(scripts.run(&format!("( {script} )"), &turn("hi")).await.is_ok());
    assert!(!alive(scripts.pid("pid").await));
}

#[tokio::test]
async fn what_left_behind_processes_write_when_they_are_told_to_end_is_read() {
    let script = "( trap 'echo late; exit' TERM; touch ready; while :; do sleep 0.01; done ) &
        until [ -e ready ]; do sleep 0.01; done; echo early";
    let answer = Scripts::new().run(script, &turn("hi")).await.unwrap();
    assert!(answer.messages[0].content.contains(r"early\nlate"), "{answer:?}");
}

#[tokio::test]
async fn dropping_the_work_kills_what_it_started() {
    let scripts = Scripts::new();
    let handler = scripts.handler(&format!("{}; sleep 1000", hidden("setsid")));
    let turn = turn("hi");
    let pid = within(async {
        tokio::select! {
            answer = handler.handle(&turn) => panic!("{answer:?}"),
            pid = scripts.pid("pid") => pid,
        }
    })
    .await;
    until(|| !alive(pid) && scripts.children().running().is_empty()).await;
}

#[tokio::test]
async fn a_second_signal_kills_all_at_once() {
    let mut scripts = Scripts::new();
    scripts.resources.kill_grace = Duration::from_secs(600);
    let turn = turn("hi");
    let handler = scripts.handler(&format!("trap '' TERM; {}; sleep 1000", hidden("setsid")));
    let (answer, pid) = within(async {
        tokio::join!(handler.handle(&turn), async {
            let pid = scripts.pid("pid").await;
            scripts.children().kill_all();
            pid
        })
    })
    .await;
    assert!(answer.is_err(), "{answer:?}");
    assert!(!alive(pid));
}

#[tokio::test]
async fn the_end_of_one_child_leaves_the_processes_of_another_alone() {
    let scripts = Scripts::new();
    let long = turn("long");
    let wiped = hidden("env -i PATH=\"$PATH\" setsid");
    let wait = "until [ -e short ]; do sleep 0.01; done";
    let handler = scripts.handler(&format!("echo $$ > leader; {wait}; ( {wiped} ); sleep 1000"));
    let (_stopped, pid) = within(async {
        tokio::join!(handler.handle(&long), async {
            scripts.pid("leader").await;
            // The orphan is younger than both children: either could have left it behind.
            let script = "touch short; until [ -s pid ]; do sleep 0.01; done";
            let short = scripts.run(script, &turn("short")).await;
            assert!(short.is_ok(), "{short:?}");
            let pid = scripts.pid("pid").await;
            assert!(alive(pid), "it belongs to the child that still runs");
            long.cancel.cancel();
            pid
        })
    })
    .await;
    assert!(!alive(pid));
}

#[tokio::test]
async fn the_end_of_one_child_does_not_wait_for_that_of_another() {
    let scripts = Scripts::new();
    let long = turn("long");
    let handler = scripts.handler("echo $$ > leader; sleep 1000");
    let (_stopped, ()) = within(async {
        tokio::join!(handler.handle(&long), async {
            let leader = scripts.pid("leader").await;
            let script = format!("( {} )", hidden("setsid"));
            let short = scripts.run(&script, &turn("short")).await;
            assert!(short.is_ok(), "{short:?}");
            assert!(!alive(scripts.pid("pid").await), "its mark tells whose it is");
            assert!(alive(leader));
            long.cancel.cancel();
        })
    })
    .await;
}

#[tokio::test]
async fn a_child_is_not_in_the_gateways_group_so_the_terminals_ctrl_c_does_not_reach_it() {
    let scripts = Scripts::new();
    let answer = scripts.run("cut -d' ' -f1,5 /proc/$$/stat", &turn("hi")).await.unwrap();
    let content: Value = serde_json::from_str(&answer.messages[0].content).unwrap();
    let (pid, group) = content["text"].as_str().unwrap().split_once(' ').unwrap();
    assert_eq!(pid, group, "leader of its own group");
}

/// Set for [`a_gateway_that_is_killed`] when another test starts it: the directory to work in.
const VICTIM: &str = "LARKLINE_TEST_VICTIM";

/// Not a test by itself: the process that the next test kills while its child runs.
#[tokio::test]
async fn a_gateway_that_is_killed() {
    let Some(home) = std::env::var_os(VICTIM) else { return };
    let mut scripts = Scripts::new();
    scripts.settings.cwd = Some(home.clone().into());
    scripts.resources.children = Children::open(Path::new(&home)).unwrap();
    let grouped = !scripts.children().isolation().place.is_empty();
    // Without its mark it is found by its control group alone.
    let how = if grouped { "env -i PATH=\"$PATH\" setsid" } else { "setsid" };
    let script = format!("( {} ); echo $$ > leader; sleep 1000", hidden(how));
    drop(scripts.run(&script, &turn("hi")).await);
}

#[tokio::test]
async fn after_a_kill_the_next_boot_ends_what_was_left_and_touches_nobody_else() {
    let home = tempfile::tempdir().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "handler_tree::a_gateway_that_is_killed"])
        .env(VICTIM, home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let leader = read_pid(&home.path().join("leader")).await;
    let grandchild = read_pid(&home.path().join("pid")).await;
    let next = Children::open(home.path()).unwrap();
    let grace = Duration::from_secs(5);
    assert_eq!(next.reap_stale(grace).await.unwrap(), [], "its gateway still runs");
    assert!(alive(leader) && alive(grandchild));
    let group = record(home.path())["cgroup"].as_str().map(PathBuf::from);
    assert!(group.as_ref().is_none_or(|group| group.exists()), "{group:?}");

    victim.kill().unwrap();
    victim.wait().unwrap();
    let mut stranger = tokio::process::Command::new("sleep");
    let mut stranger = stranger.arg("1000").kill_on_drop(true).spawn().unwrap();
    forge_record(home.path(), stranger.id().unwrap());
    let stale = within(next.reap_stale(grace)).await.unwrap();

    let [stale] = &stale[..] else { panic!("{stale:?}") };
    assert_eq!((stale.handler.as_str(), stale.left), ("script", 0));
    assert!(stale.pids.contains(&leader) && stale.pids.contains(&grandchild), "{stale:?}");
    assert!(!alive(leader) && !alive(grandchild));
    assert!(group.as_ref().is_none_or(|group| !group.exists()), "{group:?} is left");
    assert!(stranger.try_wait().unwrap().is_none(), "same number, another start: not ours");
    assert_eq!(std::fs::read_dir(home.path().join("children")).unwrap().count(), 0);
}

/// The one record in the folder.
fn record(home: &Path) -> Value {
    let record = std::fs::read_dir(home.join("children")).unwrap().next().unwrap().unwrap();
    serde_json::from_slice(&std::fs::read(record.path()).unwrap()).unwrap()
}

/// A second record like the one in the folder, for a process and a gateway whose numbers others
/// have now: the stranger, and this very process.
fn forge_record(home: &Path, stranger: u32) {
    let mut record = record(home);
    record["mark"] = "another".into();
    // Nothing but the kernel's own started that early.
    record["process"] = json!({ "pid": stranger, "start": 1 });
    record["gateway"] = json!({ "pid": std::process::id(), "start": 1 });
    std::fs::write(home.join("children/another.json"), record.to_string()).unwrap();
}
