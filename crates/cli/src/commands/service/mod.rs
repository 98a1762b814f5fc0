//! `larkline service`: the gateway under systemd or launchd: install, uninstall, status, logs.
//!
//! What to write is worked out from the configuration as the service will read it (`plan`), written
//! by `systemd` or `launchd`, and handed over with the system's own tools (`tools`). A file is ours
//! by its first line; no other is overwritten or removed.

mod accounts;
mod launchd;
mod place;
mod plan;
mod state;
mod systemd;
pub(crate) mod tools;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use http::Method;
use larkline_gateway::admin::client;
use larkline_gateway::log::unsteering;
use larkline_gateway::status::Status;

use self::place::{Kind, Place, Written};
use self::plan::Plan;
use crate::args::{InstallArgs, LogsArgs, ServiceAction, ServiceTarget};
use crate::commands::status;
use crate::exit::{ExitStatus, Yours};
use crate::lang::either;
use crate::output;

/// Does what was asked.
///
/// # Errors
/// What is missing, and what to do.
pub(crate) async fn run(file: Option<PathBuf>, action: ServiceAction) -> Result<ExitStatus> {
    match action {
        ServiceAction::Install(args) => install(file, &args).await,
        ServiceAction::Uninstall(target) => uninstall(&target).await,
        ServiceAction::Status(target) => shown(&target).await,
        ServiceAction::Logs(args) => logs(&args).await,
    }
}

async fn install(file: Option<PathBuf>, args: &InstallArgs) -> Result<ExitStatus> {
    let place = Place::of(&args.target)?;
    let plan = Plan::make(file, args, &place).await?;
    let text = match place.kind {
        Kind::Systemd => systemd::unit(&plan),
        Kind::Launchd => launchd::plist(&plan),
    };
    if args.dry_run {
        output::data(&text);
        plan.notes.iter().for_each(|note| output::note(note));
        return Ok(ExitStatus::Ok);
    }
    tools::manager_is_there(&place).await?;
    plan.make_folders()?;
    place.write(&text)?;
    let path = place.file().display().to_string();
    output::note(&say!(zh: "已写入 {path}", en: "wrote {path}"));
    tools::enable(&place, args.now).await?;
    plan.notes.iter().for_each(|note| output::note(note));
    output::note(&match args.now {
        true => either(
            "已启用并启动；`larkline service status` 查看状态",
            "enabled and started; `larkline service status` tells how it is",
        )
        .to_owned(),
        false => tools::start_hint(&place),
    });
    Ok(ExitStatus::Ok)
}

async fn uninstall(target: &ServiceTarget) -> Result<ExitStatus> {
    let place = Place::of(target)?;
    place.written()?;
    tools::manager_is_there(&place).await?;
    tools::disable(&place).await?;
    place.remove()?;
    tools::forget(&place).await?;
    let path = place.file().display().to_string();
    output::note(&say!(
        zh: "已停止并停用，已删除 {path}；配置和状态目录保持不变",
        en: "stopped and disabled, removed {path}; configuration and state are as they were"
    ));
    Ok(ExitStatus::Ok)
}

/// The manager's word, then the gateway's own.
async fn shown(target: &ServiceTarget) -> Result<ExitStatus> {
    let place = Place::of(target)?;
    let written = place.written()?;
    tools::manager_is_there(&place).await?;
    let state = tools::state(&place).await?;
    output::data(&state.text);
    let answer = client::call::<Status>(&written.socket, Method::GET, "/v1/status", None::<&()>);
    let ready = match answer.await {
        Ok(report) => {
            output::data(&unsteering(&status::human(&report)));
            report.ready
        }
        Err(error) => {
            output::note(&output::said(&error));
            false
        }
    };
    Ok(if state.active && ready { ExitStatus::Ok } else { ExitStatus::Yours })
}

/// The last lines of the service of this name by default, for a report; else why there are none.
pub(crate) async fn last_lines(lines: u32) -> Result<String, String> {
    let args = LogsArgs { target: ServiceTarget::usual(), follow: false, lines };
    let place = Place::of(&args.target).map_err(|error| error.to_string())?;
    let none = |_| "`log.file` is not set and no service is installed; the log went to the stderr of its process";
    let Written { log, .. } = place.written().map_err(none)?;
    let mut command = match (place.kind, &log) {
        (Kind::Systemd, _) if tools::exists("journalctl") => tools::journal(&place, &args),
        (_, Some(file)) => tools::tail(file, &args),
        _ => return Err("there is no journalctl and no log file".to_owned()),
    };
    tools::done(&mut command).await.map_err(|error| format!("{error:#}"))
}

async fn logs(args: &LogsArgs) -> Result<ExitStatus> {
    let place = Place::of(&args.target)?;
    let Written { log, .. } = place.written()?;
    let mut command = match (place.kind, &log) {
        (Kind::Systemd, _) if tools::exists("journalctl") => tools::journal(&place, args),
        (_, Some(file)) => tools::tail(file, args),
        _ => {
            return Err(Yours(
                either(
                    "这里没有 journalctl，也没有日志文件；请设置 `log.file`，再运行 `larkline service install`",
                    "there is no journalctl and no log file; set `log.file`, then run `larkline service install`",
                )
                .to_owned(),
            )
            .into());
        }
    };
    let status = command
        .status()
        .await
        .with_context(|| say!(zh: "无法启动 {command:?}", en: "cannot start {command:?}"))?;
    Ok(if status.success() { ExitStatus::Ok } else { ExitStatus::Yours })
}
