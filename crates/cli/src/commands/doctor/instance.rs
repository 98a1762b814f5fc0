//! Whether a gateway of this configuration runs, and who has what it would need.

use std::path::Path;

use http::Method;
use larkline_gateway::admin::client::ClientError;
use larkline_gateway::config::Config;
use larkline_gateway::instance::{self, Claim, Claimed, Claims};
use larkline_gateway::status::Status;

use super::report::{Check, Report};
use crate::commands::ask::Gateway;
use crate::exit::Class;
use crate::lang::{either, lang};
use crate::output::{self, age};

const NAME: &str = "instance";

/// Who has what this configuration wants.
pub(super) enum Instance {
    /// Its own gateway.
    Runs(Box<Status>),
    /// A gateway that does not answer, or another one.
    Held,
    None,
}

/// Whether a gateway runs: this configuration's own, or another with a claim of ours.
pub(super) async fn running(report: &mut Report, config: &Config) -> Instance {
    let gateway = Gateway::of(config);
    let asked = gateway.call::<Status>(Method::GET, "/v1/status").await;
    let error = match asked {
        Ok(status) => {
            let since = age(status.started_ms, status.at_ms);
            report.add(Check::pass(
                NAME,
                say!(
                    zh: "pid {pid} 已运行 {since}，版本 {version}",
                    en: "pid {pid} runs since {since}, version {version}",
                    pid = status.pid, version = status.version
                ),
            ));
            return Instance::Runs(Box::new(status));
        }
        Err(error) => error,
    };
    let said = output::said(error.as_ref());
    let cause = error.downcast_ref::<ClientError>();
    if cause.is_some_and(ClientError::is_somebody_elses) {
        report.add(Check::fail_as(NAME, Class::LocalFault, &said));
        return Instance::Held;
    }
    let apps: Vec<_> = config.apps.iter().map(|a| a.app_id.clone()).collect();
    let locks = instance::lock_dir(|name| std::env::var(name).ok());
    let claims = Claims { state: &config.store.path, locks: &locks, apps: &apps };
    let silent = !matches!(cause, Some(ClientError::NotRunning { .. }));
    let claimed = match instance::claimed(claims) {
        Ok(claimed) => claimed,
        Err(error) => {
            let what = say!(zh: "无法读取 /proc/locks：{error}", en: "/proc/locks cannot be read: {error}");
            report.add(Check::skip(NAME, what));
            return if silent { Instance::Held } else { Instance::None };
        }
    };
    let Some(claimed) = claimed.first() else {
        let what = "no gateway runs with this configuration";
        report.add(Check::pass(NAME, either("没有使用此配置的网关在运行", what)));
        return Instance::None;
    };
    report.add(held(claimed, &config.server.socket, silent, &said));
    Instance::Held
}

fn held(claimed: &Claimed, socket: &Path, silent: bool, error: &str) -> Check {
    let Claimed { what: claim, holder } = claimed;
    let (what, pid) = (claim.said(lang()), holder.pid);
    if holder.socket == socket {
        let why = if silent {
            error
        } else {
            either("它的套接字不存在", "its socket is not there")
        };
        let what = say!(
            zh: "进程 {pid} 占有 {what} 而不应答：{why}",
            en: "process {pid} holds {what} and does not answer: {why}"
        );
        return Check::fail(NAME, Class::LocalFault, what).next(if_it_hangs());
    }
    let what = say!(
        zh: "进程 {pid} 占有 {what}，在 {socket} 应答",
        en: "process {pid} holds {what}, and answers at {socket}",
        socket = holder.socket.display()
    );
    let next = match claim {
        Claim::State(_) => either(
            "若那是另一个机器人，请为这份配置单独设置 `store.path`，否则停止它，或用它的配置运行此命令",
            "if that is another bot, give this configuration a `store.path` of its own, else stop it, or run this command with its configuration",
        ),
        Claim::App(_) => either(
            "请停止它，或用它的配置运行此命令",
            "stop it, or run this command with its configuration",
        ),
    };
    Check::fail(NAME, Class::OtherInstance, what).next(next)
}

/// What to do about a gateway that is there and does not answer.
pub(super) fn if_it_hangs() -> &'static str {
    either(
        "请查看它的日志；若已卡死可 `kill -9`，它的数据都在磁盘上",
        "look into its log; `kill -9` it if it hangs, what it had is on disk",
    )
}
