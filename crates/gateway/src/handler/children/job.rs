//! What a child is to do, what it may use, and how its run was over.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use larkline_store::task::TaskId;

/// What to run. Prints nothing: the environment may hold secrets.
pub(in crate::handler) struct Job {
    /// Program and arguments; no shell reads them.
    pub(in crate::handler) argv: Vec<String>,
    /// Where; the gateway's own directory by default.
    pub(in crate::handler) cwd: Option<PathBuf>,
    /// The whole environment, but for the mark that is added.
    pub(in crate::handler) env: BTreeMap<String, String>,
    /// What it finds on stdin first.
    pub(in crate::handler) input: Vec<u8>,
    /// Name of the handler, for the registry.
    pub(in crate::handler) handler: String,
    /// The task, for the registry.
    pub(in crate::handler) task: TaskId,
    /// Its limits.
    pub(in crate::handler) limits: Limits,
}

/// What a child may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest run.
    pub wall: Duration,
    /// Longest silence on stdout and stderr together; unlimited by default.
    pub idle: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Largest stdout, in bytes.
    pub output_bytes: usize,
    /// Most writable private memory of each process, in bytes (`RLIMIT_DATA`).
    pub memory_bytes: Option<u64>,
    /// Largest file a process may write, in bytes (`RLIMIT_FSIZE`).
    pub file_bytes: Option<u64>,
    /// Most memory of the child and all it started together, in bytes.
    ///
    /// Where the kernel keeps the account (`memory.max`) it is exact and swap does not count.
    /// Elsewhere resident memory is added up once a second, and what processes share counts
    /// for each of them.
    pub memory_tree: Option<u64>,
    /// Most processes of the child and all it started together.
    ///
    /// Where the kernel counts (`pids.max`) threads count as well, and one too many cannot be
    /// started. Elsewhere processes are counted once a second, and too many end the child.
    pub processes: Option<u32>,
    /// Most processor time of all of them together, in percent of one processor (`cpu.max`).
    ///
    /// Not enforced where [`Isolation::cpu`](super::Isolation::cpu) is false.
    pub cpu_percent: Option<u32>,
}

/// Why a child's run was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::handler) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It ran too long.
    Wall,
    /// It was silent too long.
    Idle,
    /// It wrote too much.
    TooMuch,
    /// All of it together used too much memory.
    Memory,
    /// It became too many processes.
    Processes,
    /// Somebody cancelled it.
    Cancelled,
}

/// What a run left.
#[derive(Debug)]
pub(in crate::handler) struct Outcome {
    pub(in crate::handler) end: End,
    pub(in crate::handler) output: Vec<u8>,
    /// The last bytes of stderr.
    pub(in crate::handler) complaints: Vec<u8>,
}
