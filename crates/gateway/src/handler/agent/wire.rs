//! The wire of whichever agent is configured.

use std::time::Duration;

use larkline_agent::acp::Acp;
use larkline_agent::claude::Claude;
use larkline_agent::codex::Codex;
use larkline_agent::{Answer, Exit, Launch, Prompt, Step, Usage};

use crate::config::AgentKind;

/// A program that is through has so long to end by itself: it writes its conversation down.
const EXIT_PATIENCE: Duration = Duration::from_secs(15);
/// One that serves until it is ended, as some with ACP do, has written down what it answered. Each
/// turn takes so much longer with it.
const SERVER_EXIT_PATIENCE: Duration = Duration::from_millis(500);

/// One turn on one agent's wire.
pub(super) enum Wire {
    Claude(Box<Claude>),
    Codex(Box<Codex>),
    Acp(Box<Acp>),
}

impl Wire {
    /// `spent` is what the conversation had used before, for a wire that tells totals only.
    pub(super) fn new(kind: AgentKind, launch: &Launch, spent: Option<Usage>) -> Self {
        match kind {
            AgentKind::Claude => Self::Claude(Box::new(Claude::new(launch))),
            AgentKind::Codex => {
                let wire = Codex::new(launch);
                Self::Codex(Box::new(match spent {
                    Some(spent) => wire.used_before(spent),
                    None => wire,
                }))
            }
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

    /// What the conversation has used over all its turns, from a wire that tells totals only.
    pub(super) fn spent(&self) -> Option<Usage> {
        match self {
            Self::Codex(wire) => wire.thread_total(),
            Self::Claude(_) | Self::Acp(_) => None,
        }
    }

    /// How long its process may take to end once the turn is over.
    pub(super) fn exit_patience(&self) -> Duration {
        match self {
            Self::Claude(_) | Self::Codex(_) => EXIT_PATIENCE,
            Self::Acp(_) => SERVER_EXIT_PATIENCE,
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
