//! Control groups (version 2) as files: one for each child, in which the kernel keeps all that
//! it starts, however it hides.
//!
//! Where they are, and which of their limits the machine enforces, `isolation` finds out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::job::Limits;

/// What the name of each child's group begins with; its mark follows.
const PREFIX: &str = "larkline-";

/// The share of time that `cpu.max` speaks of, in microseconds; the kernel's default.
const CPU_PERIOD_US: u64 = 100_000;

/// A child may make groups within its own: so deep they are followed.
const DEPTH_MAX: usize = 16;

/// A killed process leaves its group when its memory is freed. So often the group is looked at
/// where that may take its time,
const REMOVE_ROUNDS: usize = 400;

/// with this between two looks,
const REMOVE_PAUSE: Duration = Duration::from_millis(5);

/// and so often, with less between, on a thread that others wait for.
const BLOCKING_ROUNDS: usize = 50;
const BLOCKING_PAUSE: Duration = Duration::from_millis(1);

/// The group of one child; it may not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Group {
    path: PathBuf,
}

/// Which limits of a group the kernel enforces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Controllers {
    pub(super) memory: bool,
    pub(super) pids: bool,
    pub(super) cpu: bool,
}

impl Group {
    /// The group of the child with this mark, among the gateway's.
    pub(super) fn new(base: &Path, mark: &str) -> Self {
        Self { path: base.join(format!("{PREFIX}{mark}")) }
    }

    /// The groups of children in this folder, with their marks.
    pub(super) fn all(base: &Path) -> Vec<(Self, String)> {
        let named = |path: PathBuf| {
            let mark = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.to_owned();
            Some((Self { path }, mark))
        };
        below(base).into_iter().filter_map(named).collect()
    }

    /// True when a record names the group that its mark says, and not a stranger's.
    pub(super) fn is_of(&self, mark: &str) -> bool {
        let named = |name: &std::ffi::OsStr| name.to_str()?.strip_prefix(PREFIX).map(|m| m == mark);
        self.path.file_name().and_then(named).unwrap_or(false)
    }

    /// Makes it.
    pub(super) fn make(&self) -> io::Result<()> {
        fs::create_dir(&self.path)
    }

