//! `[handler.<name>]` of kind `agent`: a coding agent that works in a directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use larkline_agent::Permission;
use larkline_client::Secret;
use larkline_proto::id::OpenId;

use super::command_line::NO_PROGRAM;
use super::exposure::{exposed, unusable};
use super::field::choices;
use super::handler::Common;
use super::section::Section;
use super::units::{Bytes, days};
use crate::both::Both;

/// A coding agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Whose wire it speaks.
    pub agent: AgentKind,
    /// The program, and arguments before the wire's own.
    pub argv: Vec<String>,
    /// Arguments after the wire's own.
    pub extra_args: Vec<String>,
    /// Where conversations work; `None` gives each a directory of its own.
    pub cwd: Option<PathBuf>,
    /// Directories that `/cd` may lead to, and all below them.
    pub cd_roots: Vec<PathBuf>,
    /// Variables it gets beside the usual few.
    pub env: BTreeMap<String, Secret>,
    /// Variables it inherits beside the usual few.
    pub pass_env: Vec<String>,
    /// The model; its own default otherwise.
    pub model: Option<String>,
    /// Added to its own instructions.
    pub system: Option<String>,
    /// What happens when a tool needs leave.
    pub permission: Permission,
    /// How long somebody may think about that; then it is denied.
    pub ask_timeout: Duration,
    /// Who may give leave besides the owners and whoever began the turn.
    pub approvers: Vec<OpenId>,
    /// Tools that need no leave.
    pub allowed_tools: Vec<String>,
    /// Tools it may not use.
    pub denied_tools: Vec<String>,
    /// Model calls in a turn.
    pub turns_max: Option<u32>,
    /// US dollars a turn may cost.
    pub budget: Option<String>,
    /// What a message does that comes while a turn runs.
    pub busy: Busy,
    /// Whether the answer grows in a card.
    pub stream: bool,
    /// Whether it and its tools may write to the chat while it works.
    pub talk_back: bool,
    /// Whether hooks, rules and MCP servers of the directory it works in are taken up.
    pub project_settings: bool,
    /// Largest file of a message that is fetched for it.
    pub file_max: Bytes,
    /// How long a conversation is kept that nobody uses.
    pub keep: Duration,
    /// Its limits.
    pub limits: AgentLimits,
    /// What every handler has.
    pub common: Common,
}

/// Whose wire an agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentKind {
    /// Claude Code's stream-json, also Qwen Code's.
    Claude,
    /// `codex exec --json`.
    Codex,
    /// The Agent Client Protocol.
    Acp,
}

/// What a message does that comes while a turn of its conversation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It waits and becomes a turn of its own.
    Queue,
    /// It waits, and all that waited become one turn.
    Merge,
    /// It ends the running turn and becomes the next, in the same conversation.
    Steer,
}

/// What a turn and its processes may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLimits {
    /// Longest turn.
    pub wall: Duration,
    /// Longest silence, but for the time somebody is asked.
    pub idle: Duration,
    /// Memory of all its processes together.
    pub memory: Option<Bytes>,
    /// Its processes.
    pub processes: Option<u32>,
    /// Percent of one processor.
    pub cpu: Option<u32>,
    /// Bytes it may print in a turn.
    pub output: Bytes,
}

choices!(AgentKind, "claude, codex or acp", {
    "claude" => Self::Claude,
    "codex" => Self::Codex,
    "acp" => Self::Acp,
});

choices!(Permission, "ask, deny or allow", {
    "ask" => Self::Ask,
    "deny" => Self::Deny,
    "allow" => Self::Allow,
});

choices!(Busy, "queue, merge or steer", {
    "queue" => Self::Queue,
    "merge" => Self::Merge,
    "steer" => Self::Steer,
});

/// Agents at once: each takes some hundred megabytes.
const CONCURRENCY: usize = 4;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

