//! One instance per app on a host.
//!
//! The platform gives each event to *one* of an app's connections at random, so a second
//! instance does not add anything: it takes half of the events away from the first. An
//! exclusive lock per app id, held by the kernel for as long as the process lives, refuses it
//! by pid; with `--takeover` the running instance is asked to drain and leave. The state
//! directory has a lock of its own, because where locks of apps live depends on the
//! environment, and two instances on one journal would both do its work.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::both::{Both, both};
use crate::words::Lang;
use larkline_proto::id::AppId;
use serde::{Deserialize, Serialize};

/// Longest note a lock file may hold.
const NOTE_BYTES_MAX: u64 = 4096;

/// Who holds a lock, as written in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Its boot id.
    pub boot_id: String,
    /// Its admin socket.
    pub socket: PathBuf,
}

/// Held locks; dropped with the process.
#[derive(Debug)]
pub struct InstanceLock {
    _files: Vec<File>,
}

/// The lock could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another instance runs.
    #[error("{} is in use by process {} on this host; {}", what.said(Lang::En), holder.pid, what.way_out().en)]
    Held {
        /// What both claim.
        what: Claim,
        /// By whom.
        holder: Holder,
    },
    /// Another instance was asked to leave and has not.
    #[error(
        "{} is still in use by process {} after {} s, which was asked to leave; see its log for what it waits for, and \
         start again when it has gone",
        what.said(Lang::En), holder.pid, waited.as_secs()
    )]
    Stays {
        /// An app, or the state directory.
        what: Claim,
        /// By whom.
        holder: Holder,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The lock directory belongs to somebody else.
    #[error("{} belongs to another user; set LARKLINE_LOCK_DIR to a directory of yours", .0.display())]
    ForeignDirectory(PathBuf),
    /// The state directory cannot be made.
    #[error("cannot use the state directory {}; set `store.path` to one you may write to", path.display())]
    StateDirectory {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file could not be made or locked.
    #[error("cannot lock {}; check its permissions, and the room on its disk", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl LockError {
    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        match (lang, self) {
            (Lang::En, error) => error.to_string(),
            (Lang::Zh, Self::Held { what, holder }) => {
                let (claim, pid, way_out) = (what.said(lang), holder.pid, what.way_out().zh);
                format!("{claim} 正被本机的进程 {pid} 使用；{way_out}")
            }
            (Lang::Zh, Self::Stays { what, holder, waited }) => format!(
                "已请进程 {pid} 退出，但 {seconds} 秒后 {} 仍被它使用；请看它的日志在等待什么，待它退出后再启动",
                what.said(lang),
                pid = holder.pid,
                seconds = waited.as_secs()
            ),
            (Lang::Zh, Self::ForeignDirectory(path)) => {
                format!("{} 属于其他用户；请把 LARKLINE_LOCK_DIR 设为自己的目录", path.display())
            }
            (Lang::Zh, Self::StateDirectory { path, .. }) => no_state_directory(path),
            (Lang::Zh, Self::Io { path, .. }) => {
                format!("无法锁定 {}；请检查它的权限，以及所在磁盘的剩余空间", path.display())
            }
        }
    }
}

/// What a Chinese reader is told of a state directory that cannot be used.
pub(crate) fn no_state_directory(path: &Path) -> String {
    format!("无法使用状态目录 {}；请把 `store.path` 设为可写的目录", path.display())
}

/// Where the machine's services have their locks: the one place that such a service, whose temporary
/// directory is its own, and its user's commands both see.
const OF_SERVICES: &str = "/run/larkline";

/// The lock directory of the services of a user; systemd makes it.
pub fn service_lock_dir(uid: u32) -> PathBuf {
    Path::new(OF_SERVICES).join(uid.to_string())
}

/// The default directory of lock files: per user, gone after a reboot.
pub fn lock_dir(env: impl Fn(&str) -> Option<String>) -> PathBuf {
    lock_dir_beside(&service_lock_dir(rustix::process::geteuid().as_raw()), env)
}

