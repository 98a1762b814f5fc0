//! Lines that are written to it.

use serde_json::{Value, json};

/// A value as one line. JSON leaves U+2028 and U+2029 as they are, but readers of lines in
/// JavaScript may take them for ends of lines, and half a line ends the program.
pub(super) fn line(value: &Value) -> Vec<u8> {
    let mut text = value.to_string();
    for (raw, escaped) in [('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")] {
        if text.contains(raw) {
            text = text.replace(raw, escaped);
        }
    }
    text.push('\n');
    text.into_bytes()
}

/// The request to stop.
pub(super) fn interrupt(n: u32) -> Vec<u8> {
    line(&json!({
        "type": "control_request",
        "request_id": format!("larkline-interrupt-{n}"),
        "request": {"subtype": "interrupt"},
    }))
}

/// The answer to its request.
pub(super) fn success(request_id: &Value, response: &Value) -> Vec<u8> {
    line(&json!({
        "type": "control_response",
        "response": {"subtype": "success", "request_id": request_id, "response": response},
    }))
}

/// The answer to a request that cannot be served.
pub(super) fn error(request_id: &Value, error: &str) -> Vec<u8> {
    line(&json!({
        "type": "control_response",
        "response": {"subtype": "error", "request_id": request_id, "error": error},
    }))
}
