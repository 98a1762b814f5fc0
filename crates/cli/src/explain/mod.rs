//! Known errors: what a code, a number or a piece of an error's text means, and what to do.

mod catalogue;
#[cfg(test)]
mod reference;
mod search;

use serde_json::{Value, json};

pub(crate) use self::catalogue::{Entry, Words};
pub(crate) use self::search::find;
use crate::lang::{either, lang};

/// Where the pages are that entries name.
const FOLDER: &str = "docs/errors/";

/// What is known, for people: one block an entry.
pub(crate) fn tell(entries: &[&Entry]) -> String {
    let block = |entry: &&Entry| {
        let words = entry.words(lang());
        format!(
            "{}\n  {}{}\n  {}{}\n  {}{FOLDER}{}",
            entry.name(),
            either("含义：", "meaning: "),
            words.meaning,
            either("处理：", "remedy: "),
            words.remedy,
            either("文档：", "page: "),
            entry.page
        )
    };
    entries.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

/// The same for programs.
pub(crate) fn as_json(entries: &[&Entry]) -> Value {
    let object = |entry: &&Entry| {
        json!({
            "codes": entry.codes,
            "meaning": entry.en.meaning,
            "remedy": entry.en.remedy,
            "page": format!("{FOLDER}{}", entry.page),
        })
    };
    Value::Array(entries.iter().map(object).collect())
}

impl Entry {
    /// Its codes; an error that has none is known by the text that is searched for most.
    fn name(&self) -> String {
        match self.codes {
            [] => format!("“{}”", self.texts.first().unwrap_or(&"")),
            codes => codes.join(", "),
        }
    }
}