fn lock_dir_beside(services: &Path, env: impl Fn(&str) -> Option<String>) -> PathBuf {
    let set = |name| env(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    if let Some(dir) = set("LARKLINE_LOCK_DIR") {
        return dir;
    }
    let uid = rustix::process::geteuid().as_raw();
    if std::fs::metadata(services).is_ok_and(|found| found.is_dir() && found.uid() == uid) {
        return services.to_owned();
    }
    match set("XDG_RUNTIME_DIR") {
        Some(dir) => dir.join("larkline"),
        None => std::env::temp_dir().join(format!("larkline-{uid}")),
    }
}

/// What one instance has to itself.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// The state directory; made when it is not there.
    pub state: &'a Path,
    /// Where the locks of apps live.
    pub locks: &'a Path,
    /// The apps.
    pub apps: &'a [AppId],
}

impl InstanceLock {
    /// Locks the state directory and every app for this process.
    ///
    /// # Errors
    /// [`LockError::Held`] with the holder when another process has one of them.
    pub fn acquire(claims: Claims<'_>, me: &Holder) -> Result<Self, LockError> {
        let state_dir =
            |source| LockError::StateDirectory { path: claims.state.to_owned(), source };
        make_dir(claims.state).map_err(state_dir)?;
        make_dir(claims.locks).map_err(io(claims.locks))?;
        let owner = std::fs::metadata(claims.locks).map_err(io(claims.locks))?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(LockError::ForeignDirectory(claims.locks.to_owned()));
        }
        let files = claims.files().into_iter().map(|(path, what)| lock(path, what, me));
        Ok(Self { _files: files.collect::<Result<_, _>>()? })
    }
}

impl Claims<'_> {
    /// The lock file of each claim.
    fn files(&self) -> Vec<(PathBuf, Claim)> {
        let of_app = |app_id: &AppId| {
            let safe = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            let name: String = app_id.as_str().chars().filter(safe).collect();
            (self.locks.join(format!("{name}.lock")), Claim::App(app_id.clone()))
        };
        let own = (self.state.join("larkline.lock"), Claim::State(self.state.to_owned()));
        std::iter::once(own).chain(self.apps.iter().map(of_app)).collect()
    }
}

/// What one process may have at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The state directory.
    State(PathBuf),
    /// An app.
    App(AppId),
}

impl Claim {
    /// Its name in a sentence.
    pub fn said(&self, lang: Lang) -> String {
        let text = match self {
            Self::State(path) => {
                both!(zh: "状态目录 {path}", en: "the state directory {path}", path = path.display())
            }
            Self::App(app_id) => both!(zh: "应用 {app_id}", en: "app {app_id}"),
        };
        text.text(lang).to_owned()
    }

    /// What to do when another process has it. Of a directory that is another bot's by accident (it is the
    /// default of both), a takeover would be the wrong end.
    fn way_out(&self) -> Both {
        match self {
            Self::State(_) => Both::of(
                "请停止它，或用 --takeover 启动；若那是另一个机器人，则为这份配置单独设置 `store.path`",
                "stop it, or start with --takeover, or, if that is another bot, give this configuration a `store.path` of its own",
            ),
            Self::App(_) => {
                Both::of("请停止它，或用 --takeover 启动", "stop it, or start with --takeover")
            }
        }
    }
}

/// A claim that some process has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// What it has.
    pub what: Claim,
    /// By whom, as far as it is known.
    pub holder: Holder,
}

/// Which of these claims are held now. The kernel's list is read and no lock is touched, so
/// that a gateway which starts at this very moment is not refused because of us.
///
/// # Errors
/// When `/proc/locks` cannot be read.
pub fn claimed(claims: Claims<'_>) -> std::io::Result<Vec<Claimed>> {
    let held = locks(&std::fs::read_to_string("/proc/locks")?);
    let mut found = Vec::new();
    for (path, what) in claims.files() {
        let Ok(file) = File::open(&path) else { continue };
        let (inode, holder) = (file.metadata()?.ino(), read_note(&file));
        // Nobody's name is in it yet while its holder is about to write it.
        let by_holder = |lock: &Lock| holder.pid == 0 || lock.pid == holder.pid;
        if held.iter().any(|lock| lock.inode == inode && by_holder(lock)) {
            found.push(Claimed { what, holder });
        }
    }
    Ok(found)
}

