//! What an exit code means.

use larkline_gateway::admin::client::ClientError;
use larkline_gateway::config::ConfigErrors;
use larkline_gateway::log::LogError;
use larkline_gateway::run_error::RunError;
use larkline_store::StoreError;
use serde::Serialize;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// As asked.
    Ok,
    /// Yours to fix: configuration, another instance, a gateway that is not ready.
    Yours,
    /// Ours, or bad usage.
    Ours,
    /// What the scripted agent ends with: its codes are those of the agent it plays.
    Played(u8),
    /// A cause of its own class: what `doctor` found, and, for credentials, what ended `run`.
    Found(Class),
}

/// Where a fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// App id or secret, or the domain they belong to: restarting does not help.
    Credentials = 3,
    /// Name, route, firewall.
    Network = 10,
    /// The certificate, or who signed it.
    Tls = 11,
    /// A proxy, or whatever else answers in the platform's place.
    Proxy = 12,
    /// The app in the developer console.
    PlatformConfig = 13,
    /// Another program holds connections of the same app.
    OtherInstance = 14,
    /// This machine: configuration, disk, lock, clock.
    LocalFault = 15,
    /// The platform itself fails; nothing here is wrong.
    Platform = 16,
}

impl ExitStatus {
    /// The class of an error.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if matches!(error.downcast_ref(), Some(RunError::Credentials { .. })) {
            return Self::Found(Class::Credentials);
        }
        if let Some(Failed { class, .. }) = error.downcast_ref() {
            return Self::Found(*class);
        }
        let log = error.downcast_ref::<LogError>();
        let yours = error.is::<RunError>()
            || error.is::<ClientError>()
            || error.is::<ConfigErrors>()
            || log.is_some_and(|error| !matches!(error, LogError::AlreadySet))
            // A file that cannot be opened, also where no gateway opens it.
            || error.downcast_ref::<StoreError>().is_some_and(|error| !error.is_refusal())
            || error.is::<Yours>();
        if yours { Self::Yours } else { Self::Ours }
    }
}

/// An error that the operator can mend; its text says how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Yours(pub(crate) String);

/// A step that cannot go on: where the fault lies, what it is, what to do.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) class: Class,
    pub(crate) what: String,
    pub(crate) next: String,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, next, .. } = self;
        f.write_str(&say!(zh: "{what}\n下一步：{next}", en: "{what}\nnext: {next}"))
    }
}

impl std::error::Error for Failed {}

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Ok => 0,
            ExitStatus::Yours => 1,
            ExitStatus::Ours => 2,
            ExitStatus::Found(class) => class as Self,
            ExitStatus::Played(code) => code,
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(u8::from(status))
    }
}
