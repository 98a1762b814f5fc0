//! What the shell of an agent can read that is none of its business: keys, the app's secret.
//!
//! An agent runs as the gateway's own user. Claude Code takes its key out of its shell's environment
//! and out of sight where two programs are there; the sandbox of Codex hides other processes. Where
//! neither holds, the operator is told. Files are not looked at: whoever may read them is the
//! business of the machine, and `docs/handlers.md` says so.

use std::path::Path;

use larkline_agent::Permission;

use super::agent::{Agent, AgentKind};

/// What Claude Code's own sandbox of its shell needs.
const SCRUBBERS: [&str; 2] = ["bwrap", "socat"];
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

/// What an agent's shell can read, and what to do about it; nothing where it is kept away.
pub(super) fn exposed(agent: &Agent, path: &str) -> Option<(String, &'static str)> {
    let off = agent.env.get(SCRUB).is_some_and(|off| matches!(off.expose(), "" | "0" | "false"));
    let scrubs = can_scrub(path) && !off;
    let claude = "install bubblewrap and socat: with both on its PATH Claude Code hides them; \
                  or give the agent a user of its own";
    let hint = match agent.agent {
        AgentKind::Claude if scrubs => return None,
        AgentKind::Acp if runs_claude(agent) && scrubs => return None,
        AgentKind::Codex if agent.permission != Permission::Allow => return None,
        AgentKind::Claude => claude,
        AgentKind::Acp if runs_claude(agent) => claude,
        AgentKind::Codex => "its sandbox hides them: permission = \"ask\" or \"deny\"",
        AgentKind::Acp => "give the agent a user of its own, or a container",
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
        true => String::new(),
        false => format!("{}, and ", keys.join(", ")),
    };
    let all = "all that the gateway's own user can, the app's secret among it";
    Some((format!("the shell of this agent can read {keys}{all}"), hint))
}

/// Whether it is an adapter that starts Claude Code.
fn runs_claude(agent: &Agent) -> bool {
    agent.argv.iter().any(|word| word.contains("claude"))
}
