//! Rows of agents: how soon an answer begins, what a turn costs beside the program itself, a crowd.
//!
//! The agent is the binary's own scripted one, a real process that speaks Claude Code's wire: what a
//! model takes is nobody's business here. By hand means: the same program, started by the bench, with
//! the same line on its stdin, read to its result.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::figure::{Row, short};
use super::rig::{Job, Sim, Tools, Who, since};
use crate::process::now;

/// Longest wait for what should take seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the ledger is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Chats that talk to an agent at once.
const CROWD: usize = 100;

/// One turn after the other in one chat, and the same program by hand.
pub(super) fn turn(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let mut first = Row::new("agents", "message → first words of an agent visible", "–", "ms");
    let mut whole = Row::new("agents", "message → whole answer of an agent in the chat", "–", "ms");
    let mut hand = Row::new("agents", "the same program by hand: start → its result", "–", "ms");
    let sim = tools.sim()?;
    let bot = tools.bot(Who::Ours, Job::Handler(&handler(tools, 4)?), &sim)?;
    sim.connected(1, PATIENCE).with_context(|| bot.said())?;
    let person = sim.person("Ada")?;
    for n in 0..rounds * 4 {
        let by_hand = by_hand(tools)?;
        let began = now();
        let said = sim.call("say", Some(&json!({"user": person, "text": WORDS})))?;
        let id = said["message_id"].as_str().context("no message id")?.to_owned();
        let seen = until(&sim, &id, |card| !answer(card).is_empty()).with_context(|| bot.said())?;
        let ended = until(&sim, &id, is_final).with_context(|| bot.said())?;
        // The first one warms the disk's cache for both.
        if n > 0 {
            hand.ours.push(by_hand);
            first.ours.push(seen.saturating_duration_since(began).as_secs_f64() * 1000.0);
            whole.ours.push(ended.saturating_duration_since(began).as_secs_f64() * 1000.0);
        }
    }
    whole.remark = format!(
        "{} ms more than by hand: journal, card, its changes, end of the process tree, outbox",
        short(whole.our_median() - hand.our_median())
    );
    println!("agent     {} ms, by hand {} ms", short(whole.our_median()), short(hand.our_median()));
    Ok(vec![first, whole, hand])
}

/// A hundred chats at once, and what their conversations cost while nobody says anything.
pub(super) fn crowd(tools: &Tools, _: usize) -> Result<Vec<Row>> {
    let what = format!("{CROWD} agents at once: first message → last whole answer");
    let mut time = Row::new("agents", &what, "none lost, none doubled", "s");
    let mut memory =
        Row::new("agents", "resident memory of the gateway with them at work", "–", "MB");
    let mut each = Row::new("agents", "the same for each conversation that waits", "–", "kB");
    let sim = tools.sim()?;
    let bot = tools.bot(Who::Ours, Job::Handler(&handler(tools, CROWD)?), &sim)?;
    sim.connected(1, PATIENCE).with_context(|| bot.said())?;
    let people: Vec<Value> =
        (0..CROWD).map(|n| sim.person(&format!("person {n}"))).collect::<Result<_>>()?;
    // One turn before, so that what every gateway with an agent keeps is not counted.
    talk(&sim, &people[..1]).with_context(|| bot.said())?;
    let before = bot.memory("VmRSS:")?;
    let began = now();
    let ids = said(&sim, &people)?;
    let peak = settle(&sim, &ids, || bot.memory("VmRSS:")).with_context(|| bot.said())?;
    time.ours.push(since(began));
    memory.ours.push(peak);
    sleep(Duration::from_secs(5));
    each.ours.push((bot.memory("VmRSS:")? - before).max(0.0) * 1024.0 / CROWD as f64);
    let (lost, doubled) = count(&sim, &ids)?;
    time.remark = format!("{lost} lost, {doubled} doubled");
    time.met = Some(lost == 0 && doubled == 0);
    each.remark = "a conversation is a row in the store; no process waits".to_owned();
    println!(
        "agents    {} s for {CROWD}, {lost} lost, {doubled} doubled",
        short(time.our_median())
    );
    Ok(vec![time, memory, each])
}

/// What is asked: an answer in a few pieces.
const WORDS: &str = "[[say one two three four five six seven eight]][[chunks 4]][[delay 0.05]]";

