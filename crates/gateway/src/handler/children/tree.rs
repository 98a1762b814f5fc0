//! All processes that came from one child, and their end.
//!
//! A program may leave its process group and its parent, so killing that is not enough. Five
//! signs tell that a process belongs to a child: it is in its control group, it descends from
//! it, it is in its process group, its environment carries the child's mark, or it is an orphan
//! without a mark that this process adopted (it is a subreaper) while no other running child
//! could have left it behind. Never the name. The first is enough where there are control
//! groups; the others hold everywhere. Starting programs is not here: `running` does.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process_group, waitpid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout_at};

use super::cgroup::Group;
use super::proc::{self, Origin, Process, ProcessId};
use crate::signals::released;

/// How long a tree that keeps forking is killed over and over before it is reported instead.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How often, at most, a tree is searched for processes that were forked while it was killed
/// without waiting.
const KILL_ROUNDS: usize = 40;

/// How long one kill may take to show: the kernel frees a large process' memory first.
const KILL_WAIT: Duration = Duration::from_secs(1);

/// Children of this process that were started here and not yet waited for.
///
/// Process-wide, because adoption is: an orphan comes to the process, not to whoever started
/// its ancestor. The lock is held while a child is started, so that no scan takes a child
/// that is being started for an orphan.
static STARTED: Mutex<Vec<Started>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Started {
    id: ProcessId,
    /// It has ended, or is being ended: it will leave no new orphans that it needs.
    ending: bool,
}

/// The processes that came from one child.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// The child itself, leader of its group; nothing when a crash came before it was known.
    leader: Option<ProcessId>,
    /// The mark in its environment.
    mark: String,
    /// No process of the tree started before this.
    since: u64,
    /// Whoever was once seen in the tree stays in it: a process that is just changing its
    /// program, or whose parent was just killed, may show no sign of where it came from.
    seen: BTreeSet<ProcessId>,
    /// Its control group, where there are any.
    group: Option<Group>,
}

/// Whether the leader's number is still its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leader {
    /// It has not been waited for, so its number and group cannot belong to anybody else.
    Held,
    /// It may have been waited for.
    Released,
}

/// Starts a child and books it as ours in one step.
pub(super) fn start<C>(
    spawn: impl FnOnce() -> io::Result<C>,
    pid: impl FnOnce(&C) -> Option<u32>,
) -> io::Result<(C, ProcessId)> {
    let mut started = lock();
    let child = released(spawn)?;
    let found = pid(&child).and_then(|pid| i32::try_from(pid).ok()).and_then(proc::find);
    let Some(process) = found else {
        return Err(io::Error::other("/proc does not show the child that was just started"));
    };
    started.push(Started { id: process.id, ending: false });
    Ok((child, process.id))
}

/// Strikes a child off: it has been waited for.
pub(super) fn waited_for(id: ProcessId) {
    lock().retain(|child| child.id != id);
}

