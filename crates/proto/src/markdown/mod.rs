//! Answers in Markdown, made into what the platform takes: cards, posts and texts.
//!
//! An answer is read by a real parser, cut at its blocks into [`Part`]s that fit every form, and
//! written again: what the agent wrote stays as it is wherever it is harmless. Nothing in an
//! answer mentions people, draws a picture or breaks a card, and every visible character arrives:
//! each part is read back and compared before it leaves, and written more simply if it differs.
//!
//! Not here: which form is sent, and what happens when the platform refuses it.

mod block;
mod card;
mod check;
mod growing;
mod harmless;
mod inline;
mod line;
mod mend;
mod pieces;
mod read;
mod said;
mod table;
mod write;

use serde_json::{Value, json};

pub use card::{ANSWER_ELEMENT_ID, Card, Colour, ELEMENTS_MAX};
pub use growing::{growing, summary};
pub use said::{said, text_of_card, text_of_post};

use crate::content::Outgoing;
use block::Block;
use check::Finding;
use write::{Form, write};

/// What a part is packed to, in bytes of a request: the platform takes 30 KB, of which a card's
/// header, buttons and status lines need some.
const PART_BYTES_MAX: usize = 24 * 1024;
/// What the text of a part may come to in any form.
const FORM_BYTES_MAX: usize = 26 * 1024;

/// A part of an answer, which fits into one message in every form; made by [`parts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Markdown that stands by itself.
    pub markdown: String,
    /// Which part this is and of how many, if there is more than one.
    pub number: Option<(usize, usize)>,
}

/// An answer in parts, each of which fits every form from card to text; none if there is nothing
/// to be seen.
///
/// Cut between blocks (paragraphs, items, code, tables), and inside one only when it is too long
/// by itself: code and tables by lines and rows, with their fence and head again, text behind
/// lines, sentences or words.
pub fn parts(markdown: &str) -> Vec<Part> {
    let blocks = read::read(&harmless::clean(markdown));
    let pieces = pieces::cut(blocks, PART_BYTES_MAX);
    let mut parts = Vec::new();
    for group in pieces::pack(pieces, PART_BYTES_MAX) {
        close(group, &mut parts);
    }
    let count = parts.len();
    if count > 1 {
        for (at, part) in parts.iter_mut().enumerate() {
            part.number = Some((at + 1, count));
        }
    }
    parts
}

/// Adds the part of these blocks: as they are, else the bad ones as escaped text, else all of
/// them, else as code; in several parts if it turns out too long.
fn close(blocks: Vec<Block>, parts: &mut Vec<Part>) {
    let is_sound = |block: &Block| tried(std::slice::from_ref(block)).1 == Finding::Sound;
    let simpler: [&dyn Fn(&Block) -> Block; 4] = [
        &Block::clone,
        &|block| if is_sound(block) { block.clone() } else { block.clone().literal() },
        &|block| block.clone().literal(),
        &|block| block.clone().code(),
    ];
    let mut last = None;
    for simpler in simpler {
        let simple: Vec<Block> = blocks.iter().map(simpler).collect();
        let (part, finding) = tried(&simple);
        match finding {
            Finding::Sound => {
                parts.push(part);
                return;
            }
            Finding::Long if blocks.len() > 1 => {
                let mut front = blocks;
                let back = front.split_off(front.len() / 2);
                close(front, parts);
                close(back, parts);
                return;
            }
            Finding::Long | Finding::Broken => last = Some(part),
        }
    }
    // Nothing can be wrong with code, whatever the check makes of it.
    parts.extend(last);
}

fn tried(blocks: &[Block]) -> (Part, Finding) {
    let part = Part { markdown: write(blocks, Form::Source), number: None };
    let finding = check::check(&part.markdown, blocks);
    (part, finding)
}

impl Part {
    /// The elements of a card: one of Markdown, and the number of the part.
    pub fn card_elements(&self) -> Vec<Value> {
        let mut elements = vec![json!({ "tag": "markdown", "content": self.card_markdown() })];
        if let Some(number) = self.numbered() {
            elements.push(json!({ "tag": "markdown", "content": number, "text_size": "notation" }));
        }
        elements
    }

    /// A card with nothing but the part.
    pub fn card(&self) -> Outgoing {
        Card::new().elements(self.card_elements()).summary(&summary(&self.markdown)).outgoing()
    }

    /// A post: tables as code, headings as bold lines.
    pub fn post(&self) -> Outgoing {
        Outgoing::markdown(&self.with_number(self.post_markdown()))
    }

    /// A plain text: links as `text (address)`, tables as rows, no marks.
    pub fn text(&self) -> Outgoing {
        Outgoing::text(&self.with_number(self.plain()))
    }

    fn card_markdown(&self) -> String {
        write(&self.blocks(), Form::Card)
    }

    fn post_markdown(&self) -> String {
        write(&self.blocks(), Form::Post)
    }

    fn plain(&self) -> String {
        write(&self.blocks(), Form::Plain)
    }

    fn blocks(&self) -> Vec<Block> {
        read::read(&harmless::clean(&self.markdown))
    }

    fn with_number(&self, text: String) -> String {
        match self.numbered() {
            Some(number) => format!("{text}\n\n{number}"),
            None => text,
        }
    }

    fn numbered(&self) -> Option<String> {
        self.number.map(|(at, count)| format!("({at}/{count})"))
    }
}
