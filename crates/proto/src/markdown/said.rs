//! What a card or a post said, as Markdown: for the next simpler form when the platform refuses it.
//!
//! Buttons, inputs and pictures are not said. Tags of the platform go, their text stays.

use pulldown_cmark::{Event, Parser};
use serde_json::Value;

use super::harmless::{self, is_named};
use super::read::OPTIONS;
use crate::content::Outgoing;

/// Deepest nesting of elements that is read.
const DEPTH_MAX: usize = 16;

/// What a message says, as Markdown; `None` for one that is not a card, a post or a text, or says
/// nothing.
pub fn said(message: &Outgoing) -> Option<String> {
    let content: Value = serde_json::from_str(&message.content).ok()?;
    match message.msg_type.as_str() {
        "interactive" => text_of_card(&content),
        "post" => text_of_post(&content),
        "text" => joined(&[field(&content, "text").to_owned()]),
        _ => None,
    }
}

/// The title and the texts of a card of any schema, as Markdown; `None` if it has none.
pub fn text_of_card(card: &Value) -> Option<String> {
    let mut said = Vec::new();
    if let Some(title) = card.pointer("/header/title/content").and_then(Value::as_str)
        && !title.trim().is_empty()
    {
        said.push(format!("**{}**", title.trim()));
    }
    let body = card.get("body").unwrap_or(card);
    say(body.get("elements").unwrap_or(&Value::Null), 0, &mut said);
    joined(&said)
}

/// The title and the paragraphs of a post that was to be sent, as Markdown; `None` if it has none.
pub fn text_of_post(post: &Value) -> Option<String> {
    let post =
        if post.get("content").is_some() { post } else { post.as_object()?.values().next()? };
    let title = field(post, "title").trim();
    let mut said: Vec<String> = Vec::new();
    if !title.is_empty() {
        said.push(format!("**{title}**"));
    }
    for paragraph in post.get("content")?.as_array()? {
        let nodes = paragraph.as_array().into_iter().flatten();
        said.push(nodes.map(node).collect());
    }
    joined(&said)
}

fn joined(said: &[String]) -> Option<String> {
    let said: Vec<&str> =
        said.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    (!said.is_empty()).then(|| said.join("\n\n"))
}

/// One node of a post's paragraph.
fn node(node: &Value) -> String {
    let text = field(node, "text");
    match field(node, "tag") {
        "md" => without_tags(text),
        "a" => format!("[{text}]({})", field(node, "href")),
        "at" => format!("@{}", mentioned(field(node, "user_name"), field(node, "user_id"))),
        "code_block" => harmless::fence(&harmless::language(field(node, "language")), text),
        "hr" => "---".to_owned(),
        _ => text.to_owned(),
    }
}

/// Adds what an element and those in it say.
fn say(value: &Value, depth: usize, said: &mut Vec<String>) {
    if depth > DEPTH_MAX {
        return;
    }
    if let Value::Array(items) = value {
        items.iter().for_each(|item| say(item, depth + 1, said));
        return;
    }
    match field(value, "tag") {
        "markdown" | "lark_md" => said.push(without_tags(field(value, "content"))),
        "plain_text" => said.push(field(value, "content").to_owned()),
        "hr" => said.push("---".to_owned()),
        "table" => said.extend(table(value)),
        "button" | "img" | "input" | "select_static" | "multi_select_static" | "chart" => {}
        // Whatever holds others: `div`, columns, panels, forms, notes.
        _ => {
            for name in ["header", "title", "text", "fields", "columns", "elements"] {
                if let Some(inner) = value.get(name) {
                    say(inner, depth + 1, said);
                }
            }
        }
    }
}

/// A table element as Markdown.
fn table(element: &Value) -> Option<String> {
    let columns = element.get("columns")?.as_array()?;
    let names = columns.iter().map(|column| match field(column, "display_name") {
        "" => field(column, "name").to_owned(),
        name => name.to_owned(),
    });
    let row = |cells: Vec<String>| {
        let cells: Vec<String> =
            cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut lines = vec![row(names.collect()), format!("|{}", " --- |".repeat(columns.len()))];
    for cells in element.get("rows").and_then(Value::as_array).into_iter().flatten() {
        let cell = |column: &Value| match cells.get(field(column, "name")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        lines.push(row(columns.iter().map(cell).collect()));
    }
    Some(lines.join("\n"))
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Markdown without the tags of the platform outside code; a mention stays as a name.
fn without_tags(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut done = 0;
    for (event, range) in Parser::new_ext(markdown, OPTIONS).into_offset_iter() {
        if matches!(event, Event::Html(_) | Event::InlineHtml(_)) {
            out.push_str(markdown.get(done..range.start).unwrap_or_default());
            let html = markdown.get(range.clone()).unwrap_or_default();
            let behind = markdown.get(range.end..).unwrap_or_default();
            out.push_str(&stripped(html, behind));
            done = range.end;
        }
    }
    out.push_str(markdown.get(done..).unwrap_or_default());
    out
}

/// HTML without the tags of the platform, and what stands behind it.
fn stripped(html: &str, behind_all: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let known = harmless::ANY.iter().any(|name| is_named(after, name));
        match after.split_once('>') {
            Some((tag, behind)) if known => {
                let closing = tag.starts_with('/');
                if !closing && harmless::REACHING.iter().any(|name| is_named(after, name)) {
                    // What stands between the two tags is the name that was to be shown.
                    out.push('@');
                    let name = if behind.is_empty() { behind_all } else { behind };
                    if name.is_empty() || name.starts_with("</") {
                        out.push_str(mentioned("", attribute(tag)));
                    }
                }
                if !closing && ["br", "hr"].iter().any(|name| is_named(after, name)) {
                    out.push('\n');
                }
                rest = behind;
            }
            Some(_) | None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The value of the first attribute of a tag.
fn attribute(tag: &str) -> &str {
    let value = tag.split_once('=').map_or("", |(_, value)| value).trim();
    let value = value.trim_matches(['"', '\'']);
    value.split([' ', '"', '\'']).next().unwrap_or_default()
}

fn mentioned<'a>(name: &'a str, id: &'a str) -> &'a str {
    if name.is_empty() { id } else { name }
}
