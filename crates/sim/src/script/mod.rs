//! Scripts: what happens to a bot, step by step, and what is expected of it.
//!
//! The same script with the same seed puts the same things in front of whoever connects. Steps
//! run one after the other on the platform's clock; only expectations are waited for in real
//! time, because the bot lives there. Form and examples: `docs/simulator.md`.

mod expect;
mod parse;

use std::collections::HashMap;
use std::time::Duration;

use larkline_proto::id::{ChatId, MessageId, OpenId};
use serde::Serialize;
use serde_json::{Value, json};

use crate::admin;
use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::platform::{Platform, PlatformError};
use crate::press::{Press, PressResult};
use crate::talk::Say;
use expect::Expect;
use parse::{Deed, PressStep, SayStep, Step, When};
pub use parse::{Script, ScriptError, Setup};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Whether every step could be carried out and every expectation held.
    pub ok: bool,
    /// The line that failed.
    pub line: Option<usize>,
    /// Why.
    pub why: Option<String>,
    /// Steps carried out.
    pub steps: usize,
    /// Milliseconds of the platform's clock.
    pub elapsed_ms: u64,
    /// Counts of what the ledger holds at the end.
    pub ledger: Value,
}

/// What the steps named.
#[derive(Debug, Default)]
struct Labelled {
    users: HashMap<String, OpenId>,
    groups: HashMap<String, ChatId>,
    said: HashMap<String, Vec<MessageId>>,
    pressed: HashMap<String, PressResult>,
}

impl Labelled {
    fn said(&self, label: &str) -> &[MessageId] {
        self.said.get(label).map_or(&[], Vec::as_slice)
    }

    fn pressed(&self, label: &str) -> Option<&PressResult> {
        self.pressed.get(label)
    }
}

/// A fault of a script; an event is named by its message, which is filled in when it runs.
fn fault(mut value: Value) -> Result<Fault, String> {
    if let Some(members) = value.as_object_mut()
        && members.remove("message").is_some()
    {
        members.insert("event_id".to_owned(), json!(""));
    }
    serde_json::from_value(value).map_err(|e| format!("fault: {e}"))
}

impl Script {
    /// Runs the steps; ends with the step that fails.
    pub async fn run(&self, platform: &Platform) -> Report {
        let started_ms = platform.now_ms();
        let mut run = Run { platform, labelled: self.people(platform), started_ms };
        let (mut steps, mut failed) = (0, None);
        for step in &self.steps {
            if let Err(why) = run.step(step).await {
                failed = Some((step.line, why));
                break;
            }
            steps += 1;
        }
        let (line, why) = failed.unzip();
        let elapsed_ms = platform.now_ms().saturating_sub(started_ms);
        let ledger = platform.read(summary);
        Report { ok: why.is_none(), line, why, steps, elapsed_ms, ledger }
    }

    fn people(&self, platform: &Platform) -> Labelled {
        let mut labelled = Labelled::default();
        for name in &self.setup.users {
            labelled.users.insert(name.clone(), platform.add_user(name));
        }
        for (name, members) in &self.setup.groups {
            let members: Vec<_> =
                members.iter().filter_map(|m| labelled.users.get(m).cloned()).collect();
            labelled.groups.insert(name.clone(), platform.add_group(name, &members));
        }
        labelled
    }
}

