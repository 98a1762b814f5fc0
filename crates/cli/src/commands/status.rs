//! `larkline status`: the signs of life at a glance.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use http::Method;
use larkline_gateway::alert::FiringAlert;
use larkline_gateway::handler::children::{ChildInfo, Isolation};
use larkline_gateway::proof::Standing;
use larkline_gateway::status::{AppStatus, LinkView, Status};
use larkline_gateway::words::link_state;
use larkline_store::record::Tally;

use super::ask::{self, Gateway};
use crate::args::Format;
use crate::exit::ExitStatus;
use crate::lang::{either, lang, padded};
use crate::output::{self, age, local_time};
use crate::words;

/// Late messages named in the report; the rest are counted.
const UNANSWERED_SHOWN: usize = 10;
/// Endpoints named with the calls of the month.
const ENDPOINTS_SHOWN: usize = 4;
/// Where the text after a label starts.
const LABEL_COLUMNS: usize = 10;

/// Prints the report; with `check` only the exit code speaks.
pub(crate) async fn run(file: Option<PathBuf>, format: Format, check: bool) -> Result<ExitStatus> {
    let gateway = Gateway::of(&ask::load(file)?);
    let status: Status = gateway.call(Method::GET, "/v1/status").await?;
    let exit = if status.ready { ExitStatus::Ok } else { ExitStatus::Yours };
    if check {
        for reason in status.reasons(lang()) {
            output::note(&say!(zh: "未就绪：{reason}", en: "not ready: {reason}"));
        }
        return Ok(exit);
    }
    show(format, status)?;
    Ok(exit)
}

/// Prints the report; for programs in English.
///
/// # Errors
/// When it cannot be serialised.
pub(crate) fn show(format: Format, mut report: Status) -> Result<()> {
    if format == Format::Json {
        report.in_english();
    }
    output::show(format, &report, human)
}

/// The report as people read it.
pub(crate) fn human(s: &Status) -> String {
    let reasons = s.reasons(lang()).join(either("；", "; "));
    let mut out = vec![
        if s.ready {
            either("就绪", "ready").to_owned()
        } else {
            say!(zh: "未就绪：{reasons}", en: "NOT READY: {reasons}")
        },
        labelled("状态", "alive", &alive(s)),
    ];
    process_lines(s, &mut out);
    s.apps.iter().for_each(|app| app_lines(app, s.at_ms, &mut out));
    store_lines(s, &mut out);
    out.push(equation(&s.tally));
    out.extend(unanswered(s));
    out.extend(s.alerts.iter().map(alert));
    let d = &s.descriptors;
    let open = say!(
        zh: "{open} 个文件描述符，其中套接字 {sockets} 个",
        en: "{open} file descriptors, {sockets} of them sockets",
        open = d.open, sockets = d.sockets
    );
    out.push(labelled("打开", "open", &open));
    machine_lines(s, &mut out);
    out.extend(s.children.iter().map(|c| labelled("子进程", "child", &child(s, c))));
    out.push(labelled("限制", "children", &isolation(&s.isolation)));
    out.join("\n")
}

/// A line with its label; what follows starts in one column in both languages.
fn labelled(zh: &str, en: &str, text: &str) -> String {
    format!("{}{text}", padded(either(zh, en), LABEL_COLUMNS))
}

fn process_lines(s: &Status, out: &mut Vec<String>) {
    let process = say!(
        zh: "pid {pid}，版本 {version}，运行编号 {boot}",
        en: "pid {pid}, version {version}, boot {boot}",
        pid = s.pid, version = s.version, boot = s.boot_id
    );
    out.push(labelled("进程", "process", &process));
    let (at, ago) = (local_time(s.started_ms), age(s.started_ms, s.at_ms));
    let started = say!(zh: "{at}（{ago}前）", en: "{at} ({ago} ago)");
    out.push(labelled("启动", "started", &started));
}

