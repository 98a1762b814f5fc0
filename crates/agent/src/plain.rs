//! Text made fit to be shown or handed on: no control characters, nothing invisible where somebody
//! gives leave by it, no more than asked for.
//!
//! What a text means is not here.

use serde_json::Value;

/// The longest word for an operator about a bad end, in characters.
pub(crate) const DETAIL_MAX: usize = 1_000;
/// The longest line about a tool, in characters.
pub(crate) const ABOUT_MAX: usize = 200;
/// The longest notice, in characters.
pub(crate) const NOTICE_MAX: usize = 300;

/// The text without control characters other than line feeds and tabs; every line ends with a
/// line feed alone.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut after_return = false;
    for character in text.chars() {
        match character {
            '\r' => plain.push('\n'),
            '\n' if after_return => {}
            '\n' | '\t' => plain.push(character),
            _ if character.is_control() => {}
            _ => plain.push(character),
        }
        after_return = character == '\r';
    }
    plain
}

/// A text whose invisible characters are seen: they could make a command look like another one.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if is_hidden(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c })
        .collect()
}

/// Control characters, and those without a width of their own that turn or split a text.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{ad}' | '\u{61c}' | '\u{e0000}'..='\u{e007f}')
}

/// A field of a tool's input as whoever gives leave reads it.
pub(crate) fn field(name: &str, value: &Value) -> String {
    match value.as_str() {
        Some(text) if text.contains('\n') => format!("{name}:\n{text}"),
        Some(text) => format!("{name}: {text}"),
        None => format!("{name}: {value}"),
    }
}

/// A text of several lines, of at most so many characters; what is cut off is counted, so that
/// nobody takes the part for the whole.
pub(crate) fn clip(text: &str, chars_max: usize) -> String {
    /// The longest count and the words around it.
    const COUNT_CHARS_MAX: usize = 50;
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let kept = chars_max.saturating_sub(COUNT_CHARS_MAX);
    let mut short: String = text.chars().take(kept).collect();
    short.push_str(&format!("\n… and {} more characters", chars - kept));
    short
}

/// At most so many characters of it, the last one saying that there were more.
pub(crate) fn cut(text: &str, characters_max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(characters_max) else { return text.to_owned() };
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    format!("{}…", &text[..last])
}

/// The end of it: what a program said last is nearest to why it ended.
pub(crate) fn tail(text: &str, characters_max: usize) -> String {
    let text = text.trim();
    let Some((begin, _)) = text.char_indices().rev().nth(characters_max) else {
        return text.to_owned();
    };
    let begin = text[begin..].char_indices().nth(2).map_or(text.len(), |(at, _)| begin + at);
    format!("…{}", &text[begin..])
}

/// One line of it: white space and control characters become single spaces.
pub(crate) fn one_line(text: &str, characters_max: usize) -> String {
    let mut line = String::new();
    // Bounded before it is built: a title may be a whole file.
    for character in text.chars().take(characters_max.saturating_mul(4)) {
        if !character.is_whitespace() && !character.is_control() {
            line.push(character);
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    cut(line.trim_end(), characters_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_have_no_effect() {
        assert_eq!(plain("a\0b\u{1b}[1m\r\nc\rd\te\u{85}\u{7f}\r\r\nf"), "ab[1m\nc\nd\te\n\nf");
    }

    #[test]
    fn what_turns_or_splits_a_text_is_seen() {
        assert_eq!(
            shown("a\u{202e}b\u{200b}c\u{61c}\td\ne\r"),
            "a\u{fffd}b\u{fffd}c\u{fffd}\td\ne\u{fffd}"
        );
    }

    #[test]
    fn cuts_count_characters() {
        assert_eq!(cut("你好世界", 4), "你好世界");
        assert_eq!(cut("你好世界", 3), "你好…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(tail("你好世界", 4), "你好世界");
        assert_eq!(tail(" 你好世界\n", 3), "…世界");
        assert_eq!(tail("abc", 1), "…");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line(" a\n\n\tb \0 c\n", 200), "a b c");
        assert_eq!(one_line("abcdef", 3), "ab…");
        assert_eq!(one_line("", 3), "");
    }
}