struct Run<'a> {
    platform: &'a Platform,
    labelled: Labelled,
    started_ms: u64,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        let now_ms = self.platform.now_ms();
        let wait_ms = match step.when {
            When::Next => 0,
            When::At(at_ms) => (self.started_ms + at_ms).saturating_sub(now_ms),
            When::After(after_ms) => after_ms,
        };
        self.pause(wait_ms).await;
        match &step.deed {
            Deed::Say(say) => {
                let said = self.say(say).await?;
                if let Some(label) = &step.label {
                    self.labelled.said.insert(label.clone(), said);
                }
            }
            Deed::Press(press) => {
                let result = self.press(press).await?;
                if let Some(label) = &step.label {
                    self.labelled.pressed.insert(label.clone(), result);
                }
            }
            Deed::Act(act) => {
                admin::act(self.platform, self.named(act.clone())).map_err(|e| e.to_string())?;
            }
            Deed::Fault(fault) => self.fault(fault)?,
            Deed::Wait(ms) => self.pause(*ms).await,
            Deed::Expect(expect) => self.expect(expect).await?,
        }
        Ok(())
    }

    async fn pause(&self, ms: u64) {
        if ms > 0 {
            tokio::time::sleep(self.platform.real(Duration::from_millis(ms))).await;
        }
    }

    async fn say(&self, step: &SayStep) -> Result<Vec<MessageId>, String> {
        let mut said = Vec::new();
        for n in 0..step.times {
            if n > 0 {
                self.pause(step.every_ms).await;
            }
            let say = Say {
                user: self.labelled.users.get(&step.user).cloned().unwrap_or_default(),
                chat: step
                    .group
                    .as_ref()
                    .and_then(|g| self.labelled.groups.get(g).cloned())
                    .unwrap_or_default(),
                text: step.text.replace("{n}", &n.to_string()),
                mention_bot: step.mention_bot,
                in_thread: step.in_thread,
                reply_to: step
                    .reply_to
                    .as_ref()
                    .and_then(|label| self.labelled.said(label).first().cloned()),
                ..Say::default()
            };
            said.push(self.platform.say(say).map_err(|e| e.to_string())?.message_id);
        }
        Ok(said)
    }

    async fn press(&self, step: &PressStep) -> Result<PressResult, String> {
        let asked = self.labelled.said(&step.answer_to).first().cloned().unwrap_or_default();
        let card =
            self.platform.read(|l| l.replies_to(&asked).last().map(|m| m.message_id.clone()));
        let card = card.ok_or_else(|| format!("{} has no answer to press", step.answer_to))?;
        let press = Press {
            user: self.labelled.users.get(&step.user).cloned().unwrap_or_default(),
            message: Some(card),
            value: step.value.clone(),
            ..Press::default()
        };
        self.platform.press(press).await.map_err(|e| e.to_string())
    }

    /// Injects a fault; `message` stands for the event of what a label said.
    fn fault(&self, value: &Value) -> Result<(), String> {
        let Some(label) = value.get("message").and_then(Value::as_str) else {
            return self.platform.fault(fault(value.clone())?).map_err(|e| e.to_string());
        };
        for message in self.labelled.said(label) {
            let event = self.platform.read(|l| {
                let row = l.events.iter().rev().find(|e| e.message_id.as_ref() == Some(message));
                row.map(|e| e.event_id.clone())
            });
            let mut value = value.clone();
            if let Some(members) = value.as_object_mut() {
                members.remove("message");
                members.insert("event_id".to_owned(), json!(event));
            }
            self.platform.fault(fault(value)?).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Puts ids where an act has names.
    fn named(&self, mut act: Value) -> Value {
        for (_, value) in act.as_object_mut().into_iter().flatten() {
            let Some(name) = value.as_str() else { continue };
            let id = self
                .labelled
                .users
                .get(name)
                .map(|id| json!(id))
                .or_else(|| self.labelled.groups.get(name).map(|id| json!(id)))
                .or_else(|| self.labelled.said(name).first().map(|id| json!(id)));
            if let Some(id) = id {
                *value = id;
            }
        }
        act
    }

    async fn expect(&self, expect: &Expect) -> Result<(), String> {
        let labelled = &self.labelled;
        let mut broken = None;
        let held = self
            .platform
            .wait_for(
                |ledger| {
                    broken = expect.broken(ledger, labelled);
                    broken.is_some() || expect.missing(ledger, labelled).is_none()
                },
                Duration::from_secs(expect.within_s),
            )
            .await;
        match (broken, held) {
            (Some(why), _) => Err(why),
            (None, Ok(())) => Ok(()),
            (None, Err(PlatformError::Deadline(after))) => {
                let missing = self.platform.read(|l| expect.missing(l, labelled));
                Err(format!("after {after:?}: {}", missing.unwrap_or_default()))
            }
            (None, Err(other)) => Err(other.to_string()),
        }
    }
}

/// What a ledger holds, in numbers.
fn summary(ledger: &Ledger) -> Value {
    let deliveries = || ledger.events.iter().flat_map(|e| &e.deliveries);
    let mut codes = std::collections::BTreeMap::<String, u64>::new();
    for call in ledger.calls.iter() {
        let code = call.code.map_or_else(|| format!("http {}", call.status), |c| c.to_string());
        *codes.entry(code).or_default() += 1;
    }
    json!({
        "events": ledger.events.len(),
        "events_done": ledger.events.iter().filter(|e| e.done).count(),
        "events_given_up": ledger.events.iter().filter(|e| e.given_up).count(),
        "deliveries": deliveries().count(),
        "deliveries_to_nobody": deliveries().filter(|d| d.conn.is_empty()).count(),
        "acks": deliveries().filter(|d| d.acked_ms.is_some()).count(),
        "acks_late": deliveries().filter(|d| d.late).count(),
        "messages": ledger.messages.len(),
        "messages_replayed": ledger.messages.iter().map(|m| u64::from(m.replays)).sum::<u64>(),
        "edits": ledger.messages.iter().map(|m| m.edits.len()).sum::<usize>(),
        "reactions": ledger.reactions.len(),
        "connections": ledger.connections.len(),
        "calls_by_code": codes,
        "violations": ledger.violations.iter().collect::<Vec<_>>(),
    })
}