fn machine_lines(s: &Status, out: &mut Vec<String>) {
    let mib = s.own.rss_bytes >> 20;
    let cpu = Duration::from_millis(s.own.cpu_ms).as_secs_f64();
    let up_ms = u64::try_from(s.at_ms - s.started_ms).unwrap_or(0).max(1);
    let share = s.own.cpu_ms.saturating_mul(1000) / up_ms;
    let (whole, tenth) = (share / 10, share % 10);
    let uses = say!(
        zh: "内存 {mib} MiB，处理器时间 {cpu:.1} 秒，平均 {whole}.{tenth} %",
        en: "{mib} MiB resident, {cpu:.1} s of processor time, {whole}.{tenth} % on average"
    );
    out.push(labelled("占用", "uses", &uses));
    let h = &s.host;
    let [one, five, fifteen] = h.load;
    let (free, all) = (h.memory_available_bytes >> 20, h.memory_bytes >> 20);
    let host = say!(
        zh: "负载 {one:.2} {five:.2} {fifteen:.2}，{processors} 个处理器，可用内存 {free} / {all} MiB",
        en: "load {one:.2} {five:.2} {fifteen:.2} on {processors} processors, {free} of {all} MiB of memory available",
        processors = h.processors
    );
    out.push(labelled("主机", "host", &host));
}

fn store_lines(s: &Status, out: &mut Vec<String>) {
    let store = match s.store_writable {
        true => either("可写", "takes writes"),
        false => either("拒绝写入", "REFUSES WRITES"),
    };
    out.push(labelled("存储", "store", store));
    let d = &s.depths;
    let oldest = d.oldest_ms.map(|at| {
        let age = age(at, s.at_ms);
        say!(zh: "，最久 {age}", en: ", oldest {age}")
    });
    let waiting = say!(
        zh: "{unrouted} 条未路由，{tasks} 个任务，{awaiting} 个待后续回答，{outbox} 条回复{oldest}；死信 {dead} 条",
        en: "{unrouted} unrouted, {tasks} tasks, {awaiting} awaiting a later answer, {outbox} replies{oldest}; {dead} dead",
        unrouted = d.unrouted, tasks = d.tasks, awaiting = d.awaiting, outbox = d.outbox,
        dead = d.dead, oldest = oldest.unwrap_or_default()
    );
    out.push(labelled("等待", "waiting", &waiting));
    out.extend(s.figures_of_ms.map(|of_ms| labelled("数据", "figures", &figures(of_ms))));
}

/// Of when the figures are that the store did not tell this time.
fn figures(of_ms: i64) -> String {
    let at = Some(of_ms).filter(|of_ms| *of_ms > 0).map(local_time);
    let at = at.unwrap_or_else(|| either("启动时", "the start").to_owned());
    say!(zh: "截至 {at}：此后存储没有响应", en: "of {at}: the store has not answered since")
}

/// An alert that fires; `larkline alerts` says more.
fn alert(a: &FiringAlert) -> String {
    let (rule, since, what) = (a.rule.name(), local_time(a.since_ms), a.what.text(lang()));
    let text = say!(zh: "{rule}，自 {since}：{what}", en: "{rule} since {since}: {what}");
    labelled("告警", "ALERT", &text)
}

/// One running child, with what it uses.
fn child(s: &Status, c: &ChildInfo) -> String {
    let pid = match c.process {
        Some(process) => format!("pid {}", process.pid),
        None => either("启动中", "starting").to_owned(),
    };
    let used = s.usage.iter().find(|used| used.task == c.task && used.handler == c.handler);
    let used = used.map_or_else(String::new, |used| {
        let (mib, seconds) = (used.rss_bytes >> 20, used.cpu_ms / 1000);
        say!(
            zh: "：{mib} MiB，{processes} 个进程，处理器时间 {seconds} 秒",
            en: ": {mib} MiB, {processes} processes, {seconds} s of processor time",
            processes = used.processes
        )
    });
    say!(
        zh: "{pid}，处理器 {handler}，始于 {since}{used}",
        en: "{pid} for {handler} since {since}{used}",
        handler = c.handler, since = local_time(c.since_ms)
    )
}

/// Which limits of children the kernel keeps, and which are looked after once a second.
fn isolation(i: &Isolation) -> String {
    let kept = |by_kernel: bool| match by_kernel {
        true => either("由内核限制", "by the kernel"),
        false => either("每秒检查", "looked at each second"),
    };
    let (memory, pids) = (kept(i.memory), kept(i.pids));
    let cpu = if i.cpu {
        either("由内核限制", "by the kernel")
    } else {
        either("不限制", "not limited")
    };
    let end = match i.kill {
        true => either("一次全部结束（cgroup）", "in one stroke (cgroup)"),
        false => either("逐个进程结束", "process by process"),
    };
    let why =
        i.why_not(lang()).map_or_else(String::new, |why| say!(zh: "（{why}）", en: " ({why})"));
    say!(
        zh: "内存{memory}，进程数{pids}，处理器{cpu}，{end}{why}",
        en: "memory {memory}, processes {pids}, processor {cpu}, ended {end}{why}"
    )
}