    /// Gives it those of these limits that the kernel enforces here. Returns which of them hold.
    pub(super) fn limit(&self, limits: &Limits, on: Controllers) -> Controllers {
        let set = |name: &str, value: String| match self.write(name, &value) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(file = name, value, group = %self.path.display(), %error,
                    code = "cgroup_limit", "a limit of a child's control group cannot be set");
                false
            }
        };
        let memory = |bytes: u64| {
            // Without these two it could swap, or lose one process and limp on; the limit
            // holds without them.
            let _no_swap = self.write("memory.swap.max", "0");
            let _all_or_none = self.write("memory.oom.group", "1");
            set("memory.max", bytes.to_string())
        };
        let cpu = |percent: u32| {
            let share_us = u64::from(percent) * CPU_PERIOD_US / 100;
            set("cpu.max", format!("{share_us} {CPU_PERIOD_US}"))
        };
        Controllers {
            memory: on.memory && limits.memory_tree.is_some_and(memory),
            pids: on.pids && limits.processes.is_some_and(|n| set("pids.max", n.to_string())),
            cpu: on.cpu && limits.cpu_percent.is_some_and(cpu),
        }
    }

    /// Puts a process in.
    pub(super) fn admit(&self, pid: i32) -> io::Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Numbers of the live processes in it.
    pub(super) fn pids(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        for folder in self.folders() {
            let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        pids
    }

    /// False when no live process is in it, nor in a group within.
    pub(super) fn populated(&self) -> bool {
        self.count("cgroup.events", "populated").is_none_or(|live| live > 0)
    }

    /// Kills all that is in it, in one stroke. Kernels before 5.14 cannot.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.write("cgroup.kill", "1")
    }

    /// Processor time of all that ever was in it.
    pub(super) fn cpu_ms(&self) -> Option<u64> {
        Some(self.count("cpu.stat", "usage_usec")? / 1000)
    }

    /// True when the kernel killed something in it because it used too much memory.
    pub(super) fn starved(&self) -> bool {
        self.count("memory.events", "oom_kill").is_some_and(|kills| kills > 0)
    }

    /// True when the kernel refused it a process because it had as many as it may.
    pub(super) fn crowded(&self) -> bool {
        self.count("pids.events", "max").is_some_and(|refused| refused > 0)
    }

    /// Removes it and the groups in it; fails while a process is in one.
    pub(super) fn remove(&self) -> io::Result<()> {
        for folder in self.folders().iter().rev() {
            match fs::remove_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Removes it as soon as what was in it, and was killed, is gone. False when that takes
    /// too long.
    pub(super) async fn removed(&self) -> bool {
        for _ in 0..REMOVE_ROUNDS {
            match self.remove() {
                Ok(()) => return true,
                Err(_populated) => sleep(REMOVE_PAUSE).await,
            }
        }
        false
    }

    /// The same without a runtime, and with less patience.
    pub(super) fn removed_soon(&self) -> bool {
        (0..BLOCKING_ROUNDS).any(|round| {
            if round > 0 {
                std::thread::sleep(BLOCKING_PAUSE);
            }
            self.remove().is_ok()
        })
    }

    /// It and the groups in it, parents first.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.path.clone()];
        let mut level = folders.clone();
        for _ in 0..DEPTH_MAX {
            level = level.iter().flat_map(|folder| below(folder)).collect();
            folders.extend_from_slice(&level);
        }
        folders
    }

    fn count(&self, file: &str, name: &str) -> Option<u64> {
        let text = fs::read_to_string(self.path.join(file)).ok()?;
        let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.find(|(key, _)| *key == name)?.1.trim().parse().ok()
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(file), value)
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that takes any file, as a control group with all controllers would.
    fn group(limits: &Limits, on: Controllers) -> (tempfile::TempDir, Group, Controllers) {
        let base = tempfile::tempdir().unwrap();
        let group = Group::new(base.path(), "m");
        group.make().unwrap();
        let held = group.limit(limits, on);
        (base, group, held)
    }

    fn limits() -> Limits {
        Limits {
            wall: Duration::MAX,
            idle: None,
            grace: Duration::ZERO,
            output_bytes: 0,
            memory_bytes: None,
            file_bytes: None,
            memory_tree: Some(1 << 30),
            processes: Some(512),
            cpu_percent: Some(250),
        }
    }

    const ALL: Controllers = Controllers { memory: true, pids: true, cpu: true };

    #[test]
    fn limits_are_written_as_the_kernel_reads_them() {
        let (_base, group, held) = group(&limits(), ALL);
        assert_eq!(held, ALL);
        let read = |name: &str| fs::read_to_string(group.path.join(name)).unwrap();
        assert_eq!(read("memory.max"), "1073741824");
        assert_eq!((read("memory.swap.max"), read("memory.oom.group")), ("0".into(), "1".into()));
        assert_eq!(read("pids.max"), "512");
        assert_eq!(read("cpu.max"), "250000 100000");
    }

    #[test]
    fn what_the_machine_does_not_enforce_is_not_said_to_hold() {
        let (_base, group, held) = group(&limits(), Controllers::default());
        assert_eq!(held, Controllers::default());
        assert_eq!(fs::read_dir(&group.path).unwrap().count(), 0, "nothing is written");
        let none = Limits { memory_tree: None, processes: None, cpu_percent: None, ..limits() };
        let (_base, _group, held) = self::group(&none, ALL);
        assert_eq!(held, Controllers::default(), "no limit, nothing to hold");
    }

    #[test]
    fn accounts_are_read_by_name() {
        let (_base, group, _) = group(&limits(), Controllers::default());
        group.write("memory.events", "low 0\noom 3\noom_kill 0\n").unwrap();
        assert!(!group.starved());
        group.write("memory.events", "low 0\noom_kill 1\noom_group_kill 1\n").unwrap();
        assert!(group.starved());
        group.write("cpu.stat", "usage_usec 1234567\nuser_usec 1\n").unwrap();
        assert_eq!(group.cpu_ms(), Some(1234));
        assert!(!group.crowded(), "nobody counts processes here");
        group.write("pids.events", "max 0\n").unwrap();
        assert!(!group.crowded());
        group.write("pids.events", "max 7\n").unwrap();
        assert!(group.crowded());
    }

    #[test]
    fn a_record_cannot_name_somebody_elses_group() {
        let group = |path: &str| Group { path: path.into() };
        assert!(group("/sys/fs/cgroup/x/larkline-abc").is_of("abc"));
        for path in ["/sys/fs/cgroup", "/sys/fs/cgroup/abc", "/larkline-abd", "/", "larkline-"] {
            assert!(!group(path).is_of("abc"), "{path}");
        }
    }

    #[test]
    fn groups_within_are_removed_first() {
        let (base, group, _) = group(&limits(), Controllers::default());
        fs::create_dir_all(group.path.join("a/b")).unwrap();
        fs::create_dir_all(group.path.join("c")).unwrap();
        group.remove().unwrap();
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
        group.remove().unwrap();
    }
}
