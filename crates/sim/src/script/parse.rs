//! The text of a script: one JSON object a line, read into steps with their line numbers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::expect::Expect;
use crate::options::SimOptions;

/// Largest script; one of this size has a hundred thousand steps.
const SCRIPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Messages one step may say.
const TIMES_MAX: u32 = 100_000;

/// A line that cannot be a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; docs/simulator.md has the form of a script")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Who is there, and how time runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// Seed of everything random.
    pub seed: Option<u64>,
    /// Speed of the platform's clock.
    pub speed: Option<f64>,
    /// People, by the name the steps use.
    pub users: Vec<String>,
    /// Groups of these people and every bot.
    pub groups: BTreeMap<String, Vec<String>>,
}

impl Setup {
    /// The options with this seed and speed, where they are given.
    pub fn options(&self, options: SimOptions) -> SimOptions {
        let (seed, speed) =
            (self.seed.unwrap_or(options.seed), self.speed.unwrap_or(options.speed));
        SimOptions { seed, speed, ..options }
    }
}

/// One line: when, and what.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) when: When,
    pub(super) label: Option<String>,
    pub(super) deed: Deed,
}

/// Milliseconds of the platform's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// As soon as the step before is done.
    Next,
    /// So long after the script began, or at once if that is past.
    At(u64),
    /// So long after the step before.
    After(u64),
}

/// What a step does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Say(Box<SayStep>),
    Press(PressStep),
    Act(Value),
    Fault(Value),
    Wait(u64),
    Expect(Box<Expect>),
}

/// Somebody writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SayStep {
    pub(super) user: String,
    /// A group; without it the direct chat.
    #[serde(default)]
    pub(super) group: Option<String>,
    /// `{n}` is the number of the repetition.
    pub(super) text: String,
    #[serde(default)]
    pub(super) mention_bot: bool,
    #[serde(default)]
    pub(super) in_thread: bool,
    /// The label of the message this answers.
    #[serde(default)]
    pub(super) reply_to: Option<String>,
    #[serde(default = "once")]
    pub(super) times: u32,
    /// Between two of them.
    #[serde(default)]
    pub(super) every_ms: u64,
}

fn once() -> u32 {
    1
}

/// Somebody presses a button.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PressStep {
    pub(super) user: String,
    /// The label of the message whose answer is the card.
    pub(super) answer_to: String,
    pub(super) value: Value,
}

/// A script that can be run.
#[derive(Clone, Debug)]
pub struct Script {
    /// Who is there, and how time runs.
    pub setup: Setup,
    pub(super) steps: Vec<Step>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// [`ScriptError`] with the number of the line that is not a step.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        if text.len() > SCRIPT_BYTES_MAX {
            let what = format!("the script has more than {SCRIPT_BYTES_MAX} bytes");
            return Err(ScriptError { line: 1, what });
        }
        let mut script = Self { setup: Setup::default(), steps: Vec::new() };
        let mut labels = Labels::default();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let refuse = |what: String| ScriptError { line: n + 1, what };
            let members: Map<String, Value> =
                serde_json::from_str(line).map_err(|e| refuse(e.to_string()))?;
            if members.contains_key("setup") {
                script.setup = setup(members, script.steps.is_empty()).map_err(refuse)?;
                labels.of(&script.setup);
                continue;
            }
            let step = step(n + 1, members).map_err(refuse)?;
            labels.check(&step).map_err(refuse)?;
            script.steps.push(step);
        }
        Ok(script)
    }
}

fn setup(mut members: Map<String, Value>, at_the_top: bool) -> Result<Setup, String> {
    let setup: Setup = take(&mut members, "setup")?.unwrap_or_default();
    nothing_left(&members)?;
    if !at_the_top {
        return Err("setup belongs in front of the steps".to_owned());
    }
    for (group, members) in &setup.groups {
        if let Some(unknown) = members.iter().find(|m| !setup.users.contains(m)) {
            return Err(format!("group {group:?} has {unknown:?}, who is not among the users"));
        }
    }
    Ok(setup)
}

