//! What the shell of an agent can read that is none of its business: keys, the app's secret.
//!
//! An agent runs as the gateway's own user. Claude Code takes its key out of its shell's environment
//! and out of sight where two programs are there; the sandbox of Codex hides other processes. Where
//! neither holds, the operator is told. Files are not looked at: whoever may read them is the
//! business of the machine, and `docs/handlers.md` says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larkline_agent::Permission;

use super::agent::{Agent, AgentKind};
use crate::both::{Both, both};

/// What Claude Code's own sandbox of its shell needs.
const SCRUBBERS: [&str; 2] = ["bwrap", "socat"];
/// How often the sandbox is looked at until it has shown that it runs: some two seconds, and it takes
/// milliseconds.
const LOOKS_MAX: u32 = 400;
/// How far these looks are apart.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Parts of the names of variables that hold keys.
const KEYS: [&str; 8] = [
    "API_KEY",
    "AUTH_TOKEN",
    "OAUTH_TOKEN",
    "BEARER_TOKEN",
    "ACCESS_KEY",
    "SECRET",
    "PASSWORD",
    "CREDENTIAL",
];
/// Programs that put an agent apart: in a container, behind another user, on another machine.
const APART: [&str; 12] = [
    "bwrap",
    "docker",
    "podman",
    "nerdctl",
    "nsjail",
    "firejail",
    "sudo",
    "doas",
    "runuser",
    "setpriv",
    "systemd-run",
    "ssh",
];

/// The variable that has Claude Code do so.
pub const SCRUB: &str = "CLAUDE_CODE_SUBPROCESS_ENV_SCRUB";

/// Whether Claude Code can hide its key from its shell: the programs it needs are on this path.
pub fn can_scrub(path: &str) -> bool {
    let is_there =
        |program: &str| std::env::split_paths(path).any(|folder| folder.join(program).is_file());
    SCRUBBERS.into_iter().all(is_there)
}

/// What is wrong with a sandbox that Claude Code would use and that may not run here, as in many
/// containers: its shell would refuse all work.
pub(super) fn unusable(agent: &Agent, path: &str) -> Option<(Both, Both)> {
    let is_set = agent.env.contains_key(SCRUB);
    let is_claude = match agent.agent {
        AgentKind::Claude => true,
        AgentKind::Acp => runs_claude(agent),
        AgentKind::Codex => false,
    };
    if is_set || !is_claude || !can_scrub(path) {
        return None;
    }
    let why = refusal(&program(path)?)?;
    Some((
        both!(
            zh: "bwrap 在 PATH 中，却无法运行（{why}）：这个智能体的 shell 会拒绝工作",
            en: "bwrap is on the PATH and may not run ({why}): the shell of this agent refuses to work";
            why = why
        ),
        Both::of(
            "允许用户命名空间，或从它的 PATH 中去掉 bwrap，或关闭隐藏：\
             env = { CLAUDE_CODE_SUBPROCESS_ENV_SCRUB = \"0\" }",
            "allow user namespaces, take bwrap off its PATH, or switch the hiding off: \
             env = { CLAUDE_CODE_SUBPROCESS_ENV_SCRUB = \"0\" }",
        ),
    ))
}

fn program(path: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(SCRUBBERS[0])).find(|file| file.is_file())
}

/// Why it does not run; asked once for each program, as a machine does not change its mind.
fn refusal(bwrap: &Path) -> Option<Both> {
    static KNOWN: Mutex<BTreeMap<PathBuf, Option<Both>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(bwrap.to_owned()).or_insert_with(|| tried(bwrap)).clone()
}

/// Runs nothing in it, apart from other processes, as Claude Code does with its shell.
fn tried(bwrap: &Path) -> Option<Both> {
    let mut command = Command::new(bwrap);
    command.args(["--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Some(Both::same(error)),
    };
    for _ in 0..LOOKS_MAX {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return None,
            Ok(Some(status)) => return Some(Both::same(status)),
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Err(error) => return Some(Both::same(error)),
        }
    }
    // One that has ended meanwhile needs no signal.
    drop(child.kill());
    drop(child.wait());
    Some(Both::of("它没有结束", "it does not end"))
}

/// What an agent's shell can read, and what to do about it; nothing where it is kept away.
pub(super) fn exposed(agent: &Agent, path: &str) -> Option<(Both, Both)> {
    let off = agent.env.get(SCRUB).is_some_and(|off| matches!(off.expose(), "" | "0" | "false"));
    let scrubs = can_scrub(path) && !off;
    let claude = Both::of(
        "安装 bubblewrap 和 socat：两者都在 PATH 中时 Claude Code 会隐藏它们；\
         或让智能体使用单独的用户",
        "install bubblewrap and socat: with both on its PATH Claude Code hides them; \
         or give the agent a user of its own",
    );
    let hint = match agent.agent {
        AgentKind::Claude if scrubs => return None,
        AgentKind::Acp if runs_claude(agent) && scrubs => return None,
        AgentKind::Codex if agent.permission != Permission::Allow => return None,
        AgentKind::Claude => claude,
        AgentKind::Acp if runs_claude(agent) => claude,
        AgentKind::Codex => Both::of(
            "它的沙箱会隐藏它们：permission = \"ask\" 或 \"deny\"",
            "its sandbox hides them: permission = \"ask\" or \"deny\"",
        ),
        AgentKind::Acp => Both::of(
            "让智能体使用单独的用户或容器",
            "give the agent a user of its own, or a container",
        ),
    };
    let program = agent.argv.first().map(Path::new).and_then(Path::file_name);
    if program.is_some_and(|program| APART.iter().any(|apart| program == *apart)) {
        return None;
    }
    let given = agent.env.keys().chain(&agent.pass_env).map(String::as_str);
    let mut keys: Vec<&str> =
        given.filter(|name| KEYS.iter().any(|part| name.contains(part))).collect();
    keys.sort_unstable();
    keys.dedup();
    let keys = match keys.is_empty() {
        true => Both::NOTHING,
        false => both!(zh: " {keys}，以及", en: "{keys}, and ", keys = keys.join(", ")),
    };
    let message = both!(
        zh: "这个智能体的 shell 能读到{keys}网关的用户能读到的一切，包括应用的密钥",
        en: "the shell of this agent can read {keys}all that the gateway's own user can, \
             the app's secret among it";
        keys = keys
    );
    Some((message, hint))
}

/// Whether it is an adapter that starts Claude Code.
fn runs_claude(agent: &Agent) -> bool {
    agent.argv.iter().any(|word| word.contains("claude"))
}