impl Agent {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let agent = section
            .key("agent", "whose wire it speaks; `acp` is any agent with the Agent Client Protocol")
            .required::<AgentKind>();
        let argv: Option<Vec<String>> = section
            .key("argv", "the program; for `claude` and `codex` it is the command of that name")
            .optional();
        let argv = program(section, agent, argv);
        // A wrong agent leaves the other keys known, and their own mistakes told.
        let agent_settings = Self {
            agent: agent.unwrap_or(AgentKind::Acp),
            argv: argv.clone().unwrap_or_default(),
            extra_args: section
                .key("extra_args", "arguments after the gateway's own")
                .or(Vec::new()),
            cwd: section
                .key("cwd", "where it works; absent gives each conversation its own directory")
                .optional(),
            cd_roots: section
                .key("cd_roots", "where `/cd` of an owner may lead, and all below")
                .or(Vec::new()),
            env: section
                .key("env", "set for it, its key for instance: `{ NAME = { env = … } }`")
                .or(BTreeMap::new()),
            pass_env: section
                .key("pass_env", "inherited beside PATH, HOME, LANG, TZ, TMPDIR")
                .or(Vec::new()),
            model: section.key("model", "its own default").optional(),
            system: section.key("system", "added to its own instructions").optional(),
            permission: section
                .key(
                    "permission",
                    "a tool that needs leave: `ask` in the chat, `deny`, or `allow` in a sandbox",
                )
                .or(Permission::Ask),
            ask_timeout: section
                .key("ask_timeout", "no answer for so long is a no, and the chat is told")
                .within(Duration::from_mins(10), SECOND..=DAY),
            approvers: section
                .key("approvers", "may give leave besides the owners and whoever asked")
                .or(Vec::new()),
            allowed_tools: section
                .key("allowed_tools", "need no leave, in the agent's own syntax")
                .or(Vec::new()),
            denied_tools: section.key("denied_tools", "may not be used").or(Vec::new()),
            turns_max: section.key("turns_max", "model calls in one turn").optional(),
            budget: section.key("budget", "US dollars in one turn, as \"2.50\"").optional(),
            busy: section
                .key("busy", "a message that comes in mid-turn: `queue`, `merge` or `steer`")
                .or(Busy::Queue),
            stream: section.key("stream", "the answer grows in a card").or(true),
            talk_back: section
                .key("talk_back", "it may write, ask and send files to its own chat while it works")
                .or(true),
            project_settings: section
                .key(
                    "project_settings",
                    "hooks and MCP servers of a directory run unasked: only where you wrote them",
                )
                .or(false),
            file_max: section
                .key("file_max", "larger files of a message are named, not fetched")
                .within(Bytes::mib(20), Bytes::kib(1)..=Bytes::mib(100)),
            keep: section
                .key("keep", "a conversation that is unused for so long is completed")
                .within(days(30), Duration::from_hours(1)..=days(3650)),
            limits: AgentLimits::read(section.section("limits")),
            common: Common::read_slow(section, CONCURRENCY, "agents are heavy: some 300 MB each"),
        };
        agent_settings.check(section);
        agent.and(argv).map(|_| agent_settings)
    }

    fn check(&self, section: &Section<'_>) {
        let is_price = |text: &str| text.parse::<f64>().is_ok_and(|n| n.is_finite() && n > 0.0);
        if self.budget.as_deref().is_some_and(|budget| !is_price(budget)) {
            section.refuse(
                "budget",
                Both::of("不是以美元计的价格", "not a price in dollars"),
                Both::of("写成 \"2.50\"", "write it as \"2.50\""),
            );
        }
        if self.agent == AgentKind::Codex && self.permission == Permission::Ask {
            section.warn(
                "permission",
                Both::of(
                    "`codex exec` 无法询问任何人：沙箱禁止的操作会失败",
                    "`codex exec` can ask nobody: what its sandbox forbids fails",
                ),
                Both::of(
                    "想被询问，用 agent = \"acp\" 和 codex-acp；否则用 permission = \"deny\"",
                    "use agent = \"acp\" with codex-acp to be asked, or permission = \"deny\"",
                ),
            );
        }
        let own = self.env.get("PATH").map(|path| path.expose().to_owned());
        let inherited =
            || section.decoder.surroundings.variable("PATH").map(|(path, _)| path.to_owned());
        let path = own.or_else(inherited).unwrap_or_default();
        if let Some((message, hint)) = unusable(self, &path) {
            section.warn("env", message, hint);
        }
        if let Some((message, hint)) = exposed(self, &path) {
            section.warn("env", message, hint);
        }
    }
}

/// The program; a wire that is one program's has a default.
fn program(
    section: &Section<'_>,
    agent: Option<AgentKind>,
    argv: Option<Vec<String>>,
) -> Option<Vec<String>> {
    match (agent?, argv) {
        (_, Some(argv)) if argv.first().is_some_and(|program| !program.is_empty()) => Some(argv),
        (AgentKind::Claude, None) => Some(vec!["claude".to_owned()]),
        (AgentKind::Codex, None) => Some(vec!["codex".to_owned()]),
        (_, _) => {
            let hint = Both::of(
                "例如写 argv = [\"gemini\", \"--acp\"]",
                "write argv = [\"gemini\", \"--acp\"], for instance",
            );
            section.refuse("argv", NO_PROGRAM, hint);
            None
        }
    }
}

impl AgentLimits {
    fn read(mut section: Section<'_>) -> Self {
        Self {
            wall: section
                .key("wall", "then the turn is ended, and the chat is told")
                .within(Duration::from_mins(30), SECOND..=DAY),
            idle: section
                .key("idle", "the same after so long a silence; a tool at work is silent, too")
                .within(Duration::from_mins(10), SECOND..=DAY),
            memory: section
                .key("memory", "of all its processes together; absent is the system's limit")
                .optional_within(Bytes::mib(64)..=Bytes::mib(1 << 20)),
            processes: section
                .key("processes", "it and all that it starts; absent is the system's limit")
                .optional_within(1..=100_000),
            cpu: section
                .key("cpu", "percent of one processor, where cgroups can limit it")
                .optional_within(1..=100_000),
            output: section
                .key("output", "more is a runaway")
                .within(Bytes::mib(64), Bytes::kib(64)..=Bytes::mib(1024)),
        }
    }
}
