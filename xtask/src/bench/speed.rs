//! Rows of speed: events a second, latency, processor time. Rounds are interleaved, so that what the
//! machine does meanwhile hits everybody.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::figure::{Row, Sample, short};
use super::rig::{Job, Tools, Who, own_cpu};
use crate::process::now;

/// Events a second: received, journaled, acked.
pub(super) fn received(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let mut row = Row::new(
        "received",
        "events received, journaled and acked, one link, 256 outstanding",
        "≥ 2 × the faster SDK; ≥ 0.5 × our link without a journal",
        "/s",
    );
    let (mut link, mut peak) = (Sample::default(), Sample::default());
    let bots =
        [(Who::Ours, 60_000), (Who::Link, 100_000), (Who::Node, 60_000), (Who::Python, 8_000)];
    for _ in 0..rounds {
        for (who, events) in bots {
            let sim = tools.sim()?;
            let bot = tools.ready(who, Job::Nothing, &sim)?;
            let report = sim.load(&json!({"events": events}))?;
            let rate = number(&report["per_second"]);
            println!("received  {:<11} {} /s", who.name(), short(rate));
            match who {
                Who::Link => link.push(rate),
                Who::Ours => {
                    row.of(who).push(rate);
                    peak.push(bot.memory("VmHWM:")?);
                }
                Who::Node | Who::Python => row.of(who).push(rate),
            }
        }
    }
    let part = row.our_median() / link.median().unwrap_or(f64::NAN);
    row.remark = format!(
        "link without a journal {} /s: {part:.2} of it is left",
        short(link.median().unwrap_or(f64::NAN))
    );
    let mut row = row.times_the_best(2.0);
    row.met = row.met.map(|met| met && part >= 0.5);
    let mut memory = Row::new("memory", "resident memory, peak at full load", "≤ 60 MB", "MB");
    memory.ours = peak;
    Ok(vec![row, memory.at_most(60.0)])
}

/// The whole path, echo.
pub(super) fn path(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let mut row = Row::new(
        "path",
        "whole path: event → durable → echo → durable outbox → reply sent, 200 chats",
        "≥ 1.5 × the faster SDK",
        "/s",
    );
    let (mut doubled, mut overtaken, mut missing) = (0, 0, 0);
    for _ in 0..rounds {
        for (who, events) in [(Who::Ours, 10_000), (Who::Node, 8_000), (Who::Python, 1_200)] {
            let sim = tools.sim()?;
            let _bot = tools.ready(who, Job::Echo, &sim)?;
            let load = json!({"events": events, "outstanding": 200, "chats": 200, "replies": true});
            let report = sim.load(&load)?;
            let rate = number(&report["per_second"]);
            println!("path      {:<11} {} /s", who.name(), short(rate));
            row.of(who).push(rate);
            if who == Who::Ours {
                doubled += report["doubled"].as_u64().unwrap_or(0);
                overtaken += report["overtaken"].as_u64().unwrap_or(0);
                missing += report["missing"].as_u64().unwrap_or(0);
            }
        }
    }
    row.remark = format!("ours: {missing} lost, {doubled} doubled, {overtaken} out of order");
    Ok(vec![row.times_the_best(1.5)])
}

/// Latency of acks and processor time at 500 events a second.
pub(super) fn pace(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    const EVENTS: f64 = 2_500.0;
    let p50 = "ack latency at 500 events/s, p50";
    let mut p50 = Row::new("ack", p50, "≤ 0.6 ms, durable", "ms");
    let mut p99 = Row::new("ack", "the same, p99", "≤ 5 ms, durable", "ms");
    let what = "processor time per 10 000 events at 500/s";
    let mut cpu = Row::new("cpu", what, "≤ 1.0 s, durable", "s");
    let mut echo = Row::new("cpu", "the same, each event echoed", "–", "s");
    // Each round is a minute; three show the spread.
    for _ in 0..rounds.min(3) {
        for job in [Job::Nothing, Job::Echo] {
            for who in [Who::Ours, Who::Node, Who::Python] {
                let sim = tools.sim()?;
                let bot = tools.ready(who, job, &sim)?;
                let before = bot.cpu()?;
                let report = sim.load(&json!({"events": 2_500, "per_second": 500.0}))?;
                let used = (bot.cpu()? - before) * 10_000.0 / EVENTS;
                match job {
                    Job::Nothing => {
                        let (half, most) = (&report["ack_us"]["p50"], &report["ack_us"]["p99"]);
                        p50.of(who).push(number(half) / 1000.0);
                        p99.of(who).push(number(most) / 1000.0);
                        cpu.of(who).push(used);
                        println!(
                            "pace      {:<11} p50 {half} µs, p99 {most} µs, {used:.2} s",
                            who.name()
                        );
                    }
                    Job::Echo | Job::Handler(_) => echo.of(who).push(used),
                }
            }
        }
    }
    cpu.remark = format!(
        "appending the {PAGES} pages that an event touches to a file and flushing them, 500 times a second \
         and nothing else, takes {} s here",
        short(floor(&tools.scratch.join("floor"))?)
    );
    Ok(vec![p50.at_most(0.6), p99.at_most(5.0), cpu.at_most(1.0), echo])
}

/// Pages of the database that an event alone in its commit touches: its row, the chat's index, the
/// payload, two dedupe keys, the tally, the chat, the line of an ack.
const PAGES: usize = 8;

/// Processor time of 10 000 appends and flushes at 500/s: what the disk costs whoever uses it.
fn floor(path: &Path) -> Result<f64> {
    const TIMES: u32 = 1_000;
    let mut file = File::create(path)?;
    let page = vec![0x5a; PAGES * 4096];
    let (before, begun) = (own_cpu()?, now());
    for n in 1..=TIMES {
        file.write_all(&page)?;
        file.sync_data()?;
        let due = begun + Duration::from_millis(2) * n;
        std::thread::sleep(due.saturating_duration_since(now()));
    }
    let used = own_cpu()? - before;
    std::fs::remove_file(path)?;
    Ok(used * 10_000.0 / f64::from(TIMES))
}

/// A number of a report.
pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
