//! What it asks, what may be answered, and what an answer becomes on the wire.
//!
//! An allowed use gets its whole input back. "Always" becomes rules for this process only: other
//! destinations would write settings to the disk.

use serde_json::{Value, json};

use crate::event::{Ask, AskKind, Choice, ChoiceKind};
use crate::wire::{Answer, Permission};

use super::control;
use super::gist;
use super::questions::Questions;

/// Questions that are open at once. Parallel uses of tools ask one by one, sub-agents in parallel;
/// more than this is a fault, and is denied.
const OPEN_MAX: usize = 32;
/// Rules that one "always" may bring: a compound command has one for each of its parts.
const RULES_MAX: usize = 16;
/// The contract's bound of a plan.
const PLAN_CHARS_MAX: usize = 20_000;
/// The tool that asks people something.
const QUESTION_TOOL: &str = "AskUserQuestion";
/// The tool that asks for leave to go on with a plan.
const PLAN_TOOL: &str = "ExitPlanMode";
/// Tools that a rule without a pattern may allow as a whole; `mcp__…` are the others. For a shell
/// or a file tool it would allow everything.
const ALLOWED_WHOLE: &str = "WebSearch";

/// What a request of its leads to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Somebody is asked.
    Ask(Ask),
    /// It is answered at once.
    Write(Vec<u8>),
    /// There is nothing to do.
    Ignore,
}

/// What is open.
#[derive(Debug, Default)]
pub(super) struct Asks {
    open: Vec<Open>,
    /// The plan of the last tool use that had one.
    plan: String,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Open {
    id: String,
    input: Value,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Permission { rules: Vec<Value> },
    Plan,
    Questions(Questions),
}

impl Asks {
    /// Takes a `tool_use` block. Newer versions leave the plan out of the request for leave.
    pub(super) fn tool_used(&mut self, block: &Value) {
        if block["name"] == PLAN_TOOL {
            self.plan = plan(&block["input"]);
        }
    }

    /// Takes a `control_request`.
    pub(super) fn take(&mut self, line: &Value, permission: Permission) -> Verdict {
        let (id, request) = (&line["request_id"], &line["request"]);
        let Some(name) = id.as_str() else { return unsupported(id) };
        if self.open.iter().any(|open| open.id == name) {
            return Verdict::Ignore;
        }
        let (Some("can_use_tool"), Some(tool)) =
            (request["subtype"].as_str(), request["tool_name"].as_str())
        else {
            return unsupported(id);
        };
        let questions = (tool == QUESTION_TOOL).then(|| Questions::read(&request["input"]));
        match permission {
            Permission::Deny => return deny(id, "Nobody can be asked here."),
            Permission::Allow if questions.is_none() => {
                return Verdict::Write(control::success(id, &allow(&request["input"])));
            }
            Permission::Allow | Permission::Ask => {}
        }
        if self.open.len() >= OPEN_MAX {
            return deny(id, "Too many questions are open.");
        }
        let (kind, asked) = match (questions, tool) {
            (Some(questions), _) if questions.is_empty() => {
                return deny(id, "No question with answers to choose from was in it.");
            }
            (Some(questions), _) => {
                let asked = AskKind::Questions(questions.asked());
                (Kind::Questions(questions), asked)
            }
            (None, PLAN_TOOL) => {
                let asked = plan(&request["input"]);
                let plan = if asked.is_empty() { self.plan.clone() } else { asked };
                (Kind::Plan, AskKind::Plan { plan })
            }
            (None, _) => (Kind::Permission { rules: rules(tool, request) }, leave(tool, request)),
        };
        let ask = Ask { id: name.to_owned(), kind: asked, choices: kind.choices() };
        self.open.push(Open { id: name.to_owned(), input: request["input"].clone(), kind });
        Verdict::Ask(ask)
    }

    /// Closes one with its answer: the line to write.
    pub(super) fn answer(&mut self, id: &str, answer: &Answer) -> Option<Vec<u8>> {
        let at = self.open.iter().position(|open| open.id == id)?;
        let open = self.open.remove(at);
        let response = open.response(answer);
        Some(control::success(&Value::String(open.id), &response))
    }

    /// Closes one that was taken back: its id, if it was open.
    pub(super) fn withdraw(&mut self, id: &str) -> Option<String> {
        let at = self.open.iter().position(|open| open.id == id)?;
        Some(self.open.remove(at).id)
    }

    /// Closes all, because the turn is over: their ids.
    pub(super) fn close(&mut self) -> impl Iterator<Item = String> + '_ {
        self.open.drain(..).map(|open| open.id)
    }
}

