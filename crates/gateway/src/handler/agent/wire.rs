//! The wire of whichever agent is configured.

use larkline_agent::acp::Acp;
use larkline_agent::claude::Claude;
use larkline_agent::codex::Codex;
use larkline_agent::{Answer, Exit, Launch, Prompt, Step};
use larkline_client::Secret;

use crate::config::AgentKind;

/// What Claude Code's own sandbox of its shell needs.
const SCRUBBERS: [&str; 2] = ["bwrap", "socat"];

/// One turn on one agent's wire.
pub(super) enum Wire {
    Claude(Box<Claude>),
    Codex(Box<Codex>),
    Acp(Box<Acp>),
}

impl Wire {
    pub(super) fn new(kind: AgentKind, launch: &Launch) -> Self {
        match kind {
            AgentKind::Claude => Self::Claude(Box::new(Claude::new(launch))),
            AgentKind::Codex => Self::Codex(Box::new(Codex::new(launch))),
            AgentKind::Acp => Self::Acp(Box::new(Acp::new(launch))),
        }
    }

    pub(super) fn argv(kind: AgentKind, launch: &Launch) -> Vec<String> {
        match kind {
            AgentKind::Claude => Claude::argv(launch),
            AgentKind::Codex => Codex::argv(launch),
            AgentKind::Acp => Acp::argv(launch),
        }
    }

    /// Variables that every process gets.
    pub(super) fn env(kind: AgentKind) -> Vec<(&'static str, &'static str)> {
        match kind {
            // Adapters start the real program, which reads the same variables.
            AgentKind::Claude | AgentKind::Acp => Claude::env(),
            AgentKind::Codex => Vec::new(),
        }
    }

    pub(super) fn begin(&mut self, prompt: &Prompt) -> Step {
        match self {
            Self::Claude(wire) => wire.begin(prompt),
            Self::Codex(wire) => wire.begin(prompt),
            Self::Acp(wire) => wire.begin(prompt),
        }
    }

    pub(super) fn line(&mut self, line: &[u8]) -> Step {
        match self {
            Self::Claude(wire) => wire.line(line),
            Self::Codex(wire) => wire.line(line),
            Self::Acp(wire) => wire.line(line),
        }
    }

    pub(super) fn answer(&mut self, ask: &str, answer: &Answer) -> Step {
        match self {
            Self::Claude(wire) => wire.answer(ask, answer),
            Self::Codex(wire) => wire.answer(ask, answer),
            Self::Acp(wire) => wire.answer(ask, answer),
        }
    }

    pub(super) fn interrupt(&mut self) -> Step {
        match self {
            Self::Claude(wire) => wire.interrupt(),
            Self::Codex(wire) => wire.interrupt(),
            Self::Acp(wire) => wire.interrupt(),
        }
    }

    pub(super) fn ended(&mut self, exit: Exit, complaints: &str) -> Step {
        match self {
            Self::Claude(wire) => wire.ended(exit, complaints),
            Self::Codex(wire) => wire.ended(exit, complaints),
            Self::Acp(wire) => wire.ended(exit, complaints),
        }
    }
}

/// Whether Claude Code can take its key out of its shell's environment.
pub(super) fn can_scrub(path: Option<&Secret>) -> bool {
    let path = path.map(|path| path.expose().to_owned()).unwrap_or_default();
    let is_there =
        |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    SCRUBBERS.iter().all(is_there)
}
