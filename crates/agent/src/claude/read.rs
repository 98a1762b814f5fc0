//! Reads lines leniently: versions differ, and a line is lost only if nothing can be made of it.

use serde_json::Value;

use crate::line;

/// The object on a line, if there is one.
pub(super) fn object(line: &[u8]) -> Option<Value> {
    line::read(line).filter(Value::is_object)
}

/// Whether a line is a sub-agent's and not the agent's that speaks to the chat.
pub(super) fn of_sub_agent(line: &Value) -> bool {
    !line["parent_tool_use_id"].is_null()
}

/// Whether a block of content is thought and not said.
pub(super) fn is_thinking(block: &Value) -> bool {
    matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
