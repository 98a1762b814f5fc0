//! The manager's own programs: `systemctl`, `journalctl`, `launchctl`.

use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::place::{Kind, Place};
use crate::args::LogsArgs;
use crate::exit::Yours;
use crate::lang::either;

/// What is asked of systemd about a unit, and its label for people.
const SHOWN: [(&str, &str, &str); 7] = [
    ("ActiveState", "状态", "state"),
    ("UnitFileState", "开机启动", "enabled"),
    ("StatusText", "自述", "says"),
    ("MainPID", "pid", "pid"),
    ("ExecMainStartTimestamp", "启动", "since"),
    ("NRestarts", "自动重启", "restarts"),
    ("MemoryCurrent", "内存", "memory"),
];

/// A unit's state in a manager's words.
pub(super) struct State {
    pub(super) active: bool,
    pub(super) text: String,
}

/// `systemctl` for the right manager.
pub(crate) fn systemctl(system: bool) -> Command {
    let mut command = Command::new("systemctl");
    if !system {
        command.arg("--user");
    }
    command
}

fn launchctl(arguments: &[&str]) -> Command {
    let mut command = Command::new("launchctl");
    command.args(arguments);
    command
}

/// Where launchd keeps a service.
fn domain(place: &Place) -> String {
    match place.system {
        true => "system".to_owned(),
        false => format!("gui/{}", rustix::process::getuid().as_raw()),
    }
}

/// Whether a program is on the PATH.
pub(super) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Asks the manager for something that changes nothing.
///
/// # Errors
/// What to do on a machine without one.
pub(super) async fn manager_is_there(place: &Place) -> Result<()> {
    let mut command = match place.kind {
        Kind::Systemd => {
            let mut command = systemctl(place.system);
            command.args(["show", "--property=Version"]);
            command
        }
        Kind::Launchd => launchctl(&["print", &domain(place)]),
    };
    let why = match command.output().await {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => first_line(&output),
        Err(error) => error.to_string(),
    };
    let words = match (place.kind, place.system) {
        (Kind::Launchd, _) => say!(
            zh: "launchd 没有应答（{why}）；请在登录会话中运行，或在前台运行 `larkline run`",
            en: "launchd does not answer ({why}); run this in a login session, or `larkline run` in the foreground"
        ),
        (Kind::Systemd, true) => say!(
            zh: "这里没有 systemd 在运行（{why}），例如在容器或没有启用它的 WSL 中；请在前台运行 `larkline run` 并由其他程序看管，或使用 deploy/ 中的容器配方（docs/service.md）；WSL 可在 /etc/wsl.conf 的 [boot] 中设置 systemd=true",
            en: "no systemd runs here ({why}), as in a container, or in WSL without it; run `larkline run` in the foreground under something that starts it again, or use the container recipe in deploy/ (docs/service.md); for WSL set systemd=true under [boot] in /etc/wsl.conf"
        ),
        (Kind::Systemd, false) => say!(
            zh: "这个用户没有 systemd 管理器（{why}）；请登录一次会话（su 和 sudo 不会建立会话），运行 `loginctl enable-linger`，或以 root 使用 --system",
            en: "this user has no systemd manager ({why}); log in for a session (su and sudo make none), run `loginctl enable-linger`, or use --system as root"
        ),
    };
    Err(Yours(words).into())
}

/// Lets the manager read our file and start it with the machine; with `now`, at once too.
pub(super) async fn enable(place: &Place, now: bool) -> Result<()> {
    let unit = place.unit();
    match place.kind {
        Kind::Systemd => {
            done(systemctl(place.system).arg("daemon-reload")).await?;
            done(systemctl(place.system).args(["enable", &unit])).await?;
            if now {
                // Starts it, too, when it does not run; and one that runs gets the new unit.
                done(systemctl(place.system).args(["restart", &unit])).await?;
            }
        }
        Kind::Launchd if now => {
            let (domain, file) = (domain(place), place.file());
            // One that is not there cannot leave.
            drop(launchctl(&["bootout", &format!("{domain}/{unit}")]).output().await);
            done(launchctl(&["bootstrap", &domain]).arg(file)).await?;
        }
        // It reads the folder at the next login.
        Kind::Launchd => {}
    }
    Ok(())
}

