//! This machine: configuration, state directory, disk, lock, leftovers, descriptors.
//!
//! Everything is read from the system itself; no other program is asked, and nothing is left
//! behind.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use http::Method;
use larkline_gateway::admin::client::ClientError;
use larkline_gateway::config::{Config, Warning};
use larkline_gateway::handler::children;
use larkline_gateway::instance::{self, Claimed, Claims};
use larkline_gateway::status::Status;
use larkline_gateway::unanswered::UnansweredMessage;
use rustix::process::{Resource, getrlimit};

use super::report::{Check, Report};
use crate::commands::ask::{self, Gateway};
use crate::exit::Class;
use crate::output::{self, age};

/// Below this a store cannot work for long: its log alone grows to some megabytes.
const SPACE_MIN: u64 = 16 << 20;
/// Below this somebody should look soon.
const SPACE_LOW: u64 = 500 << 20;
/// What a trial write writes: more than a page, so that quotas and full disks show.
const TRIAL_BYTES: usize = 64 << 10;
/// Descriptors below which a busy gateway runs out: handlers take three each.
const DESCRIPTORS_LOW: u64 = 1024;

/// Late messages that are named.
const LATE_TOLD: usize = 5;

/// Reads the configuration; `None` when nothing further can be checked.
pub(super) fn configuration(report: &mut Report, file: Option<PathBuf>) -> Option<Config> {
    const NAME: &str = "configuration";
    let config = match ask::load(file) {
        Ok(config) => config,
        Err(error) => {
            output::error(&error);
            let what = "it has problems, listed above; nothing further can be checked";
            let next = "correct them; `larkline config check` lists all at once, offline";
            report.add(Check::fail(NAME, Class::LocalFault, what).next(next));
            return None;
        }
    };
    let place = config.file.as_ref().map_or_else(
        || "no file, the environment alone".to_owned(),
        |file| file.display().to_string(),
    );
    let found = format!("{place}: {} app(s), {} route(s)", config.apps.len(), config.routes.len());
    report.add(match config.warnings.as_slice() {
        [] => Check::pass(NAME, found),
        warnings => {
            let notes = warnings.iter().map(in_a_line).collect();
            Check::warn(NAME, found).notes(notes).next("`larkline config check` shows the places")
        }
    });
    Some(config)
}

fn in_a_line(warning: &Warning) -> String {
    match warning.path.is_empty() {
        true => warning.message.clone(),
        false => format!("{}: {}", warning.path, warning.message),
    }
}

/// Checks the machine; the status of the gateway of this configuration when it runs.
pub(super) async fn machine(report: &mut Report, config: &Config) -> Option<Status> {
    report.add(state_directory(&config.store.path));
    report.add(disk(&config.store.path));
    let live = running(report, config).await;
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
    let next = "set `store.path` to a directory of the user who runs larkline, or mend this one";
    let at = existing(dir);
    if let Err(error) = trial_write(at) {
        let what = format!("cannot write into {}: {error}", at.display());
        return Check::fail(NAME, Class::LocalFault, what).next(next);
    }
    if at != dir {
        let what = format!("{} is not there yet; `larkline run` makes it", dir.display());
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
    match open.is_empty() {
        true => Check::pass(NAME, format!("{} takes writes, and is ours alone", dir.display())),
        false => Check::warn(NAME, format!("others may open {}", open.join(", ")))
            .next("messages are in there: chmod go= what is listed"),
    }
}

/// The nearest directory above that is there.
fn existing(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir)
}

fn trial_write(dir: &Path) -> std::io::Result<()> {
    let mut trial = tempfile::tempfile_in(dir)?;
    trial.write_all(&[0; TRIAL_BYTES])?;
    trial.sync_all()
}

