//! One small file per child, so that the next boot finds what this one left behind.

use std::fs;
use std::io;
use std::path::Path;

use larkline_store::task::TaskId;
use serde::{Deserialize, Serialize};

use super::cgroup::Group;
use super::proc::ProcessId;
use super::tree::Tree;

/// Extension of a record that is being written.
pub(super) const UNFINISHED: &str = "new";

/// A record is a few hundred bytes; anything larger was not written here.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// A running child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildInfo {
    /// Name of the handler.
    pub handler: String,
    /// The task it works on.
    pub task: TaskId,
    /// The process, also the number of its group; nothing while it is being started.
    pub process: Option<ProcessId>,
    /// Since when, Unix ms.
    pub since_ms: i64,
}

/// What is on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) mark: String,
    pub(super) gateway: ProcessId,
    pub(super) machine_boot: String,
    /// Its control group, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cgroup: Option<Group>,
    #[serde(flatten)]
    pub(super) info: ChildInfo,
    /// Whether it has a file here, where it is of this boot.
    #[serde(skip)]
    pub(super) on_disk: bool,
}

impl ChildInfo {
    /// Its processes. One that is being started, or was when its gateway died, is known by
    /// its mark alone, and is younger than its gateway.
    pub(super) fn tree(&self, mark: &str, gateway: ProcessId, group: Option<Group>) -> Tree {
        let since = self.process.map_or(gateway.start, |process| process.start);
        Tree::new(self.process, mark, since, group)
    }
}

impl Record {
    /// Nothing when this is no record.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let size = fs::metadata(path).ok()?.len();
        let bytes = (size <= RECORD_BYTES_MAX).then(|| fs::read(path).ok())??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Whole or not at all: a crash in the middle must leave the earlier record.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        let new = path.with_extension(UNFINISHED);
        fs::write(&new, json)?;
        fs::rename(new, path)
    }

    /// Its processes.
    pub(super) fn tree(&self) -> Tree {
        self.info.tree(&self.mark, self.gateway, self.group())
    }

    /// Its control group, if it is the one that its mark names.
    pub(super) fn group(&self) -> Option<Group> {
        self.cgroup.clone().filter(|group| group.is_of(&self.mark))
    }
}

/// Removes a record.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, code = "child_record",
            "the record of an ended child cannot be removed; the next boot tries again");
    }
}
