//! A program that is told something and whose answer nobody reads: alerts. The same care as for
//! handlers, from the environment to the end of all it started, but nothing waits for a disk.

use std::path::PathBuf;
use std::time::Duration;

use larkline_store::task::TaskId;
use tokio_util::sync::CancellationToken;

use super::Resources;
use super::children::{End, Job, Limits};
use super::command::{failure, inherited, with_complaints};

/// A program to tell.
#[derive(Clone, Debug)]
pub struct Tell {
    /// It and its arguments.
    pub argv: Vec<String>,
    /// Where it runs.
    pub cwd: Option<PathBuf>,
    /// Variables it inherits beside the usual few.
    pub pass_env: Vec<String>,
    /// What stands for it in lists of children.
    pub name: String,
    /// What it finds on stdin.
    pub input: Vec<u8>,
    /// How long it may run.
    pub timeout: Duration,
}

impl Tell {
    /// Runs it to its end.
    ///
    /// # Errors
    /// What went wrong, in words: it did not start, or not end with exit code 0.
    pub async fn run(self, resources: &Resources) -> Result<(), String> {
        let limits = Limits {
            wall: self.timeout,
            idle: None,
            grace: resources.kill_grace,
            // Nobody reads it, so it is no reason to end what was told.
            output_bytes: usize::MAX,
            memory_bytes: None,
            file_bytes: None,
            memory_tree: None,
            processes: None,
            cpu_percent: None,
        };
        let env = inherited(&self.pass_env, &resources.env);
        let env = env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let program = self.argv.first().cloned().unwrap_or_default();
        let job = Job {
            argv: self.argv,
            cwd: self.cwd,
            env: env.collect(),
            input: self.input,
            handler: self.name,
            // No task of the store; only lists show it.
            task: TaskId(0),
            limits,
        };
        // It may have to be told that the disk hangs, and is short-lived.
        let children = resources.children.unrecorded();
        // Boxed: a child's whole life is a large future.
        let outcome = Box::pin(children.run_unread(job, &CancellationToken::new())).await;
        let outcome = outcome.map_err(|error| {
            format!("{program:?} cannot be started: {error}; check argv and cwd")
        })?;
        let what = match outcome.end {
            End::Exited(status) if status.success() => return Ok(()),
            End::Exited(status) => failure(status).1,
            End::Wall | End::Idle => format!("still running after {:?}", self.timeout),
            End::TooMuch | End::Memory | End::Processes | End::Cancelled => "was ended".to_owned(),
        };
        Err(with_complaints(what, &outcome.complaints))
    }
}