fn step(line: usize, mut members: Map<String, Value>) -> Result<Step, String> {
    let when = match (take(&mut members, "at")?, take(&mut members, "after")?) {
        (None, None) => When::Next,
        (Some(at), None) => When::At(at),
        (None, Some(after)) => When::After(after),
        (Some(_), Some(_)) => return Err("at and after exclude each other".to_owned()),
    };
    let label = take(&mut members, "as")?;
    let deeds = [
        take(&mut members, "say")?.map(|s| Deed::Say(Box::new(s))),
        take(&mut members, "press")?.map(Deed::Press),
        take(&mut members, "act")?.map(Deed::Act),
        take(&mut members, "fault")?.map(Deed::Fault),
        take(&mut members, "wait")?.map(Deed::Wait),
        take(&mut members, "expect")?.map(|e| Deed::Expect(Box::new(e))),
    ];
    nothing_left(&members)?;
    let mut deeds = deeds.into_iter().flatten();
    let deed = deeds.next().filter(|_| deeds.next().is_none()).ok_or_else(|| {
        "a step has exactly one of say, press, act, fault, wait and expect".to_owned()
    })?;
    if label.is_some() && !matches!(deed, Deed::Say(_) | Deed::Press(_)) {
        return Err("only what is said or pressed can have a label".to_owned());
    }
    Ok(Step { line, when, label, deed })
}

fn take<T: serde::de::DeserializeOwned>(
    members: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, String> {
    let Some(value) = members.remove(name) else { return Ok(None) };
    serde_json::from_value(value).map(Some).map_err(|e| format!("{name}: {e}"))
}

fn nothing_left(members: &Map<String, Value>) -> Result<(), String> {
    match members.keys().next() {
        None => Ok(()),
        Some(name) => Err(format!("unknown member {name:?}")),
    }
}

/// Names a step may use: everything known above it.
#[derive(Default)]
struct Labels {
    users: Vec<String>,
    groups: Vec<String>,
    said: Vec<String>,
    pressed: Vec<String>,
}

impl Labels {
    fn of(&mut self, setup: &Setup) {
        self.users.clone_from(&setup.users);
        self.groups = setup.groups.keys().cloned().collect();
    }

    fn check(&mut self, step: &Step) -> Result<(), String> {
        let known = |kind: &str, names: &[String], name: &str| match names.iter().any(|n| n == name)
        {
            true => Ok(()),
            false => Err(format!("there is no {kind} {name:?} above")),
        };
        match &step.deed {
            Deed::Say(say) => {
                known("user", &self.users, &say.user)?;
                if let Some(group) = &say.group {
                    known("group", &self.groups, group)?;
                }
                if let Some(label) = &say.reply_to {
                    known("message", &self.said, label)?;
                }
                if !(1..=TIMES_MAX).contains(&say.times) {
                    return Err(format!("times must be within 1 and {TIMES_MAX}"));
                }
                self.said.extend(step.label.clone());
            }
            Deed::Press(press) => {
                known("user", &self.users, &press.user)?;
                known("message", &self.said, &press.answer_to)?;
                self.pressed.extend(step.label.clone());
            }
            Deed::Expect(expect) => {
                for label in expect.messages() {
                    known("message", &self.said, label)?;
                }
                if let Some(label) = &expect.pressed {
                    known("press", &self.pressed, label)?;
                }
            }
            // Its names are filled in when it runs; that it is a fault at all is seen here.
            Deed::Fault(fault) => {
                super::fault(fault.clone())?;
            }
            Deed::Act(_) | Deed::Wait(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, String) {
        let error = Script::parse(text).err().map(|e| (e.line, e.what));
        error.unwrap_or_default()
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let setup = "# a comment\n\n{\"setup\": {\"users\": [\"lin\"]}}\n";
        for (line, what) in [
            ("{", "EOF"),
            ("[]", "invalid type"),
            ("{\"say\": {\"user\": \"lin\", \"txt\": \"\"}}", "say: unknown field `txt`"),
            ("{\"say\": {\"user\": \"tom\", \"text\": \"\"}}", "no user \"tom\""),
            ("{\"at\": 1, \"after\": 1, \"wait\": 1}", "exclude"),
            ("{\"at\": 1}", "exactly one of"),
            ("{\"wait\": 1, \"fault\": {\"kind\": \"rst\"}}", "exactly one of"),
            ("{\"wait\": 1, \"speed\": 2}", "unknown member \"speed\""),
            ("{\"wait\": 1, \"as\": \"w\"}", "only what is said or pressed"),
            ("{\"fault\": {\"kind\": \"rust\"}}", "unknown variant `rust`"),
            ("{\"expect\": {\"answered\": \"m\"}}", "no message \"m\""),
            ("{\"expect\": {\"anwsered\": \"m\"}}", "unknown field `anwsered`"),
        ] {
            let (number, said) = error(&format!("{setup}{line}\n"));
            assert_eq!(number, 4, "{line}: {said}");
            assert!(said.contains(what), "{line}: {said}");
        }
        let late = format!("{{\"wait\": 1}}\n{setup}");
        assert_eq!(error(&late).0, 4);
    }
}
