//! The emoji of a reaction, by the platform's own name, or none.

use serde_json::{Value as Json, json};

use super::decoder::Spot;
use super::field::Field;
use crate::both::{Both, both};

/// What stands for no reaction.
const NONE: &str = "none";
/// Said while work goes on: the platform has no other sign of somebody typing.
const TYPING: &str = "Typing";
/// Characters of a name; the longest documented one has 27.
const NAME_CHARS_MAX: usize = 64;

/// The name of an emoji; nothing for no reaction.
pub(super) struct Emoji(pub(super) Option<String>);

impl Emoji {
    /// What a handler shows whose answers take seconds.
    pub(super) fn default_of_slow() -> Self {
        Self(Some(TYPING.to_owned()))
    }
}

impl Field for Emoji {
    const KIND: &'static str = "emoji name";
    const HINT: Both = Both::of(
        "平台上的名称，区分大小写，如 \"Typing\"、\"OnIt\"、\"Get\" 或 \"THUMBSUP\"；\"none\" 表示不加表情",
        "the platform's name in its own case, as \"Typing\", \"OnIt\", \"Get\" or \"THUMBSUP\"; \"none\" for no reaction",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("表情名称", "an emoji's name"), Self::HINT)?;
        if text.is_empty() || text == NONE {
            return Some(Self(None));
        }
        let is_name = text.len() <= NAME_CHARS_MAX
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return spot.refuse(
                both!(zh: "`{text}` 不是表情名称", en: "`{text}` is no name of an emoji"),
                Self::HINT,
            );
        }
        Some(Self(Some(text.to_owned())))
    }

    fn shown(&self) -> Json {
        json!(self.0.as_deref().unwrap_or(NONE))
    }
}
