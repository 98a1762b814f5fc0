//! This machine: configuration, state directory, disk, lock, leftovers, descriptors.
//!
//! Everything is read from the system itself; no other program is asked, and nothing is left
//! behind.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use larkline_gateway::closed::Closed;
use larkline_gateway::config::{Config, ConfigErrors, Problem};
use larkline_gateway::handler::children;
use larkline_gateway::status::Status;
use larkline_gateway::unanswered::UnansweredMessage;
use rustix::process::{Resource, getrlimit};

use super::instance::{self, Instance};
use super::report::{Check, Report};
use super::start::{self, existing, trial_write};
use crate::commands::ask;
use crate::exit::Class;
use crate::lang::{either, lang};
use crate::output;

/// Below this a store cannot work for long: its log alone grows to some megabytes.
const SPACE_MIN: u64 = 16 << 20;
/// Below this somebody should look soon.
const SPACE_LOW: u64 = 500 << 20;
/// Descriptors below which a busy gateway runs out: handlers take three each.
const DESCRIPTORS_LOW: u64 = 1024;

/// Late messages that are named.
const LATE_TOLD: usize = 5;

/// A configuration, or what is left of one.
pub(super) struct Found {
    pub(super) config: Config,
    /// Whether nothing is wrong with it.
    pub(super) whole: bool,
}

/// Reads the configuration; `None` when nothing further can be checked.
pub(super) fn configuration(report: &mut Report, file: Option<PathBuf>) -> Option<Found> {
    const NAME: &str = "configuration";
    let config = match ask::load(file) {
        Ok(config) => config,
        Err(error) => {
            output::error(&error);
            return broken(report, error);
        }
    };
    let place = config.file.as_ref().map_or_else(
        || either("没有文件，仅环境变量", "no file, the environment alone").to_owned(),
        |file| file.display().to_string(),
    );
    let found = say!(
        zh: "{place}：{apps} 个应用，{routes} 条路由",
        en: "{place}: {apps} app(s), {routes} route(s)",
        apps = config.apps.len(), routes = config.routes.len()
    );
    report.add(match config.warnings.as_slice() {
        [] => Check::pass(NAME, found),
        warnings => {
            let notes = warnings.iter().map(title).collect();
            let next = either(
                "`larkline config check` 指出位置",
                "`larkline config check` shows the places",
            );
            Check::warn(NAME, found).notes(notes).next(next)
        }
    });
    Some(Found { config, whole: true })
}

fn title(problem: &Problem) -> String {
    problem.title(lang())
}

/// Tells the problems; what does not depend on them.
fn broken(report: &mut Report, error: anyhow::Error) -> Option<Found> {
    const NAME: &str = "configuration";
    let errors = match error.downcast::<ConfigErrors>() {
        Ok(errors) => errors,
        Err(error) => {
            report.add(Check::fail_as(NAME, Class::LocalFault, &format!("{error:#}")));
            return None;
        }
    };
    let (first, more) = match errors.problems() {
        [first, more @ ..] => (title(first), more),
        [] => (String::new(), &[][..]),
    };
    let what = match more.len() {
        0 => first,
        n => say!(zh: "{first}，另有 {n} 个问题", en: "{first}, and {n} more"),
    };
    let next = either(
        "请改正；`larkline config check` 可离线一次列出全部问题",
        "correct it; `larkline config check` lists all at once, offline",
    );
    let rest = either("以下检查与之无关的部分", "below is checked what does not depend on it");
    let notes = more.iter().map(title).chain([rest.to_owned()]);
    let check = Check::fail(NAME, Class::LocalFault, what);
    report.add(check.notes(notes.collect()).next(next));
    Some(Found { config: errors.rest().clone(), whole: false })
}

/// Checks the machine; the status of the gateway of this configuration when it runs.
pub(super) async fn machine(report: &mut Report, config: &Config) -> Option<Status> {
    report.add(state_directory(&config.store.path));
    report.add(disk(&config.store.path));
    let live = match instance::running(report, config).await {
        Instance::Runs(status) => Some(*status),
        Instance::Held => None,
        Instance::None => {
            start::check(report, config).await;
            None
        }
    };
    report.add(leftovers(&config.store.path));
    report.add(descriptors(live.as_ref()));
    if let Some(status) = &live {
        report.add(store(status));
        report.add(unanswered(status));
    }
    live
}

