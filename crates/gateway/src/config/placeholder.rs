//! Tells a value somebody forgot to replace from a real one.

/// What templates and tutorials write where a value belongs; compared in lower case.
const PLACEHOLDERS: [&str; 7] = ["xxx", "your_", "your-", "…", "...", "changeme", "placeholder"];

/// What is wrong with a secret, a URL or an id that should be real; as the end of a sentence.
pub(super) fn in_text(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    let lower = text.to_lowercase();
    if let Some(mark) = PLACEHOLDERS.iter().find(|mark| lower.contains(**mark)) {
        return Some(format!("is still a placeholder (it contains `{mark}`)"));
    }
    (text.starts_with('<') && text.ends_with('>'))
        .then(|| "is still a placeholder (it stands in <>)".to_owned())
}

/// As [`in_text`]; ids and secrets have no blanks and no quotes either.
pub(super) fn in_id(text: &str) -> Option<String> {
    let wrong =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’');
    in_text(text).or_else(|| text.contains(wrong).then(|| "contains blanks or quotes".to_owned()))
}
