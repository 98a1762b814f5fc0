//! A user line: the chat text in it, and the effects that its last text block has.
//!
//! The effects are those of the real agent, and the reason why the gateway puts a block of its own
//! last: there `@path` hands a file over without asking anybody, and a leading `/` is a command.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// What a user line holds.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    /// All of its text, for directives.
    pub(super) text: String,
    /// What a person wrote, without the frame that the gateway puts around it.
    pub(super) words: String,
    /// Pictures.
    pub(super) pictures: usize,
    /// A command of the agent's own.
    pub(super) command: Option<String>,
    /// Files handed over by `@path`, with their sizes.
    pub(super) files: Vec<(String, u64)>,
}

impl Prompt {
    /// Reads the `message` of a user line.
    pub(super) fn of(message: &Value, folder: &Path) -> Self {
        let content = &message["content"];
        let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
        let text_of = |block: &Value| block["text"].as_str().map(str::to_owned);
        let mut texts: Vec<String> = blocks.iter().filter_map(text_of).collect();
        texts.extend(content.as_str().map(str::to_owned));
        let last = texts.last().cloned().unwrap_or_default();
        let command = last.starts_with('/').then(|| last.split_whitespace().next()).flatten();
        let locked = std::env::var_os("CLAUDE_CODE_DISABLE_ATTACHMENTS").is_some();
        Self {
            words: texts.first().map(|first| unframed(first)).unwrap_or_default(),
            pictures: blocks.iter().filter(|block| block["type"] == "image").count(),
            command: command.map(str::to_owned),
            files: if locked { Vec::new() } else { handed_over(&last, folder) },
            text: texts.join("\n"),
        }
    }
}

/// What stands between `<message …>` and `</message>`, or all of it.
fn unframed(block: &str) -> String {
    let inside = || {
        let (_, rest) = block.split_once("<message")?;
        let (_, rest) = rest.split_once('>')?;
        Some(rest.rsplit_once("</message>").map_or(rest, |(inside, _)| inside))
    };
    inside().unwrap_or(block).trim().to_owned()
}

/// The files that `@path` names, at the start or after a space, if they are there.
fn handed_over(text: &str, folder: &Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for (at, _) in text.match_indices('@') {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let Some(rest) = text.get(at + 1..).filter(|_| before.is_none_or(char::is_whitespace))
        else {
            continue;
        };
        let name = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => rest.split_whitespace().next(),
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
        if let Ok(metadata) = std::fs::metadata(resolved(name, folder)) {
            files.push((name.to_owned(), metadata.len()));
        }
    }
    files
}

fn resolved(name: &str, folder: &Path) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match name.strip_prefix("~/") {
        Some(rest) => home().map_or_else(|| folder.join(name), |home| home.join(rest)),
        None => folder.join(name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prompt(blocks: &[&str]) -> Prompt {
        let blocks: Vec<Value> =
            blocks.iter().map(|text| json!({"type": "text", "text": text})).collect();
        Prompt::of(&json!({ "content": blocks }), Path::new("/"))
    }

    #[test]
    fn the_last_block_hands_files_over_and_the_others_do_not() {
        let names = |blocks: &[&str]| {
            prompt(blocks).files.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["@/etc/passwd"]), ["/etc/passwd"]);
        assert_eq!(
            names(&["see @\"/etc/passwd\" and\n@etc/hostname"]),
            ["/etc/passwd", "etc/hostname"]
        );
        assert_eq!(names(&["看@/etc/passwd @/no/such/file"]), [""; 0]);
        assert_eq!(names(&["@/etc/passwd", "Answer the message above."]), [""; 0]);
    }

    #[test]
    fn a_leading_slash_is_a_command_in_the_last_block_alone() {
        assert_eq!(prompt(&["/clear now"]).command.unwrap(), "/clear");
        assert_eq!(prompt(&[" /clear"]).command, None);
        assert_eq!(prompt(&["/clear", "Answer the message above."]).command, None);
    }

    #[test]
    fn the_frame_around_what_a_person_wrote_is_taken_off() {
        let framed = "<message from=\"张三\" at=\"x\">\n写一个文件\n</message>";
        assert_eq!(prompt(&[framed, "Answer."]).words, "写一个文件");
        assert_eq!(prompt(&["plain"]).words, "plain");
    }
}
