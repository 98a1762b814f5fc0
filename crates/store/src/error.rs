//! Why the store refused.

use crate::session::{SessionId, SessionState};

/// A store operation failed. What a caller does next depends only on the variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full. Nothing was written; stop acking, retry later.
    #[error("the disk is full; free space on it")]
    Full,
    /// The file or its file system is read-only, or permission was taken away.
    #[error("the store cannot be written; give back write permission to the file and its folder")]
    ReadOnly,
    /// The file is not a database, or fails its own checks. Needs a person.
    #[error(
        "the store is corrupt: {detail}; keep a copy of the file, then restore a backup or move \
         the file away to start empty"
    )]
    Corrupt {
        /// What the database said.
        detail: String,
    },
    /// Written by a newer version of larkline.
    #[error(
        "the store has schema {found}, this version knows up to {known}; install the newer \
         larkline again, or restore the backup of before its first start"
    )]
    Newer {
        /// Schema version in the file.
        found: i64,
        /// Newest version this binary knows.
        known: i64,
    },
    /// The lease was lost: its time ran out and somebody else claimed the work.
    #[error("the lease is no longer held")]
    Fenced,
    /// A session does not go from where it stands to there. Nothing was written.
    #[error("session {} is {from}, and does not become {to} from there", session.0)]
    SessionStep {
        /// Which one: that of the call, or the current one of its key.
        session: SessionId,
        /// Where it stands.
        from: SessionState,
        /// Where it was to go.
        to: SessionState,
    },
    /// There is no such session (any more). Nothing was written.
    #[error("there is no session {}", session.0)]
    NoSession {
        /// Its number.
        session: SessionId,
    },
    /// The store was closed, or its writer ended.
    #[error("the store is closed")]
    Closed,
    /// Anything else the disk or the database said; transient until proven otherwise.
    #[error("the store failed during {during}: {detail}")]
    Io {
        /// The operation.
        during: &'static str,
        /// What the database said.
        detail: String,
    },
}

impl StoreError {
    /// Whether the store is well and refused this one call: doing it again does not help.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Fenced | Self::SessionStep { .. } | Self::NoSession { .. } | Self::Closed => true,
            Self::Full
            | Self::ReadOnly
            | Self::Corrupt { .. }
            | Self::Newer { .. }
            | Self::Io { .. } => false,
        }
    }

    /// A short stable word for metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "store_full",
            Self::ReadOnly => "store_read_only",
            Self::Corrupt { .. } => "store_corrupt",
            Self::Newer { .. } => "store_newer",
            Self::Fenced => "lease_lost",
            Self::SessionStep { .. } => "session_step",
            Self::NoSession { .. } => "session_unknown",
            Self::Closed => "store_closed",
            Self::Io { .. } => "store_io",
        }
    }
}
