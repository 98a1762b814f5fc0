//! After an upgrade: the new version runs, hears, and has all that waited.

use std::time::Duration;

use http::Method;
use larkline_gateway::admin::client::ClientError;
use larkline_gateway::config::Config;
use larkline_gateway::status::Status;
use larkline_store::SCHEMA;
use larkline_store::session::{Session, SessionQuery, SessionState};
use tokio::time::{Instant, sleep};

use super::report::{Check, Report};
use super::{instance, link, local};
use crate::commands::ask::Gateway;
use crate::exit::Class;
use crate::lang::either;
use crate::output::{self, age};

/// How often a link that is not verified yet is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Sessions that are counted, newest first; older ones are not in a turn.
const SESSIONS: usize = 1000;
/// What waited for longer than this when the new version came should have been tried by now.
const OLD_MS: i64 = 3_600_000;

/// Checks the gateway of this configuration; a link has `patience` to be verified.
pub(super) async fn check(report: &mut Report, config: &Config, patience: Duration) {
    report.section(either("升级之后", "after the upgrade"));
    let gateway = Gateway::of(config);
    let status = match settled(&gateway, patience).await {
        Ok(status) => status,
        Err(error) => {
            let what = output::said(error.as_ref());
            if is_somebody_elses(&error) {
                return report.add(Check::fail_as("instance", Class::LocalFault, &what));
            }
            let absent = matches!(error.downcast_ref(), Some(ClientError::NotRunning { .. }));
            let next = match absent {
                true => either(
                    "请启动网关；若它拒绝启动，它会说出原因（作为服务安装的，见 `larkline service logs`）",
                    "start the gateway; if it refuses, it says why (installed as a service, in `larkline service logs`)",
                ),
                false => instance::if_it_hangs(),
            };
            report.add(Check::fail("instance", Class::LocalFault, what).next(next));
            return;
        }
    };
    report.add(version(&status));
    report.add(schema(&status));
    for app in &status.apps {
        link::running(report, app, status.at_ms);
    }
    report.add(before(&status));
    report.add(queue(&status));
    report.add(local::leftovers(&config.store.path));
    report.add(sessions(&gateway).await);
    report.add(local::ready(&status));
}

/// The report of the gateway, as soon as its links are verified, or as it is in the end.
async fn settled(gateway: &Gateway, patience: Duration) -> anyhow::Result<Status> {
    let deadline = Instant::now() + patience;
    loop {
        let answer = gateway.call::<Status>(Method::GET, "/v1/status").await;
        let verified = |status: &Status| status.apps.iter().all(|app| app.link.verified);
        let settled = answer.as_ref().map_or_else(is_somebody_elses, verified);
        if settled || Instant::now() >= deadline {
            return answer;
        }
        sleep(LOOK_EVERY).await;
    }
}

fn is_somebody_elses(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(ClientError::is_somebody_elses)
}

fn version(status: &Status) -> Check {
    const NAME: &str = "version";
    let (runs, here) = (&status.version, env!("CARGO_PKG_VERSION"));
    let was = &status.previous.version;
    if runs != here {
        let what = say!(
            zh: "运行中的是 {runs}，这个程序是 {here}",
            en: "{runs} runs, and this binary is {here}"
        );
        return Check::fail(NAME, Class::LocalFault, what).next(either(
            "`larkline restart` 启动新版本",
            "`larkline restart` starts the new version",
        ));
    }
    let what = match was.is_empty() {
        true => say!(zh: "{runs}，第一次运行", en: "{runs}, its first run"),
        false => say!(zh: "{runs}，上一次运行的是 {was}", en: "{runs}, the run before was {was}"),
    };
    Check::pass(NAME, what)
}

fn schema(status: &Status) -> Check {
    const NAME: &str = "schema";
    let (found, known) = (status.schema, SCHEMA);
    if found == known {
        let what = say!(zh: "存储的格式为 {found}", en: "the store has schema {found}");
        return Check::pass(NAME, what);
    }
    let what = say!(
        zh: "运行中的网关使用存储格式 {found}，这个程序使用 {known}",
        en: "the running gateway has schema {found}, this binary {known}"
    );
    Check::fail(NAME, Class::LocalFault, what)
        .next(either("`larkline restart` 启动新版本", "`larkline restart` starts the new version"))
}

/// How the run before ended, and what it gave back.
fn before(status: &Status) -> Check {
    const NAME: &str = "previous run";
    let previous = &status.previous;
    let boots = status.boots;
    if boots <= 1 {
        return Check::pass(NAME, either("没有：这是第一次运行", "none: this is the first one"));
    }
    let (released, suspended) = (previous.released, previous.suspended);
    let gave = say!(
        zh: "第 {boots} 次启动；归还 {released} 项在手的工作，{suspended} 个会话待恢复",
        en: "start number {boots}; {released} items in hand were given back, {suspended} sessions to resume"
    );
    match &previous.end {
        Some(end) => {
            Check::pass(NAME, say!(zh: "结束原因：{end}；{gave}", en: "ended by {end}; {gave}"))
        }
        None => {
            let what = say!(
                zh: "没有正常结束（崩溃、被杀或断电）；{gave}",
                en: "ended without a word (crash, kill, power loss); {gave}"
            );
            Check::warn(NAME, what)
        }
    }
}

fn queue(status: &Status) -> Check {
    const NAME: &str = "queue";
    let d = &status.depths;
    let waiting = say!(
        zh: "{unrouted} 条未路由，{tasks} 个任务，{outbox} 条回复在等待；死信 {dead} 条",
        en: "{unrouted} unrouted, {tasks} tasks, {outbox} replies wait; {dead} dead",
        unrouted = d.unrouted, tasks = d.tasks, outbox = d.outbox, dead = d.dead
    );
    let Some(oldest) = d.oldest_ms else { return Check::pass(NAME, waiting) };
    let age = age(oldest, status.at_ms);
    let what = say!(zh: "{waiting}；最久 {age}", en: "{waiting}; the oldest for {age}");
    match status.at_ms - oldest > OLD_MS {
        false => Check::pass(NAME, what),
        true => Check::warn(NAME, what).next(either(
            "`larkline messages --verdict waiting` 列出它们",
            "`larkline messages --verdict waiting` lists them",
        )),
    }
}

async fn sessions(gateway: &Gateway) -> Check {
    const NAME: &str = "sessions";
    let query = SessionQuery { limit: SESSIONS, ..SessionQuery::default() };
    let all: Vec<Session> = match gateway.get("/v1/sessions", &query).await {
        Ok(all) => all,
        Err(error) => return Check::fail(NAME, Class::LocalFault, output::said(error.as_ref())),
    };
    let count = |state| all.iter().filter(|session| session.state == state).count();
    let lost =
        all.iter().filter(|s| s.state == SessionState::Suspended && s.agent_session.is_none());
    let what = say!(
        zh: "{suspended} 个可恢复，其中 {lost} 个没有智能体的编号；{active} 个空闲，{processing} 个在轮次中，{all} 个在册",
        en: "{suspended} suspended and resumable, {lost} of them without an agent's id; {active} idle, {processing} in a turn, {all} known",
        suspended = count(SessionState::Suspended), lost = lost.count(),
        active = count(SessionState::Active), processing = count(SessionState::Processing),
        all = all.len()
    );
    Check::pass(NAME, what)
}
