//! What makes the platform refuse a card. Reference: open API, 2.11 and 3.2.
//!
//! Not everything: unknown properties are noticed at the top of a card only, and chart, table
//! and template contents are taken as they are.

use std::collections::HashSet;

use serde_json::Value;

use super::tree;

/// Elements and components of one card.
const ELEMENTS_MAX: usize = 200;
/// Tables of one card; the fourth makes a send fail, as measured by the official plugin.
const TABLES_MAX: usize = 3;
/// Longest id of an element.
const ELEMENT_ID_CHARS_MAX: usize = 20;
/// Members of a card of schema 2.0.
const MEMBERS: &[&str] = &["schema", "config", "card_link", "header", "body", "i18n_header"];
/// Tags that schema 2.0 has no more.
const REMOVED_TAGS: &[&str] = &["note", "action"];

/// Why a card is refused: the code of CardKit, and the sub-code behind 230099.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: i64,
    pub(crate) sub_code: i64,
    pub(crate) msg: String,
}

impl Problem {
    fn new(code: i64, sub_code: i64, msg: impl Into<String>) -> Self {
        Self { code, sub_code, msg: msg.into() }
    }
}

/// Whether a card says that it is of schema 2.0.
pub(crate) fn is_v2(card: &Value) -> bool {
    card.get("schema").and_then(Value::as_str) == Some("2.0")
}

/// Looks for the problem the platform would name.
pub(crate) fn check(card: &Value, known_image: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let elements = tree::elements(card);
    if elements.len() > ELEMENTS_MAX {
        return Err(Problem::new(300_305, 11_310, "element exceeds the limit"));
    }
    if elements.iter().map(|e| tables(e)).sum::<usize>() > TABLES_MAX {
        return Err(Problem::new(11_310, 11_310, "card table number over limit"));
    }
    for element in &elements {
        check_images(element, &known_image)?;
    }
    if is_v2(card) { check_v2(card, &elements) } else { Ok(()) }
}

fn check_v2(card: &Value, elements: &[&Value]) -> Result<(), Problem> {
    if card.pointer("/config/update_multi") == Some(&Value::Bool(false)) {
        return Err(Problem::new(300_302, 300_302, "update_multi of a 2.0 card cannot be false"));
    }
    let members = card.as_object().into_iter().flatten();
    if let Some((name, _)) = members.into_iter().find(|(k, _)| !MEMBERS.contains(&k.as_str())) {
        let msg = format!("unknown property {name}, cards of schema 2.0 do not have it");
        return Err(Problem::new(200_220, 200_621, msg));
    }
    let mut ids = HashSet::new();
    for element in elements {
        let tag = element.get("tag").and_then(Value::as_str).unwrap_or_default();
        if REMOVED_TAGS.contains(&tag) {
            let msg = format!("not support tag: {tag} in schema 2.0");
            return Err(Problem::new(200_220, 200_861, msg));
        }
        let Some(id) = element.get("element_id").and_then(Value::as_str) else { continue };
        if !is_element_id(id) {
            let msg = format!("element_id {id:?} must be a letter and up to 19 of [A-Za-z0-9_]");
            return Err(Problem::new(200_220, 200_621, msg));
        }
        if !ids.insert(id) {
            return Err(Problem::new(300_301, 300_301, format!("duplicate element_id {id}")));
        }
    }
    Ok(())
}

fn is_element_id(id: &str) -> bool {
    id.len() <= ELEMENT_ID_CHARS_MAX
        && id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn check_images(element: &Value, known: &impl Fn(&str) -> bool) -> Result<(), Problem> {
    let text = |name: &str| element.get(name).and_then(Value::as_str).unwrap_or_default();
    let used = match text("tag") {
        "img" => vec![text("img_key")],
        "markdown" => markdown_images(text("content")),
        _ => Vec::new(),
    };
    match used.into_iter().find(|key| !known(key)) {
        None => Ok(()),
        Some(key) => Err(Problem::new(200_220, 200_570, format!("image key {key} is invalid"))),
    }
}

/// The targets of `![…](…)`, outside code fences.
fn markdown_images(text: &str) -> Vec<&str> {
    let mut images = Vec::new();
    for line in outside_fences(text) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("![") {
            let Some((target, behind)) =
                after.split_once("](").and_then(|(_, target)| target.split_once(')'))
            else {
                break;
            };
            images.push(target);
            rest = behind;
        }
    }
    images
}

/// Tables an element shows: one of its own, or those written in Markdown.
fn tables(element: &Value) -> usize {
    let text = |name: &str| element.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("tag") {
        "table" => 1,
        "markdown" => outside_fences(text("content")).filter(|line| is_ruler(line)).count(),
        _ => 0,
    }
}

/// `|---|:-:|`, the second line of a table.
fn is_ruler(line: &str) -> bool {
    let line = line.trim();
    line.contains('|')
        && line.contains("--")
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code_of(elements: Value) -> Option<(i64, i64)> {
        let card = json!({"schema": "2.0", "body": {"elements": elements}});
        check(&card, |key| key == "img_known").err().map(|p| (p.code, p.sub_code))
    }

    #[test]
    fn each_limit_has_its_code() {
        let md = |text: &str| json!({"tag": "markdown", "content": text});
        let table = "| a |\n|---|\n| 1 |\n";
        assert_eq!(code_of(json!([md(&table.repeat(3))])), None);
        assert_eq!(code_of(json!([md(&format!("```\n{}```", table.repeat(9)))])), None);
        assert_eq!(code_of(json!([md(&table.repeat(4))])), Some((11_310, 11_310)));
        assert_eq!(code_of(json!(vec![md("x"); 201])), Some((300_305, 11_310)));
        assert_eq!(code_of(json!([{"tag": "note"}])), Some((200_220, 200_861)));
        assert_eq!(code_of(json!([md("![](img_known)")])), None);
        assert_eq!(
            code_of(json!([md("![](https://example.com/a.png)")])),
            Some((200_220, 200_570))
        );
        let with_id = |id: &str| json!({"tag": "hr", "element_id": id});
        assert_eq!(code_of(json!([with_id("a"), with_id("a")])), Some((300_301, 300_301)));
        assert_eq!(code_of(json!([with_id("1a")])), Some((200_220, 200_621)));
        assert_eq!(code_of(json!([with_id(&"a".repeat(21))])), Some((200_220, 200_621)));
    }
}
