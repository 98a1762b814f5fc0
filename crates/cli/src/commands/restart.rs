//! `larkline restart`: the running gateway stops in order, another starts, and its link is verified.
//!
//! It starts nothing itself: under systemd the manager is asked, else the gateway is asked to stop, and
//! whoever started it (launchd, a container, a loop) starts it again, or nobody does, which is said.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use http::Method;
use larkline_gateway::admin::client::ClientError;
use larkline_gateway::config::Config;
use larkline_gateway::drain;
use larkline_gateway::status::Status;
use larkline_gateway::words::duration;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::ask::{self, Gateway};
use super::service::tools;
use crate::exit::{ExitStatus, Yours};
use crate::lang::{either, lang};
use crate::output;

/// How often the new gateway is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Restarts, and waits for a verified link.
///
/// # Errors
/// When none runs, or the manager refuses.
pub(crate) async fn run(file: Option<PathBuf>, timeout: Option<Duration>) -> Result<ExitStatus> {
    let config = ask::load(file)?;
    let gateway = Gateway::of(&config);
    let before: Status = gateway.call(Method::GET, "/v1/status").await?;
    let timeout = timeout.unwrap_or_else(|| longest(&config));
    let deadline = Instant::now() + timeout;
    let unit = unit_of(before.pid).await;
    match &unit {
        Some(unit) => {
            let name = &unit.name;
            output::note(&say!(zh: "systemd 重启 {name}", en: "systemd restarts {name}"));
            tools::done(tools::systemctl(unit.system).args(["restart", name])).await?;
        }
        None => stop(&gateway, &before).await?,
    }
    let Some(after) = next(&gateway, &before, deadline).await? else {
        let waited = duration(lang(), timeout);
        output::note(&say!(
            zh: "网关已停止，但 {waited}内没有人再次启动它；请用 `larkline run` 启动，或用 `larkline service install --now` 让系统看管它",
            en: "the gateway stopped, and nobody started it again within {waited}; start it with `larkline run`, or let the system keep it with `larkline service install --now`"
        ));
        return Ok(ExitStatus::Yours);
    };
    Ok(told(&before, &after))
}

/// A stop in order, a start, and a link.
fn longest(config: &Config) -> Duration {
    drain::longest(&config.limits) + config.link.startup_deadline
}

async fn stop(gateway: &Gateway, before: &Status) -> Result<()> {
    let pid = before.pid;
    output::note(&say!(
        zh: "没有 systemd 单元看管 pid {pid}；请它按顺序停止，并等待启动它的程序再次启动它",
        en: "no unit of systemd keeps pid {pid}; it is asked to stop in order, and whoever started it has to start it again"
    ));
    // Its answer is empty, which is no JSON.
    match gateway.post::<Value>("/v1/stop", &json!({ "reason": "restart" })).await {
        Err(error) if matches!(error.downcast_ref(), Some(ClientError::NotRunning { .. })) => {
            Err(error)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The gateway after this one: as soon as its links are verified, or as it is at the deadline.
async fn next(gateway: &Gateway, before: &Status, deadline: Instant) -> Result<Option<Status>> {
    let mut seen = None;
    let mut gone = false;
    while Instant::now() < deadline {
        match gateway.call::<Status>(Method::GET, "/v1/status").await {
            Ok(status) if status.boot_id != before.boot_id => {
                if is_verified(&status) {
                    return Ok(Some(status));
                }
                seen = Some(status);
            }
            // Still the old one, on its way out; or one that comes or goes just now.
            Ok(_) => {}
            Err(_) => gone = true,
        }
        sleep(LOOK_EVERY).await;
    }
    if seen.is_none() && !gone {
        let pid = before.pid;
        return Err(Yours(say!(
            zh: "pid {pid} 仍在运行：还有任务在执行；请查看 `larkline status`，或用更长的 --timeout",
            en: "pid {pid} still runs: tasks are under way; see `larkline status`, or give a longer --timeout"
        ))
        .into());
    }
    Ok(seen)
}

fn is_verified(status: &Status) -> bool {
    status.apps.iter().all(|app| app.link.verified)
}

fn told(before: &Status, after: &Status) -> ExitStatus {
    output::data(&say!(
        zh: "已重启：pid {pid}，版本 {was} → {version}，运行编号 {boot}",
        en: "restarted: pid {pid}, version {was} → {version}, boot {boot}",
        pid = after.pid, was = before.version, version = after.version, boot = after.boot_id
    ));
    for app in &after.apps {
        let (name, link) = (&app.name, super::status::socket(&app.link));
        let state = match app.link.verified {
            true => either("已验证", "verified"),
            false => either("未验证", "NOT VERIFIED"),
        };
        output::data(&say!(
            zh: "应用 {name} 的连接{state}：{link}",
            en: "link of {name} {state}: {link}"
        ));
    }
    for reason in after.reasons(lang()) {
        output::note(&say!(zh: "未就绪：{reason}", en: "not ready: {reason}"));
    }
    if is_verified(after) { ExitStatus::Ok } else { ExitStatus::Yours }
}

/// A unit of systemd.
#[derive(Debug, PartialEq, Eq)]
struct Unit {
    name: String,
    system: bool,
}

/// The unit whose main process this is.
async fn unit_of(pid: u32) -> Option<Unit> {
    let unit = unit_in(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)?;
    // A terminal is in a unit, too, and not what it is for.
    let property = ["show", &unit.name, "--property=MainPID", "--value"];
    let main = tools::done(tools::systemctl(unit.system).args(property)).await.ok()?;
    (main.trim() == pid.to_string()).then_some(unit)
}

/// The unit in a process's control group: the innermost, whose manager is the system's or a user's.
fn unit_in(cgroup: &str) -> Option<Unit> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut parts = path.split('/').filter(|part| part.ends_with(".service")).collect::<Vec<_>>();
    let name = parts.pop()?.to_owned();
    if name.starts_with("user@") {
        return None;
    }
    let system = !parts.iter().any(|part| part.starts_with("user@"));
    Some(Unit { name, system })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_process_is_in_its_control_group() {
        let unit = |text: &str| unit_in(text).map(|unit| (unit.name, unit.system));
        let larkline = |system| Some(("larkline.service".to_owned(), system));
        assert_eq!(unit("0::/system.slice/larkline.service/main\n"), larkline(true));
        let user = "1:cpu:/\n0::/user.slice/user-1000.slice/user@1000.service/app.slice/larkline.service\n";
        assert_eq!(unit(user), larkline(false));
        for none in [
            "",
            "0::/\n",
            "0::/user.slice/user-1000.slice/session-3.scope\n",
            "0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn-1.scope\n",
            "4:memory:/system.slice/x.service\n",
        ] {
            assert_eq!(unit(none), None, "{none}");
        }
    }
}