fn state_directory(dir: &Path) -> Check {
    const NAME: &str = "state";
    let next = either(
        "请把 `store.path` 设为运行 larkline 的用户的目录，或修复此目录",
        "set `store.path` to a directory of the user who runs larkline, or mend this one",
    );
    let at = existing(dir);
    if let Err(error) = trial_write(at) {
        let closed = Closed::on_the_way_to(dir);
        let there = !matches!(dir.try_exists(), Ok(false));
        if error.kind() == ErrorKind::PermissionDenied && there && closed.is_anothers() {
            return Check::fail_as(NAME, Class::LocalFault, closed.told().text(lang()));
        }
        let at = at.display();
        let what = say!(zh: "无法写入 {at}：{error}", en: "cannot write into {at}: {error}");
        return Check::fail(NAME, Class::LocalFault, what).next(next);
    }
    if at != dir {
        let dir = dir.display();
        let what = say!(
            zh: "{dir} 尚不存在；`larkline run` 会创建它",
            en: "{dir} is not there yet; `larkline run` makes it"
        );
        return Check::pass(NAME, what);
    }
    let open: Vec<String> = ["", "larkline.db", "larkline.sock"]
        .iter()
        .map(|name| if name.is_empty() { dir.to_owned() } else { dir.join(name) })
        .filter(|path| {
            std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
        })
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        let dir = dir.display();
        let what =
            say!(zh: "{dir} 可写，且仅本用户可访问", en: "{dir} takes writes, and is ours alone");
        return Check::pass(NAME, what);
    }
    let open = open.join(", ");
    let what = say!(zh: "其他用户可以打开 {open}", en: "others may open {open}");
    Check::warn(NAME, what).next(either(
        "其中有消息内容：请对所列各项执行 chmod go=",
        "messages are in there: chmod go= what is listed",
    ))
}