fn disk(dir: &Path) -> Check {
    const NAME: &str = "disk";
    let at = existing(dir);
    let stat = match rustix::fs::statvfs(at) {
        Ok(stat) => stat,
        Err(error) => {
            return Check::skip(NAME, format!("cannot look at {}: {error}", at.display()));
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let found = format!("{} MB free at {}", free >> 20, at.display());
    let next = "free space there, or set `store.path` elsewhere";
    if free < SPACE_MIN || (stat.f_files > 0 && stat.f_favail == 0) {
        let what = format!("{found}: nothing can be kept, so nothing would be acknowledged");
        return Check::fail(NAME, Class::LocalFault, what).next(next);
    }
    if free < SPACE_LOW { Check::warn(NAME, found).next(next) } else { Check::pass(NAME, found) }
}

/// Whether a gateway runs: this configuration's own, or another with a claim of ours.
async fn running(report: &mut Report, config: &Config) -> Option<Status> {
    const NAME: &str = "instance";
    let gateway = Gateway::of(config);
    let asked = gateway.call::<Status>(Method::GET, "/v1/status").await;
    let error = match asked {
        Ok(status) => {
            let since = age(status.started_ms, status.at_ms);
            report.add(Check::pass(
                NAME,
                format!("pid {} runs since {since}, version {}", status.pid, status.version),
            ));
            return Some(status);
        }
        Err(error) => error,
    };
    let apps: Vec<_> = config.apps.iter().map(|a| a.app_id.clone()).collect();
    let locks = instance::lock_dir(|name| std::env::var(name).ok());
    let claims = Claims { state: &config.store.path, locks: &locks, apps: &apps };
    let silent = !matches!(error.downcast_ref(), Some(ClientError::NotRunning { .. }));
    report.add(match instance::claimed(claims) {
        Ok(claimed) => claimed.first().map_or_else(
            || Check::pass(NAME, "no gateway runs with this configuration"),
            |claimed| held(claimed, &config.server.socket, silent, &error.to_string()),
        ),
        Err(error) => Check::skip(NAME, format!("/proc/locks cannot be read: {error}")),
    });
    None
}

fn held(claimed: &Claimed, socket: &Path, silent: bool, error: &str) -> Check {
    const NAME: &str = "instance";
    let Claimed { what, holder } = claimed;
    let pid = holder.pid;
    if holder.socket == socket {
        let why = if silent { error } else { "its socket is not there" };
        return Check::fail(
            NAME,
            Class::LocalFault,
            format!("process {pid} holds {what} and does not answer: {why}"),
        )
        .next("look into its log; `kill -9` it if it hangs, what it had is on disk");
    }
    Check::fail(
        NAME,
        Class::OtherInstance,
        format!("process {pid} holds {what}, and answers at {}", holder.socket.display()),
    )
    .next("stop it, or run this command with its configuration")
}

fn leftovers(state: &Path) -> Check {
    const NAME: &str = "children";
    match children::left_behind(state) {
        Ok(left) if left.is_empty() => Check::pass(NAME, "none left by an earlier run"),
        Ok(left) => {
            let pids = left.iter().filter_map(|c| c.process).map(|p| p.pid.to_string());
            let pids = pids.collect::<Vec<_>>().join(", ");
            Check::warn(NAME, format!("{} of an earlier run still work: pid {pids}", left.len()))
                .next("`larkline run` ends them at its start")
        }
        Err(error) => Check::skip(NAME, format!("their records cannot be read: {error}")),
    }
}

/// The limit of the running gateway, which need not be this shell's.
fn descriptors(live: Option<&Status>) -> Check {
    const NAME: &str = "descriptors";
    let own = || getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = live.map_or_else(own, |status| limit_of(status.pid).unwrap_or_else(own));
    let open = live.and_then(|status| open_in(status.pid));
    let used = open.map(|n| format!("{n} open of ")).unwrap_or_default();
    let found = format!("{used}{limit}");
    if open.is_some_and(|open| open.saturating_mul(10) > limit.saturating_mul(9)) {
        let what = format!("{found}: new connections and children will fail");
        return Check::fail(NAME, Class::LocalFault, what).next(
            "restart the gateway, raise its limit (LimitNOFILE=), and report what it had open",
        );
    }
    match limit < DESCRIPTORS_LOW {
        true => Check::warn(NAME, found).next("raise it (LimitNOFILE=4096, or ulimit -n)"),
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
    let found = format!("{} tasks, {} replies wait; {} dead", d.tasks, d.outbox, d.dead);
    if !status.store_writable {
        return Check::fail(NAME, Class::LocalFault, "the gateway's store refuses writes")
            .next("free disk space or mend its permissions; it heals without a restart");
    }
    match d.dead {
        0 => Check::pass(NAME, found),
        _ => Check::warn(NAME, found).next("`larkline dead` shows why, and can retry them"),
    }
}

/// Messages of people that should have had their end.
fn unanswered(status: &Status) -> Check {
    const NAME: &str = "unanswered";
    let late = &status.unanswered;
    if late.is_empty() {
        return Check::pass(NAME, "no message is late");
    }
    let line = |m: &UnansweredMessage| format!("{} in {}: {}", m.message_id, m.chat_id, m.stage);
    let notes = late.iter().take(LATE_TOLD).map(line).collect();
    Check::warn(NAME, format!("{} message(s) wait beyond `answer_within`", late.len()))
        .notes(notes)
        .next("`larkline explain <message>` shows where each of them is")
}

/// What else keeps the gateway from being ready; what has a check of its own has failed before.
pub(super) fn ready(status: &Status) -> Check {
    const NAME: &str = "ready";
    match status.not_ready.split_first() {
        None => Check::pass(NAME, "the gateway says so itself"),
        Some((first, rest)) => Check::fail_as(NAME, Class::LocalFault, first)
            .notes(rest.to_vec())
            .or_next("look into the gateway's log"),
    }
}
