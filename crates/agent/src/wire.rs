//! How an agent is started and answered, whichever agent it is.

use std::path::PathBuf;

use crate::event::ChoiceKind;

/// How to start an agent for one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments that come before the wire's own.
    pub program: Vec<String>,
    /// Arguments that come after the wire's own, from the operator.
    pub extra: Vec<String>,
    /// Where it works; absolute.
    pub cwd: PathBuf,
    /// The conversation.
    pub session: Session,
    /// The model; the agent's own default otherwise.
    pub model: Option<String>,
    /// Who and where the bot is, added to the agent's own instructions.
    pub system: Option<String>,
    /// What happens when a tool needs leave.
    pub permission: Permission,
    /// Tools that need no leave, in the agent's own syntax.
    pub allowed_tools: Vec<String>,
    /// Tools it may not use.
    pub denied_tools: Vec<String>,
    /// Model calls in one turn at most.
    pub turns_max: Option<u32>,
    /// US dollars in one turn at most.
    pub budget_usd: Option<String>,
    /// MCP servers it may use, as JSON (`{"mcpServers":{…}}`); Claude Code takes the path of a file
    /// with that, too.
    pub mcp: Option<String>,
    /// Directories besides `cwd` that it may use.
    pub add_dirs: Vec<PathBuf>,
    /// Whether settings, hooks, rules and MCP servers of `cwd` and of the user are taken up: they run
    /// unasked. Only the Claude wire can refuse them.
    pub project_settings: bool,
}

/// Which conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// A new one. Agents that let the caller choose take this UUID as its id.
    New(String),
    /// The one with this id of the agent's.
    Resume(String),
}

/// What happens when a tool needs leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Somebody is asked.
    Ask,
    /// It is denied, and the agent goes on without.
    Deny,
    /// It is allowed: for agents in a sandbox of their own.
    Allow,
}

/// Somebody's word on an [`Ask`](crate::Ask).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One of its choices, by what it means. A wire takes the nearest that the agent offers, and
    /// never a wider one.
    Choice(ChoiceKind),
    /// Answers to its questions: question text and the chosen labels.
    Labels(Vec<(String, Vec<String>)>),
    /// Nobody answered in time, or nobody could be asked: deny.
    Nobody,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// Exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}
