//! Elements of a card by their id, wherever they stand.

use serde_json::Value;

/// Whether a value is the element with this id.
fn is(value: &Value, id: &str) -> bool {
    value.get("tag").is_some() && value.get("element_id").and_then(Value::as_str) == Some(id)
}

/// The element with this id.
pub(super) fn find<'a>(value: &'a mut Value, id: &str) -> Option<&'a mut Value> {
    if is(value, id) {
        return Some(value);
    }
    match value {
        Value::Object(members) => members.values_mut().find_map(|v| find(v, id)),
        Value::Array(items) => items.iter_mut().find_map(|v| find(v, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The list an element stands in, and its place there.
pub(super) fn place<'a>(value: &'a mut Value, id: &str) -> Option<(&'a mut Vec<Value>, usize)> {
    match value {
        Value::Object(members) => members.values_mut().find_map(|v| place(v, id)),
        Value::Array(items) => {
            if let Some(at) = items.iter().position(|v| is(v, id)) {
                return Some((items, at));
            }
            items.iter_mut().find_map(|v| place(v, id))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The list that an element holds others in.
pub(super) fn children(element: &mut Value) -> Option<&mut Vec<Value>> {
    let name = match element.get("tag").and_then(Value::as_str) {
        Some("column_set") => "columns",
        Some("column" | "form" | "collapsible_panel" | "interactive_container") => "elements",
        _ => return None,
    };
    let members = element.as_object_mut()?;
    members.entry(name).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
}

/// Every object with a `tag` below a value, itself included.
pub(super) fn elements(value: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    gather(value, &mut found);
    found
}

fn gather<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            if members.get("tag").is_some_and(Value::is_string) {
                found.push(value);
            }
            // What a bot hands to its own callbacks is not part of the card.
            members.iter().filter(|(k, _)| *k != "behaviors").for_each(|(_, v)| gather(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| gather(v, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