/// The three signs of life at once: the links, what was handled last, the process.
fn alive(s: &Status) -> String {
    let links: Vec<String> = s
        .apps
        .iter()
        .map(|a| {
            let (state, since) = (link_state(lang(), &a.link.state), age(a.link.since_ms, s.at_ms));
            say!(
                zh: "{name} 的连接{state}，已 {since}",
                en: "link of {name} {state} for {since}",
                name = a.name
            )
        })
        .collect();
    let handled = s.last_handled.as_ref().map_or_else(
        || either("最近没有处理消息", "no message handled lately").to_owned(),
        |last| {
            let (verdict, ago) = (words::outcome(&last.verdict), age(last.at_ms, s.at_ms));
            say!(zh: "上一条消息{verdict}，{ago}前", en: "last message {verdict} {ago} ago")
        },
    );
    let up = age(s.started_ms, s.at_ms);
    let links = links.join(either("，", ", "));
    say!(zh: "{links}；{handled}；进程已运行 {up}", en: "{links}; {handled}; process up {up}")
}

/// Messages beyond their deadline: how many, and the oldest of them by name.
fn unanswered(s: &Status) -> Vec<String> {
    let late = s.unanswered.iter().take(UNANSWERED_SHOWN).map(|m| {
        let waits = say!(
            zh: "{message}，会话 {chat}，已 {age}：{stage}",
            en: "{message} in {chat} for {age}: {stage}",
            message = m.message_id, chat = m.chat_id, age = age(m.received_ms, s.at_ms),
            stage = m.stage(lang())
        );
        labelled("超时", "LATE", &waits)
    });
    let more = s.unanswered.len().saturating_sub(UNANSWERED_SHOWN);
    let rest = (more > 0)
        .then(|| labelled("超时", "LATE", &say!(zh: "还有 {more} 条", en: "and {more} more")));
    late.chain(rest).collect()
}

fn app_lines(app: &AppStatus, now: i64, out: &mut Vec<String>) {
    let l = &app.link;
    let bot = say!(
        zh: "{name}（{id}），机器人 {bot}",
        en: "{name} ({id}), bot {bot}",
        name = app.name, id = app.app_id, bot = app.bot
    );
    out.push(labelled("应用", "app", &bot));
    let (state, since) = (link_state(lang(), &l.state), age(l.since_ms, now));
    let link = say!(zh: "{state}，已 {since}", en: "{state} for {since}");
    out.push(labelled("连接", "link", &link));
    out.push(labelled("套接字", "socket", &socket(l)));
    out.push(labelled("心跳", "heartbeat", &heartbeat(l)));
    out.push(labelled("迹象", "signs", &signs(l, now)));
    if let Some(ms) = l.recovery_ms {
        let seconds = Duration::from_millis(ms).as_secs_f64();
        let took = say!(zh: "上一次用时 {seconds:.1} 秒", en: "the last one took {seconds:.1} s");
        out.push(labelled("恢复", "recovery", &took));
    }
    let proofs = app.proofs.iter().map(|p| {
        let word = match p.standing {
            Standing::Holds => either("成立", "holds"),
            Standing::Fails => either("不成立", "FAILS"),
            Standing::Unknown => either("未知", "unknown"),
        };
        format!("{} {word}", p.name)
    });
    let proofs = proofs.collect::<Vec<_>>().join(either("，", ", "));
    out.push(labelled("证明", "proofs", &proofs));
    out.push(labelled("静默", "silence", &silence(app)));
    if app.repaired > 0 {
        let repaired =
            say!(zh: "已从会话历史补回 {n} 条消息", en: "{n} messages read back", n = app.repaired);
        out.push(labelled("补回", "repaired", &repaired));
    }
    if let Some(fault) = l.fault_in_full(lang()) {
        out.push(labelled("故障", "fault", &fault));
    }
    let g = &app.governor;
    let governor = say!(
        zh: "已发送 {granted}，等待 {waiting}，被平台限流 {throttled} 次",
        en: "{granted} sent, {waiting} waiting, {throttled} throttled by the platform",
        granted = g.granted, waiting = g.waiting, throttled = g.throttled
    );
    out.push(labelled("限流器", "governor", &governor));
    out.push(labelled("用量", "month", &month(app)));
}

/// What silence is unusual for the app now.
fn silence(app: &AppStatus) -> String {
    let after = age(0, app.unusual_silence_ms.cast_signed());
    match app.is_silence_learnt {
        true => say!(
            zh: "超过 {after} 为异常（按此应用在这一时段的习惯）",
            en: "unusual beyond {after}, by this app's habits at this time of day"
        ),
        false => say!(
            zh: "超过 {after} 为异常（`link.suspect_after`；历史还太少）",
            en: "unusual beyond {after} (`link.suspect_after`; too little history yet)"
        ),
    }
}

