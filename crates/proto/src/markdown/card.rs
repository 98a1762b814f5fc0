//! Cards of schema 2.0 around answers.
//!
//! Not here: elements other than Markdown. Whoever has buttons brings them as JSON.

use serde_json::{Value, json};

use super::check;
use super::growing::one_line;
use super::harmless::content_sent_len;
use super::write::TABLES_MAX;
use crate::content::{Outgoing, RICH_BYTES_MAX};

/// The id of the element that grows in a streamed card.
pub const ANSWER_ELEMENT_ID: &str = "answer";
/// Elements of one card, nested ones included.
pub const ELEMENTS_MAX: usize = 200;
/// Longest title: more does not fit on a telephone's two lines.
const TITLE_CHARS_MAX: usize = 120;
/// Longest summary: the preview in a list of chats.
const SUMMARY_CHARS_MAX: usize = 100;
/// Deepest nesting of elements that is counted.
const DEPTH_MAX: usize = 16;

/// The colour of a card's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// The platform's own.
    #[default]
    Default,
    /// Blue.
    Blue,
    /// Light blue.
    Wathet,
    /// Turquoise.
    Turquoise,
    /// Green: it went well.
    Green,
    /// Yellow.
    Yellow,
    /// Orange: somebody should look.
    Orange,
    /// Red: it went wrong.
    Red,
    /// Carmine.
    Carmine,
    /// Violet.
    Violet,
    /// Purple.
    Purple,
    /// Indigo.
    Indigo,
    /// Grey: it is over.
    Grey,
}

/// A card that is being put together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Card {
    title: Option<String>,
    colour: Colour,
    elements: Vec<Value>,
    summary: Option<String>,
    streaming: bool,
}

impl Colour {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Blue => "blue",
            Self::Wathet => "wathet",
            Self::Turquoise => "turquoise",
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Orange => "orange",
            Self::Red => "red",
            Self::Carmine => "carmine",
            Self::Violet => "violet",
            Self::Purple => "purple",
            Self::Indigo => "indigo",
            Self::Grey => "grey",
        }
    }
}

impl Card {
    /// A card without anything in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a header; a title is one line, and shortened.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(one_line(title, TITLE_CHARS_MAX)).filter(|title| !title.is_empty());
        self
    }

    /// With a header of this colour; it needs a title to be seen.
    #[must_use]
    pub fn colour(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    /// With these elements below those that it has.
    #[must_use]
    pub fn elements(mut self, elements: impl IntoIterator<Item = Value>) -> Self {
        self.elements.extend(elements);
        self
    }

    /// With the element that grows, holding what [`growing`](super::growing) made.
    #[must_use]
    pub fn answer(self, content: &str) -> Self {
        let element = json!({
            "tag": "markdown", "element_id": ANSWER_ELEMENT_ID, "content": content,
        });
        self.elements([element])
    }

    /// With the words that lists of chats and notifications show.
    #[must_use]
    pub fn summary(mut self, summary: &str) -> Self {
        self.summary = Some(one_line(summary, SUMMARY_CHARS_MAX)).filter(|text| !text.is_empty());
        self
    }

    /// Whether text is going to be streamed into it. Such a card cannot be forwarded, and its
    /// summary, if it has none, says that it is being written.
    #[must_use]
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.streaming = streaming;
        self
    }

    /// The card's JSON.
    pub fn to_value(&self) -> Value {
        let mut config = json!({ "update_multi": true });
        if self.streaming {
            config["streaming_mode"] = Value::Bool(true);
        }
        if let Some(summary) = &self.summary {
            config["summary"] = json!({ "content": summary });
        }
        let mut card = json!({
            "schema": "2.0", "config": config, "body": { "elements": self.elements },
        });
        if let Some(title) = &self.title {
            card["header"] = json!({
                "title": { "tag": "plain_text", "content": title },
                "template": self.colour.name(),
            });
        }
        card
    }

    /// The card as a message.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing::card(&self.to_value())
    }

    /// Whether the platform takes so large a card, so many elements and so many tables.
    ///
    /// A card of one [`Part`](super::Part) does; elements beside it have a few kilobytes.
    pub fn fits(&self) -> bool {
        let card = self.to_value();
        let mut count = Count::default();
        count.add(&card, 0);
        content_sent_len(&card.to_string()) <= RICH_BYTES_MAX
            && count.elements <= ELEMENTS_MAX
            && count.tables <= TABLES_MAX
    }
}

/// What the platform counts in a card.
#[derive(Default)]
struct Count {
    elements: usize,
    tables: usize,
}

impl Count {
    fn add(&mut self, value: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(members) => {
                if let Some(tag) = members.get("tag").and_then(Value::as_str) {
                    self.elements += 1;
                    self.tables += match tag {
                        "table" => 1,
                        "markdown" => {
                            let content = members.get("content").and_then(Value::as_str);
                            check::tables(content.unwrap_or_default())
                        }
                        _ => 0,
                    };
                }
                members.values().for_each(|member| self.add(member, depth + 1));
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
