//! The shape of a line: its members and the words that decide, without what differs by chance.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

/// Members whose value is a decision.
const DECIDING: [&str; 12] = [
    "type",
    "subtype",
    "is_error",
    "terminal_reason",
    "stop_reason",
    "error_status",
    "api_error_status",
    "behavior",
    "permissionMode",
    "tool_name",
    "role",
    "name",
];
/// Members whose value is the agent's own inventory, or somebody's input.
const OPAQUE: [&str; 15] = [
    "tools",
    "slash_commands",
    "agents",
    "skills",
    "commands",
    "models",
    "available_output_styles",
    "permission_suggestions",
    "memory_paths",
    "input",
    "tool_input",
    "account",
    "questions",
    "answers",
    "modelUsage",
];

/// The shapes of lines in order; lines of one shape in a row are one.
pub(super) fn shapes(lines: &[Value]) -> Vec<Value> {
    let mut shapes: Vec<Value> = lines.iter().map(shape).collect();
    shapes.dedup();
    shapes
}

/// The lines that the real agent printed.
pub(super) fn recording(name: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/fixtures/claude");
    let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["dir"] != "stdin")
        .map(|line| if line["dir"].is_null() { line } else { line["line"].clone() })
        .collect()
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut shaped = json!({});
            for (name, member) in members {
                shaped[name] = match name.as_str() {
                    name if OPAQUE.contains(&name) => json!("…"),
                    name if DECIDING.contains(&name) && !member.is_object() => member.clone(),
                    _ => shape(member),
                };
            }
            shaped
        }
        Value::Array(items) => {
            let shapes: BTreeSet<String> =
                items.iter().map(|item| shape(item).to_string()).collect();
            json!(shapes)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Null,
    }
}
