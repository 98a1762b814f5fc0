//! Rows of a bot's life: its start, idle hours, a link that dies, a burst, a token that is taken away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::figure::{Row, short};
use super::rig::{Bot, Job, Sim, Tools, Who, since};
use super::speed::number;
use crate::process::now;

/// Longest wait for what should take seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an idle bot is watched.
const IDLE: Duration = Duration::from_secs(60);
/// A half-open link that is not replaced by then counts as never.
const HALF_OPEN: Duration = Duration::from_secs(75);
const BOTS: [Who; 3] = [Who::Ours, Who::Node, Who::Python];

/// Process start → the ack of an event that comes with the upgrade.
pub(super) fn start(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let mut row = Row::new("start", "process start → first event acked", "≤ 40 ms", "ms");
    for round in 0..rounds * 3 {
        for who in BOTS.into_iter().filter(|who| *who == Who::Ours || round < 2) {
            let sim = tools.sim()?;
            let said = json!({"user": sim.person("Ada")?, "text": "first"});
            if who == Who::Ours {
                sim.call("say", Some(&said))?;
                sim.call("fault", Some(&json!({"kind": "push_with_upgrade"})))?;
            }
            let began = now();
            let bot = tools.bot(who, Job::Nothing, &sim)?;
            if who != Who::Ours {
                // What comes with the upgrade they may not hear; a ping says that they listen.
                sim.wait(&json!({"pings": 1}), PATIENCE).with_context(|| bot.said())?;
                sim.call("say", Some(&said))?;
            }
            sim.wait(&json!({"acks": 1}), PATIENCE).with_context(|| bot.said())?;
            row.of(who).push(since(began) * 1000.0);
        }
    }
    println!("start     {}", short(row.our_median()));
    Ok(vec![row.at_most(40.0)])
}

/// Order to push → the handler's own HTTP server has the request; and the same under some load.
pub(super) fn handler(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let mut row = Row::new("handler", "event pushed → handler started, idle", "p50 ≤ 1 ms", "ms");
    let (listener, arrivals) = service()?;
    let text = format!(
        "kind = \"http\"\nurl = \"http://{listener}\"\nallow_private = true\nsecret = \"{SIGNING}\""
    );
    let sim = tools.sim()?;
    let bot = tools.bot(Who::Ours, Job::Handler(&text), &sim)?;
    sim.connected(1, PATIENCE).with_context(|| bot.said())?;
    let person = sim.person("Ada")?;
    let mut line = sim.line()?;
    for n in 0..rounds * 40 {
        let began = now();
        line.call("say", &json!({"user": person, "text": "work"}))?;
        let arrived = arrivals.recv_timeout(PATIENCE).with_context(|| bot.said())?;
        if n > 0 {
            row.ours.push(arrived.saturating_duration_since(began).as_secs_f64() * 1000.0);
        }
        // Idle between two messages.
        sleep(Duration::from_millis(30));
    }
    row.remark =
        "an upper bound: the order to push and the call of an HTTP handler are in it".into();
    println!("handler   {} ms", short(row.our_median()));
    Ok(vec![row.at_most(1.0), answered(tools, rounds)?])
}

/// Push → reply at a hundred messages a second, which is later than the handler's start.
fn answered(tools: &Tools, rounds: usize) -> Result<Row> {
    let what = "event pushed → reply arrived, 100 messages/s, p99";
    let mut row = Row::new("handler", what, "≤ 100 ms", "ms");
    let load = json!({"events": 1_000, "per_second": 100.0, "chats": 50, "replies": true});
    for _ in 0..rounds.min(3) {
        for who in BOTS {
            let sim = tools.sim()?;
            let bot = tools.ready(who, Job::Echo, &sim)?;
            let report = sim.load(&load).with_context(|| bot.said())?;
            row.of(who).push(number(&report["reply_us"]["p99"]) / 1000.0);
        }
    }
    row.remark = "the handler's start lies before the reply, so this bounds it".into();
    println!("answered  {} ms", short(row.our_median()));
    Ok(row.at_most(100.0))
}

/// What requests to it are signed with; it does not look.
const SIGNING: &str = "whsec_bGFya2xpbmUgYmVuY2g6IDMyIGJ5dGVzIHNlY3JldCE=";

