//! `larkline status`: the signs of life at a glance.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use http::Method;
use larkline_gateway::handler::children::Isolation;
use larkline_gateway::proof::Standing;
use larkline_gateway::status::{AppStatus, LinkView, Status};
use larkline_store::record::Tally;

use super::ask::{self, Gateway};
use crate::args::Format;
use crate::exit::ExitStatus;
use crate::output::{self, age, local_time};

/// Late messages named in the report; the rest are counted.
const UNANSWERED_SHOWN: usize = 10;

/// Prints the report; with `check` only the exit code speaks.
pub(crate) async fn run(file: Option<PathBuf>, format: Format, check: bool) -> Result<ExitStatus> {
    let gateway = Gateway::of(&ask::load(file)?);
    let status: Status = gateway.call(Method::GET, "/v1/status").await?;
    let exit = if status.ready { ExitStatus::Ok } else { ExitStatus::Yours };
    if check {
        for reason in &status.not_ready {
            output::note(&format!("not ready: {reason}"));
        }
        return Ok(exit);
    }
    output::show(format, &status, human)?;
    Ok(exit)
}

fn human(s: &Status) -> String {
    let mut out = vec![
        if s.ready { "ready".to_owned() } else { format!("NOT READY: {}", s.not_ready.join("; ")) },
        alive(s),
        format!("process   pid {}, version {}, boot {}", s.pid, s.version, s.boot_id),
        format!("started   {} ({} ago)", local_time(s.started_ms), age(s.started_ms, s.at_ms)),
    ];
    s.apps.iter().for_each(|app| app_lines(app, s.at_ms, &mut out));
    out.push(format!(
        "store     {}",
        if s.store_writable { "takes writes" } else { "REFUSES WRITES" }
    ));
    let d = &s.depths;
    let oldest = d.oldest_ms.map(|at| format!(", oldest {}", age(at, s.at_ms))).unwrap_or_default();
    out.push(format!(
        "waiting   {} unrouted, {} tasks, {} awaiting a later answer, {} replies{oldest}; {} dead",
        d.unrouted, d.tasks, d.awaiting, d.outbox, d.dead
    ));
    out.push(equation(&s.tally));
    out.extend(unanswered(s));
    out.push(format!(
        "open      {} file descriptors, {} of them sockets",
        s.descriptors.open, s.descriptors.sockets
    ));
    s.children.iter().for_each(|c| {
        let pid = c.process.map_or_else(|| "starting".to_owned(), |p| format!("pid {}", p.pid));
        let used = s.usage.iter().find(|used| used.task == c.task && used.handler == c.handler);
        let used = used.map_or_else(String::new, |used| {
            let (mib, seconds) = (used.rss_bytes >> 20, used.cpu_ms / 1000);
            format!(": {mib} MiB, {} processes, {seconds} s of processor time", used.processes)
        });
        out.push(format!(
            "child     {pid} for {} since {}{used}",
            c.handler,
            local_time(c.since_ms)
        ));
    });
    out.push(format!("children  {}", isolation(&s.isolation)));
    out.join("\n")
}

/// Which limits of children the kernel keeps, and which are looked after once a second.
fn isolation(i: &Isolation) -> String {
    let kept = |by_kernel: bool| if by_kernel { "by the kernel" } else { "looked at each second" };
    let cpu = if i.cpu { "by the kernel" } else { "not limited" };
    let end = if i.kill { "in one stroke (cgroup)" } else { "process by process" };
    let why = i.why_not.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    format!(
        "memory {}, processes {}, processor {cpu}, ended {end}{why}",
        kept(i.memory),
        kept(i.pids)
    )
}

/// The three signs of life at once: the links, what was handled last, the process.
fn alive(s: &Status) -> String {
    let links: Vec<String> = s
        .apps
        .iter()
        .map(|a| {
            format!("link of {} {} for {}", a.name, a.link.state, age(a.link.since_ms, s.at_ms))
        })
        .collect();
    let handled = s.last_handled.as_ref().map_or_else(
        || "no message handled lately".to_owned(),
        |last| format!("last message {} {} ago", last.verdict, age(last.at_ms, s.at_ms)),
    );
    format!("alive     {}; {handled}; process up {}", links.join(", "), age(s.started_ms, s.at_ms))
}

/// Messages beyond their deadline: how many, and the oldest of them by name.
fn unanswered(s: &Status) -> Vec<String> {
    let late = s.unanswered.iter().take(UNANSWERED_SHOWN).map(|m| {
        format!(
            "LATE      {} in {} for {}: {}",
            m.message_id,
            m.chat_id,
            age(m.received_ms, s.at_ms),
            m.stage
        )
    });
    let more = s.unanswered.len().saturating_sub(UNANSWERED_SHOWN);
    let rest = (more > 0).then(|| format!("LATE      and {more} more"));
    late.chain(rest).collect()
}

fn app_lines(app: &AppStatus, now: i64, out: &mut Vec<String>) {
    let l = &app.link;
    out.push(format!("app       {} ({}), bot {}", app.name, app.app_id, app.bot));
    out.push(format!("link      {} for {}", l.state, age(l.since_ms, now)));
    out.push(format!("socket    {}", socket(l)));
    let ms = |ms: u64| age(0, ms.cast_signed());
    out.push(format!(
        "heartbeat ping every {}, answered within {}; probe after {} of silence, answered within {}",
        ms(l.ping_interval_ms),
        ms(l.pong_timeout_ms),
        ms(l.probe_interval_ms),
        ms(l.probe_timeout_ms)
    ));
    let seen = |at: Option<i64>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(at, now)))
    };
    out.push(format!(
        "signs     frame {}, pong {}, event {}",
        seen(l.last_frame_at_ms),
        seen(l.last_pong_at_ms),
        seen(l.last_event_at_ms)
    ));
    if let Some(ms) = l.recovery_ms {
        out.push(format!(
            "recovery  the last one took {:.1} s",
            Duration::from_millis(ms).as_secs_f64()
        ));
    }
    let proofs = app.proofs.iter().map(|p| {
        let word = match p.standing {
            Standing::Holds => "holds",
            Standing::Fails => "FAILS",
            Standing::Unknown => "unknown",
        };
        format!("{} {word}", p.name)
    });
    out.push(format!("proofs    {}", proofs.collect::<Vec<_>>().join(", ")));
    if let Some(fault) = &l.fault {
        out.push(format!("fault     {fault}"));
    }
    let g = &app.governor;
    out.push(format!(
        "governor  {} sent, {} waiting, {} throttled by the platform",
        g.granted, g.waiting, g.throttled
    ));
}

fn socket(l: &LinkView) -> String {
    match (&l.local_addr, &l.peer_addr) {
        (Some(local), Some(peer)) => {
            let tls = l.tls.as_ref().map(|t| format!(", {t}")).unwrap_or_default();
            let state = l.tcp_state.as_deref().unwrap_or("state unknown");
            format!("{local} → {peer} {state} ({}, {}{tls})", l.host, l.route)
        }
        _ => "none: no connection is open".to_owned(),
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
    format!(
        "received  {total} = {} replied + {} filtered{} + {} failed{} + {} waiting",
        sum("replied"),
        sum("filtered"),
        why("filtered"),
        sum("failed"),
        why("failed"),
        sum("waiting")
    )
}
