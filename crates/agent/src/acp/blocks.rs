//! A prompt as content blocks in which chat text stays text.
//!
//! The Claude adapter reads the file behind `@/path` in any block, without asking, and runs a
//! `/command` that begins the last one; Qwen and Codex look for a command at the beginning of the
//! first one. So chat text is never last, never begins with a command's sign, and no `@` in it
//! stands before a path.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::plain::plain;
use crate::prompt::Prompt;

/// Parts a sign from what follows and shows nothing; no agent takes it for white space.
const PARTING: char = '\u{200b}';
/// Comes last when the gateway has nothing of its own to say: the chat text must not be last.
const CLOSING: &str = "Answer the message above.";

/// The blocks of a prompt, and how many pictures had to be left out. `preface` goes before the
/// closing line: it is the gateway's own text, too.
pub(super) fn blocks(prompt: &Prompt, preface: Option<&str>, images: bool) -> (Value, usize) {
    let mut blocks = Vec::new();
    let text = inert(&prompt.text);
    if !text.trim().is_empty() {
        blocks.push(json!({"type": "text", "text": text}));
    }
    let mut left_out = prompt.images.len();
    if images {
        left_out = 0;
        blocks.extend(prompt.images.iter().map(|image| {
            let data = STANDARD.encode(&image.bytes);
            json!({"type": "image", "mimeType": image.media_type, "data": data})
        }));
    }
    let closing = if prompt.closing.trim().is_empty() { CLOSING } else { prompt.closing.as_str() };
    let closing =
        preface.map_or_else(|| closing.to_owned(), |preface| format!("{preface}\n\n{closing}"));
    blocks.push(json!({"type": "text", "text": closing}));
    (Value::Array(blocks), left_out)
}

/// The text with nothing in it that an agent acts upon before the model has seen it.
fn inert(text: &str) -> String {
    let text = plain(text);
    let mut inert = String::with_capacity(text.len());
    if text.trim_start().starts_with(['/', '!']) {
        inert.push(PARTING);
    }
    let mut before = ' ';
    for character in text.chars() {
        inert.push(character);
        // After a letter or a digit an `@` is part of an address and begins no word.
        if character == '@' && !before.is_alphanumeric() {
            inert.push(PARTING);
        }
        before = character;
    }
    inert
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Image;

    #[test]
    fn no_path_follows_an_at_sign() {
        for (text, sent) in [
            ("@/etc/passwd", "@\u{200b}/etc/passwd"),
            ("see @~/x\n@src/main.rs", "see @\u{200b}~/x\n@\u{200b}src/main.rs"),
            ("\"@\"/a b\"\"", "\"@\u{200b}\"/a b\"\""),
            ("```\n@/x\n```", "```\n@\u{200b}/x\n```"),
            ("@@/x", "@\u{200b}@\u{200b}/x"),
            ("\0@\u{1b}/x", "@\u{200b}/x"),
            ("me@example.com 看@/x", "me@example.com 看@/x"),
        ] {
            assert_eq!(inert(text), sent, "{text:?}");
        }
    }

    #[test]
    fn no_command_begins_the_text() {
        assert_eq!(inert("/clear"), "\u{200b}/clear");
        assert_eq!(inert("\r\n /clear"), "\u{200b}\n /clear");
        assert_eq!(inert("!ls"), "\u{200b}!ls");
        assert_eq!(inert("a /clear"), "a /clear");
    }

    #[test]
    fn the_gateway_has_the_last_word() {
        let image = Image { media_type: "image/png".to_owned(), bytes: vec![1, 2, 3] };
        let mut prompt =
            Prompt { text: "hi".to_owned(), closing: "Go on.".to_owned(), images: vec![image] };
        assert_eq!(
            blocks(&prompt, Some("You are a bot."), true),
            (
                json!([
                    {"type": "text", "text": "hi"},
                    {"type": "image", "mimeType": "image/png", "data": "AQID"},
                    {"type": "text", "text": "You are a bot.\n\nGo on."},
                ]),
                0
            )
        );
        prompt.closing.clear();
        let (sent, left_out) = blocks(&prompt, None, false);
        assert_eq!(left_out, 1);
        assert_eq!(sent[1], json!({"type": "text", "text": CLOSING}));
    }

    #[test]
    fn an_empty_text_is_no_block() {
        let prompt = Prompt { text: " \n".to_owned(), ..Prompt::default() };
        assert_eq!(blocks(&prompt, None, true).0, json!([{"type": "text", "text": CLOSING}]));
    }
}
