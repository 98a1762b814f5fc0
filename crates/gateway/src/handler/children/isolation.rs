//! What this machine offers to keep children apart: found out once, by trying.
//!
//! Own control groups need a folder of the second version's hierarchy that is ours to write:
//! systemd's `Delegate=yes`, a container's own root, or being root. Where that fails, children
//! are followed by descent and mark, and their memory is added up; both are said in one line
//! of the log. The groups themselves are `cgroup`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cgroup::{Controllers, Group};
use super::launch::{Launcher, SHELL};
use super::own_group::{ASIDE, own, places};
use super::tree;
use crate::both::{Both, both, told, told_apart};
use crate::words::Lang;

/// Limits that are asked for, as the kernel calls them.
const WANTED: [&str; 3] = ["memory", "pids", "cpu"];

/// The file that lists the processes of a group.
const PROCESSES: &str = "cgroup.procs";

/// A file that every group has but the one at the top.
const TYPE: &str = "cgroup.type";

/// From a group's making to its first process is a matter of milliseconds; so long it is
/// certainly left alone.
const YOUNG_MS: i64 = 60_000;

/// Whether control groups are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolating {
    /// Where the machine has them.
    Auto,
    /// Never, as if it had none.
    Off,
}

/// How children are kept apart on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// The kernel kills a child's whole tree in one stroke (`cgroup.kill`).
    pub kill: bool,
    /// The kernel limits the memory of a tree; else it is added up once a second.
    pub memory: bool,
    /// The kernel limits the processes of a tree; else they are counted once a second.
    pub pids: bool,
    /// The kernel limits the processor time of a tree; else nothing does.
    pub cpu: bool,
    /// Children have a session of their own, without a terminal; else a process group.
    pub session: bool,
    /// The control group that holds the children's; empty without.
    pub place: String,
    /// Why something of this is missing.
    pub why_not: Option<String>,
    /// The same in Chinese, for a client that speaks it; an older gateway does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not_zh: Option<String>,
}

impl Isolation {
    /// Why something of this is missing, for people.
    pub fn why_not(&self, lang: Lang) -> Option<&str> {
        told(lang, &self.why_not, &self.why_not_zh)
    }
}

/// Where the groups of children are made.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    base: PathBuf,
    pub(super) on: Controllers,
}

impl Groups {
    /// Those in this folder, with these limits.
    pub(super) fn new(base: PathBuf, on: Controllers) -> Self {
        Self { base, on }
    }

    /// The group of the child with this mark.
    pub(super) fn of(&self, mark: &str) -> Group {
        Group::new(&self.base, mark)
    }

    /// Removes empty groups that nobody will miss: those of a gateway that was killed, and
    /// whose state directory is gone. A young one may be about to be used.
    pub(super) fn sweep(&self, now_ms: i64) {
        for (group, mark) in Group::all(&self.base) {
            if born_ms(&mark).is_some_and(|born| born < now_ms - YOUNG_MS) && !group.populated() {
                let _in_use_after_all = group.remove();
            }
        }
    }
}

/// When a mark was made.
fn born_ms(mark: &str) -> Option<i64> {
    let (seconds, _) = Uuid::try_parse(mark).ok()?.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1000)
}

/// Finds out what there is, and says so. Blocks for some milliseconds.
pub(super) fn find(isolating: Isolating, launcher: &Launcher) -> (Isolation, Option<Groups>) {
    let tried = match isolating {
        Isolating::Auto => groups(),
        Isolating::Off => Err(Both::of("控制组已关闭", "control groups are switched off")),
    };
    let session = launcher.has_session();
    match tried {
        Ok((groups, kill)) => {
            let Controllers { memory, pids, cpu } = groups.on;
            let place = groups.base.display().to_string();
            let why_not = missing(groups.on, held(&groups.base));
            let (why_not, why_not_zh) = told_apart(why_not);
            tracing::info!(
                place,
                kill,
                memory,
                pids,
                cpu,
                session,
                why_not,
                "children run in control groups of their own; what they cannot do is watched"
            );
            (
                Isolation { kill, memory, pids, cpu, session, place, why_not, why_not_zh },
                Some(groups),
            )
        }
        Err(why) => {
            let (why_not, why_not_zh) = (why.en.into_owned(), Some(why.zh.into_owned()));
            tracing::info!(
                session,
                why_not,
                "children are followed by descent and mark; trees are measured once a second"
            );
            let (kill, memory, pids, cpu) = (false, false, false, false);
            let (place, why_not) = (String::new(), Some(why_not));
            (Isolation { kill, memory, pids, cpu, session, place, why_not, why_not_zh }, None)
        }
    }
}

/// Which limits the kernel does not hold, and why, when it is known.
fn missing(on: Controllers, shared: bool) -> Option<Both> {
    let held = [on.memory, on.pids, on.cpu];
    let names: Vec<&str> =
        WANTED.iter().zip(held).filter(|(_, on)| !on).map(|(name, _)| *name).collect();
    let why = match shared {
        true => Both::of(
            "；网关所在的组里还有其他进程",
            "; other processes share the gateway's own group",
        ),
        false => Both::NOTHING,
    };
    (!names.is_empty()).then(|| {
        both!(
            zh: "内核在这里不限制：{names}{why}",
            en: "not held by the kernel here: {names}{why}",
            names = names.join(", "); why = why
        )
    })
}

