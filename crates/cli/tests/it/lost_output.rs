//! Data that does not come to where it goes: a reader that has seen enough, and a disk without room.

use std::process::Stdio;

use crate::rig::{ECHO, Rig, read, text};

/// Commands that print without a gateway.
const PRINTS: [&[&str]; 8] = [
    &["completions", "bash"],
    &["config", "show"],
    &["--format", "json", "config", "show"],
    &["--format", "json", "doctor", "--no-link", "--timeout", "20"],
    &["doctor", "--no-link", "--timeout", "20"],
    &["version"],
    &["--help"],
    &["explain", "230006"],
];

#[tokio::test]
async fn a_full_disk_is_said_and_ends_with_1() {
    let rig = Rig::new(ECHO).await;
    for args in PRINTS {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let child = rig.command().args(args).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().await.unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("the output is not complete"), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn a_reader_that_has_gone_is_no_error() {
    let rig = Rig::new(ECHO).await;
    for args in PRINTS {
        let errors = std::fs::File::create(rig.path("stderr")).unwrap();
        let mut command = rig.command();
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        // Closed before the first word.
        drop(child.stdout.take());
        let status = child.wait().await.unwrap();
        let said = read(&rig.path("stderr"));
        assert!(status.success(), "{args:?}: {status}: {said}");
        assert!(!said.contains("not complete") && !said.contains("panicked"), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn completions_are_whole() {
    let rig = Rig::new(ECHO).await;
    for shell in ["bash", "zsh", "fish"] {
        let output = rig.cli(&["completions", shell]).await;
        let script = text(&output.stdout);
        assert!(output.status.success() && script.contains("larkline"), "{shell}: {script}");
    }
}
