//! Who runs now, on disk as well, so that the next boot finds what this one left behind.
//!
//! A record is written before a child starts and again when its number is known. A child of an
//! earlier boot is recognised by number *and* start time, by its groups, or by the mark in its
//! environment; never by its name. Programs that are told of alerts have none: a disk that hangs is
//! what they may have to be told.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_store::task::TaskId;
use rustix::process::{Pid, getpid, set_child_subreaper};
use uuid::Uuid;

use super::cgroup::{Controllers, Group};
use super::isolation::{self, Groups, Isolating, Isolation};
use super::launch::Launcher;
use super::proc::{self, ProcessId};
use super::record::{ChildInfo, Record, UNFINISHED, remove};
use super::tree::{Leader, Tree};
use crate::clock;

/// Name of the folder below the state directory.
const FOLDER: &str = "children";

/// The children of this gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Children {
    inner: Arc<Inner>,
    /// Whether children that are started by this have a record on disk.
    recorded: bool,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    gateway: ProcessId,
    machine_boot: String,
    isolation: Isolation,
    groups: Option<Groups>,
    launcher: Launcher,
    running: Mutex<BTreeMap<String, ChildInfo>>,
    /// Killed children whose control group was not empty yet: they still run.
    dying: Mutex<Vec<Record>>,
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
    let machine_boot = machine_boot()?;
    let alive = |id: ProcessId| proc::find(id.pid).is_some_and(|p| p.id == id && !p.zombie);
    let mut left = Vec::new();
    for entry in entries {
        let Some(record) = Record::read(&entry?.path()) else { continue };
        let orphaned = record.machine_boot == machine_boot && !alive(record.gateway);
        if orphaned && !record.tree().members().is_empty() {
            left.push(record.info);
        }
    }
    Ok(left)
}

fn machine_boot() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
}