/// A place where groups can be made, and whether what is in them can be killed in one stroke.
fn groups() -> Result<(Groups, bool), Both> {
    let read = |path| {
        fs::read_to_string(path).map_err(|error| Both::same(format_args!("{path}: {error}")))
    };
    let own = own(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?)?;
    let mut why_not = Both::NOTHING;
    for base in places(&own) {
        match prove(&base) {
            Ok(kill) => {
                let gateway = std::process::id().to_string();
                let on = enable(&base, (base == own).then_some(&gateway));
                return Ok((Groups::new(base, on), kill));
            }
            Err(error) => {
                why_not = both!(
                    zh: "{base} 不能使用：{error}",
                    en: "{base} cannot be used: {error}",
                    base = base.display()
                );
            }
        }
    }
    Err(why_not)
}

/// Makes a group, puts a process in, kills it. What will be needed has then worked once.
fn prove(base: &Path) -> io::Result<bool> {
    let group = Group::new(base, &format!("probe-{}", Uuid::now_v7().simple()));
    group.make()?;
    let proven = prove_with(&group);
    if !group.removed_soon() {
        return Err(io::Error::other("a group that is empty cannot be removed"));
    }
    proven
}

fn prove_with(group: &Group) -> io::Result<bool> {
    let mut waiting = Command::new(SHELL);
    waiting.args(["-c", "read -r _"]).env_clear();
    waiting.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let (mut child, id) = tree::start(|| waiting.spawn(), |child: &Child| Some(child.id()))?;
    let admitted = group.admit(id.pid).map(|()| group.pids() == [id.pid]);
    let kill = group.kill().is_ok();
    // Without that it ends with its input.
    if let Some(mut stdin) = child.stdin.take() {
        let _ended_already = stdin.write_all(b"\n");
    }
    let waited = child.wait();
    tree::waited_for(id);
    match (admitted?, waited) {
        (true, Ok(status)) => Ok(kill && !status.success()),
        (true, Err(_waited_for_elsewhere)) => Ok(kill),
        (false, _) => Err(io::Error::other("a process that was put in did not show in it")),
    }
}

/// Switches on what is wanted for the groups in `base`; returns what is on then.
///
/// Nothing is switched on while `base` itself holds processes: of memory the kernel refuses it,
/// and with the others alone it refuses to put any process into the groups. A gateway that is
/// `inside` moves aside for that, and back if others are there, too: they are not ours to move.
fn enable(base: &Path, inside: Option<&str>) -> Controllers {
    if !off(base).is_empty() {
        let aside = inside.filter(|gateway| held(base) && step_aside(base, gateway).is_ok());
        if !held(base) {
            switch_on(base);
        } else if let Some(gateway) = aside {
            let _stays = step_back(base, gateway);
        }
    }
    let on = words(base, "cgroup.subtree_control");
    let has = |name: &str| on.iter().any(|word| word == name);
    Controllers { memory: has("memory"), pids: has("pids"), cpu: has("cpu") }
}

/// What is wanted, and there, and not on.
fn off(base: &Path) -> Vec<&'static str> {
    let there = words(base, "cgroup.controllers");
    let on = words(base, "cgroup.subtree_control");
    let is_in = |words: &[String], name: &str| words.iter().any(|word| word == name);
    WANTED.into_iter().filter(|name| is_in(&there, name) && !is_in(&on, name)).collect()
}

/// True while processes in `base` itself are in the way. At the top of the hierarchy, the one
/// group without a type, they are not.
fn held(base: &Path) -> bool {
    base.join(TYPE).exists() && !words(base, PROCESSES).is_empty()
}

fn switch_on(base: &Path) {
    for name in off(base) {
        // One at a time: one that is refused must not keep the others away.
        let _refused = fs::write(base.join("cgroup.subtree_control"), format!("+{name}"));
    }
}

fn words(base: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(base.join(file)).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

fn step_aside(base: &Path, gateway: &str) -> io::Result<()> {
    match fs::create_dir(base.join(ASIDE)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::write(base.join(ASIDE).join(PROCESSES), gateway)
}

fn step_back(base: &Path, gateway: &str) -> io::Result<()> {
    fs::write(base.join(PROCESSES), gateway)?;
    fs::remove_dir(base.join(ASIDE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let on = Controllers { memory: true, pids: false, cpu: false };
        assert_eq!(missing(on, false).unwrap().en, "not held by the kernel here: pids, cpu");
        assert!(
            missing(on, true)
                .unwrap()
                .en
                .ends_with("cpu; other processes share the gateway's own group")
        );
        assert_eq!(missing(Controllers { memory: true, pids: true, cpu: true }, false), None);
        let zh = missing(on, true).unwrap().zh;
        assert_eq!(zh, "内核在这里不限制：pids, cpu；网关所在的组里还有其他进程");
    }

    /// A folder as a group that holds these processes, and could limit memory and processes.
    fn place(processes: &str) -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        let files =
            [(TYPE, "domain\n"), (PROCESSES, processes), ("cgroup.controllers", "memory pids\n")];
        for (name, text) in files {
            fs::write(base.path().join(name), text).unwrap();
        }
        base
    }

    #[test]
    fn nothing_is_switched_on_while_the_place_holds_processes() {
        let switched = |base: &Path| base.join("cgroup.subtree_control").exists();
        let shared = place("1\n2\n");
        assert_eq!(enable(shared.path(), None), Controllers::default());
        assert!(!switched(shared.path()));
        let empty = place("");
        enable(empty.path(), None);
        assert!(switched(empty.path()) && !empty.path().join(ASIDE).exists());
        let top = place("1\n2\n");
        fs::remove_file(top.path().join(TYPE)).unwrap();
        enable(top.path(), Some("2"));
        assert!(switched(top.path()) && !top.path().join(ASIDE).exists());
    }
}
