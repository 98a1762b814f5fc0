//! Tells a value somebody forgot to replace from a real one.

use crate::both::{Both, both};

/// What templates and tutorials write where a value belongs; compared in lower case.
const PLACEHOLDERS: [&str; 7] = ["xxx", "your_", "your-", "…", "...", "changeme", "placeholder"];

/// Quotes, also those that word processors make of them.
const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// What is wrong with a secret, a URL or an id that should be real; as the end of a sentence.
pub(super) fn in_text(text: &str) -> Option<Both> {
    if text.trim().is_empty() {
        return Some(Both::of("为空", "is empty"));
    }
    let lower = text.to_lowercase();
    if let Some(mark) = PLACEHOLDERS.iter().find(|mark| lower.contains(**mark)) {
        return Some(both!(
            zh: "仍是占位符（含有 `{mark}`）",
            en: "is still a placeholder (it contains `{mark}`)"
        ));
    }
    (text.starts_with('<') && text.ends_with('>'))
        .then(|| Both::of("仍是占位符（写在 <> 里）", "is still a placeholder (it stands in <>)"))
}

/// As [`in_text`]; ids have no blanks and no quotes either.
pub(super) fn in_id(text: &str) -> Option<Both> {
    let wrong = |c: char| c.is_whitespace() || QUOTES.contains(&c);
    in_text(text).or_else(|| {
        text.contains(wrong).then(|| Both::of("含有空白或引号", "contains blanks or quotes"))
    })
}

/// As [`in_text`]; a secret may contain anything, but blanks around it or quotes on both ends
/// came along when it was copied.
pub(super) fn in_secret(text: &str) -> Option<Both> {
    let quoted = text.len() > 1 && text.starts_with(QUOTES) && text.ends_with(QUOTES);
    let copied = quoted || text.trim() != text;
    in_text(text)
        .or_else(|| copied.then(|| Both::of("两端有空白或引号", "has blanks or quotes around it")))
}
