//! A request for leave: what it shows, what may be answered, and which option an answer takes.
//!
//! Options are told apart by `kind` alone: their ids differ with every agent, and the first one is
//! often the widest. When to ask is not here.

use serde_json::{Value, json};

use super::rpc::Id;
use crate::event::{Ask, AskKind, Choice, ChoiceKind};
use crate::plain::{clip, cut, field, one_line, shown};
use crate::wire::Answer;

/// Options of one request that are looked at: agents have up to five.
const OPTIONS_MAX: usize = 32;
/// The longest detail that is shown, in characters: a card holds it.
const DETAIL_MAX: usize = 4_000;
/// The longest plan that is shown, in characters: a card holds it.
const PLAN_MAX: usize = 20_000;
/// The longest name of a tool, in characters: it stands in a card's title.
const NAME_MAX: usize = 100;
/// Fields beside a command that are about the asking, or the model's own words on it: they change
/// nothing that is done, and could say something else than what it does.
const ABOUT_THE_ASKING: [&str; 8] = [
    "description",
    "reason",
    "call_id",
    "turn_id",
    "started_at_ms",
    "parsed_cmd",
    "available_decisions",
    "proposed_execpolicy_amendment",
];
/// In the order in which they are shown: the narrowest leave first.
const SHOWN: [ChoiceKind; 4] =
    [ChoiceKind::AllowOnce, ChoiceKind::AllowAlways, ChoiceKind::DenyOnce, ChoiceKind::DenyAlways];

/// A request for leave that nobody has answered yet.
pub(super) struct Asked {
    /// Its id, as the agent wrote it.
    pub(super) id: Id,
    options: Vec<Choice>,
}

impl Asked {
    /// Takes the options of a request.
    pub(super) fn new(id: Id, params: &Value) -> Self {
        let options = params["options"].as_array().into_iter().flatten().take(OPTIONS_MAX);
        let options = options.filter_map(|option| {
            let id = option["optionId"].as_str()?.to_owned();
            Some(Choice { id, kind: kind(option["kind"].as_str()?)? })
        });
        Self { id, options: options.collect() }
    }

    /// What is asked, for a chat.
    pub(super) fn ask(&self, tool_call: &Value) -> Ask {
        let choices = SHOWN.into_iter().filter_map(|kind| self.option(kind).cloned()).collect();
        Ask { id: self.id.get().to_owned(), kind: asked(tool_call), choices }
    }

    /// The result that means this answer: the nearest option, and never a wider one.
    pub(super) fn result(&self, answer: &Answer) -> Value {
        let kinds: &[ChoiceKind] = match answer {
            Answer::Choice(ChoiceKind::AllowOnce) => &[ChoiceKind::AllowOnce, ChoiceKind::DenyOnce],
            Answer::Choice(ChoiceKind::AllowAlways) => {
                &[ChoiceKind::AllowAlways, ChoiceKind::AllowOnce, ChoiceKind::DenyOnce]
            }
            Answer::Choice(ChoiceKind::DenyAlways) => {
                &[ChoiceKind::DenyAlways, ChoiceKind::DenyOnce]
            }
            // Labels answer questions, of which ACP has none.
            Answer::Choice(ChoiceKind::DenyOnce) | Answer::Labels(_) | Answer::Nobody => {
                &[ChoiceKind::DenyOnce]
            }
        };
        self.selected(kinds)
    }

    /// The result that lets every tool be used: only the narrowest leave, as the next question is
    /// answered in the same way.
    pub(super) fn allowed(&self) -> Value {
        self.selected(&[ChoiceKind::AllowOnce, ChoiceKind::AllowAlways])
    }

    fn selected(&self, kinds: &[ChoiceKind]) -> Value {
        kinds.iter().find_map(|kind| self.option(*kind)).map_or_else(
            cancelled,
            |option| json!({"outcome": {"outcome": "selected", "optionId": option.id}}),
        )
    }

