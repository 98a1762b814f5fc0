//! One child from its start to the end of everything it started.
//!
//! What its answer means is not decided here: `command` does that.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use larkline_failpoint::failpoint;
use larkline_store::task::TaskId;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::proc::{MARK, ProcessId};
use super::registry::{Children, Entry};
use super::streams::Streams;
use super::tree::{self, Leader, Tree};

/// After the child has ended, processes it left behind may finish what they write (a `tee`
/// behind a shell's redirection does) for this long before they are ended.
const LINGER: Duration = Duration::from_millis(500);

/// After everything was ended, the pipes are read for this long; a process that could not be
/// ended may hold them open.
const DRAIN: Duration = Duration::from_secs(2);

/// What to run. Prints nothing: the environment may hold secrets.
pub(in crate::handler) struct Job {
    /// Program and arguments; no shell reads them.
    pub(in crate::handler) argv: Vec<String>,
    /// Where; the gateway's own directory by default.
    pub(in crate::handler) cwd: Option<PathBuf>,
    /// The whole environment, but for the mark that is added.
    pub(in crate::handler) env: BTreeMap<String, String>,
    /// What it finds on stdin, before the end of input.
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

impl Children {
    /// Runs a child; returns when it and everything it started has ended.
    ///
    /// Dropping the future kills the tree without grace.
    pub(in crate::handler) async fn run(
        &self,
        job: Job,
        cancel: &CancellationToken,
    ) -> io::Result<Outcome> {
        let Job { argv, cwd, env, input, handler, task, limits } = job;
        let entry = self.enter(handler, task);
        let command = command(&argv, cwd, env, entry.mark())?;
        let mut running = Running::start(command, entry, &limits).await?;
        failpoint!("child_started");
        let mut streams = Streams::new(&mut running.child, input, limits.output_bytes);
        let mut end = watch(&mut running.child, &mut streams, &limits, cancel).await;
        if matches!(end, End::Exited(_)) {
            running.leader = Leader::Released;
            let _cut_short = timeout(LINGER, streams.drain()).await;
        }
        running.end(limits.grace, &mut streams).await;
        let _cut_short = timeout(DRAIN, streams.drain()).await;
        if matches!(end, End::Exited(_)) && streams.too_much {
            end = End::TooMuch;
        }
        Ok(Outcome { end, output: streams.output, complaints: streams.complaints })
    }
}

fn command(
    argv: &[String],
    cwd: Option<PathBuf>,
    env: BTreeMap<String, String>,
    mark: &str,
) -> io::Result<Command> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "argv is empty"));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(env)
        .env(MARK, mark)
        // Out of reach of the terminal's Ctrl-C, which goes to the gateway's group.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    Ok(command)
}

/// Runs until the child ends or somebody has enough of it.
async fn watch(
    child: &mut Child,
    streams: &mut Streams,
    limits: &Limits,
    cancel: &CancellationToken,
) -> End {
    let wall = Instant::now() + limits.wall;
    while !streams.too_much {
        let silent = limits.idle.map(|idle| streams.last_output + idle);
        tokio::select! {
            status = child.wait() => return match status {
                Ok(status) => End::Exited(status),
                // Somebody else waited for it; that it ended is all that is known.
                Err(_) => End::Exited(ExitStatus::default()),
            },
            () = streams.step(), if streams.open() => {}
            () = cancel.cancelled() => return End::Cancelled,
            () = sleep_until(wall) => return End::Wall,
            () = until(silent) => return End::Idle,
        }
    }
    End::TooMuch
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// A started child. Dropping it kills its tree.
struct Running {
    child: Child,
    tree: Tree,
    id: ProcessId,
    leader: Leader,
    over: bool,
    /// Its place in the registry, given up when this is dropped.
    _entry: Entry,
}

impl Running {
    /// Starting a program and writing its record block, so they happen on a thread that may.
    async fn start(mut command: Command, mut entry: Entry, limits: &Limits) -> io::Result<Self> {
        let limits = limits.clone();
        let started = tokio::task::spawn_blocking(move || {
            entry.write();
            let (child, id) = tree::start(|| command.spawn(), Child::id)?;
            let tree = Tree::new(Some(id), entry.mark(), id.start);
            // From here on a failure drops `running`, and with it the child.
            let running =
                |_entry| Self { child, tree, id, leader: Leader::Held, over: false, _entry };
            match restrict(id, &limits) {
                Ok(()) => {
                    entry.started(id);
                    Ok(running(entry))
                }
                Err(error) => {
                    drop(running(entry));
                    Err(error)
                }
            }
        });
        started.await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    /// Ends the tree while its last words are read.
    async fn end(&mut self, grace: Duration, streams: &mut Streams) {
        let Self { child, tree, leader, .. } = self;
        let left = while_reading(streams, async {
            let left = tree.end(grace, *leader).await;
            if *leader == Leader::Held {
                // Killed above; a process that is stuck in the kernel is not waited for.
                let _stuck = timeout(DRAIN, child.wait()).await;
            }
            left
        })
        .await;
        self.over = true;
        if left > 0 {
            tracing::error!(
                pid = self.id.pid,
                left,
                code = "child_not_ended",
                "processes of a handler withstood SIGKILL; find them by LARKLINE_CHILD in \
                 /proc/<pid>/environ and end them by hand"
            );
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            self.tree.kill_now(self.leader);
        }
        tree::waited_for(self.id);
    }
}

async fn while_reading<T>(streams: &mut Streams, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = streams.step(), if streams.open() => {}
        }
    }
}

/// Sets the limits of a child that already runs: it may have forked before, and its children
/// of that moment keep the limits they got. Without unsafe code there is no earlier moment.
fn restrict(child: ProcessId, limits: &Limits) -> io::Result<()> {
    let pid = Pid::from_raw(child.pid);
    let at_most = |n| Rlimit { current: Some(n), maximum: Some(n) };
    // A program that changes its user cannot be limited from outside; a core file less is
    // worth no refusal.
    let _refused = prlimit(pid, Resource::Core, at_most(0));
    let wanted = [(Resource::Data, limits.memory_bytes), (Resource::Fsize, limits.file_bytes)];
    for (resource, bytes) in wanted {
        let Some(bytes) = bytes else { continue };
        match prlimit(pid, resource, at_most(bytes)) {
            // Ended already: nothing left to limit.
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => {
                return Err(io::Error::new(
                    io::Error::from(error).kind(),
                    format!(
                        "its limits cannot be set ({error}): a program that changes its user \
                             cannot be limited, remove memory and file_size or the change"
                    ),
                ));
            }
        }
    }
    Ok(())
}
