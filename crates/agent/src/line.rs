//! One line of JSON, read as leniently as its writers need.
//!
//! Agents in JavaScript cut strings between the halves of a surrogate pair and write what is left
//! as an escape that is no character. Such a line may hold a question somebody must answer, so it
//! is mended, not dropped. What is not JSON at all is nothing: no error here.

use serde::de::DeserializeOwned;

/// Reads a line; `None` when it is not the JSON that is looked for.
pub(crate) fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(_) if text.contains("\\u") => serde_json::from_str(&mended(text)).ok(),
        Err(_) => None,
    }
}

/// The text with every escaped half of a surrogate pair replaced by U+FFFD.
fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let length = match unit(escape) {
            Some(0xD800..=0xDBFF)
                if matches!(escape.get(6..).and_then(unit), Some(0xDC00..=0xDFFF)) =>
            {
                12
            }
            Some(0xD800..=0xDFFF) => {
                mended.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
            // The escaped character may be of several bytes in a line that is no JSON anyway.
            None => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (whole, after) = escape.split_at(length);
        mended.push_str(whole);
        rest = after;
    }
    mended.push_str(rest);
    mended
}

/// The UTF-16 unit that a `\uXXXX` at the beginning stands for.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        u16::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_pair_costs_one_character_and_not_the_line() {
        for (line, read_as) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00b""#, "\u{fffd}b"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\\ud83d \ud83d.""#, "\\ud83d \u{fffd}."),
            (r#""\n\u4f60\ud83d""#, "\n你\u{fffd}"),
            (r#""\ud83d \\ud83d \u4e2d""#, "\u{fffd} \\ud83d 中"),
            (r#""\ud83d\n\"\\""#, "\u{fffd}\n\"\\"),
        ] {
            assert_eq!(read::<String>(line.as_bytes()).as_deref(), Some(read_as), "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_cost_one_character_too() {
        assert_eq!(read::<String>(b"\"a\xff\"").as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        for line in ["", "\\", "\\u", "\\uD8", "\\é\\u", "{\"a\":\"\\ud83d\"", "warning: \\ud83d"]
        {
            assert_eq!(read::<serde_json::Value>(line.as_bytes()), None, "{line}");
        }
    }
}
