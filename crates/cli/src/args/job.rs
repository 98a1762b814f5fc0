//! Durable commands: `larkline job`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::{memory, time};

#[derive(Debug, Subcommand)]
pub(crate) enum JobAction {
    /// Run a command that survives restarts and answers a chat; prints its number.
    Run(JobRunArgs),
    /// Jobs, newest first.
    List {
        /// Only those of this chat (oc_…).
        #[arg(long)]
        chat: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// One job, and the end of what it printed.
    Show {
        /// Its number, for example j7.
        job: String,
    },
    /// End a job, or take it back when it has not begun.
    Stop {
        /// Its number, for example j7.
        job: String,
    },
    /// Run a failed job again.
    Retry {
        /// Its number, for example j7.
        job: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct JobRunArgs {
    /// The chat that is told how it ended (oc_…); a task's job answers its own.
    #[arg(long)]
    pub(crate) chat: Option<String>,
    /// Which app, when several are configured.
    #[arg(long)]
    pub(crate) app: Option<String>,
    /// What people call it [default: the command line].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Attempts in all [default: as configured].
    #[arg(long)]
    pub(crate) attempts: Option<u32>,
    /// Longest run of one attempt, such as 90s or 2h [default: as configured].
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    /// Most memory of it and all that it starts, such as 512M or 2G [default: as configured].
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<u64>,
    /// Where it runs [default: here].
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Program and arguments, after `--`; no shell reads them.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub(crate) command: Vec<String>,
}
