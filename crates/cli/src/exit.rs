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
    /// The platform refuses the credentials: restarting does not help. Also a verdict of
    /// `doctor`, as all that follow.
    Credentials,
    /// The platform cannot be reached.
    Network,
    /// A certificate is refused.
    Tls,
    /// A proxy refuses, or something answers in the platform's place.
    Proxy,
    /// The app in the developer console.
    PlatformConfig,
    /// Another program holds connections of the same app.
    OtherInstance,
    /// This machine: configuration, disk, lock, clock.
    LocalFault,
    /// The platform itself fails.
    Platform,
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

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Ok => 0,
            ExitStatus::Yours => 1,
            ExitStatus::Ours => 2,
            ExitStatus::Credentials => 3,
            ExitStatus::Network => 10,
            ExitStatus::Tls => 11,
            ExitStatus::Proxy => 12,
            ExitStatus::PlatformConfig => 13,
            ExitStatus::OtherInstance => 14,
            ExitStatus::LocalFault => 15,
            ExitStatus::Platform => 16,
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(u8::from(status))
    }
}
