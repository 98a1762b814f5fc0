//! `larkline demo`.

use std::process::Stdio;

use crate::rig::{PATIENCE, text};

#[tokio::test]
async fn demo_once_plays_the_whole_real_path_and_exits_0() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_larkline"));
    command.args(["demo", "--once"]).stdin(Stdio::null());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    for part in [
        "bot     hello 你好",
        "filtered (not_mentioned)",
        "killed with -9",
        "+ 0 failed + 0 waiting",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[tokio::test]
async fn what_was_typed_before_the_end_of_the_input_is_answered() {
    use tokio::io::AsyncWriteExt;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_larkline"));
    command.arg("demo").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut demo = command.spawn().unwrap();
    // Written at once and closed: the demo reads it when it is ready.
    demo.stdin.take().unwrap().write_all(b"hello\n").await.unwrap();
    let output = tokio::time::timeout(PATIENCE, demo.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), "bot → hello\n");
}
