//! What an exit code means.

use larkline_gateway::admin::client::ClientError;
use larkline_gateway::config::ConfigErrors;
use larkline_gateway::run_error::RunError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// As asked.
    Ok,
    /// Yours to fix: configuration, another instance, a gateway that is not ready.
    Yours,
    /// Ours, or bad usage.
    Ours,
    /// The platform refuses the credentials: restarting does not help.
    Credentials,
}

impl ExitStatus {
    /// The class of an error.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if matches!(error.downcast_ref(), Some(RunError::Credentials { .. })) {
            return Self::Credentials;
        }
        let yours = error.is::<RunError>()
            || error.is::<ClientError>()
            || error.is::<ConfigErrors>()
            || error.is::<Yours>();
        if yours { Self::Yours } else { Self::Ours }
    }
}

/// An error that the operator can mend; its text says how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Yours(pub(crate) String);

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Ok => 0,
            ExitStatus::Yours => 1,
            ExitStatus::Ours => 2,
            ExitStatus::Credentials => 3,
        })
    }
}