fn lock() -> MutexGuard<'static, Vec<Started>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tree {
    /// The tree of a child, or of one that is known by its mark alone.
    pub(super) fn new(
        leader: Option<ProcessId>,
        mark: &str,
        since: u64,
        group: Option<Group>,
    ) -> Self {
        Self { leader, mark: mark.to_owned(), since, seen: BTreeSet::new(), group }
    }

    /// Its control group, where there are any.
    pub(super) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// Ends every process of the tree: SIGTERM, `grace` to go, then SIGKILL until none is
    /// left. Returns how many withstood even that.
    pub(super) async fn end(&self, grace: Duration, leader: Leader) -> usize {
        self.note_ending();
        let (mut tree, asked) = self.clone().signal_off_thread(Signal::TERM, leader).await;
        wait_all(asked, Instant::now() + grace).await;
        let limit = Instant::now() + KILL_LIMIT;
        loop {
            let killed;
            (tree, killed) = tree.signal_off_thread(Signal::KILL, leader).await;
            if killed.is_empty() || Instant::now() > limit {
                return killed.len();
            }
            wait_all(killed, Instant::now() + KILL_WAIT).await;
        }
    }

    /// Kills all that is there, without waiting for it to be gone: for work that is dropped.
    pub(super) fn kill_now(&self, leader: Leader) {
        self.note_ending();
        let mut tree = self.clone();
        for _ in 0..KILL_ROUNDS {
            let before = tree.seen.len();
            drop(tree.signal(Signal::KILL, leader));
            // What was killed cannot fork any more, so nobody new means that this was all.
            if tree.seen.len() == before {
                return;
            }
        }
    }

    fn note_ending(&self) {
        for child in lock().iter_mut().filter(|child| Some(child.id) == self.leader) {
            child.ending = true;
        }
    }

    /// Scanning `/proc` takes milliseconds on a busy machine: not on a thread that also
    /// answers pings.
    async fn signal_off_thread(mut self, signal: Signal, leader: Leader) -> (Self, Vec<OwnedFd>) {
        let sent = tokio::task::spawn_blocking(move || {
            let handles = self.signal(signal, leader);
            (self, handles)
        });
        match sent.await.map_err(JoinError::try_into_panic) {
            Ok(sent) => sent,
            Err(Ok(panic)) => resume_unwind(panic),
            // The runtime is going away, and this future with it.
            Err(Err(_cancelled)) => pending().await,
        }
    }

    fn signal(&mut self, signal: Signal, leader: Leader) -> Vec<OwnedFd> {
        if let Some(group) = self.group.as_ref().filter(|_| signal == Signal::KILL) {
            // All at once, and nobody forks out of it. Where that cannot be, or somebody went
            // elsewhere, what follows finds them.
            let _unknown_to_the_kernel = group.kill();
        }
        let mut members = self.members();
        // Parents before their children: a shell whose command was killed goes on to the next.
        members.sort_by_key(|process| process.id.start);
        self.seen.extend(members.iter().map(|process| process.id));
        let held = self.leader.filter(|_| leader == Leader::Held);
        // In one stroke, so that a process cannot fork its way out of the group; the members
        // that left it follow one by one. An empty group is no fault.
        let told = held
            .and_then(|leader| Pid::from_raw(leader.pid))
            .filter(|group| kill_process_group(*group, signal).is_ok())
            .map(|group| group.as_raw_nonzero().get());
        let signal_for = |process: &Process| match signal {
            // Asked already: to many programs a second SIGTERM means at once.
            Signal::TERM if told == Some(process.group) => Signal::CONT,
            signal => signal,
        };
        members.iter().filter_map(|p| self.signal_one(p.id, signal_for(p))).collect()
    }

    fn signal_one(&self, id: ProcessId, signal: Signal) -> Option<OwnedFd> {
        let sent = proc::signal(id, signal).and_then(|handle| {
            if signal == Signal::TERM {
                // A stopped process (it asked for the terminal) notices SIGTERM when it goes on.
                proc::signal(id, Signal::CONT)?;
            }
            Ok(handle)
        });
        sent.unwrap_or_else(|error| {
            tracing::warn!(pid = id.pid, child = self.mark, %error, code = "child_not_signalled",
                "a process of a handler cannot be signalled; end it by hand");
            None
        })
    }

    /// The live processes of the tree; reaps adopted ones that have ended.
    pub(super) fn members(&self) -> Vec<Process> {
        let started = lock();
        let all = proc::scan();
        // After the scan: a number that has changed hands since then is known by its start.
        let grouped: BTreeSet<i32> =
            self.group.as_ref().map(Group::pids).unwrap_or_default().into_iter().collect();
        let me = Pid::as_raw(Some(getpid()));
        // Read, not asked for: it is 0 where its leader is outside of this process namespace,
        // which the types of a system call do not know.
        let my_group = all.iter().find(|p| p.id.pid == me).map(|p| p.group);
        let ours = |process: &Process| started.iter().any(|child| child.id == process.id);
        let adopted = |p: &Process| p.parent == me && Some(p.group) != my_group && !ours(p);
        for orphan in all.iter().filter(|p| p.zombie && adopted(p)) {
            // Gone already is as good as reaped.
            let _reaped = waitpid(Pid::from_raw(orphan.id.pid), WaitOptions::NOHANG);
        }
        // A tree of an earlier boot left its orphans to somebody else.
        let adopts = started.iter().any(|child| Some(child.id) == self.leader);
        let may_be_anothers = |p: &Process| {
            started
                .iter()
                .any(|c| Some(c.id) != self.leader && !c.ending && c.id.start <= p.id.start)
        };
        let process_group = self.leader.and_then(|leader| own_group(leader, &all));
        let belongs = |p: &Process| {
            Some(p.id) == self.leader
                || grouped.contains(&p.id.pid)
                || self.seen.contains(&p.id)
                || process_group == Some(p.group)
                || match proc::origin(p.id.pid) {
                    Origin::Marked(mark) => mark == self.mark,
                    Origin::Unknown => adopts && adopted(p) && !may_be_anothers(p),
                }
        };
        let candidates: Vec<Process> = all
            .iter()
            .filter(|p| !p.zombie && p.id.pid != me && p.id.start >= self.since)
            .filter(|p| Some(p.id) == self.leader || !ours(p))
            .copied()
            .collect();
        with_descendants(candidates, belongs)
    }
}

