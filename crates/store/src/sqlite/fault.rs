//! From SQLite's codes to the few answers a caller acts on.

use std::io;

use rusqlite::{Error, ErrorCode, ffi};

use crate::{
    StoreError,
    session::{SessionId, SessionState},
};

/// Why an operation inside a transaction stopped.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The lease is gone. Said before anything was written.
    Fenced,
    /// The session does not go from here to there. Said before anything was written.
    SessionStep { session: SessionId, from: SessionState, to: SessionState },
    /// There is no such session. Said before anything was written.
    NoSession(SessionId),
    /// The code of the operation panicked.
    Panicked,
    /// SQLite refused.
    Sqlite(Error),
    /// There is no connection, and none could be opened.
    NoConnection(StoreError),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Refusal {
    /// The public error for the operation `during`.
    pub(super) fn into_error(self, during: &'static str) -> StoreError {
        match self {
            Self::Fenced => StoreError::Fenced,
            Self::SessionStep { session, from, to } => {
                StoreError::SessionStep { session, from, to }
            }
            Self::NoSession(session) => StoreError::NoSession { session },
            Self::Panicked => StoreError::Io { during, detail: "the operation panicked".into() },
            Self::Sqlite(error) => from_sqlite(during, &error),
            Self::NoConnection(error) => error,
        }
    }

    /// True when the operation was refused before it wrote anything.
    pub(super) fn is_before_writing(&self) -> bool {
        match self {
            Self::Fenced | Self::SessionStep { .. } | Self::NoSession(_) => true,
            Self::Panicked | Self::Sqlite(_) | Self::NoConnection(_) => false,
        }
    }

    /// True when the connection itself may be spoilt: a file system that was read-only while
    /// it was opened, a damaged page in its cache.
    pub(super) fn spoils_connection(&self) -> bool {
        match self {
            Self::Fenced
            | Self::SessionStep { .. }
            | Self::NoSession(_)
            | Self::Panicked
            | Self::NoConnection(_) => false,
            Self::Sqlite(error) => !matches!(from_sqlite("", error), StoreError::Full),
        }
    }
}

/// Sorts one of SQLite's errors.
pub(super) fn from_sqlite(during: &'static str, error: &Error) -> StoreError {
    let extended = error.sqlite_error().map(|e| e.extended_code);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        // The shared-memory file could not grow: the same full disk, met elsewhere.
        _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StoreError::ReadOnly
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { detail: error.to_string() }
        }
        _ => StoreError::Io { during, detail: error.to_string() },
    }
}

/// Sorts an error of the file system.
pub(super) fn from_io(during: &'static str, error: &io::Error) -> StoreError {
    let kind = error.kind();
    if kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded {
        StoreError::Full
    } else if kind == io::ErrorKind::PermissionDenied || kind == io::ErrorKind::ReadOnlyFilesystem {
        StoreError::ReadOnly
    } else {
        StoreError::Io { during, detail: error.to_string() }
    }
}
