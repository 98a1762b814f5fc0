//! `kind` of `[handler.<name>]`: a word from a closed list.

use serde_json::{Value as Json, json};

use super::decoder::Spot;
use super::field::{A_STRING, Field};
use super::nearest::meant;
use crate::both::{Both, both};

/// Kinds this version has.
const KINDS: [&str; 5] = ["echo", "command", "http", "agent", "llm"];
/// Kinds the product will have: named so that the answer is not "unknown".
const LATER_KINDS: [&str; 3] = ["mail", "report", "maim"];

/// A kind this version has.
pub(super) struct Kind(pub(super) &'static str);

impl Field for Kind {
    const KIND: &'static str = "echo, command, http, agent or llm";
    const HINT: Both = Both::of(
        "可选：\"echo\", \"command\", \"http\", \"agent\", \"llm\"",
        "one of \"echo\", \"command\", \"http\", \"agent\", \"llm\"",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&A_STRING, Self::HINT)?;
        if let Some(kind) = KINDS.into_iter().find(|kind| *kind == text) {
            return Some(Self(kind));
        }
        if LATER_KINDS.contains(&text) {
            let message = both!(
                zh: "这个版本没有 `{text}` 类型的处理程序",
                en: "handlers of kind `{text}` are not in this version"
            );
            let hint = Both::of(
                "暂时用 \"command\" 或 \"http\" 调用它",
                "use \"command\" or \"http\" to call it meanwhile",
            );
            return spot.refuse(message, hint);
        }
        let message = both!(zh: "未知的类型 `{text}`", en: "unknown kind `{text}`");
        spot.refuse(message, meant(text, &KINDS))
    }

    fn shown(&self) -> Json {
        json!(self.0)
    }
}