impl Children {
    /// Makes the folder for the records, makes this process the parent of orphans, and finds
    /// out how children can be kept apart here. Blocks for some milliseconds.
    ///
    /// # Errors
    /// When the folder cannot be made or `/proc` does not show this process.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        Self::open_with(state_dir, Isolating::Auto)
    }

    /// The same, with or without control groups.
    ///
    /// # Errors
    /// As [`Children::open`].
    pub fn open_with(state_dir: &Path, isolating: Isolating) -> io::Result<Self> {
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
        let machine_boot = machine_boot()?;
        let launcher = Launcher::find();
        let (isolation, groups) = isolation::find(isolating, &launcher);
        let (running, dying) = (Mutex::default(), Mutex::default());
        let inner =
            Inner { folder, gateway, machine_boot, isolation, groups, launcher, running, dying };
        Ok(Self { inner: Arc::new(inner), recorded: true })
    }

    /// The same children, for one that has to start while the disk hangs: it has no record, so after
    /// a crash the next boot does not end it.
    pub(in crate::handler) fn unrecorded(&self) -> Self {
        Self { recorded: false, ..self.clone() }
    }

    /// How children are kept apart on this machine.
    pub fn isolation(&self) -> &Isolation {
        &self.inner.isolation
    }

    /// The children that run now, oldest first.
    pub fn running(&self) -> Vec<ChildInfo> {
        self.sweep();
        let mut running: Vec<ChildInfo> = self.lock().values().cloned().collect();
        running.sort_by_key(|child| child.since_ms);
        running
    }

    /// Kills all that run, without grace and without waiting: for a second signal to stop.
    pub fn kill_all(&self) {
        for (_, tree) in self.trees() {
            tree.kill_now(Leader::Released);
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
            let Some(record) = Record::read(&path) else {
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
        if let Some(groups) = &self.inner.groups {
            groups.sweep(clock::now_ms());
        }
        Ok(stale)
    }

    /// How programs are started here.
    pub(super) fn launcher(&self) -> &Launcher {
        &self.inner.launcher
    }

    /// The trees of all that run.
    pub(super) fn trees(&self) -> impl Iterator<Item = (ChildInfo, Tree)> {
        let running = self.lock().clone();
        running.into_iter().map(|(mark, child)| {
            let group = self.inner.groups.as_ref().map(|groups| groups.of(&mark));
            let tree = child.tree(&mark, self.inner.gateway, group);
            (child, tree)
        })
    }

    /// A place for a child that is about to start.
    pub(super) fn enter(&self, handler: String, task: TaskId) -> Entry {
        let mark = Uuid::now_v7().simple().to_string();
        let record = Record {
            cgroup: self.inner.groups.as_ref().map(|groups| groups.of(&mark)),
            mark,
            info: ChildInfo { handler, task, process: None, since_ms: clock::now_ms() },
            gateway: self.inner.gateway,
            machine_boot: self.inner.machine_boot.clone(),
            on_disk: self.recorded,
        };
        Entry { children: self.clone(), record }
    }

    /// Strikes off killed children whose control group has become empty.
    fn sweep(&self) {
        self.dying().retain(|record| {
            let gone = record.group().is_none_or(|group| group.remove().is_ok());
            if gone {
                self.strike_off(record);
            }
            !gone
        });
    }

    fn strike_off(&self, record: &Record) {
        self.lock().remove(&record.mark);
        if record.on_disk {
            remove(&self.path(&record.mark));
        }
    }

    fn path(&self, mark: &str) -> PathBuf {
        self.inner.folder.join(format!("{mark}.json"))
    }

    fn dying(&self) -> MutexGuard<'_, Vec<Record>> {
        self.inner.dying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ChildInfo>> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn end(record: &Record, grace: Duration) -> Option<Stale> {
    let ChildInfo { handler, task, .. } = &record.info;
    let tree = record.tree();
    let pids: Vec<i32> = tree.members().iter().map(|process| process.id.pid).collect();
    let left = if pids.is_empty() { 0 } else { tree.end(grace, Leader::Released).await };
    if let Some(group) = record.group()
        && !group.removed().await
    {
        tracing::warn!(group = ?group, code = "cgroup_left",
            "the control group of an ended child cannot be removed; the next boot tries again");
    }
    if pids.is_empty() {
        return None;
    }
    tracing::info!(
        handler,
        task = task.0,
        ?pids,
        left,
        "ended a child that an earlier boot left behind"
    );
    Some(Stale { handler: handler.clone(), task: *task, pids, left })
}

/// One child's place in the list and on disk. Both go when it is dropped, or as soon after that
/// as its control group is empty.
pub(super) struct Entry {
    children: Children,
    record: Record,
}

impl Entry {
    pub(super) fn mark(&self) -> &str {
        &self.record.mark
    }

    /// The child's control group, where there are any.
    pub(super) fn group(&self) -> Option<Group> {
        self.record.group()
    }

    /// Which limits of control groups hold on this machine.
    pub(super) fn controllers(&self) -> Controllers {
        self.children.inner.groups.as_ref().map(|groups| groups.on).unwrap_or_default()
    }

    /// The child runs under this number.
    pub(super) fn started(&mut self, process: ProcessId) {
        self.record.info.process = Some(process);
        self.write();
    }

    /// Blocks for one small write. A record that cannot be written must not keep a message
    /// from its handler: a crash before the child's end would leave it running, no more.
    pub(super) fn write(&self) {
        let Record { mark, info, on_disk, .. } = &self.record;
        if *on_disk && let Err(error) = self.record.write(&self.children.path(mark)) {
            tracing::warn!(handler = info.handler, task = info.task.0, %error, code = "child_record",
                "a child runs without a record; after a crash it has to be ended by hand");
        }
        self.children.lock().insert(mark.clone(), info.clone());
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.children.sweep();
        if self.group().is_none_or(|group| group.removed_soon()) {
            self.children.strike_off(&self.record);
        } else {
            // What holds it was killed, and may be gone when somebody looks next. Until then
            // the record stays, for the next boot.
            self.children.dying().push(self.record.clone());
        }
    }
}
