//! The ready scripts of the simulator against the real gateway, and `larkline sim --script`.

use std::process::Stdio;

use larkline_sim::{Script, SimOptions};
use serde_json::Value;

use crate::rig::{ECHO, PATIENCE, Rig};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sim/scripts");

/// Plays one of the ready scripts to a gateway that echoes.
async fn play(name: &str) {
    let text = std::fs::read_to_string(format!("{SCRIPTS}/{name}.jsonl")).unwrap();
    let script = Script::parse(&text).unwrap();
    let mut rig = Rig::with(script.setup.options(SimOptions::default()), ECHO).await;
    rig.run(&[]).await;
    let report = script.run(rig.sim.platform()).await;
    assert!(report.ok, "line {:?}: {:?}\n{}", report.line, report.why, report.ledger);
}

#[tokio::test]
async fn the_script_of_duplicates_and_cuts_finds_no_double_answer() {
    play("duplicate_and_cut").await;
}

#[tokio::test]
async fn the_script_of_a_deaf_platform_ends_with_every_answer() {
    play("deaf").await;
}

#[tokio::test]
async fn the_script_of_throttled_calls_ends_with_one_answer_each() {
    play("throttle").await;
}

/// Runs `larkline sim --script` on a text; exit code, stdout, stderr.
async fn sim(text: &str) -> (i32, String, String) {
    let rig = Rig::new(ECHO).await;
    let file = rig.dir.path().join("script.jsonl");
    std::fs::write(&file, text).unwrap();
    let mut command = rig.command();
    command.args(["sim", "--listen", "127.0.0.1:0", "--script"]).arg(&file);
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let output = tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_script_ends_the_simulator_with_its_verdict() {
    let setup = "{\"setup\": {\"speed\": 100, \"users\": [\"lin\"]}}\n";
    let good =
        format!("{setup}{{\"say\": {{\"user\": \"lin\", \"text\": \"hi\"}}}}\n{{\"wait\": 100}}\n");
    let (code, report, _) = sim(&good).await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((code, &report["ok"], &report["ledger"]["events"]), (0, &true.into(), &1.into()));
    let (code, report, notes) =
        sim(&format!("{setup}{{\"expect\": {{\"connected\": 1, \"within_s\": 1}}}}\n")).await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((code, &report["line"]), (1, &2.into()));
    assert!(notes.contains("line 2: after 1s: 0 connections of 1"), "{notes}");
}

#[tokio::test]
async fn a_script_that_cannot_be_read_is_named_with_its_line() {
    let (code, out, notes) = sim("# comment\n\n{\"say\": {\"user\": \"lin\"}}\n").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(notes.contains("script.jsonl: line 3: say: missing field `text`"), "{notes}");
    assert!(notes.contains("docs/simulator.md"), "{notes}");
}