fn disk(dir: &Path) -> Check {
    const NAME: &str = "disk";
    let at = existing(dir);
    let stat = match rustix::fs::statvfs(at) {
        Ok(stat) => stat,
        Err(error) => {
            let at = at.display();
            return Check::skip(
                NAME,
                say!(zh: "无法查看 {at}：{error}", en: "cannot look at {at}: {error}"),
            );
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let (mb, at) = (free >> 20, at.display());
    let found = say!(zh: "{at} 剩余 {mb} MB", en: "{mb} MB free at {at}");
    let next = either(
        "请释放空间，或把 `store.path` 设到别处",
        "free space there, or set `store.path` elsewhere",
    );
    if free < SPACE_MIN || (stat.f_files > 0 && stat.f_favail == 0) {
        let what = say!(
            zh: "{found}：什么都存不下，因此什么都不会确认",
            en: "{found}: nothing can be kept, so nothing would be acknowledged"
        );
        return Check::fail(NAME, Class::LocalFault, what).next(next);
    }
    if free < SPACE_LOW { Check::warn(NAME, found).next(next) } else { Check::pass(NAME, found) }
}

pub(super) fn leftovers(state: &Path) -> Check {
    const NAME: &str = "children";
    match children::left_behind(state) {
        Ok(left) if left.is_empty() => {
            Check::pass(NAME, either("没有之前运行遗留的", "none left by an earlier run"))
        }
        Ok(left) => {
            let pids = left.iter().filter_map(|c| c.process).map(|p| p.pid.to_string());
            let pids = pids.collect::<Vec<_>>().join(", ");
            let what = say!(
                zh: "之前运行的 {n} 个仍在工作：pid {pids}",
                en: "{n} of an earlier run still work: pid {pids}",
                n = left.len()
            );
            Check::warn(NAME, what).next(either(
                "`larkline run` 启动时会结束它们",
                "`larkline run` ends them at its start",
            ))
        }
        Err(error) => Check::skip(
            NAME,
            say!(zh: "无法读取它们的记录：{error}", en: "their records cannot be read: {error}"),
        ),
    }
}

/// The limit of the running gateway, which need not be this shell's.
fn descriptors(live: Option<&Status>) -> Check {
    const NAME: &str = "descriptors";
    let own = || getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = live.map_or_else(own, |status| limit_of(status.pid).unwrap_or_else(own));
    let open = live.and_then(|status| open_in(status.pid));
    let found = match open {
        Some(open) => say!(zh: "上限 {limit}，已打开 {open}", en: "{open} open of {limit}"),
        None => say!(zh: "上限 {limit}", en: "{limit}"),
    };
    if open.is_some_and(|open| open.saturating_mul(10) > limit.saturating_mul(9)) {
        let what = say!(
            zh: "{found}：新的连接和子进程会失败",
            en: "{found}: new connections and children will fail"
        );
        return Check::fail(NAME, Class::LocalFault, what).next(either(
            "请重启网关、提高上限（LimitNOFILE=），并报告它打开了什么",
            "restart the gateway, raise its limit (LimitNOFILE=), and report what it had open",
        ));
    }
    match limit < DESCRIPTORS_LOW {
        true => Check::warn(NAME, found).next(either(
            "请提高（LimitNOFILE=4096，或 ulimit -n）",
            "raise it (LimitNOFILE=4096, or ulimit -n)",
        )),
        false => Check::pass(NAME, found),
    }
}

fn limit_of(pid: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_in(pid: u32) -> Option<u64> {
    // Another user's gateway does not show them.
    u64::try_from(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()).ok()
}

fn store(status: &Status) -> Check {
    const NAME: &str = "store";
    let d = &status.depths;
    let found = say!(
        zh: "{tasks} 个任务、{replies} 条回复在等待；死信 {dead} 条",
        en: "{tasks} tasks, {replies} replies wait; {dead} dead",
        tasks = d.tasks, replies = d.outbox, dead = d.dead
    );
    if !status.store_writable {
        let what = either("网关的存储拒绝写入", "the gateway's store refuses writes");
        return Check::fail(NAME, Class::LocalFault, what).next(either(
            "请释放磁盘空间或修复权限；无需重启即可恢复",
            "free disk space or mend its permissions; it heals without a restart",
        ));
    }
    match d.dead {
        0 => Check::pass(NAME, found),
        _ => Check::warn(NAME, found).next(either(
            "`larkline dead` 显示原因，并可重试",
            "`larkline dead` shows why, and can retry them",
        )),
    }
}

/// Messages of people that should have had their end.
fn unanswered(status: &Status) -> Check {
    const NAME: &str = "unanswered";
    let late = &status.unanswered;
    if late.is_empty() {
        return Check::pass(NAME, either("没有超时的消息", "no message is late"));
    }
    let line = |m: &UnansweredMessage| {
        let (message, chat, stage) = (&m.message_id, &m.chat_id, m.stage(lang()));
        say!(zh: "{message}，会话 {chat}：{stage}", en: "{message} in {chat}: {stage}")
    };
    let notes = late.iter().take(LATE_TOLD).map(line).collect();
    let what = say!(
        zh: "{n} 条消息的等待超过 `answer_within`",
        en: "{n} message(s) wait beyond `answer_within`",
        n = late.len()
    );
    Check::warn(NAME, what).notes(notes).next(either(
        "`larkline explain <message>` 显示每条消息到了哪一步",
        "`larkline explain <message>` shows where each of them is",
    ))
}

/// What else keeps the gateway from being ready; what has a check of its own has failed before.
pub(super) fn ready(status: &Status) -> Check {
    const NAME: &str = "ready";
    match status.reasons(lang()).split_first() {
        None => Check::pass(NAME, either("网关自己这样说", "the gateway says so itself")),
        Some((first, rest)) => Check::fail_as(NAME, Class::LocalFault, first)
            .notes(rest.to_vec())
            .or_next(either("请查看网关的日志", "look into the gateway's log")),
    }
}