/// A handler with that agent.
pub(super) fn handler(tools: &Tools, concurrency: usize) -> Result<String> {
    // A JSON string is a TOML string.
    let program = serde_json::to_string(&tools.larkline.display().to_string())?;
    Ok(format!(
        "kind = \"agent\"\nagent = \"claude\"\nargv = [{program}, \"scripted-agent\"]\n\
         concurrency = {concurrency}"
    ))
}

/// Milliseconds from the start of the program to its result.
fn by_hand(tools: &Tools) -> Result<f64> {
    let began = now();
    let mut agent = Command::new(&tools.larkline)
        .arg("scripted-agent")
        .args(["-p", "--input-format", "stream-json", "--output-format", "stream-json"])
        .args(["--verbose", "--include-partial-messages"])
        .env("HOME", &tools.scratch)
        .current_dir(&tools.scratch)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let message = json!({"type": "user", "message": {"role": "user", "content": [
        {"type": "text", "text": WORDS}, {"type": "text", "text": "Answer the message above."},
    ]}});
    let mut stdin = agent.stdin.take().context("no stdin")?;
    writeln!(stdin, "{message}")?;
    let lines = BufReader::new(agent.stdout.take().context("no stdout")?).lines();
    for line in lines {
        if line?.contains("\"type\":\"result\"") {
            let took = since(began) * 1000.0;
            drop(stdin);
            agent.wait()?;
            return Ok(took);
        }
    }
    bail!("the agent gave no result")
}

fn said(sim: &Sim, people: &[Value]) -> Result<Vec<String>> {
    let say = |person: &Value| {
        let said = sim.call("say", Some(&json!({"user": person, "text": WORDS})))?;
        Ok(said["message_id"].as_str().context("no message id")?.to_owned())
    };
    people.iter().map(say).collect()
}

fn talk(sim: &Sim, people: &[Value]) -> Result<()> {
    let ids = said(sim, people)?;
    settle(sim, &ids, || Ok(0.0)).map(drop)
}

/// Waits until each message has its last answer; the most that `measure` said meanwhile.
fn settle(sim: &Sim, ids: &[String], measure: impl Fn() -> Result<f64>) -> Result<f64> {
    let began = now();
    let mut most: f64 = 0.0;
    loop {
        most = most.max(measure()?);
        let cards = cards(sim)?;
        let is_answered = |id: &String| cards.iter().any(|(to, card)| to == id && is_final(card));
        if ids.iter().all(is_answered) {
            return Ok(most);
        }
        if now().saturating_duration_since(began) > PATIENCE {
            bail!("not every message was answered");
        }
        sleep(Duration::from_millis(100));
    }
}

/// Messages without a last answer, and with more than one.
fn count(sim: &Sim, ids: &[String]) -> Result<(usize, usize)> {
    let cards = cards(sim)?;
    let answers = |id: &String| cards.iter().filter(|(to, _)| to == id).count();
    Ok((
        ids.iter().filter(|id| answers(id) == 0).count(),
        ids.iter().filter(|id| answers(id) > 1).count(),
    ))
}

/// Waits until a card that answers a message is so; when it was seen to be.
fn until(sim: &Sim, id: &str, so: impl Fn(&Value) -> bool) -> Result<Instant> {
    let began = now();
    loop {
        let cards = cards(sim)?;
        let seen = now();
        if cards.iter().any(|(to, card)| to == id && so(card)) {
            return Ok(seen);
        }
        if seen.saturating_duration_since(began) > PATIENCE {
            bail!("the answer did not come");
        }
        sleep(LOOK_EVERY);
    }
}

/// The cards of the bot with the messages that they answer.
fn cards(sim: &Sim) -> Result<Vec<(String, Value)>> {
    let ledger = sim.call("ledger", None)?;
    let rows = ledger["messages"].as_array().cloned().unwrap_or_default();
    let card = |row: &Value| {
        let to = row["reply_to"].as_str()?.to_owned();
        Some((to, serde_json::from_str(row["content"].as_str()?).ok()?))
    };
    Ok(rows.iter().filter_map(card).collect())
}

fn answer(card: &Value) -> &str {
    card["body"]["elements"][0]["content"].as_str().unwrap_or_default()
}

fn is_final(card: &Value) -> bool {
    card["config"]["streaming_mode"] != true && !answer(card).is_empty()
}
