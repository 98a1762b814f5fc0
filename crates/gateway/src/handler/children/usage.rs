//! What children use right now: for `status`, and for limits that the kernel does not enforce.

use std::fs;

use larkline_store::task::TaskId;
use rustix::param::{clock_ticks_per_second, page_size};
use serde::{Deserialize, Serialize};

use super::proc;
use super::registry::Children;
use super::tree::Tree;

/// What a child and all it started use together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildUsage {
    /// Name of the handler.
    pub handler: String,
    /// The task it works on.
    pub task: TaskId,
    /// Its process.
    pub pid: i32,
    /// Resident memory; what processes share counts for each of them.
    pub rss_bytes: u64,
    /// Processor time so far; without a control group only of what still lives, and of what
    /// it has waited for.
    pub cpu_ms: u64,
    /// How many processes.
    pub processes: usize,
    /// Since when, Unix ms.
    pub since_ms: i64,
}

/// What one tree uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) rss_bytes: u64,
    pub(super) cpu_ms: u64,
    pub(super) processes: usize,
}

impl Children {
    /// What the children that run now use, oldest first. Reads `/proc`, which takes some
    /// milliseconds: not for a thread that others wait for.
    pub fn usage(&self) -> Vec<ChildUsage> {
        let mut usage: Vec<ChildUsage> = self
            .trees()
            .filter_map(|(child, tree)| {
                let pid = child.process?.pid;
                let Use { rss_bytes, cpu_ms, processes } = used(&tree);
                let (handler, task, since_ms) = (child.handler, child.task, child.since_ms);
                Some(ChildUsage { handler, task, pid, rss_bytes, cpu_ms, processes, since_ms })
            })
            .collect();
        usage.sort_by_key(|child| child.since_ms);
        usage
    }
}

/// What a tree uses now. What goes away meanwhile counts as nothing.
pub(super) fn used(tree: &Tree) -> Use {
    let pids = pids(tree);
    let account = tree.group().and_then(super::cgroup::Group::cpu_ms);
    Use {
        rss_bytes: pids.iter().filter_map(|pid| rss_bytes(*pid)).sum(),
        cpu_ms: account.unwrap_or_else(|| pids.iter().filter_map(|pid| cpu_ms(*pid)).sum()),
        processes: pids.len(),
    }
}

/// The control group knows them all at once; without, all processes are searched.
fn pids(tree: &Tree) -> Vec<i32> {
    let grouped = tree.group().map(super::cgroup::Group::pids).unwrap_or_default();
    if grouped.is_empty() {
        return tree.members().iter().map(|process| process.id.pid).collect();
    }
    grouped
}

fn rss_bytes(pid: i32) -> Option<u64> {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident.saturating_mul(u64::try_from(page_size()).ok()?))
}

fn cpu_ms(pid: i32) -> Option<u64> {
    Some(proc::cpu_ticks(pid)?.saturating_mul(1000) / clock_ticks_per_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let me = i32::try_from(std::process::id()).unwrap();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kb: u64 = line.trim().split(' ').next().unwrap().parse().unwrap();
        let rss = rss_bytes(me).unwrap();
        assert!(rss > 0 && rss <= 2 * peak_kb * 1024, "{rss} bytes, at most {peak_kb} kB");
        assert!(cpu_ms(me).is_some());
        assert_eq!((rss_bytes(-1), cpu_ms(-1)), (None, None));
    }
}