    /// Of several options of one kind the agent's first.
    fn option(&self, kind: ChoiceKind) -> Option<&Choice> {
        self.options.iter().find(|option| option.kind == kind)
    }
}

/// The result that chooses nothing, which is no leave.
pub(super) fn cancelled() -> Value {
    json!({"outcome": {"outcome": "cancelled"}})
}

/// What a tool call is called, on one line: its own name where an agent says it, else its kind.
pub(super) fn tool_name(tool_call: &Value) -> Option<String> {
    name(tool_call).map(|name| one_line(&shown(name), NAME_MAX))
}

fn name(tool_call: &Value) -> Option<&str> {
    let meta = &tool_call["_meta"];
    [&meta["claudeCode"]["toolName"], &meta["toolName"], &tool_call["kind"]]
        .into_iter()
        .find_map(|name| name.as_str().filter(|name| !name.is_empty()))
}

fn kind(kind: &str) -> Option<ChoiceKind> {
    match kind {
        "allow_once" => Some(ChoiceKind::AllowOnce),
        "allow_always" => Some(ChoiceKind::AllowAlways),
        "reject_once" => Some(ChoiceKind::DenyOnce),
        "reject_always" => Some(ChoiceKind::DenyAlways),
        _ => None,
    }
}

fn asked(tool_call: &Value) -> AskKind {
    let plan = tool_call["rawInput"]["plan"].as_str();
    if let Some(plan) = plan.filter(|_| tool_call["kind"] == "switch_mode") {
        return AskKind::Plan { plan: clip(&shown(plan), PLAN_MAX) };
    }
    let tool = tool_name(tool_call).unwrap_or_else(|| "tool".to_owned());
    // Another tool's name may be the same when it is cut.
    let whole_name = name(tool_call).is_none_or(|name| name == tool);
    let (all, whole) = match detail(tool_call) {
        Some(all) => (all, true),
        // The agent's own summary: another use may have the same.
        None => (tool_call["title"].as_str().unwrap_or_default().to_owned(), false),
    };
    let detail = cut(&shown(&all), DETAIL_MAX);
    AskKind::Permission { tool, whole: whole && whole_name && detail == all, detail }
}

/// What the tool would do, from all that it would do it with; nothing when the agent does not say.
fn detail(tool_call: &Value) -> Option<String> {
    let input = &tool_call["rawInput"];
    let command = command(&input["command"]);
    let content: &[Value] = tool_call["content"].as_array().map_or(&[], Vec::as_slice);
    let diffs: Vec<String> = content.iter().filter_map(diff).collect();
    if command.is_some() || !diffs.is_empty() {
        let is_of_a_shell = command.is_some() && is_of_a_shell(tool_call);
        let is_told = |(name, value): (&str, &Value)| {
            (name == "command" && command.is_some())
                || (is_of_a_shell && ABOUT_THE_ASKING.contains(&name))
                || content.iter().any(|content| is_of_diff(content, value))
        };
        let fields = input.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, value)| !is_told((name, value)));
        let fields: Vec<String> = fields.map(|(name, value)| field(name, value)).collect();
        let lines = command.iter().chain(&diffs).chain(&fields).map(String::as_str);
        return Some(lines.collect::<Vec<_>>().join("\n"));
    }
    let title = tool_call["title"].as_str().unwrap_or_default();
    let input = input.as_object().filter(|input| !input.is_empty())?;
    let input = Value::Object(input.clone());
    Some(format!("{title}\n{input:#}").trim().to_owned())
}

/// Whether the fields are those of an agent's own shell: of a foreign tool we know none.
fn is_of_a_shell(tool_call: &Value) -> bool {
    let is_foreign = name(tool_call).is_some_and(|name| name.starts_with("mcp__"));
    tool_call["kind"] == "execute" && !is_foreign
}

/// A command line: one text, or its words. What is neither is a field like any other.
fn command(command: &Value) -> Option<String> {
    if let Some(line) = command.as_str() {
        return Some(line.to_owned());
    }
    let words = command.as_array().filter(|words| !words.is_empty())?;
    let words: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(quoted)).collect();
    Some(words?.join(" "))
}