/// An HTTP service that says when each request came. It keeps connections, as services do.
fn service() -> Result<(std::net::SocketAddr, Receiver<Instant>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (sender, arrivals) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            // Its end is the end of its connection; nobody asks for its outcome.
            std::thread::spawn(move || answer(&stream, &sender).ok());
        }
    });
    Ok((address, arrivals))
}

/// Answers the requests of one connection until it ends.
fn answer(stream: &TcpStream, sender: &Sender<Instant>) -> Result<()> {
    let mut lines = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while lines.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        sender.send(now())?;
        lines.read_exact(&mut vec![0; length])?;
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}

/// A minute of nothing, then a link that is cut without a word; all bots at the same time.
pub(super) fn idle(tools: &Tools, _: usize) -> Result<Vec<Row>> {
    let mut memory = Row::new("memory", "resident memory, idle link", "≤ 12 MB", "MB");
    let mut cpu = Row::new("idle", "processor time, idle link", "≤ 0.1 % of a core", "%");
    let mut wire = Row::new("half-open", "bytes on the wire, idle link", "≤ 3 kB/min", "kB");
    let what = "half-open link noticed and replaced, default settings";
    let mut open = Row::new("half-open", what, "≤ 15 s", "s");
    let mut rigs = Vec::new();
    for who in BOTS {
        let sim = tools.sim_with(&[])?;
        let home = tools.scratch.join(format!("idle-{who:?}"));
        let bot = tools.bot_in(who, Job::Nothing, &sim, &home)?;
        sim.connected(1, PATIENCE).with_context(|| bot.said())?;
        sim.wait(&json!({"pings": 1}), PATIENCE).with_context(|| bot.said())?;
        rigs.push((who, sim, bot));
    }
    sleep(Duration::from_secs(2));
    let before = rigs.iter().map(|(_, sim, bot)| usage(sim, bot)).collect::<Result<Vec<_>>>()?;
    sleep(IDLE);
    for ((who, sim, bot), (cpu_before, bytes_before)) in rigs.iter().zip(before) {
        let (used, bytes) = usage(sim, bot)?;
        cpu.of(*who).push((used - cpu_before) * 100.0 / IDLE.as_secs_f64());
        wire.of(*who).push((bytes - bytes_before) / 1000.0);
        memory.of(*who).push(bot.memory("VmRSS:")?);
        if *who == Who::Ours {
            memory.remark = format!(
                "{} MB of it are its own; the rest are pages of the binary and of libc",
                short(bot.memory("RssAnon:")?)
            );
        }
        sim.call("fault", Some(&json!({"kind": "half_open"})))?;
    }
    let began = now();
    let mut waiting = rigs.iter().collect::<Vec<_>>();
    while !waiting.is_empty() && since(began) < HALF_OPEN.as_secs_f64() {
        waiting.retain(|(who, sim, _)| {
            let back = sim.connected(2, Duration::ZERO).is_ok();
            if back {
                open.of(*who).push(since(began));
            }
            !back
        });
        sleep(Duration::from_millis(100));
    }
    let never: Vec<_> = waiting.iter().map(|(who, ..)| who.name()).collect();
    if !never.is_empty() {
        open.remark = format!("not within {} s: {}", HALF_OPEN.as_secs(), never.join(", "));
    }
    println!(
        "idle      {} MB, half-open {} s",
        short(memory.our_median()),
        short(open.our_median())
    );
    Ok(vec![open.at_most(15.0), wire.at_most(3.0), memory.at_most(12.0), cpu.at_most(0.1)])
}

/// Processor seconds of the bot, and bytes of its link in both directions.
fn usage(sim: &Sim, bot: &Bot) -> Result<(f64, f64)> {
    let connections = sim.call("ledger", None)?["connections"].clone();
    let link = connections.get(0).cloned().unwrap_or_default();
    Ok((bot.cpu()?, number(&link["bytes_in"]) + number(&link["bytes_out"])))
}

/// A reset of the connection → verified again.
pub(super) fn reset(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let what = "RST → verified again, server up";
    let mut row = Row::new("reset", what, "p50 ≤ 1 s", "s");
    for _ in 0..rounds * 3 {
        let sim = tools.sim()?;
        let bot = tools.ready(Who::Ours, Job::Nothing, &sim)?;
        sim.call("fault", Some(&json!({"kind": "rst"})))?;
        let began = now();
        sim.wait(&json!({"connections": 2, "pings": 2}), PATIENCE).with_context(|| bot.said())?;
        row.ours.push(since(began));
    }
    row.remark = "the SDKs wait a random time up to 30 s, by the platform's own settings".into();
    println!("reset     {} s", short(row.our_median()));
    Ok(vec![row.at_most(1.0)])
}