/// The calls of the month against the quota, the most frequent named.
fn month(app: &AppStatus) -> String {
    let m = &app.month;
    let mut calls: Vec<_> = m.calls.iter().collect();
    calls.sort_by_key(|(endpoint, count)| (std::cmp::Reverse(**count), *endpoint));
    let most =
        calls.iter().take(ENDPOINTS_SHOWN).map(|(endpoint, count)| format!("{endpoint} {count}"));
    let most = most.collect::<Vec<_>>().join(", ");
    let most = if most.is_empty() { most } else { format!(" ({most})") };
    let (used, projected) = (m.used, m.projected);
    match m.quota {
        Some(quota) => {
            let percent = used.saturating_mul(100) / quota.max(1);
            say!(
                zh: "{month} 已调用 {used} 次，占配额 {quota} 的 {percent}%，预计月底 {projected} 次{most}",
                en: "{used} calls in {month}, {percent} % of {quota}, {projected} by its end if it goes on so{most}",
                month = m.month
            )
        }
        None => say!(
            zh: "{month} 已调用 {used} 次，预计月底 {projected} 次，无配额{most}",
            en: "{used} calls in {month}, {projected} by its end if it goes on so, no quota{most}",
            month = m.month
        ),
    }
}

fn heartbeat(l: &LinkView) -> String {
    let ms = |ms: u64| age(0, ms.cast_signed());
    say!(
        zh: "每 {every} 发送 ping，{within}内应答；静默 {silence}后探测，{answered}内应答",
        en: "ping every {every}, answered within {within}; probe after {silence} of silence, answered within {answered}",
        every = ms(l.ping_interval_ms), within = ms(l.pong_timeout_ms),
        silence = ms(l.probe_interval_ms), answered = ms(l.probe_timeout_ms)
    )
}

fn signs(l: &LinkView, now: i64) -> String {
    let seen = |at: Option<i64>| ago(at, now);
    say!(
        zh: "帧：{frame}，pong：{pong}，事件：{event}",
        en: "frame {frame}, pong {pong}, event {event}",
        frame = seen(l.last_frame_at_ms), pong = seen(l.last_pong_at_ms),
        event = seen(l.last_event_at_ms)
    )
}

/// How long ago something happened, if ever.
pub(crate) fn ago(at: Option<i64>, now: i64) -> String {
    let Some(at) = at else { return either("从未", "never").to_owned() };
    let age = age(at, now);
    say!(zh: "{age}前", en: "{age} ago")
}

/// The ends of a connection, and its way.
pub(crate) fn socket(l: &LinkView) -> String {
    match (&l.local_addr, &l.peer_addr) {
        (Some(local), Some(peer)) => {
            let tls = l.tls.as_ref().map(|t| format!(", {t}")).unwrap_or_default();
            let unknown = either("状态未知", "state unknown");
            let state = l.tcp_state.as_deref().unwrap_or(unknown);
            format!("{local} → {peer} {state} ({}, {}{tls})", l.host, words::route(&l.route))
        }
        _ => either("无：没有打开的连接", "none: no connection is open").to_owned(),
    }
}

/// `received = replied + filtered(why) + failed(why) + waiting`, in numbers.
pub(crate) fn equation(tally: &[Tally]) -> String {
    let total: u64 = tally.iter().map(|t| t.count).sum();
    let sum =
        |verdict: &str| tally.iter().filter(|t| t.verdict == verdict).map(|t| t.count).sum::<u64>();
    let why = |verdict: &str| {
        let parts: Vec<String> = tally
            .iter()
            .filter(|t| t.verdict == verdict && t.count > 0 && !t.why.is_empty())
            .map(|t| format!("{} {}", t.why, t.count))
            .collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    };
    let sums = say!(
        zh: "{total} = 已回复 {replied} + 已过滤 {filtered}{why_filtered} + 失败 {failed}{why_failed} + 等待 {waiting}",
        en: "{total} = {replied} replied + {filtered} filtered{why_filtered} + {failed} failed{why_failed} + {waiting} waiting",
        replied = sum("replied"), filtered = sum("filtered"), why_filtered = why("filtered"),
        failed = sum("failed"), why_failed = why("failed"), waiting = sum("waiting")
    );
    labelled("收到", "received", &sums)
}
