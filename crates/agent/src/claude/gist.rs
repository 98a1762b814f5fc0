//! What a tool is used for, in few words for a status line and in full for whoever gives leave.

use serde_json::{Map, Value};

use crate::event::Event;
pub(super) use crate::plain::{clip, shown};
use crate::plain::{field, is_hidden};

/// The contract's bound of a status line.
const ABOUT_CHARS_MAX: usize = 200;
/// The contract's bound of what is shown to whoever gives leave.
const DETAIL_CHARS_MAX: usize = 4_000;
/// Names of tools have at most 64 characters, ids of their uses about 30.
pub(super) const NAME_CHARS_MAX: usize = 200;
/// What a tool is about, by the first of these that its input has.
const SUBJECTS: [&str; 11] = [
    "command",
    "file_path",
    "notebook_path",
    "absolute_path",
    "pattern",
    "url",
    "query",
    "path",
    "skill",
    "description",
    "prompt",
];
/// The model's own words on what it does: they could say something else than what it does.
const OWN_WORDS: &str = "description";

/// The event of a `tool_use` block.
pub(super) fn tool_start(block: &Value) -> Event {
    let name = word(&block["name"]);
    let about = about(&name, &block["input"]);
    Event::ToolStart { id: word(&block["id"]), name, about }
}

/// The event of a `tool_result` block.
pub(super) fn tool_end(block: &Value) -> Event {
    Event::ToolEnd { id: word(&block["tool_use_id"]), ok: block["is_error"] != true }
}

/// A name as one short line.
pub(super) fn word(value: &Value) -> String {
    one_line(value.as_str().unwrap_or_default(), NAME_CHARS_MAX)
}

/// What a use would do, complete but for its length and the model's own words on it; and whether
/// nothing else of it is missing.
pub(super) fn detail(tool: &str, input: &Value) -> (String, bool) {
    let all = all(tool, input);
    let shown = shown(&all);
    let whole = shown == all && shown.chars().count() <= DETAIL_CHARS_MAX;
    (clip(&shown, DETAIL_CHARS_MAX), whole)
}

fn all(tool: &str, input: &Value) -> String {
    let Some(fields) = input.as_object() else { return input.to_string() };
    let subject = subject(tool, fields);
    let mut lines: Vec<String> = Vec::new();
    lines.extend(subject.map(|(_, text)| text.to_owned()));
    lines.extend(change(fields));
    for (key, value) in fields {
        let told = subject.is_some_and(|(subject, _)| subject == key)
            || (key == OWN_WORDS && subject.is_some())
            || (matches!(key.as_str(), "old_string" | "new_string") && change(fields).is_some());
        if told {
            continue;
        }
        lines.push(field(key, value));
    }
    lines.join("\n")
}

/// A text on one line, without any control character, of at most so many characters.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    // Enough to fill the line whatever is dropped, and no more of a text of megabytes.
    let looked_at = chars_max.saturating_mul(4);
    let clean: String = text
        .chars()
        .take(looked_at)
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|&c| !is_hidden(c))
        .collect();
    let clean = clean.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if clean.chars().count() <= chars_max && text.chars().nth(looked_at).is_none() {
        return clean;
    }
    let mut short: String = clean.chars().take(chars_max.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn about(tool: &str, input: &Value) -> String {
    let Some(fields) = input.as_object() else {
        return one_line(&input.to_string(), ABOUT_CHARS_MAX);
    };
    match subject(tool, fields) {
        Some((_, text)) => one_line(text, ABOUT_CHARS_MAX),
        None if fields.is_empty() => String::new(),
        None => one_line(&input.to_string(), ABOUT_CHARS_MAX),
    }
}

/// The field that says what a use is about, and its text. Of a foreign tool we know no fields.
fn subject<'a>(tool: &str, fields: &'a Map<String, Value>) -> Option<(&'static str, &'a str)> {
    if tool.starts_with("mcp__") {
        return None;
    }
    SUBJECTS.iter().find_map(|&key| Some((key, fields.get(key)?.as_str()?)))
}

/// An edit as the lines that go and the lines that come.
fn change(fields: &Map<String, Value>) -> Option<String> {
    let old = fields.get("old_string")?.as_str()?;
    let new = fields.get("new_string")?.as_str()?;
    let gone = old.lines().map(|line| format!("- {line}"));
    let come = new.lines().map(|line| format!("+ {line}"));
    Some(gone.chain(come).collect::<Vec<_>>().join("\n"))
}