/// Ten thousand events that wait for a handler.
pub(super) fn waiting(tools: &Tools, _: usize) -> Result<Vec<Row>> {
    let what = "resident memory, 10 000 events waiting";
    let mut row = Row::new("memory", what, "≤ 40 MB", "MB");
    let slow =
        "kind = \"command\"\nargv = [\"sleep\", \"1000\"]\nconcurrency = 1\ntimeout = \"20m\"";
    let sim = tools.sim()?;
    let bot = tools.bot(Who::Ours, Job::Handler(slow), &sim)?;
    sim.connected(1, PATIENCE).with_context(|| bot.said())?;
    let report = sim.load(&json!({"events": 10_000, "chats": 100}))?;
    row.remark = format!("{} of 10 000 acked", report["acked"]);
    row.ours.push(bot.memory("VmRSS:")?);
    println!("waiting   {} MB", short(row.our_median()));
    Ok(vec![row.at_most(40.0)])
}

/// Two hundred replies to one chat, under the platform's own limits.
pub(super) fn burst(tools: &Tools, _: usize) -> Result<Vec<Row>> {
    const MINIMUM: f64 = 39.0;
    let what = "burst of 200 replies to one chat (the limit allows 5/s: 39 s)";
    let goal = "all, in order, none refused, within 5 %";
    let mut row = Row::new("burst", what, goal, "s");
    let echo = "kind = \"echo\"";
    let sim = tools.sim_with(&[])?;
    let bot = tools.bot(Who::Ours, Job::Handler(echo), &sim)?;
    sim.connected(1, PATIENCE).with_context(|| bot.said())?;
    let load = json!({"events": 200, "outstanding": 200, "chats": 1, "replies": true});
    let report = sim.load(&load)?;
    let calls = sim.call("ledger", None)?["calls"].clone();
    let refused = calls.as_array().into_iter().flatten();
    let refused = refused.filter(|call| call["code"].as_i64().is_some_and(|c| c != 0)).count();
    row.ours.push(number(&report["elapsed_ms"]) / 1000.0);
    row.remark = format!(
        "ours: {} of 200 delivered, {} out of order, {refused} refused",
        report["replied"], report["overtaken"]
    );
    let whole = report["replied"] == 200 && report["overtaken"] == 0 && refused == 0;
    let mut row = row.at_most(MINIMUM * 1.05);
    row.met = row.met.map(|met| met && whole);
    println!("burst     {} s, {}", short(row.our_median()), row.remark);
    Ok(vec![row])
}

/// The platform takes the token away early.
pub(super) fn token(tools: &Tools, _: usize) -> Result<Vec<Row>> {
    let what = "replies of 50 that arrive after the platform revoked the token";
    let mut row = Row::new("token", what, "50", "");
    for who in BOTS {
        let sim = tools.sim()?;
        let _bot = tools.ready(who, Job::Echo, &sim)?;
        sim.call("fault", Some(&json!({"kind": "revoke_tokens"})))?;
        let load = json!({"events": 50, "outstanding": 10, "replies": true, "patience_ms": 5_000});
        row.of(who).push(number(&sim.load(&load)?["replied"]));
    }
    println!("token     {}", short(row.our_median()));
    row.met = Some(row.ours.median() == Some(50.0));
    Ok(vec![row])
}

/// The binary.
pub(super) fn size(tools: &Tools, _: usize) -> Result<Vec<Row>> {
    let mut row = Row::new("size", "release binary, stripped", "≤ 20 MB, no OpenSSL", "MB");
    let bytes = u32::try_from(std::fs::metadata(&tools.larkline)?.len())?;
    row.ours.push(f64::from(bytes) / 1e6);
    let mut ldd = std::process::Command::new("ldd");
    let libraries = crate::workspace::output(ldd.arg(&tools.larkline)).unwrap_or_default();
    let names: Vec<_> = libraries.lines().filter_map(|l| l.split_whitespace().next()).collect();
    row.remark = format!("links {}", names.join(", "));
    let clean = !libraries.contains("ssl");
    let mut row = row.at_most(20.0);
    row.met = row.met.map(|met| met && clean);
    Ok(vec![row])
}
