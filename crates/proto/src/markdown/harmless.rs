//! Making text harmless: nothing an agent writes mentions people, breaks a card or draws a picture.
//!
//! One means for all: a zero-width space inside what the platform would act on. It looks the same
//! in every client, whatever the form and however that client reads Markdown. Code keeps its angle
//! brackets, because people copy it; only the names of tags that reach people are broken there.

use std::borrow::Cow;

/// The zero-width space.
pub(super) const GAP: char = '\u{200b}';
/// Tags that notify people, or make a send fail when the person is unknown.
pub(super) const REACHING: &[&str] = &["at", "person"];
/// Tags that a text message acts on, and those which other forms know.
pub(super) const ANY: &[&str] = &[
    "at",
    "person",
    "b",
    "i",
    "u",
    "s",
    "a",
    "br",
    "hr",
    "font",
    "link",
    "raw",
    "text_tag",
    "number_tag",
    "local_datetime",
];

/// The text without what nobody sees and some parser minds: one kind of line end, no control
/// characters but tabs.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect())
}

/// Breaks every `<name` and `</name` whose name is one of these.
pub(super) fn disarm(text: String, names: &[&str]) -> String {
    if !text.contains('<') {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_str();
    while let Some(at) = rest.find('<') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        if names.iter().any(|name| is_named(after, name)) {
            out.push(GAP);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether what follows a `<` is a tag of this name, opening or closing.
pub(super) fn is_named(after: &str, name: &str) -> bool {
    let after = after.strip_prefix('/').unwrap_or(after);
    let (Some(head), Some(tail)) = (after.get(..name.len()), after.get(name.len()..)) else {
        return false;
    };
    head.eq_ignore_ascii_case(name)
        && !tail.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// A line of a paragraph that stays one: a gap before anything that would begin another block.
pub(super) fn guard(line: &str) -> Cow<'_, str> {
    let line = line.trim_start();
    if begins_block(line) { Cow::Owned(format!("{GAP}{line}")) } else { Cow::Borrowed(line) }
}

/// Whether a line would begin a block, underline a heading or rule a table; errs towards yes.
fn begins_block(line: &str) -> bool {
    let marker = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    if line.chars().all(|c| matches!(c, ' ' | '\t' | '|' | '-' | ':' | '=' | '*' | '+' | '_')) {
        return !line.trim().is_empty();
    }
    match line.as_bytes().first() {
        Some(b'#') => marker(line.trim_start_matches('#')),
        Some(b'-' | b'+' | b'*') => marker(&line[1..]),
        Some(b'>') => true,
        Some(b'`') => line.starts_with("```"),
        Some(b'~') => line.starts_with("~~~"),
        Some(b'[') => line.contains("]:"),
        Some(b'0'..=b'9') => {
            let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.strip_prefix(['.', ')']).is_some_and(marker)
        }
        Some(_) | None => false,
    }
}

/// Code that no line of ends its fence early.
pub(super) fn fence(language: &str, code: &str) -> String {
    let mut out = format!("```{language}\n");
    for line in code.lines() {
        let text = line.trim_start();
        if text.starts_with("```") {
            out.push_str(&line[..line.len() - text.len()]);
            out.push(GAP);
            out.push_str(text);
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out.push_str("```");
    out
}

/// The name of a language as a fence may carry it.
pub(super) fn language(info: &str) -> String {
    let known = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '#' | '-');
    let word = info.trim_start().split([' ', '\t', ',', '{']).next().unwrap_or_default();
    let name: String = word.chars().take_while(known).take(LANGUAGE_CHARS_MAX).collect();
    if name.len() == word.len() { name } else { String::new() }
}

/// Longest language of a fence: longer ones are sentences.
const LANGUAGE_CHARS_MAX: usize = 24;

/// An address that a link may lead to; `None` for anything that is not on the web, or too long.
pub(super) fn web_address(address: &str) -> Option<String> {
    let is = |scheme: &str| {
        address.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    if address.len() > ADDRESS_BYTES_MAX || !(is("https://") || is("http://") || is("mailto:")) {
        return None;
    }
    let mut out = String::with_capacity(address.len());
    let mut entity = false;
    for c in address.chars() {
        let ends_entity = entity && c == ';';
        entity = c == '&' || entity && (c.is_ascii_alphanumeric() || c == '#');
        match c {
            // `&lt;` would be read as what it stands for.
            ';' if ends_entity => out.push_str("%3B"),
            // What ends a link for some parser, or starts a tag, a cell or code in it.
            ' ' | '"' | '(' | ')' | '<' | '>' | '[' | ']' | '\\' | '`' | '{' | '|' | '}' | '\'' => {
                out.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c if c.is_control() || c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    Some(out)
}

/// Longest address of a link: what browsers and servers agree on.
const ADDRESS_BYTES_MAX: usize = 2048;

/// Bytes of a text as it stands in a request: JSON in a string of JSON.
///
/// The documents say both that the content is limited and that the request is; this is the
/// longer reading.
pub(super) fn sent_len(text: &str) -> usize {
    text.chars().map(sent_char_len).sum()
}

/// Bytes of a message's content as it stands in a request: a string of JSON.
pub(super) fn content_sent_len(content: &str) -> usize {
    content.len() + content.matches(['"', '\\']).count()
}

/// Bytes of one character in a request.
pub(super) fn sent_char_len(c: char) -> usize {
    match c {
        '"' | '\\' => 4,
        '\n' | '\t' => 3,
        c if c.is_ascii_control() => 7,
        c => c.len_utf8(),
    }
}

/// What is seen of a text: no white space, no gaps.
pub(super) fn seen(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_whitespace() && *c != GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_of_these_names_are_broken() {
        let disarmed = |text: &str| disarm(text.to_owned(), REACHING).replace(GAP, "^");
        assert_eq!(disarmed("<at id=all></at>"), "<^at id=all><^/at>");
        assert_eq!(disarmed("<AT\tid=all>"), "<^AT\tid=all>");
        assert_eq!(disarmed("a<attr> <b> x < at"), "a<attr> <b> x < at");
        assert_eq!(disarmed("<at"), "<^at");
        assert_eq!(disarmed("<中"), "<中");
    }

    #[test]
    fn lines_that_begin_blocks_are_guarded() {
        for line in
            ["# a", "#", "- a", "+", "> a", "12. a", "1)", "```x", "---", "= =", "|-|", "[a]: b"]
        {
            assert!(guard(line).starts_with(GAP), "{line}");
        }
        for line in ["#a", "-a", "**a** b", "*a*", "1.5 a", "`a`", "a | b", "[a](b)", "2026"] {
            assert!(!guard(line).starts_with(GAP), "{line}");
        }
    }

    #[test]
    fn languages_are_words() {
        assert_eq!(language("rust,ignore"), "rust");
        assert_eq!(language(" c++ x"), "c++");
        assert_eq!(language("src/main.rs"), "");
        assert_eq!(language("```"), "");
    }

    #[test]
    fn lengths_are_those_of_json_in_json() {
        let text = "a\"\\\n\t\u{1}中";
        let once = serde_json::to_string(text).unwrap();
        let twice = serde_json::to_string(&once[1..once.len() - 1]).unwrap();
        assert_eq!(sent_len(text), twice.len() - 2);
    }
}
