//! The line that carries the prompt.
//!
//! In the last block of text `@/path` reads a file and a leading `/word` runs a command, without
//! any question. So what people wrote is never in the last one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::prompt::{Image, Prompt};

use super::control;

/// Closes a prompt that brings no closing line of its own: there has to be one.
const CLOSING: &str = "Answer the message above.";
/// What the service takes. Another picture would be refused with the whole conversation, each time
/// that it is resumed.
const MEDIA_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The prompt as the line to write.
pub(super) fn line(prompt: &Prompt) -> Vec<u8> {
    let mut content = Vec::with_capacity(prompt.images.len() + 2);
    // The service refuses blocks without a visible character.
    content.extend(text(&prompt.text));
    content.extend(prompt.images.iter().filter_map(image));
    content.push(text(&prompt.closing).unwrap_or_else(|| json!({"type": "text", "text": CLOSING})));
    control::line(&json!({"type": "user", "message": {"role": "user", "content": content}}))
}

fn text(text: &str) -> Option<Value> {
    let text = harmless(text);
    (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn image(image: &Image) -> Option<Value> {
    let known = MEDIA_TYPES.contains(&image.media_type.as_str()) && !image.bytes.is_empty();
    known.then(|| {
        json!({"type": "image", "source": {
            "type": "base64", "media_type": image.media_type, "data": STANDARD.encode(&image.bytes),
        }})
    })
}

/// Line feeds and tabs stay; every other control character is replaced.
fn harmless(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c })
        .collect()
}
