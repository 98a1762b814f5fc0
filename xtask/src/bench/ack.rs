//! Rows of the acknowledgement: how soon somebody sees that his message was heard. Both times are the
//! simulator's own, from its event to the call that made the sign, so that no look of ours is in them.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::agents;
use super::figure::{Row, short};
use super::rig::{Job, Sim, Tools, Who};
use crate::process::now;

/// Longest wait for what should take seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the ledger is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is promised.
const GOAL_MS: f64 = 1000.0;
/// An answer that takes longer than a quick one, which needs no sign before it.
const WORDS: &str = "[[say one two three four]][[chunks 4]][[delay 0.3]]";

/// One message after the other in one chat, with a card and without.
pub(super) fn acknowledged(tools: &Tools, rounds: usize) -> Result<Vec<Row>> {
    let card = sign(tools, rounds, "message → its card, before the agent has begun", "", card_ms)?;
    let what = "message → the reaction to it, where no card comes";
    let mut reaction = sign(tools, rounds, what, "\nstream = false", reaction_ms)?;
    reaction.remark = "250 ms are left to a card or a quick answer".to_owned();
    println!(
        "heard     card {} ms, reaction {} ms",
        short(card.our_median()),
        short(reaction.our_median())
    );
    Ok(vec![card, reaction])
}

/// When a message had its sign, in the ledger's time; nothing while it has none.
type SignMs = fn(&Value, &str) -> Option<f64>;

fn sign(tools: &Tools, rounds: usize, what: &str, keys: &str, sign_ms: SignMs) -> Result<Row> {
    let mut row = Row::new("acknowledgement", what, "≤ 1 s", "ms");
    let sim = tools.sim()?;
    let handler = agents::handler(tools, 4)? + keys;
    let bot = tools.bot(Who::Ours, Job::Handler(&handler), &sim)?;
    sim.connected(1, PATIENCE).with_context(|| bot.said())?;
    let person = sim.person("Ada")?;
    for n in 0..rounds * 4 {
        let said = sim.call("say", Some(&json!({"user": person, "text": WORDS})))?;
        let id = said["message_id"].as_str().context("no message id")?.to_owned();
        let shown_ms = until(&sim, |ledger| sign_ms(ledger, &id)).with_context(|| bot.said())?;
        let said_ms = until(&sim, |ledger| said_ms(ledger, &id))?;
        until(&sim, |ledger| answered(ledger, &id)).with_context(|| bot.said())?;
        // The first one warms the disk's cache.
        if n > 0 {
            row.ours.push(shown_ms - said_ms);
            row.met = Some(row.met.unwrap_or(true) && shown_ms - said_ms <= GOAL_MS);
        }
    }
    Ok(row)
}

fn until<T>(sim: &Sim, so: impl Fn(&Value) -> Option<T>) -> Result<T> {
    let began = now();
    loop {
        if let Some(it) = so(&sim.call("ledger", None)?) {
            return Ok(it);
        }
        if now().saturating_duration_since(began) > PATIENCE {
            bail!("nobody saw that the message was heard, or it was not answered");
        }
        sleep(LOOK_EVERY);
    }
}

fn of<'a>(ledger: &'a Value, rows: &str, member: &str, id: &str) -> Option<&'a Value> {
    ledger[rows].as_array()?.iter().find(|row| row[member] == id)
}

fn said_ms(ledger: &Value, id: &str) -> Option<f64> {
    of(ledger, "events", "message_id", id)?["at_ms"].as_f64()
}

fn card_ms(ledger: &Value, id: &str) -> Option<f64> {
    of(ledger, "messages", "reply_to", id)?["at_ms"].as_f64()
}

fn reaction_ms(ledger: &Value, id: &str) -> Option<f64> {
    of(ledger, "reactions", "message_id", id)?["at_ms"].as_f64()
}

/// Its whole answer is there.
fn answered(ledger: &Value, id: &str) -> Option<()> {
    let text = of(ledger, "messages", "reply_to", id)?["text"].as_str()?;
    text.contains("four").then_some(())
}