/// The group of a leader, unless its number has passed to a stranger, as it may once the last
/// member is gone.
fn own_group(leader: ProcessId, all: &[Process]) -> Option<i32> {
    let passed_on = all.iter().any(|p| p.id.pid == leader.pid && p.id != leader);
    (!passed_on).then_some(leader.pid)
}

/// The candidates that belong, and everything below them.
fn with_descendants(candidates: Vec<Process>, belongs: impl Fn(&Process) -> bool) -> Vec<Process> {
    let (mut found, mut rest): (Vec<_>, Vec<_>) = candidates.into_iter().partition(belongs);
    let mut parents: BTreeSet<i32> = found.iter().map(|p| p.id.pid).collect();
    loop {
        let (below, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|p| parents.contains(&p.parent));
        if below.is_empty() {
            return found;
        }
        parents.extend(below.iter().map(|p| p.id.pid));
        found.extend(below);
        rest = others;
    }
}

/// Waits until all have ended, or until the deadline.
#[expect(
    deprecated,
    reason = "unsound for types that may close or swap the descriptor while \
                               it is registered; an OwnedFd cannot, and the other way is unsafe"
)]
async fn wait_all(handles: Vec<OwnedFd>, deadline: Instant) {
    for handle in handles {
        let Ok(handle) = AsyncFd::with_interest(handle, Interest::READABLE) else { continue };
        if timeout_at(deadline, handle.readable()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { id: ProcessId { pid, start: 1 }, parent, group: pid, zombie: false }
    }

    #[test]
    fn a_group_whose_number_a_stranger_has_now_is_not_ours() {
        let all = [process(5, 1)];
        let leader = all[0].id;
        assert_eq!(own_group(leader, &all), Some(5));
        assert_eq!(own_group(leader, &[]), Some(5), "its members may outlive it");
        assert_eq!(own_group(ProcessId { start: 0, ..leader }, &all), None);
    }

    #[test]
    fn descendants_are_found_in_whatever_order_the_scan_gives_them() {
        let all = vec![process(5, 4), process(4, 3), process(3, 2), process(9, 1), process(2, 1)];
        let found = with_descendants(all, |p| p.id.pid == 3);
        let pids: Vec<i32> = found.iter().map(|p| p.id.pid).collect();
        assert_eq!(pids, [3, 4, 5]);
    }
}
