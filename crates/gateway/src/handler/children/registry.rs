//! Who runs now, on disk as well, so that the next boot finds what this one left behind.
//!
//! One small file per child, written before it starts and again when its number is known. A
//! child of an earlier boot is recognised by number *and* start time, by its group, or by the
//! mark in its environment; never by its name.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_store::task::TaskId;
use rustix::process::{Pid, getpid, set_child_subreaper};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::proc::{self, ProcessId};
use super::tree::{Leader, Tree};
use crate::clock;

/// Name of the folder below the state directory.
const FOLDER: &str = "children";

/// Extension of a record that is being written.
const UNFINISHED: &str = "new";

/// A record is a few hundred bytes; anything larger was not written here.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// The children of this gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Children {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    gateway: ProcessId,
    machine_boot: String,
    running: Mutex<BTreeMap<String, ChildInfo>>,
}

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

/// A child that an earlier boot left behind, and whose processes were ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Name of the handler.
    pub handler: String,
    /// The task it worked on.
    pub task: TaskId,
    /// Numbers of the processes that were alive.
    pub pids: Vec<i32>,
    /// How many of them withstood SIGKILL.
    pub left: usize,
}

/// Children of a gateway that is gone which are still alive; nothing is touched.
///
/// # Errors
/// When the folder of records cannot be read.
pub fn left_behind(state_dir: &Path) -> io::Result<Vec<ChildInfo>> {
    let entries = match fs::read_dir(state_dir.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let machine_boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let alive = |id: ProcessId| proc::find(id.pid).is_some_and(|p| p.id == id && !p.zombie);
    let mut left = Vec::new();
    for entry in entries {
        let Some(record) = read(&entry?.path()) else { continue };
        let tree = record.info.tree(&record.mark, record.gateway);
        let orphaned = record.machine_boot == machine_boot && !alive(record.gateway);
        if orphaned && !tree.members().is_empty() {
            left.push(record.info);
        }
    }
    Ok(left)
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    mark: String,
    gateway: ProcessId,
    machine_boot: String,
    #[serde(flatten)]
    info: ChildInfo,
}

impl Children {
    /// Makes the folder for the records and makes this process the parent of orphans.
    ///
    /// # Errors
    /// When the folder cannot be made or `/proc` does not show this process.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join(FOLDER);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let me = Pid::as_raw(Some(getpid()));
        let gateway = proc::find(me)
            .ok_or_else(|| io::Error::other("/proc does not show this process; mount it"))?
            .id;
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            tracing::warn!(%error, code = "no_subreaper",
                "orphans of handlers that leave their process group cannot all be ended");
        }
        let machine_boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let running = Mutex::default();
        Ok(Self { inner: Arc::new(Inner { folder, gateway, machine_boot, running }) })
    }

    /// The children that run now, oldest first.
    pub fn running(&self) -> Vec<ChildInfo> {
        let mut running: Vec<ChildInfo> = self.lock().values().cloned().collect();
        running.sort_by_key(|child| child.since_ms);
        running
    }

    /// Kills all that run, without grace and without waiting: for a second signal to stop.
    pub fn kill_all(&self) {
        for (mark, child) in self.lock().clone() {
            child.tree(&mark, self.inner.gateway).kill_now(Leader::Released);
        }
    }

    /// Ends what earlier boots left running: SIGTERM, `grace`, SIGKILL. Call it before new
    /// work starts. A gateway that still runs keeps its children.
    ///
    /// # Errors
    /// When the folder of records cannot be read.
    pub async fn reap_stale(&self, grace: Duration) -> io::Result<Vec<Stale>> {
        let mut stale = Vec::new();
        for entry in fs::read_dir(&self.inner.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == UNFINISHED) {
                remove(&path);
                continue;
            }
            let Some(record) = read(&path) else {
                tracing::warn!(path = %path.display(), code = "child_record_unreadable",
                    "not a record of a child; remove the file if it is not yours");
                continue;
            };
            let same_boot = record.machine_boot == self.inner.machine_boot;
            let owner = proc::find(record.gateway.pid).filter(|p| p.id == record.gateway);
            if same_boot && owner.is_some_and(|p| !p.zombie) {
                continue;
            }
            let ended = if same_boot { end(&record, grace).await } else { None };
            if ended.as_ref().is_none_or(|ended| ended.left == 0) {
                remove(&path);
            }
            stale.extend(ended);
        }
        Ok(stale)
    }

    /// A place for a child that is about to start.
    pub(super) fn enter(&self, handler: String, task: TaskId) -> Entry {
        let record = Record {
            mark: Uuid::now_v7().simple().to_string(),
            info: ChildInfo { handler, task, process: None, since_ms: clock::now_ms() },
            gateway: self.inner.gateway,
            machine_boot: self.inner.machine_boot.clone(),
        };
        Entry { children: self.clone(), record }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ChildInfo>> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChildInfo {
    /// Its processes. One that is being started, or was when its gateway died, is known by
    /// its mark alone, and is younger than its gateway.
    fn tree(&self, mark: &str, gateway: ProcessId) -> Tree {
        let since = self.process.map_or(gateway.start, |process| process.start);
        Tree::new(self.process, mark, since)
    }
}

async fn end(record: &Record, grace: Duration) -> Option<Stale> {
    let ChildInfo { handler, task, .. } = &record.info;
    let tree = record.info.tree(&record.mark, record.gateway);
    let pids: Vec<i32> = tree.members().iter().map(|process| process.id.pid).collect();
    if pids.is_empty() {
        return None;
    }
    let left = tree.end(grace, Leader::Released).await;
    tracing::info!(
        handler,
        task = task.0,
        ?pids,
        left,
        "ended a child that an earlier boot left behind"
    );
    Some(Stale { handler: handler.clone(), task: *task, pids, left })
}

fn read(path: &Path) -> Option<Record> {
    let size = fs::metadata(path).ok()?.len();
    let bytes = (size <= RECORD_BYTES_MAX).then(|| fs::read(path).ok())??;
    serde_json::from_slice(&bytes).ok()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, code = "child_record",
            "the record of an ended child cannot be removed; the next boot tries again");
    }
}

/// One child's place in the list and on disk; both go when it is dropped.
pub(super) struct Entry {
    children: Children,
    record: Record,
}

impl Entry {
    pub(super) fn mark(&self) -> &str {
        &self.record.mark
    }

    /// The child runs under this number.
    pub(super) fn started(&mut self, process: ProcessId) {
        self.record.info.process = Some(process);
        self.write();
    }

    /// Blocks for one small write. A record that cannot be written must not keep a message
    /// from its handler: a crash before the child's end would leave it running, no more.
    pub(super) fn write(&self) {
        let Record { mark, info, .. } = &self.record;
        let written = serde_json::to_vec(&self.record).map_err(io::Error::other).and_then(|json| {
            // Whole or not at all: a crash in the middle must leave the earlier record.
            let new = self.path().with_extension(UNFINISHED);
            fs::write(&new, json)?;
            fs::rename(new, self.path())
        });
        if let Err(error) = written {
            tracing::warn!(handler = info.handler, task = info.task.0, %error, code = "child_record",
                "a child runs without a record; after a crash it has to be ended by hand");
        }
        self.children.lock().insert(mark.clone(), info.clone());
    }

    fn path(&self) -> PathBuf {
        self.children.inner.folder.join(format!("{}.json", self.record.mark))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.children.lock().remove(&self.record.mark);
        remove(&self.path());
    }
}
