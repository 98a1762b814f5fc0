//! The end of what a program printed, as a chat and a terminal may see it. Pure, but for reading it
//! back from a file.

use std::collections::VecDeque;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Lines that are shown.
const LINES_MAX: usize = 30;
/// Bytes that are shown: a card holds ten times as much, and nobody reads it.
const BYTES_MAX: usize = 3000;
/// Characters of one line.
const LINE_CHARS_MAX: usize = 400;

/// The last lines.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
    cut: bool,
}

impl Tail {
    /// One more line.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let line = plain(line);
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX && self.lines.len() > 1 {
            let gone = self.lines.pop_front().unwrap_or_default();
            self.bytes -= gone.len() + 1;
            self.cut = true;
        }
    }

    /// The lines, with a mark where others were before.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let text = lines.join("\n");
        let text = text.trim_end();
        if self.cut { format!("…\n{text}") } else { text.to_owned() }
    }
}

/// The end of what a file holds; nothing when there is none.
pub(crate) fn of_file(path: &Path) -> String {
    read_end(path).map(|bytes| of_bytes(&bytes)).unwrap_or_default()
}

fn of_bytes((bytes, is_whole): &(Vec<u8>, bool)) -> String {
    let mut tail = Tail { cut: !is_whole, ..Tail::default() };
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if !bytes.is_empty() {
        bytes.split(|byte| *byte == b'\n').for_each(|line| tail.push(line));
    }
    tail.text()
}

/// The last bytes, and whether they are all.
fn read_end(path: &Path) -> std::io::Result<(Vec<u8>, bool)> {
    let mut file = std::fs::File::open(path)?;
    let most = u64::try_from(2 * BYTES_MAX).unwrap_or(u64::MAX);
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok((bytes, size <= most))
}

/// A line without what steers a terminal: colours, and lines that were written over.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let last = text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut kept = String::with_capacity(last.len());
    let mut chars = last.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut chars),
            '\t' => kept.push_str("    "),
            c if c.is_control() => {}
            c => kept.push(c),
        }
    }
    if kept.chars().count() > LINE_CHARS_MAX {
        kept = kept.chars().take(LINE_CHARS_MAX).chain(['…']).collect();
    }
    kept
}

/// `ESC [ … letter`, or one character after ESC.
fn skip_sequence(chars: &mut std::str::Chars<'_>) {
    if chars.next() == Some('[') {
        for c in chars.by_ref() {
            if ('@'..='~').contains(&c) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(lines: &[&str]) -> String {
        let mut tail = Tail::default();
        lines.iter().for_each(|line| tail.push(line.as_bytes()));
        tail.text()
    }

    #[test]
    fn the_last_lines_are_kept_and_a_mark_says_so() {
        assert_eq!(tail(&[]), "");
        assert_eq!(tail(&["a", "b", ""]), "a\nb");
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = tail(&many);
        assert!(text.starts_with("…\n70\n") && text.ends_with("\n99"), "{text}");
        let wide = "x".repeat(10_000);
        assert_eq!(tail(&[&wide]).chars().count(), LINE_CHARS_MAX + 1);
        let text = tail(&vec![wide.as_str(); 50]);
        assert!(text.len() <= BYTES_MAX + 10, "{}", text.len());
    }

    #[test]
    fn what_steers_a_terminal_is_left_out() {
        for (line, seen) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("10%\r50%\r100%\r", "100%"),
            ("a\u{7}\u{1b}cb", "ab"),
            ("\tx", "    x"),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(plain(line.as_bytes()), seen, "{line:?}");
        }
        assert_eq!(plain(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn the_end_of_a_file_is_as_its_lines_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(of_file(&path), "");
        for (text, seen) in [("", ""), ("a\nb\n", "a\nb"), ("a\nb", "a\nb")] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(of_file(&path), seen, "{text:?}");
        }
        std::fs::write(&path, "line of a log\n".repeat(10_000)).unwrap();
        assert!(of_file(&path).starts_with("…\nline of a log\n"));
    }
}
