//! Why the store refused.

/// A store operation failed. What a caller does next depends only on the variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full. Nothing was written; stop acking, retry later.
    #[error("the disk is full; free space, the store goes on by itself")]
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
         larkline again"
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
    /// A short stable word for metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "store_full",
            Self::ReadOnly => "store_read_only",
            Self::Corrupt { .. } => "store_corrupt",
            Self::Newer { .. } => "store_newer",
            Self::Fenced => "lease_lost",
            Self::Closed => "store_closed",
            Self::Io { .. } => "store_io",
        }
    }
}
