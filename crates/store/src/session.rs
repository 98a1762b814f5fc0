//! Conversations that outlive a process.

use serde::{Deserialize, Serialize};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Made, no turn yet.
    New,
    /// Had a turn, idle.
    Active,
    /// In a turn.
    Processing,
    /// Ended by itself.
    Completed,
    /// Interrupted; can be resumed.
    Suspended,
    /// Ended for good.
    Terminated,
}

/// One conversation with one handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The lane's key: handler and chat, thread or sender.
    pub key: String,
    /// Name of the handler.
    pub handler: String,
    /// Where it stands.
    pub state: SessionState,
    /// The agent's own id of the conversation, when it has one.
    pub agent_session: Option<String>,
    /// Turns so far.
    pub turns: u64,
    /// When it was made, Unix ms.
    pub created_ms: i64,
    /// Last use, Unix ms.
    pub used_ms: i64,
}