/// Whether a diff shows this very value, whole.
fn is_of_diff(content: &Value, value: &Value) -> bool {
    content["type"] == "diff"
        && value.is_string()
        && ["path", "oldText", "newText"].iter().any(|name| content[name] == *value)
}

fn quoted(word: &str) -> String {
    let bare = |character: char| character.is_alphanumeric() || "-_./=:,+@%".contains(character);
    if !word.is_empty() && word.chars().all(bare) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A changed file, its old lines before its new ones.
fn diff(content: &Value) -> Option<String> {
    let path = content["path"].as_str().filter(|_| content["type"] == "diff")?;
    let mut shown = path.to_owned();
    for (sign, text) in [("-", &content["oldText"]), ("+", &content["newText"])] {
        // More than is shown need not be built.
        for line in text.as_str().unwrap_or_default().lines().take(DETAIL_MAX) {
            if shown.len() > DETAIL_MAX * 4 {
                return Some(shown);
            }
            shown.push_str(&format!("\n{sign} {line}"));
        }
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn asked_with(kinds: &[&str]) -> Asked {
        let options: Vec<Value> = kinds
            .iter()
            .enumerate()
            .map(|(at, kind)| json!({"optionId": format!("{kind}-{at}"), "kind": kind}))
            .collect();
        let id = RawValue::from_string("\"a\"".to_owned()).unwrap();
        Asked::new(id, &json!({"options": options}))
    }

    fn taken(kinds: &[&str], answer: &Answer) -> String {
        let result = asked_with(kinds).result(answer);
        result["outcome"]["optionId"].as_str().unwrap_or("cancelled").to_owned()
    }

    #[test]
    fn no_answer_is_wider_than_it_means() {
        let once = Answer::Choice(ChoiceKind::AllowOnce);
        let always = Answer::Choice(ChoiceKind::AllowAlways);
        let never = Answer::Choice(ChoiceKind::DenyAlways);
        let all = ["allow_always", "reject_always", "allow_once", "reject_once"];
        assert_eq!(taken(&all, &once), "allow_once-2");
        assert_eq!(taken(&all, &always), "allow_always-0");
        assert_eq!(taken(&all, &Answer::Choice(ChoiceKind::DenyOnce)), "reject_once-3");
        assert_eq!(taken(&all, &never), "reject_always-1");
        assert_eq!(taken(&all, &Answer::Nobody), "reject_once-3");
        assert_eq!(taken(&all, &Answer::Labels(vec![])), "reject_once-3");
        let wide = ["allow_always", "reject_always"];
        assert_eq!(taken(&wide, &once), "cancelled");
        assert_eq!(taken(&wide, &Answer::Nobody), "cancelled");
        assert_eq!(taken(&["allow_once", "reject_once"], &always), "allow_once-0");
        assert_eq!(taken(&["allow_once", "reject_once"], &never), "reject_once-1");
        assert_eq!(taken(&["reject_once"], &once), "reject_once-0");
        assert_eq!(taken(&["allow_until_monday"], &once), "cancelled");
    }

    #[test]
    fn choices_are_those_that_are_offered_and_the_widest_is_not_first() {
        let asked = asked_with(&["allow_always", "allow_always", "allow_once", "reject_once", "x"]);
        let choices = asked.ask(&Value::Null).choices;
        let ids: Vec<&str> = choices.iter().map(|choice| choice.id.as_str()).collect();
        assert_eq!(ids, ["allow_once-2", "allow_always-0", "reject_once-3"]);
    }

    fn detail_of(tool_call: Value) -> String {
        match asked(&tool_call) {
            AskKind::Permission { detail, .. } => detail,
            AskKind::Plan { plan } => plan,
            AskKind::Questions(_) => String::new(),
        }
    }

    #[test]
    fn nothing_that_changes_what_is_done_is_left_out() {
        let shell = |input: Value| detail_of(json!({"kind": "execute", "rawInput": input}));
        assert_eq!(
            shell(json!({"command": "./deploy.sh", "cwd": "/srv", "description": "harmless",
                "env": {"A": "1"}, "run_in_background": true, "call_id": "c1"})),
            "./deploy.sh\ncwd: /srv\nenv: {\"A\":\"1\"}\nrun_in_background: true"
        );
        assert_ne!(
            shell(json!({"command": "./deploy.sh", "cwd": "/a"})),
            shell(json!({"command": "./deploy.sh", "cwd": "/b"}))
        );
        assert_eq!(
            detail_of(json!({"kind": "other", "rawInput": {"command": "x", "reason": "r"}})),
            "x\nreason: r",
            "of a tool that is no shell every field counts"
        );
        assert_eq!(
            detail_of(json!({"rawInput": {"command": ["rm", 5]}, "title": "t"})),
            "t\n{\n  \"command\": [\n    \"rm\",\n    5\n  ]\n}"
        );
        let edit = json!({"rawInput": {"file_path": "/a", "old_string": "1", "new_string": "2",
            "replace_all": true}, "content":
            [{"type": "diff", "path": "/a", "oldText": "1", "newText": "2"}]});
        assert_eq!(detail_of(edit), "/a\n- 1\n+ 2\nreplace_all: true");
        let turned = json!({"rawInput": {"command": "ls \u{202e}a\u{200b}"}});
        assert_eq!(detail_of(turned), "ls \u{fffd}a\u{fffd}");
        let plan = json!({"kind": "switch_mode", "rawInput": {"plan": "x".repeat(PLAN_MAX + 1)}});
        assert!(detail_of(plan).ends_with("… and 51 more characters"));
    }

    #[test]
    fn the_detail_is_what_would_be_done() {
        assert_eq!(
            detail_of(json!({"title": "List", "rawInput": {"command": "rm -rf /\u{1b}[8m"}})),
            "rm -rf /\u{fffd}[8m"
        );
        assert_eq!(
            detail_of(json!({"title": "x", "rawInput": {"command": ["bash", "-lc", "a 'b'"]}})),
            "bash -lc 'a '\\''b'\\'''"
        );
        assert_eq!(
            detail_of(json!({"title": "Edit", "rawInput": {"path": "/a"}, "content":
                [{"type": "diff", "path": "/a", "oldText": "1\n2", "newText": "3"}]})),
            "/a\n- 1\n- 2\n+ 3"
        );
        assert_eq!(
            detail_of(json!({"title": "Fetch", "rawInput": {"url": "http://x"}})),
            "Fetch\n{\n  \"url\": \"http://x\"\n}"
        );
        assert_eq!(detail_of(json!({"title": "Fetch", "rawInput": {}})), "Fetch");
        assert_eq!(detail_of(json!({"kind": "switch_mode", "rawInput": {"plan": "1."}})), "1.");
        let whole = |call: Value| match asked(&call) {
            AskKind::Permission { whole, .. } => whole,
            AskKind::Plan { .. } | AskKind::Questions(_) => false,
        };
        assert!(whole(json!({"title": "Fetch", "rawInput": {"url": "http://x"}})));
        assert!(!whole(json!({"title": "Fetch", "rawInput": {}})), "a summary is not all of it");
        assert!(!whole(json!({"rawInput": {"command": "rm a\u{1b}"}})), "something is hidden");
        let named = json!({"_meta": {"toolName": "n".repeat(101)}, "rawInput": {"a": 1}});
        assert!(!whole(named), "its name is cut");
        let long = "x\n".repeat(100_000);
        assert!(!whole(json!({"rawInput": {"command": long}})), "it is cut");
        let diff = json!({"content": [{"type": "diff", "path": "/a", "newText": long}]});
        assert_eq!(detail_of(diff).chars().count(), DETAIL_MAX);
    }
}