/// The answer to a request that comes after we asked it to stop.
pub(super) fn stopped(line: &Value) -> Verdict {
    let id = &line["request_id"];
    if !id.is_string() {
        return Verdict::Ignore;
    }
    let response =
        json!({"behavior": "deny", "message": "The turn was stopped.", "interrupt": true});
    Verdict::Write(control::success(id, &response))
}

impl Kind {
    fn choices(&self) -> Vec<Choice> {
        let kinds: &[ChoiceKind] = match self {
            Self::Permission { rules } if !rules.is_empty() => {
                &[ChoiceKind::AllowOnce, ChoiceKind::AllowAlways, ChoiceKind::DenyOnce]
            }
            Self::Permission { .. } | Self::Plan => &[ChoiceKind::AllowOnce, ChoiceKind::DenyOnce],
            Self::Questions(_) => &[],
        };
        let id = |kind| match kind {
            ChoiceKind::AllowOnce => "allow",
            ChoiceKind::AllowAlways => "allow_always",
            ChoiceKind::DenyOnce | ChoiceKind::DenyAlways => "deny",
        };
        kinds.iter().map(|&kind| Choice { id: id(kind).to_owned(), kind }).collect()
    }
}

impl Open {
    fn response(&self, answer: &Answer) -> Value {
        match (&self.kind, answer) {
            (_, Answer::Nobody) => denied("Nobody answered in time."),
            (Kind::Questions(questions), Answer::Labels(labels)) => {
                match questions.answered(&self.input, labels) {
                    Some(input) => allow(&input),
                    None => denied("No answer was chosen."),
                }
            }
            (Kind::Questions(_), Answer::Choice(_)) => denied("No answer was chosen."),
            (Kind::Permission { .. } | Kind::Plan, Answer::Labels(_)) => {
                denied("No leave was given.")
            }
            (kind, Answer::Choice(choice)) => match (choice, kind) {
                (ChoiceKind::AllowAlways, Kind::Permission { rules }) if !rules.is_empty() => {
                    let mut response = allow(&self.input);
                    response["updatedPermissions"] = json!([{
                        "type": "addRules", "rules": rules, "behavior": "allow", "destination": "session",
                    }]);
                    response
                }
                (ChoiceKind::AllowOnce | ChoiceKind::AllowAlways, _) => allow(&self.input),
                (ChoiceKind::DenyOnce | ChoiceKind::DenyAlways, Kind::Plan) => {
                    denied("The person who was asked does not agree with the plan.")
                }
                (ChoiceKind::DenyOnce | ChoiceKind::DenyAlways, _) => {
                    denied("The person who was asked said no.")
                }
            },
        }
    }
}

/// Without an id nobody waits for an answer.
fn unsupported(id: &Value) -> Verdict {
    if id.is_null() {
        return Verdict::Ignore;
    }
    Verdict::Write(control::error(id, "This client does not support the request."))
}

fn deny(id: &Value, message: &str) -> Verdict {
    Verdict::Write(control::success(id, &denied(message)))
}

fn denied(message: &str) -> Value {
    json!({"behavior": "deny", "message": message})
}

fn allow(input: &Value) -> Value {
    // Without an object it would be refused as malformed.
    let input = if input.is_object() { input.clone() } else { json!({}) };
    json!({"behavior": "allow", "updatedInput": input})
}

fn plan(input: &Value) -> String {
    gist::clip(&gist::shown(input["plan"].as_str().unwrap_or_default()), PLAN_CHARS_MAX)
}

fn leave(tool: &str, request: &Value) -> AskKind {
    let (detail, whole) = gist::detail(tool, &request["input"]);
    let name = gist::one_line(tool, gist::NAME_CHARS_MAX);
    AskKind::Permission { whole: whole && name == tool, tool: name, detail }
}

/// The rules that "always" would add: those it suggests for this very tool. Its other suggestions,
/// a mode or a directory, allow more than what was asked.
fn rules(tool: &str, request: &Value) -> Vec<Value> {
    let suggestions = request["permission_suggestions"].as_array().map_or(&[][..], Vec::as_slice);
    suggestions
        .iter()
        .filter(|suggestion| suggestion["type"] == "addRules" && suggestion["behavior"] == "allow")
        .filter_map(|suggestion| suggestion["rules"].as_array())
        .flatten()
        .filter_map(|rule| rule_of(tool, rule))
        .take(RULES_MAX)
        .collect()
}

fn rule_of(tool: &str, rule: &Value) -> Option<Value> {
    if rule["toolName"] != tool {
        return None;
    }
    match rule["ruleContent"].as_str().filter(|content| !content.is_empty()) {
        Some(content) => Some(json!({"toolName": tool, "ruleContent": content})),
        None if tool.starts_with("mcp__") || tool == ALLOWED_WHOLE => {
            Some(json!({"toolName": tool}))
        }
        None => None,
    }
}
