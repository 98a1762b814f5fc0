//! Which manager, whose, and the file that it reads.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::args::{ManagerKind, ServiceTarget};
use crate::exit::Yours;

/// What our files begin with, behind their manager's sign for a comment.
pub(super) const MARK: &str = "Written by larkline service install";
/// What stands before the gateway's socket in our files,
pub(super) const SOCKET: &str = "socket: ";
/// and before its log file.
pub(super) const LOG: &str = "log: ";
/// Largest file that is read for them.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// A service manager's sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Systemd,
    Launchd,
}

/// One service of one manager.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) kind: Kind,
    /// The machine's manager, not a user's.
    pub(super) system: bool,
    pub(super) name: String,
    folder: PathBuf,
}

/// What a file of ours tells about its service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) socket: PathBuf,
    pub(super) log: Option<PathBuf>,
}

impl Place {
    /// The machine's for root, else the user's own, unless one was named.
    pub(super) fn of(target: &ServiceTarget) -> Result<Self> {
        let root = rustix::process::geteuid().is_root();
        let kind = match target.manager {
            Some(ManagerKind::Launchd) => Kind::Launchd,
            Some(ManagerKind::Systemd) => Kind::Systemd,
            None if cfg!(target_os = "macos") => Kind::Launchd,
            None => Kind::Systemd,
        };
        let system = target.system || (root && !target.user);
        let name = target.name.clone();
        let folder = match &target.unit_dir {
            Some(folder) => std::path::absolute(folder)?,
            None => folder(kind, system)?,
        };
        Ok(Self { kind, system, name, folder })
    }

    /// The unit's name as the manager knows it.
    pub(super) fn unit(&self) -> String {
        match self.kind {
            Kind::Systemd => format!("{}.service", self.name),
            Kind::Launchd => format!("local.{}", self.name),
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        match self.kind {
            Kind::Systemd => self.folder.join(self.unit()),
            Kind::Launchd => self.folder.join(format!("{}.plist", self.unit())),
        }
    }

    /// Puts the file there whole, in place of one of ours.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        let path = self.file();
        let shown = path.display();
        if let Ok(before) = read(&path)
            && !is_ours(&before)
        {
            return Err(Yours(say!(
                zh: "{shown} 不是 larkline 写的，因此保持不变；请移走它，或用 --name 换一个名字",
                en: "{shown} was not written by larkline and stays as it is; move it away, or choose another --name"
            ))
            .into());
        }
        let failed = || {
            say!(
                zh: "无法写入 {shown}；系统服务需要 root（sudo），用户服务用 --user",
                en: "cannot write {shown}; a service of the machine needs root (sudo), one of a user --user"
            )
        };
        std::fs::create_dir_all(&self.folder).with_context(failed)?;
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(&self.folder)
            .with_context(failed)?;
        file.write_all(text.as_bytes()).with_context(failed)?;
        file.persist(&path).with_context(failed)?;
        Ok(())
    }

    /// What stands in our file.
    pub(super) fn written(&self) -> Result<Written> {
        let path = self.file();
        let shown = path.display();
        let text = read(&path).map_err(|error| {
            Yours(say!(
                zh: "没有名为 {name} 的服务（{shown}：{error}）；请运行 `larkline service install`，或用 --user、--system、--name 指明是哪一个",
                en: "no service {name} is installed ({shown}: {error}); run `larkline service install`, or say which with --user, --system, --name",
                name = self.name
            ))
        })?;
        if !is_ours(&text) {
            return Err(Yours(say!(
                zh: "{shown} 不是 larkline 写的，因此不会动它",
                en: "{shown} was not written by larkline, so it is left alone"
            ))
            .into());
        }
        Ok(told(&text))
    }

    pub(super) fn remove(&self) -> Result<()> {
        let path = self.file();
        std::fs::remove_file(&path).with_context(
            || say!(zh: "无法删除 {path}", en: "cannot remove {path}", path = path.display()),
        )
    }
}

fn folder(kind: Kind, system: bool) -> Result<PathBuf> {
    let home = || {
        std::env::var_os("HOME").map(PathBuf::from).ok_or_else(|| {
            Yours(say!(zh: "没有设置 HOME；请设置它", en: "HOME is not set; set it"))
        })
    };
    Ok(match (kind, system) {
        (Kind::Systemd, true) => "/etc/systemd/system".into(),
        (Kind::Launchd, true) => "/Library/LaunchDaemons".into(),
        (Kind::Launchd, false) => home()?.join("Library/LaunchAgents"),
        (Kind::Systemd, false) => {
            let set = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
            let config = match set.filter(|dir| dir.is_absolute()) {
                Some(dir) => dir,
                None => home()?.join(".config"),
            };
            config.join("systemd/user")
        }
    })
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// A plist has its own first line; the mark is in the second then.
fn is_ours(text: &str) -> bool {
    text.lines().take(2).any(|line| line.contains(MARK))
}

fn told(text: &str) -> Written {
    let after = |what: &str| {
        let line =
            text.lines().find_map(|line| line.trim().trim_start_matches("# ").strip_prefix(what));
        line.map(|path| PathBuf::from(path.trim()))
    };
    Written { socket: after(SOCKET).unwrap_or_default(), log: after(LOG) }
}
