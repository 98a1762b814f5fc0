//! Reads lines leniently: versions differ, and a line is lost only if nothing can be made of it.

use serde_json::Value;

/// The object on a line, if there is one.
pub(super) fn object(line: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if !text.starts_with('{') {
        return None;
    }
    // A text that was cut in the middle of an emoji is printed with half of a surrogate pair.
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&whole_pairs(text))).ok()
}

/// Whether a line is a sub-agent's and not the agent's that speaks to the chat.
pub(super) fn of_sub_agent(line: &Value) -> bool {
    !line["parent_tool_use_id"].is_null()
}

/// Whether a block of content is thought and not said.
pub(super) fn is_thinking(block: &Value) -> bool {
    matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"))
}

fn whole_pairs(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        whole.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            // Any other escape: the backslash and the character that it stands before.
            (Some(_) | None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        whole.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    whole.push_str(rest);
    whole
}

/// The code unit of a `\uXXXX` that a text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_costs_one_character_and_not_the_line() {
        for (line, text) in [
            (r#"{"a":"x\ud83d"}"#, "x\u{fffd}"),
            (r#"{"a":"\ude00y"}"#, "\u{fffd}y"),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}😀"),
            (r#"{"a":"\ud83d \\ud83d \u4e2d"}"#, "\u{fffd} \\ud83d 中"),
            (r#"{"a":"\ud83d\n\"\\"}"#, "\u{fffd}\n\"\\"),
        ] {
            assert_eq!(object(line.as_bytes()).unwrap()["a"], text, "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_cost_themselves_and_not_the_line() {
        assert_eq!(object(b"\xef\xbb\xbf {\"a\":\"\xff!\"}\r\n").unwrap()["a"], "\u{fffd}!");
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for line in ["", "[]", "1", "warning: {}", "{\"a\":", "{} {}", "\\", "{\\", "{\\中"] {
            assert_eq!(object(line.as_bytes()), None, "{line}");
        }
    }
}
