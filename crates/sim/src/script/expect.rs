//! What a script expects of the ledger: conditions that come true, and some that stay so.

use serde::Deserialize;
use serde_json::Value;

use larkline_proto::id::MessageId;

use super::Labelled;
use crate::ledger::{EventRow, Ledger, MessageRow};

/// Real time a condition has to come true, unless the step says otherwise.
const WITHIN_S: u64 = 30;

/// Conditions that must hold together.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Expect {
    /// At least so many connections are open.
    pub(super) connected: usize,
    /// At least so many of them have sent a ping: the SDKs do so when they listen, which is after
    /// the upgrade.
    pub(super) listening: usize,
    /// Every message of this label has its answers.
    pub(super) answered: Option<String>,
    /// How many answers each; more are a failure at once.
    pub(super) times: usize,
    /// Every answer has this in its text, card text included.
    pub(super) text: Option<String>,
    /// Every message of this label is acknowledged in time with 200.
    pub(super) acked: Option<String>,
    /// Every message of this label was delivered at least so often.
    pub(super) delivered: Option<String>,
    pub(super) at_least: usize,
    /// No message of this label reached a client so far.
    pub(super) unheard: Option<String>,
    /// This press showed `text` as its toast.
    pub(super) pressed: Option<String>,
    /// At least one call to a path with this in it was answered with `code`.
    pub(super) called: Option<String>,
    pub(super) code: Option<i64>,
    /// Real seconds until all of this must hold.
    pub(super) within_s: u64,
    /// No person's message has two answers with the same content.
    pub(super) no_doubles: bool,
    /// The platform had nothing to object.
    pub(super) no_violations: bool,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            connected: 0,
            listening: 0,
            answered: None,
            times: 1,
            text: None,
            acked: None,
            delivered: None,
            at_least: 1,
            unheard: None,
            pressed: None,
            called: None,
            code: None,
            within_s: WITHIN_S,
            no_doubles: false,
            no_violations: false,
        }
    }
}

impl Expect {
    /// The labels of messages it is about.
    pub(super) fn messages(&self) -> impl Iterator<Item = &String> {
        [&self.answered, &self.acked, &self.delivered, &self.unheard].into_iter().flatten()
    }

    /// What is still missing; `None` when all of it holds.
    pub(super) fn missing(&self, ledger: &Ledger, labelled: &Labelled) -> Option<String> {
        self.link(ledger)
            .or_else(|| self.answers(ledger, labelled))
            .or_else(|| self.events(ledger, labelled))
            .or_else(|| self.press(labelled))
    }

    /// What can never come true any more.
    pub(super) fn broken(&self, ledger: &Ledger, labelled: &Labelled) -> Option<String> {
        let of_label = self.answered.as_ref().into_iter().flat_map(|l| labelled.said(l));
        let too_many = of_label
            .map(|id| (id, ledger.replies_to(id).count()))
            .find(|(_, answers)| *answers > self.times)
            .map(|(id, n)| format!("{id} has {n} answers, {} were expected", self.times));
        let unheard = self.unheard.as_ref().into_iter().flat_map(|l| labelled.said(l));
        let heard = unheard.into_iter().find(|id| pushes(ledger, id) > 0);
        let violation = ledger.violations.last().filter(|_| self.no_violations);
        too_many
            .or_else(|| self.no_doubles.then(|| doubled(ledger)).flatten())
            .or_else(|| heard.map(|id| format!("{id} has reached a client")))
            .or_else(|| violation.map(|v| format!("the platform objects: {v}")))
    }

    fn link(&self, ledger: &Ledger) -> Option<String> {
        let open = ledger.open_connections();
        if open < self.connected {
            return Some(format!("{open} connections of {}", self.connected));
        }
        let listening = ledger.listening_connections();
        if listening < self.listening {
            return Some(format!("{listening} connections listen of {}", self.listening));
        }
        let part = self.called.as_ref()?;
        let meant = |path: &str, code: Option<i64>| {
            path.contains(part.as_str()) && (self.code.is_none() || code == self.code)
        };
        let called = ledger.calls.iter().any(|c| meant(&c.path, c.code));
        (!called).then(|| format!("no call to {part} with the code {:?}", self.code))
    }

    fn answers(&self, ledger: &Ledger, labelled: &Labelled) -> Option<String> {
        labelled.said(self.answered.as_ref()?).iter().find_map(|id| {
            let answers: Vec<_> = ledger.replies_to(id).collect();
            if answers.len() < self.times {
                return Some(format!("{id} has {} answers of {}", answers.len(), self.times));
            }
            let text = self.text.as_ref().filter(|_| self.pressed.is_none())?;
            let other = answers.iter().find(|a| !says(a, text))?;
            Some(format!("the answer to {id} is {:?}", other.text))
        })
    }

    fn events(&self, ledger: &Ledger, labelled: &Labelled) -> Option<String> {
        let acked = self.acked.as_ref().into_iter().flat_map(|l| labelled.said(l));
        let unacked = acked.into_iter().find(|id| !event(ledger, id).is_some_and(|e| e.done));
        if let Some(id) = unacked {
            return Some(format!("{id} is not acknowledged"));
        }
        let delivered = self.delivered.as_ref().into_iter().flat_map(|l| labelled.said(l));
        delivered
            .map(|id| (id, pushes(ledger, id)))
            .find(|(_, n)| *n < self.at_least)
            .map(|(id, n)| format!("{id} was delivered {n} times of {}", self.at_least))
    }

    fn press(&self, labelled: &Labelled) -> Option<String> {
        let result = labelled.pressed(self.pressed.as_ref()?)?;
        let toast = result.toast.as_ref().and_then(|t| t.get("content")).and_then(Value::as_str);
        let good = result.code == self.code.unwrap_or_default()
            && self.text.as_ref().is_none_or(|t| toast.is_some_and(|s| s.contains(t.as_str())));
        (!good).then(|| format!("the presser saw code {} and the toast {toast:?}", result.code))
    }
}

/// The newest event of a message.
fn event<'a>(ledger: &'a Ledger, id: &MessageId) -> Option<&'a EventRow> {
    ledger.events.iter().rev().find(|e| e.message_id.as_ref() == Some(id))
}

/// How often a message was pushed to a client.
fn pushes(ledger: &Ledger, id: &MessageId) -> usize {
    let pushed = |e: &EventRow| e.deliveries.iter().filter(|d| !d.conn.is_empty()).count();
    event(ledger, id).map_or(0, pushed)
}

fn says(message: &MessageRow, text: &str) -> bool {
    message.text.as_ref().is_some_and(|t| t.contains(text))
}

/// Two answers to one message with the same content.
fn doubled(ledger: &Ledger) -> Option<String> {
    let mut seen = std::collections::HashSet::new();
    let twice = ledger
        .messages
        .iter()
        .find(|m| m.reply_to.is_some() && !seen.insert((&m.reply_to, &m.content)))?;
    Some(format!("{:?} was answered two times with {:?}", twice.reply_to, twice.content))
}
