//! A service and the commands for it look into the same state directory.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Stdio;

use tokio::process::Command;

use crate::rig::{ECHO, LARKLINE, Rig, not_run, read, text};
use crate::service::managed;

/// An account that every machine has.
const ACCOUNT: &str = "nobody";
const UID: u32 = 65534;

/// A rig whose configuration names no state directory, and which others than root may read.
async fn without_a_path() -> Rig {
    let rig = managed(ECHO).await;
    let path = format!("[store]\npath = \"{}\"\n", rig.path("state").display());
    rig.amend(&path, "");
    std::fs::copy(LARKLINE, rig.path("larkline")).unwrap();
    for (name, mode) in
        [("", 0o755), ("larkline.toml", 0o644), (".env", 0o644), ("larkline", 0o755)]
    {
        let path = if name.is_empty() { rig.dir.path().to_owned() } else { rig.path(name) };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    rig
}

fn add(rig: &Rig, lines: &str) {
    rig.amend("[app.main]", &format!("{lines}\n[app.main]"));
}

fn unit(rig: &Rig) -> String {
    read(&rig.path("units/larkline.service"))
}

#[tokio::test]
async fn a_service_of_another_account_needs_a_state_directory_that_is_written_down() {
    if !rustix::process::geteuid().is_root() {
        return not_run("only root installs for another account");
    }
    let rig = without_a_path().await;
    let install = ["install", "--system", "--run-as", ACCOUNT];
    let said = async |args: &[&str]| {
        let output = rig.service(args).await;
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        assert!(!rig.path("units").exists(), "nothing is written");
        text(&output.stderr)
    };
    for args in [&install[..], &[&install[..], &["--dry-run"]].concat()] {
        let said = said(args).await;
        for part in ["[store]\npath = \"/var/lib/larkline\"\n", ACCOUNT, "larkline.toml"] {
            assert!(said.contains(part), "{part} is missing in {said}");
        }
    }
    let named = said(&[&install[..], &["--name", "second"]].concat()).await;
    assert!(named.contains("path = \"/var/lib/second\""), "{named}");
    // Of each user's own home it is another one.
    add(&rig, "[store]\npath = \"~/state\"");
    assert!(said(&install).await.contains("/var/lib/larkline"));
    rig.amend("~/state", "state");
    add(&rig, "[server]\nsocket = \"~/larkline.sock\"");
    let socket = said(&install).await;
    assert!(socket.contains("[server]\nsocket = \"/"), "{socket}");
}

#[tokio::test]
async fn what_root_asks_is_answered_by_the_service_of_another_account() {
    if !rustix::process::geteuid().is_root() {
        return not_run("only root installs for another account");
    }
    let mut rig = without_a_path().await;
    let state = rig.path("kept/state");
    add(&rig, &format!("[store]\npath = \"{}\"", state.display()));
    // What root's shell has decides nothing.
    rig.env.insert("XDG_STATE_HOME", rig.path("roots").display().to_string());
    let output = rig.service(&["install", "--system", "--run-as", ACCOUNT]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let made = std::fs::metadata(&state).unwrap();
    assert_eq!((made.uid(), made.mode() & 0o777), (UID, 0o700));

    // As the manager starts it.
    let unit = unit(&rig);
    let set =
        unit.lines().filter_map(|line| line.strip_prefix("Environment=\"")?.strip_suffix('"'));
    let mut program = Command::new("setpriv");
    program.args(["--reuid", &UID.to_string(), "--regid", &UID.to_string(), "--clear-groups"]);
    program.arg(rig.path("larkline")).args(["--config", "larkline.toml", "run"]);
    program.env_clear().envs(set.filter_map(|line| line.split_once('=')));
    // The manager makes the folder in /run; here its place is the state directory.
    program.env("LARKLINE_LOCK_DIR", state.join("locks"));
    program.current_dir(rig.dir.path()).stdin(Stdio::null()).kill_on_drop(true);
    let log = std::fs::File::create(rig.path("gateway.log")).unwrap();
    let mut service = program.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    rig.ready().await;
    let pid = service.id().unwrap();
    assert_eq!(rig.status().await.unwrap()["pid"], pid);
    let doctor = rig.cli(&["doctor", "--no-link", "--timeout", "20"]).await;
    let report = text(&doctor.stdout);
    assert!(report.contains(&format!("pid {pid} runs since")), "{report}");
    // The way to a second gateway is closed, too.
    let second = rig.cli(&["run"]).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains(&format!("process {pid}")), "{}", text(&second.stderr));
    service.kill().await.unwrap();
    // What root started there would be closed to the service afterwards.
    let without = text(&rig.cli(&["status"]).await.stderr);
    let hint = format!("whose directory is {ACCOUNT}'s; start its service");
    assert!(without.contains(&hint), "{without}");
}

#[tokio::test]
async fn a_state_directory_that_is_not_the_accounts_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return not_run("only root installs for another account");
    }
    let rig = without_a_path().await;
    let state = rig.path("state");
    std::fs::create_dir(&state).unwrap();
    add(&rig, &format!("[store]\npath = \"{}\"", state.display()));
    let output = rig.service(&["install", "--system", "--run-as", ACCOUNT]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("chown -R {ACCOUNT} {}", state.display())), "{said}");
}

#[tokio::test]
async fn a_users_service_has_the_state_directory_of_the_shell_that_installs_it() {
    let mut rig = without_a_path().await;
    // The manager's own home of the account is another one than this shell's.
    let output = rig.service(&["install", "--user"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let here = rig.path(".local/state/larkline").display().to_string();
    assert!(said.contains(&format!("[store]\npath = \"{here}\"")), "{said}");

    let states = rig.path("states");
    rig.env.insert("XDG_STATE_HOME", states.display().to_string());
    let output = rig.service(&["install", "--user"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let unit = unit(&rig);
    let set = |name: &str, value: &str| {
        let line = format!("Environment=\"{name}={value}\"");
        assert!(unit.lines().any(|shown| shown == line), "{line} is missing in\n{unit}");
    };
    set("XDG_STATE_HOME", states.to_str().unwrap());
    set("LARKLINE_LOCK_DIR", rig.path("locks").to_str().unwrap());
    let socket = states.join("larkline/larkline.sock");
    assert!(unit.contains(&format!("# socket: {}\n", socket.display())), "{unit}");
}
