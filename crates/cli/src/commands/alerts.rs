//! `larkline alerts`: what fires, what was, who is told; and a test of those who are.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use http::Method;
use larkline_gateway::admin::TestRequest;
use larkline_gateway::admin::client::Payload;
use larkline_gateway::alert::words::severity;
use larkline_gateway::alert::{AlertsView, DestinationView, FiringAlert, HeartbeatView, Tried};
use larkline_gateway::both::told;

use super::ask::{self, Gateway};
use crate::args::{AlertsAction, Format};
use crate::exit::ExitStatus;
use crate::lang::{either, lang};
use crate::output::{self, local_time};

/// The longest `timeout` of a destination, and what a program gets to end.
const TEST_PATIENCE: Duration = Duration::from_mins(11);

/// `larkline alerts [test [DESTINATION]]`
///
/// # Errors
/// No gateway runs, or there is no such destination.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    action: Option<AlertsAction>,
) -> Result<ExitStatus> {
    let gateway = Gateway::of(&ask::load(file)?);
    let Some(AlertsAction::Test { destination }) = action else {
        let mut view: AlertsView = gateway.call(Method::GET, "/v1/alerts").await?;
        if format == Format::Json {
            view.in_english();
        }
        output::show(format, &view, human)?;
        return Ok(ExitStatus::Ok);
    };
    let peer = gateway.peer().patient(TEST_PATIENCE);
    let request = Payload::json(&TestRequest { destination })?;
    let mut tried: Vec<Tried> = peer.call(Method::POST, "/v1/alerts/test", request).await?;
    if format == Format::Json {
        tried.iter_mut().for_each(|tried| tried.error_zh = None);
    }
    output::show(format, &tried, |tried| tried.iter().map(result).collect::<Vec<_>>().join("\n"))?;
    let failed = tried.iter().any(|tried| tried.error.is_some());
    Ok(if failed { ExitStatus::Yours } else { ExitStatus::Ok })
}

fn result(tried: &Tried) -> String {
    let (name, ms) = (&tried.destination, tried.took_ms);
    match told(lang(), &tried.error, &tried.error_zh) {
        None => say!(zh: "成功  {name}（{ms} 毫秒）", en: "ok    {name} ({ms} ms)"),
        Some(error) => say!(zh: "失败  {name}：{error}", en: "FAIL  {name}: {error}"),
    }
}

fn human(view: &AlertsView) -> String {
    let mut out: Vec<String> = view.firing.iter().map(firing).collect();
    if out.is_empty() {
        out.push(either("没有告警", "no alert fires").to_owned());
    }
    if !view.recent.is_empty() {
        out.push(String::new());
        out.push(either("最近结束：", "over lately:").to_owned());
        out.push(output::table(
            &either(
                ["开始", "结束", "级别", "规则", "对象"],
                ["FROM", "TO", "SEVERITY", "RULE", "SUBJECT"],
            ),
            view.recent.iter().map(|past| {
                vec![
                    local_time(past.since_ms),
                    local_time(past.ended_ms),
                    severity(lang(), past.severity).to_owned(),
                    past.rule.name().to_owned(),
                    past.subject.clone(),
                ]
            }),
        ));
    }
    out.push(String::new());
    if view.destinations.is_empty() {
        out.push(either(
            "没有配置目的地：告警只写进日志；请添加 [destination.<名称>]，见 docs/alerts.md",
            "no destination is configured, so alerts go to the log alone; add [destination.<name>], see docs/alerts.md",
        ).to_owned());
    }
    out.extend(view.destinations.iter().map(destination));
    out.extend(view.heartbeat.iter().map(heartbeat));
    out.join("\n")
}

fn firing(alert: &FiringAlert) -> String {
    let (how, rule) = (severity(lang(), alert.severity), alert.rule.name());
    let (since, what) = (local_time(alert.since_ms), alert.what.text(lang()));
    let (meaning, next) = (alert.meaning.text(lang()), alert.next.text(lang()));
    let page = &alert.page;
    let told = match alert.told.is_empty() {
        true => either("还没有人", "nobody yet").to_owned(),
        false => alert.told.join(", "),
    };
    say!(
        zh: "[{how}] {rule}  自 {since}：{what}\n  {meaning}\n  下一步：{next}；说明：{page}；已告知：{told}",
        en: "[{how}] {rule}  since {since}: {what}\n  {meaning}\n  next: {next}; see {page}; told: {told}"
    )
}

fn destination(d: &DestinationView) -> String {
    let (name, kind) = (&d.name, &d.kind);
    let mut line = say!(zh: "目的地 {name}（{kind}）", en: "destination {name} ({kind})");
    line.push_str(&reached(
        d.last_success_ms,
        d.failures,
        d.last_failure_ms,
        told(lang(), &d.error, &d.error_zh),
    ));
    if let Some(refused) = told(lang(), &d.refused, &d.refused_zh) {
        line.push_str(&say!(zh: "；上次：{refused}", en: "; the last time {refused}"));
    }
    if d.waits {
        line.push_str(match d.quiet && !d.waits_now {
            true => {
                either("；有告警等到安静时段结束", "; something waits for the end of quiet hours")
            }
            false => either("；有告警等待发送", "; something waits to be told"),
        });
    }
    line
}

fn heartbeat(h: &HeartbeatView) -> String {
    let mut line = either("对外心跳", "heartbeat").to_owned();
    line.push_str(&reached(
        h.last_success_ms,
        h.failures,
        h.last_failure_ms,
        told(lang(), &h.error, &h.error_zh),
    ));
    line
}

/// How it went, in this run.
fn reached(
    success_ms: Option<i64>,
    failures: u32,
    failure_ms: Option<i64>,
    error: Option<&str>,
) -> String {
    let mut text = match success_ms {
        Some(at) => {
            let at = local_time(at);
            say!(zh: "：上次成功 {at}", en: ": last told {at}")
        }
        None => either("：本次运行还没有发送过", ": nothing told in this run").to_owned(),
    };
    if let (1.., Some(at), Some(error)) = (failures, failure_ms, error) {
        let at = local_time(at);
        text.push_str(&say!(
            zh: "；连续失败 {failures} 次，上次 {at}：{error}",
            en: "; FAILED {failures} times in a row, last {at}: {error}"
        ));
    }
    text
}