/// A lock of a whole file.
#[derive(Debug, PartialEq, Eq)]
struct Lock {
    pid: u32,
    inode: u64,
}

/// The locks in lines such as `1: FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF`. Their devices
/// are left out: on layered file systems they are not those that a file shows. Inodes alone
/// would do for another file system's file, so the process has to be the one in the note.
fn locks(table: &str) -> Vec<Lock> {
    let lock = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let file = words.iter().position(|word| word.matches(':').count() == 2)?;
        let inode = words[file].rsplit(':').next()?.parse().ok()?;
        let pid = words.get(file.checked_sub(1)?)?.parse().ok()?;
        words.contains(&"FLOCK").then_some(Lock { pid, inode })
    };
    table.lines().filter_map(lock).collect()
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LockError + use<> {
    let path = path.to_owned();
    move |source| LockError::Io { path, source }
}

fn make_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn lock(path: PathBuf, what: Claim, me: &Holder) -> Result<File, LockError> {
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(LockError::Held { what, holder: read_note(&file) });
        }
        Err(TryLockError::Error(source)) => return Err(LockError::Io { path, source }),
    }
    write_note(&mut file, me).map_err(io(&path))?;
    Ok(file)
}

/// The note of a file that somebody else holds; empty when it cannot be read.
fn read_note(file: &File) -> Holder {
    let mut text = String::new();
    match file.take(NOTE_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Holder::default(),
    }
}

fn write_note(file: &mut File, me: &Holder) -> std::io::Result<()> {
    let note = serde_json::to_vec(me)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_seen_while_it_is_held_and_not_after() {
        let dir = tempfile::tempdir().unwrap();
        let (state, apps) = (dir.path().join("state"), [AppId::new("cli_1")]);
        let claims = Claims { state: &state, locks: dir.path(), apps: &apps };
        let me = Holder { pid: std::process::id(), ..Holder::default() };
        assert_eq!(claimed(claims).unwrap(), []);
        let lock = InstanceLock::acquire(claims, &me).unwrap();
        let seen = claimed(claims).unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[1].what.said(Lang::En).as_str(), &seen[1].holder), ("app cli_1", &me));
        drop(lock);
        assert_eq!(claimed(claims).unwrap(), []);
    }

    #[test]
    fn locks_are_where_a_service_of_this_user_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let services = dir.path().join("1000");
        let found = |named: Option<&str>| {
            lock_dir_beside(&services, |name| match name {
                "LARKLINE_LOCK_DIR" => named.map(str::to_owned),
                _ => Some("/run/user/1000".to_owned()),
            })
        };
        assert_eq!(found(None), Path::new("/run/user/1000/larkline"), "no service has run");
        std::fs::create_dir(&services).unwrap();
        assert_eq!(found(None), services);
        assert_eq!(found(Some("/named")), Path::new("/named"));
    }

    #[test]
    fn a_note_left_behind_makes_no_holder_of_another_files_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (state, apps) = (dir.path().join("state"), [AppId::new("cli_1")]);
        let claims = Claims { state: &state, locks: dir.path(), apps: &apps };
        let gone = Holder { pid: u32::MAX, ..Holder::default() };
        // Locked by this process, as any file with the same inode elsewhere might be.
        let lock = InstanceLock::acquire(claims, &gone).unwrap();
        assert_eq!(claimed(claims).unwrap(), []);
        drop(lock);
    }

    #[test]
    fn only_whole_file_locks_are_read_from_the_kernels_table() {
        let table = "1: POSIX  ADVISORY  READ 5 08:01:11 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 6 fd:00:22 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 7 fd:00:33 0 EOF\n nonsense\n";
        let found: Vec<_> = locks(table).into_iter().map(|lock| (lock.pid, lock.inode)).collect();
        assert_eq!(found, [(6, 22), (7, 33)]);
    }
}