/// Stops it, and keeps it from starting again.
pub(super) async fn disable(place: &Place) -> Result<()> {
    let unit = place.unit();
    match place.kind {
        Kind::Systemd => {
            done(systemctl(place.system).args(["disable", "--now", &unit])).await.map(drop)
        }
        Kind::Launchd => {
            drop(launchctl(&["bootout", &format!("{}/{unit}", domain(place))]).output().await);
            Ok(())
        }
    }
}

/// Lets the manager notice that our file has gone.
pub(super) async fn forget(place: &Place) -> Result<()> {
    if place.kind == Kind::Systemd {
        done(systemctl(place.system).arg("daemon-reload")).await?;
        // A failure that it remembers is of interest to nobody; one it does not is no error.
        drop(systemctl(place.system).args(["reset-failed", &place.unit()]).output().await);
    }
    Ok(())
}

pub(super) fn start_hint(place: &Place) -> String {
    let unit = place.unit();
    match (place.kind, place.system) {
        (Kind::Systemd, true) => say!(
            zh: "已启用；用 `systemctl start {unit}` 启动，或安装时加 --now",
            en: "enabled; start it with `systemctl start {unit}`, or install with --now"
        ),
        (Kind::Systemd, false) => say!(
            zh: "已启用；用 `systemctl --user start {unit}` 启动，或安装时加 --now",
            en: "enabled; start it with `systemctl --user start {unit}`, or install with --now"
        ),
        (Kind::Launchd, _) => either(
            "下次登录时启动；安装时加 --now 可立即启动",
            "it starts at the next login; install with --now to start it at once",
        )
        .to_owned(),
    }
}

/// What the manager says of it.
pub(super) async fn state(place: &Place) -> Result<State> {
    if place.kind == Kind::Launchd {
        let service = format!("{}/{}", domain(place), place.unit());
        let text = done(&mut launchctl(&["print", &service])).await?;
        return Ok(State { active: text.contains("state = running"), text });
    }
    let names: Vec<&str> = SHOWN.iter().map(|(name, ..)| *name).collect();
    let wanted = format!("--property={}", names.join(","));
    let text = done(systemctl(place.system).args(["show", &place.unit(), &wanted])).await?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().to_owned()
    };
    let lines = SHOWN.iter().filter_map(|(name, zh, en)| {
        let value = value(name);
        let value = match (*name, value.parse::<u64>()) {
            // What is not known is the largest number there is.
            ("MemoryCurrent", Ok(u64::MAX) | Err(_)) | ("MainPID", Ok(0)) => return None,
            ("MemoryCurrent", Ok(bytes)) => format!("{} MiB", bytes >> 20),
            _ if value.is_empty() => return None,
            _ => value,
        };
        Some(format!("{}{value}", crate::lang::padded(either(zh, en), 10)))
    });
    let unit = std::iter::once(place.unit()).chain(lines).collect::<Vec<_>>().join("\n");
    Ok(State { active: value("ActiveState") == "active", text: unit })
}

/// The journal of a unit.
pub(super) fn journal(place: &Place, args: &LogsArgs) -> Command {
    let mut command = Command::new("journalctl");
    let which = if place.system { "--unit" } else { "--user-unit" };
    command.args([which, &place.unit(), "--lines", &args.lines.to_string()]);
    // The gateway's lines have their own time.
    command.args(["--output", "cat"]);
    if args.follow {
        command.arg("--follow");
    }
    command
}

/// The end of a log file.
pub(super) fn tail(file: &Path, args: &LogsArgs) -> Command {
    let mut command = Command::new("tail");
    command.args(["-n", &args.lines.to_string()]);
    if args.follow {
        // By name: the file is rotated.
        command.arg("-F");
    }
    command.arg(file);
    command
}

/// Runs a program to its good end; what it printed.
pub(crate) async fn done(command: &mut Command) -> Result<String> {
    let output = command.output().await;
    let shown = shown(command);
    let output =
        output.with_context(|| say!(zh: "无法启动 {shown}", en: "cannot start {shown}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let (why, status) = (first_line(&output), output.status);
    Err(Yours(say!(
        zh: "`{shown}` 失败（{status}）：{why}；请查看 `larkline service logs`",
        en: "`{shown}` failed ({status}): {why}; see `larkline service logs`"
    ))
    .into())
}

fn first_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
