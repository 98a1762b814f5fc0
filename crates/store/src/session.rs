//! Conversations that outlive a process, and what was said in them.
//!
//! A lane's key (handler and chat, thread or sender) has one conversation after another; each is a
//! session with a number of its own, and at most one of a key is *current*: neither completed nor
//! terminated. A session changes its state in these ways and no others; each leaves a
//! [`SessionStep`] with its time and cause:
//!
//! | from | to | when |
//! |---|---|---|
//! | (nothing) | new | it was begun |
//! | new | active | its first turn was taken |
//! | active | processing | a turn runs |
//! | processing | active | the turn is over |
//! | processing | suspended | the turn was cut off; the conversation can be resumed |
//! | suspended | processing | it is resumed |
//! | new, active, suspended | completed | put aside: `/new`, another one chosen, idle too long |
//! | completed | active | chosen again (`/resume`) |
//! | any but terminated | terminated | ended for good |
//!
//! Not here: what an agent's own session is, and how much of a history a model is shown.

use std::fmt;

use larkline_proto::id::EventId;
use serde::{Deserialize, Serialize};

use crate::task::TaskId;

/// Cause of the step that suspends what a boot left in a turn.
pub const RESTART: &str = "restart";
/// Cause of the step that completes what was idle too long.
pub const IDLE: &str = "idle";
/// Cause of the step that keeps an agent's former id of the conversation, as its detail: the state
/// is the same before and after it.
pub const REPLACED: &str = "agent_session_replaced";

/// Row number of a session; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub i64);

/// What is remembered of a session beside its row: a fact of the store, forgotten with the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionFact {
    /// The directory in which it began.
    Began,
    /// What was allowed or denied in it for good.
    Leave,
    /// What the agent's thread has used.
    Thread,
}

impl SessionFact {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Began, Self::Leave, Self::Thread];

    /// The name of the fact of this session.
    pub fn of(self, SessionId(id): SessionId) -> String {
        let kind = match self {
            Self::Began => "began",
            Self::Leave => "leave",
            Self::Thread => "thread",
        };
        format!("{kind}/{id}")
    }
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Begun, no turn yet.
    New,
    /// Had a turn, idle.
    Active,
    /// In a turn.
    Processing,
    /// Put aside; can be chosen again.
    Completed,
    /// Interrupted; can be resumed.
    Suspended,
    /// Ended for good.
    Terminated,
}

impl SessionState {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::New,
        Self::Active,
        Self::Processing,
        Self::Completed,
        Self::Suspended,
        Self::Terminated,
    ];

    /// Whether a session may go from here to there, by the table above.
    pub fn may_become(self, to: Self) -> bool {
        match self {
            Self::New => matches!(to, Self::Active | Self::Completed | Self::Terminated),
            Self::Active => matches!(to, Self::Processing | Self::Completed | Self::Terminated),
            Self::Processing => matches!(to, Self::Active | Self::Suspended | Self::Terminated),
            Self::Suspended => matches!(to, Self::Processing | Self::Completed | Self::Terminated),
            Self::Completed => matches!(to, Self::Active | Self::Terminated),
            Self::Terminated => false,
        }
    }

    /// Whether a session that stands here is the one its key goes on with.
    pub fn is_current(self) -> bool {
        match self {
            Self::New | Self::Active | Self::Processing | Self::Suspended => true,
            Self::Completed | Self::Terminated => false,
        }
    }

    /// The state as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Suspended => "suspended",
            Self::Terminated => "terminated",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One conversation with one handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// The lane's key: handler, app and chat, thread or sender.
    pub key: String,
    /// Name of the handler.
    pub handler: String,
    /// Where it stands.
    pub state: SessionState,
    /// The agent's own id of the conversation, when it has one.
    pub agent_session: Option<String>,
    /// The folder the agent works in, when one was chosen.
    pub cwd: Option<String>,
    /// The model, when one was chosen.
    pub model: Option<String>,
    /// Turns so far.
    pub turns: u64,
    /// What they cost so far, in millionths of a US dollar.
    pub cost_microusd: u64,
    /// Tokens that went in so far.
    pub tokens_in: u64,
    /// Tokens that came out so far.
    pub tokens_out: u64,
    /// The task of the running turn, else of the last one.
    pub task: Option<TaskId>,
    /// The platform's event id of the last turn, for `/retry`.
    pub event: Option<EventId>,
    /// When it was begun, Unix ms.
    pub created_ms: i64,
    /// Last use, Unix ms. Being put aside, suspended by a restart or terminated is no use.
    pub used_ms: i64,
}

