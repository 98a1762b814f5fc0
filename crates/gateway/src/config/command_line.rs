//! `argv`: a list of words, or, where a shell was asked for, one line.

use serde_json::Value as Json;

use super::decoder::Spot;
use super::field::{Field, read_list};
use super::section::Section;
use crate::both::Both;

/// A program with its arguments, or one line for a shell.
pub(super) enum Argv {
    Words(Vec<String>),
    Line(String),
}

impl Field for Argv {
    const KIND: &'static str = "list of strings";
    const HINT: Both = Both::of(
        "写 argv = [\"program\", \"argument\"]",
        "write argv = [\"program\", \"argument\"]",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        match spot.node.as_text() {
            Some(line) => Some(Self::Line(line.to_owned())),
            None => read_list(spot, &Both::of("字符串列表", "a list of strings")).map(Self::Words),
        }
    }

    fn shown(&self) -> Json {
        match self {
            Self::Words(words) => words.shown(),
            Self::Line(line) => line.shown(),
        }
    }
}

/// A command without one.
pub(super) const NO_PROGRAM: Both = Both::of("没有程序", "there is no program");

impl Argv {
    /// A shell sees a line when it was asked for, and no line otherwise: a line that is split
    /// by guesswork is how a message's text becomes a command.
    pub(super) fn checked(self, section: &Section<'_>, shell: bool) -> Option<Vec<String>> {
        let (message, hint) = match (self, shell) {
            (Self::Line(line), true) if !line.trim().is_empty() => {
                return Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), line]);
            }
            (Self::Words(words), false)
                if words.first().is_some_and(|program| !program.is_empty()) =>
            {
                return Some(words);
            }
            (Self::Line(_), true) | (Self::Words(_), false) => (NO_PROGRAM, Self::HINT),
            (Self::Line(_), false) => (
                Both::of(
                    "命令是一串单词，不经过 shell",
                    "a command is a list of words and meets no shell",
                ),
                Both::of(
                    "写 argv = [\"program\", \"argument\"]，或加上 shell = true",
                    "write argv = [\"program\", \"argument\"], or add shell = true",
                ),
            ),
            (Self::Words(_), true) => (
                Both::of(
                    "shell = true 时这里是一行文本",
                    "with shell = true this is one line of text",
                ),
                Both::of("写 argv = \"program argument\"", "write argv = \"program argument\""),
            ),
        };
        section.refuse("argv", message, hint);
        None
    }
}
