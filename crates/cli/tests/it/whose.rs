//! Whose gateway answers, and who may ask it: another bot in the same state directory, another user's
//! directory.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use larkline_sim::AppSpec;
use tokio::process::Command;

use crate::rig::{ECHO, LARKLINE, Rig, not_run, read, text};

/// An app that is not the rig's.
const OTHER: &str = "cli_ffffffffffffffff";

/// A second folder's configuration: another app under the same name, and no state directory of its own.
pub(crate) fn other_folder(rig: &Rig) -> String {
    let other = rig.path("other.toml");
    let text = read(&rig.path("larkline.toml"));
    std::fs::write(&other, text.replace(AppSpec::default().app_id.as_str(), OTHER)).unwrap();
    other.display().to_string()
}

#[tokio::test]
async fn no_command_takes_the_gateway_of_another_bot_for_its_own() {
    let rig = Rig::start(ECHO).await;
    rig.answered(&rig.say(&rig.owner, "private words")).await;
    let other = other_folder(&rig);
    let pid = rig.pid().to_string();
    for command in [
        &["status"][..],
        &["status", "--check"],
        &["messages"],
        &["chats"],
        &["alerts"],
        &["alerts", "test"],
        &["sessions"],
        &["explain", "private"],
        &["probe", "--chat", rig.group.as_str()],
        &["send", "--to", rig.group.as_str(), "hello"],
        &["reload"],
        &["restart", "--timeout", "3s"],
    ] {
        let output = rig.cli(&[command, &["--config", &other]].concat()).await;
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{command:?}: {out}{said}");
        assert_eq!(out, "", "{command:?}");
        for part in [AppSpec::default().app_id.as_str(), &pid, "store.path"] {
            assert!(said.contains(part), "{command:?}: {part} is missing in {said}");
        }
    }
    let mut chinese = rig.command();
    chinese.env("LANG", "zh_CN.UTF-8").args(["status", "--config", &other]);
    let said = text(&chinese.output().await.unwrap().stderr);
    assert!(said.contains("另一份配置") && said.contains("store.path"), "{said}");
    assert_eq!(rig.answered(&rig.say(&rig.owner, "still here")).await, ["still here"]);
}

#[tokio::test]
async fn a_gateway_that_lacks_an_app_of_its_file_is_asked_to_restart_all_the_same() {
    let mut rig = Rig::start(ECHO).await;
    rig.amend(
        "[store]",
        &format!("[app.second]\napp_id = \"{OTHER}\"\napp_secret = \"s3cond-secret\"\n[store]"),
    );
    let output = rig.cli(&["restart", "--timeout", "1s"]).await;
    assert!(text(&output.stderr).contains("it is asked to stop"), "{}", text(&output.stderr));
    assert_eq!(rig.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_bot_is_refused_with_the_way_to_a_state_directory_of_its_own() {
    let rig = Rig::start(ECHO).await;
    let other = other_folder(&rig);
    let output = rig.cli(&["run", "--config", &other]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("process {}", rig.pid())), "{said}");
    assert!(said.contains("store.path"), "{said}");
}

/// The binary as a user who is not root.
pub(crate) fn as_nobody(rig: &Rig) -> Command {
    let mut program = Command::new("setpriv");
    let who = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    program.args(who).arg(rig.path("larkline"));
    program
}

/// A gateway whose directory is root's alone, beside files that everybody may read; `None` where nobody
/// can be made another user.
pub(crate) async fn closed() -> Option<Rig> {
    if !rustix::process::geteuid().is_root() {
        not_run("only root can be another user");
        return None;
    }
    let rig = Rig::start(ECHO).await;
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // The folder of the build need not be open to everybody.
    std::fs::copy(LARKLINE, rig.path("larkline")).unwrap();
    open(rig.dir.path(), 0o755);
    open(&rig.path("larkline.toml"), 0o644);
    open(&rig.path("larkline"), 0o755);
    Some(rig)
}

#[tokio::test]
async fn a_directory_of_another_user_is_said_to_be_one_and_no_second_gateway_is_advised() {
    let Some(rig) = closed().await else { return };
    let state = rig.path("state");
    assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    for command in [&["status"][..], &["messages"], &["restart"]] {
        let mut program = as_nobody(&rig);
        program.env_clear().current_dir(rig.dir.path()).args(command);
        program.envs(rig.command().as_std().get_envs().filter_map(|(k, v)| Some((k, v?))));
        let output = program.output().await.unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        for part in [state.to_str().unwrap(), "belongs to root", "sudo"] {
            assert!(said.contains(part), "{command:?}: {part} is missing in {said}");
        }
        assert!(!said.contains("larkline run") && !said.contains("no gateway"), "{said}");
    }
}
