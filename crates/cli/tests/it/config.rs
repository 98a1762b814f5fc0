//! `larkline config`: exit codes, and what goes to which stream.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::rig::LARKLINE;

const GOOD: &str = "[app.main]\napp_id = \"cli_a1b2c3d4e5f60718\"\napp_secret = \"l1teral-s3cret\"\n\
    owners = [\"ou_1\"]\n[[route]]\nhandler = \"echo\"\n";

/// Runs `larkline config …` beside a file with this text, in an otherwise empty environment.
fn config(text: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("larkline.toml"), text).unwrap();
    let mut command = Command::new(LARKLINE);
    command.arg("config").args(args).current_dir(dir.path());
    command.env_clear().env("HOME", dir.path());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn check_says_yes_with_the_policy_and_exit_0() {
    let (code, out, _) = config(GOOD, &["check"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("route 1 route-1: app any, all chats, from everyone"), "{out}");
    assert!(out.lines().last().unwrap().starts_with("ok: "), "{out}");
}

#[test]
fn check_says_every_problem_on_stderr_with_exit_1() {
    let bad = GOOD.replace("owners", "ownres").replace("\"echo\"", "\"ecko\"");
    let (code, out, err) = config(&bad, &["check"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("larkline.toml:4:1") && err.contains("did you mean `owners`?"), "{err}");
    assert!(err.contains("larkline.toml:6:11") && err.contains("did you mean `echo`?"), "{err}");
    assert!(err.contains("2 problems"), "{err}");
}

#[test]
fn problems_are_data_when_json_is_asked_for() {
    let (code, out, _) = config("[app.main]\n", &["check", "--format", "json"]);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["problems"].as_array().unwrap().len(), 2);
    assert_eq!(report["problems"][0]["line"], 1);
}

#[test]
fn show_prints_values_with_their_sources_and_no_secret() {
    let (code, out, err) = config(GOOD, &["show"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("app.main.app_secret = \"***\""), "{out}");
    assert!(out.contains("limits.drain = \"30s\""), "{out}");
    assert!(!out.contains("l1teral-s3cret") && !err.contains("l1teral-s3cret"));
}

#[test]
fn a_verdict_that_does_not_exist_is_refused_with_those_that_do() {
    let mut command = Command::new(LARKLINE);
    let output = command.args(["messages", "--verdict", "answered"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("[possible values: waiting, replied, filtered, failed]"), "{said}");
}
