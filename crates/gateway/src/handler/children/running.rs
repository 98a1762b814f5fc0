//! A started child, until everything it started has ended.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tokio::process::Child;
use tokio::time::timeout;

use super::cgroup::{Controllers, Group};
use super::job::Limits;
use super::launch::{Launch, go};
use super::proc::{self, ProcessId};
use super::registry::Entry;
use super::streams::Streams;
use super::tree::{self, Leader, Tree};

/// After everything was ended, the pipes are read for this long; a process that could not be
/// ended may hold them open.
pub(super) const DRAIN: Duration = Duration::from_secs(2);

/// A started child. Dropping it kills its tree.
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) tree: Tree,
    pub(super) id: ProcessId,
    /// Which limits of the whole tree the kernel holds.
    pub(super) held: Controllers,
    pub(super) leader: Leader,
    /// The kernel killed some of it because all of it used too much memory.
    pub(super) starved: bool,
    /// The kernel refused it a process because all of it had as many as it may.
    pub(super) crowded: bool,
    over: bool,
    /// Its place in the registry, given up when this is dropped.
    entry: Entry,
}

impl Running {
    /// Starting a program and writing its record block, so they happen on a thread that may.
    pub(super) async fn start(launch: Launch, entry: Entry, limits: &Limits) -> io::Result<Self> {
        let limits = limits.clone();
        let started =
            tokio::task::spawn_blocking(move || Self::start_blocking(launch, entry, &limits));
        started.await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    fn start_blocking(mut launch: Launch, entry: Entry, limits: &Limits) -> io::Result<Self> {
        entry.write();
        let made = entry.group().filter(make);
        let (child, id) = tree::start(|| launch.command.spawn(), Child::id)?;
        let held = made.as_ref().map(|group| group.limit(limits, entry.controllers()));
        let group = made.filter(|group| admit(group, id));
        let held = held.filter(|_| group.is_some()).unwrap_or_default();
        let tree = Tree::new(Some(id), entry.mark(), id.start, group);
        let (leader, starved, crowded, over) = (Leader::Held, false, false, false);
        // From here on a failure drops `running`, and with it the child.
        let mut running = Self { child, tree, id, held, leader, starved, crowded, over, entry };
        restrict(id, limits)?;
        running.entry.started(id);
        if launch.waits {
            go(&running.child)?;
        }
        Ok(running)
    }

    /// Ends the tree while its last words are read.
    pub(super) async fn end(&mut self, grace: Duration, streams: &mut Streams) {
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
        if let Some(group) = tree.group() {
            self.starved = group.starved();
            // An older kernel counts here what a limit above refused, too.
            self.crowded = self.held.pids && group.crowded();
            // What is still in it is reported below, and its group kept for the next boot.
            let _emptied = while_reading(streams, group.removed()).await;
        }
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
            () = streams.step() => {}
        }
    }
}

/// Makes a group. Without it the tree is followed as on a machine that has none.
fn make(group: &Group) -> bool {
    unless_refused(group, group.make())
}

/// Puts a child into its group.
///
/// One that waits is in it before it is the program. One that does not may have forked before:
/// what it forked is not in the group, and is found by its other signs.
fn admit(group: &Group, child: ProcessId) -> bool {
    unless_refused(group, group.admit(child.pid))
}

fn unless_refused(group: &Group, done: io::Result<()>) -> bool {
    if let Err(error) = &done {
        tracing::warn!(?group, %error, code = "cgroup_refused",
            "a child runs without a control group of its own");
    }
    done.is_ok()
}

/// Sends a signal to a child alone, if it still runs.
pub(super) fn signal(child: ProcessId, signal: Signal) {
    if let Err(error) = proc::signal(child, signal) {
        tracing::warn!(pid = child.pid, %error, code = "child_not_signalled",
            "a process of a handler cannot be signalled; end it by hand");
    }
}

/// Sets the limits of a child. One that waits has not begun; one that does not may have forked
/// before, and its children of that moment keep the limits they got.
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
                             cannot be limited, remove memory and file_max or the change"
                    ),
                ));
            }
        }
    }
    Ok(())
}
