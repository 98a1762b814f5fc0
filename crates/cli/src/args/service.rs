//! `larkline service …`

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::memory;
use crate::lang::either;

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAction {
    /// Write the unit for this configuration and enable it.
    Install(InstallArgs),
    /// Stop it, disable it, remove what `install` wrote.
    Uninstall(ServiceTarget),
    /// What the service manager says, then the gateway itself.
    Status(ServiceTarget),
    /// The gateway's log, from the journal or its file.
    Logs(LogsArgs),
}

/// The name of a service, unless it has another.
const USUAL: &str = "larkline";

/// Which service.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceTarget {
    /// Of this user [default, unless root].
    #[arg(long, conflicts_with = "system")]
    pub(crate) user: bool,
    /// Of the machine [default for root].
    #[arg(long)]
    pub(crate) system: bool,
    /// Its name; several gateways need several.
    #[arg(long, default_value = USUAL, value_parser = unit_name)]
    pub(crate) name: String,
    /// Where its file is [default: where the manager looks].
    #[arg(long, value_name = "DIR")]
    pub(crate) unit_dir: Option<PathBuf>,
    /// The manager [default: this system's].
    #[arg(long, value_enum, hide = true)]
    pub(crate) manager: Option<ManagerKind>,
}

/// A service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManagerKind {
    /// Linux.
    Systemd,
    /// macOS.
    Launchd,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    pub(crate) target: ServiceTarget,
    /// Most memory of the gateway and what it starts; what agents, commands and jobs may use by their
    /// own limits is added.
    #[arg(long, value_name = "SIZE", default_value = "500M", value_parser = memory)]
    pub(crate) memory: u64,
    /// User of a service of the machine [default: who called sudo, else the configuration's owner].
    #[arg(long, value_name = "USER", conflicts_with = "user")]
    pub(crate) run_as: Option<String>,
    /// A directory that programs may write besides the state and where they work (repeat it).
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Vec<PathBuf>,
    /// Print the file, change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Start it at once, or again.
    #[arg(long)]
    pub(crate) now: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) target: ServiceTarget,
    /// Go on with what comes.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// So many of the last lines.
    #[arg(long, short = 'n', default_value_t = 100)]
    pub(crate) lines: u32,
}

impl ServiceTarget {
    /// What is meant when nothing is said.
    pub(crate) fn usual() -> Self {
        Self { user: false, system: false, name: USUAL.to_owned(), unit_dir: None, manager: None }
    }
}

/// The name of a unit, which is a file's name, too.
fn unit_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !text.is_empty() && text.len() <= 64 && text.chars().all(plain) && !text.starts_with('-')
    {
        true => Ok(text.to_owned()),
        false => Err(either(
            "请用字母、数字、- 和 _，最多 64 个，不以 - 开头",
            "use letters, digits, - and _, at most 64",
        )
        .to_owned()),
    }
}