/// A conversation about to be begun.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The lane's key.
    pub key: String,
    /// Name of the handler.
    pub handler: String,
    /// The folder the agent is to work in, when one was chosen.
    pub cwd: Option<String>,
    /// The model, when one was chosen.
    pub model: Option<String>,
    /// When, Unix ms.
    pub at_ms: i64,
    /// Why, as a word: `message`, `new`, …
    pub cause: String,
}

/// What becomes of a value that may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// There is none from now on.
    Clear,
    /// It is this from now on.
    To(T),
}

impl<T: Clone> Change<T> {
    /// Makes the change.
    pub fn apply(&self, value: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *value = None,
            Self::To(new) => *value = Some(new.clone()),
        }
    }
}

/// What changes in a session beside its state; the default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPatch {
    /// The agent's own id. A former one stays known as the detail of a [`REPLACED`] step.
    pub agent_session: Change<String>,
    /// The folder the agent works in.
    pub cwd: Change<String>,
    /// The model.
    pub model: Change<String>,
    /// The task of the turn that begins.
    pub task: Option<TaskId>,
    /// The event of the turn that begins.
    pub event: Option<EventId>,
    /// Turns to be added.
    pub turns: u64,
    /// Cost to be added, in millionths of a US dollar.
    pub cost_microusd: u64,
    /// Tokens in to be added.
    pub tokens_in: u64,
    /// Tokens out to be added.
    pub tokens_out: u64,
}

impl SessionPatch {
    /// Makes the changes. Counts stop at their greatest value.
    pub fn apply(&self, session: &mut Session) {
        self.agent_session.apply(&mut session.agent_session);
        self.cwd.apply(&mut session.cwd);
        self.model.apply(&mut session.model);
        session.task = self.task.or(session.task);
        if let Some(event) = &self.event {
            session.event = Some(event.clone());
        }
        for (sum, more) in [
            (&mut session.turns, self.turns),
            (&mut session.cost_microusd, self.cost_microusd),
            (&mut session.tokens_in, self.tokens_in),
            (&mut session.tokens_out, self.tokens_out),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// A session's change of state.
#[derive(Clone, Debug)]
pub struct SessionMove {
    /// Where to.
    pub to: SessionState,
    /// Why, as a word.
    pub cause: String,
    /// Particulars, for people; may be empty.
    pub detail: String,
    /// When, Unix ms.
    pub at_ms: i64,
    /// What else changes with it.
    pub patch: SessionPatch,
}

/// A line of a session's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStep {
    /// When, Unix ms.
    pub at_ms: i64,
    /// Where it stood; `None` when it was begun.
    pub from: Option<SessionState>,
    /// Where it stands since.
    pub to: SessionState,
    /// Why, as a word.
    pub cause: String,
    /// Particulars, for people; may be empty.
    pub detail: String,
}

/// Which sessions a list shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SessionQuery {
    /// Only of this lane.
    pub key: Option<String>,
    /// Only with this handler.
    pub handler: Option<String>,
    /// Only those that stand here.
    pub state: Option<SessionState>,
    /// Only those whose key contains this text: a chat's id.
    pub text: Option<String>,
    /// At most so many.
    #[serde(default = "crate::record::listed")]
    pub limit: usize,
}

/// Something that was said in a conversation with a language model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// The task whose turn it belongs to.
    pub task: TaskId,
    /// Who said it, in the handler's own word: `user`, `assistant`, `tool`, …
    pub role: String,
    /// What was said, in the handler's own form.
    pub text: String,
    /// How many tokens it is, as far as known.
    pub tokens: u32,
    /// When, Unix ms.
    pub at_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::SessionState::{self, *};

    /// The table of the module's page, written once more.
    const LEGAL: &[(SessionState, SessionState)] = &[
        (New, Active),
        (New, Completed),
        (New, Terminated),
        (Active, Processing),
        (Active, Completed),
        (Active, Terminated),
        (Processing, Active),
        (Processing, Suspended),
        (Processing, Terminated),
        (Suspended, Processing),
        (Suspended, Completed),
        (Suspended, Terminated),
        (Completed, Active),
        (Completed, Terminated),
    ];

    #[test]
    fn a_session_goes_where_the_table_says_and_nowhere_else() {
        for from in SessionState::ALL {
            for to in SessionState::ALL {
                assert_eq!(from.may_become(to), LEGAL.contains(&(from, to)), "{from} to {to}");
            }
        }
    }
}
