//! `kind` of `[handler.<name>]`: a word from a closed list.

use serde_json::{Value as Json, json};

use super::decoder::Spot;
use super::field::{Field, one_of};
use super::nearest::nearest;

/// Kinds this version has.
const KINDS: [&str; 5] = ["echo", "command", "http", "agent", "llm"];
/// Kinds the product will have: named so that the answer is not "unknown".
const LATER_KINDS: [&str; 3] = ["mail", "report", "maim"];

/// A kind this version has.
pub(super) struct Kind(pub(super) &'static str);

impl Field for Kind {
    const KIND: &'static str = "echo, command, http, agent or llm";
    const HINT: &'static str = "one of \"echo\", \"command\", \"http\", \"agent\", \"llm\"";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text("a string", Self::HINT)?;
        if let Some(kind) = KINDS.into_iter().find(|kind| *kind == text) {
            return Some(Self(kind));
        }
        if LATER_KINDS.contains(&text) {
            let message = format!("handlers of kind `{text}` are not in this version");
            return spot.refuse(message, "use \"command\" or \"http\" to call it meanwhile");
        }
        let hint = match nearest(text, KINDS) {
            Some(kind) => format!("did you mean \"{kind}\"?"),
            None => one_of(&KINDS),
        };
        spot.refuse(format!("unknown kind `{text}`"), &hint)
    }

    fn shown(&self) -> Json {
        json!(self.0)
    }
}
