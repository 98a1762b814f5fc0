//! The cards the gateway makes: an answer that grows, an answer, a question, a word.
//!
//! How Markdown becomes what a card may hold is `proto::markdown`; when a card is sent or changed is
//! `live`'s and `delivery`'s business.

use larkline_proto::content::Outgoing;
use larkline_proto::markdown::{self, Part};
use serde_json::{Value, json};

use crate::words::{self, Lang};

/// The element that holds the answer while it grows.
pub const ANSWER: &str = "answer";
/// The element that holds a word about the work while it goes on.
pub const STATUS: &str = "status";

/// The member of a button's value by which the gateway knows its own.
pub const OURS: &str = "larkline";

/// Of small words below.
const NOTE_SIZE: &str = "notation";

/// One button.
#[derive(Clone, Debug)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// `default`, `primary` or `danger`.
    pub look: &'static str,
    /// What comes back when it is pressed, below [`OURS`].
    pub value: Value,
}

/// The card of a turn that has begun; `task` is what its button stops.
pub fn growing(lang: Lang, task: i64) -> Outgoing {
    let stop =
        Button { label: words::stop_button(lang), look: "default", value: json!({ "stop": task }) };
    let elements = vec![
        json!({ "tag": "markdown", "element_id": ANSWER, "content": "" }),
        json!({ "tag": "markdown", "element_id": STATUS, "content": words::thinking(lang) }),
        button(&stop),
    ];
    let config = json!({
        "update_multi": true,
        "streaming_mode": true,
        "summary": { "content": words::growing_summary(lang) },
        "streaming_config": { "print_strategy": "fast" },
    });
    Outgoing::card(&json!({ "schema": "2.0", "config": config, "body": { "elements": elements } }))
}

/// The same card as it is now, for platforms where it cannot stream.
pub fn grown(lang: Lang, task: i64, answer: &str, status: &str) -> Outgoing {
    let stop =
        Button { label: words::stop_button(lang), look: "default", value: json!({ "stop": task }) };
    let elements = vec![text(ANSWER, answer), text(STATUS, status), button(&stop)];
    card(elements, &words::growing_summary(lang))
}

/// An answer in Markdown, as the cards it takes. Below the last stand what the gateway says about it
/// (`ending`), and small words (`footer`); both are the gateway's own, and may hold the platform's tags.
pub fn answer(markdown: &str, ending: &str, footer: &str) -> Vec<Outgoing> {
    let parts = markdown::parts(markdown);
    if parts.is_empty() {
        let below = [(!ending.is_empty()).then(|| said(ending)), note_unless_empty(footer)];
        return vec![card(below.into_iter().flatten().collect(), &markdown::summary(ending))];
    }
    let last = parts.len().saturating_sub(1);
    let made = parts.iter().enumerate().map(|(n, part)| {
        let mut elements = part.card_elements();
        if n == last {
            let ending = (!ending.is_empty()).then(|| said(ending));
            elements.extend(ending.into_iter().chain(note_unless_empty(footer)));
        }
        card(elements, &markdown::summary(&part.markdown))
    });
    made.collect()
}

/// A question with buttons under it. What it is about fits, as it is one part: nobody gives leave
/// under half a text.
pub fn question(
    title: &str,
    body: Option<&Part>,
    note_below: &str,
    buttons: &[Button],
) -> Outgoing {
    let mut elements = body.map(Part::card_elements).unwrap_or_default();
    elements.extend(buttons.iter().map(button));
    elements.push(note(note_below));
    headed(title, "orange", elements, title)
}

/// A question that was answered, or is over: what it was, and what became of it.
pub fn settled(title: &str, body: Option<&Part>, result: &str) -> Value {
    let mut elements = body.map(Part::card_elements).unwrap_or_default();
    elements.push(json!({ "tag": "markdown", "content": result }));
    head(title, "grey", elements, title)
}

/// A card with a question that nobody waits for any more: what was sent, without its buttons and the
/// small words below them, and what became of it. Nothing when that is no such card.
pub fn closed(sent: &str, result: &str) -> Option<Outgoing> {
    let mut card: Value = serde_json::from_str(sent).ok()?;
    card["header"].as_object_mut()?.insert("template".to_owned(), json!("grey"));
    let elements = card["body"]["elements"].as_array_mut()?;
    elements.retain(|element| element["tag"] != "button" && element["text_size"] != NOTE_SIZE);
    elements.push(said(result));
    Some(Outgoing::card(&card))
}

/// A card of one word of the gateway's own.
pub fn word(markdown: &str) -> Outgoing {
    card(vec![json!({ "tag": "markdown", "content": markdown })], &markdown::summary(markdown))
}

fn card(elements: Vec<Value>, summary: &str) -> Outgoing {
    let config = json!({
        "update_multi": true,
        "streaming_mode": false,
        "summary": { "content": summary },
    });
    Outgoing::card(&json!({ "schema": "2.0", "config": config, "body": { "elements": elements } }))
}

fn headed(title: &str, colour: &str, elements: Vec<Value>, summary: &str) -> Outgoing {
    Outgoing::card(&head(title, colour, elements, summary))
}

fn head(title: &str, colour: &str, elements: Vec<Value>, summary: &str) -> Value {
    json!({
        "schema": "2.0",
        "config": { "update_multi": true, "summary": { "content": summary } },
        "header": { "title": { "tag": "plain_text", "content": title }, "template": colour },
        "body": { "elements": elements },
    })
}

fn text(id: &str, content: &str) -> Value {
    json!({ "tag": "markdown", "element_id": id, "content": content })
}

fn said(content: &str) -> Value {
    json!({ "tag": "markdown", "content": content })
}

fn note_unless_empty(content: &str) -> Option<Value> {
    (!content.is_empty()).then(|| note(content))
}

fn note(content: &str) -> Value {
    json!({ "tag": "markdown", "text_size": NOTE_SIZE, "content": content })
}

fn button(button: &Button) -> Value {
    json!({
        "tag": "button",
        "type": button.look,
        "size": "small",
        "text": { "tag": "plain_text", "content": button.label },
        "behaviors": [{ "type": "callback", "value": { OURS: button.value } }],
    })
}
