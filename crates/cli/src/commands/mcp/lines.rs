//! Lines of stdin, of bounded length.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// The longest line: a message of a few hundred kilobytes, escaped.
const LINE_BYTES_MAX: usize = 4 << 20;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// All of it, without its end.
    Whole(Vec<u8>),
    /// It was longer than anybody has to say, and is gone.
    TooLong,
}

/// Lines of a stream.
pub(super) struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    thrown: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines of a stream.
    pub(super) fn new(from: R) -> Self {
        Self { from: BufReader::new(from), line: Vec::new(), thrown: false }
    }

    /// The next line that is not empty; nothing at the end, or when it cannot be read. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Line> {
        loop {
            let piece = self.from.fill_buf().await.ok()?;
            if piece.is_empty() {
                return self.cut();
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(piece.len(), |at| at + 1);
            let kept = &piece[..end.unwrap_or(piece.len())];
            if self.line.len() + kept.len() > LINE_BYTES_MAX {
                self.line.clear();
                self.thrown = true;
            }
            if !self.thrown {
                self.line.extend_from_slice(kept);
            }
            self.from.consume(used);
            if end.is_some()
                && let Some(line) = self.cut()
            {
                return Some(line);
            }
        }
    }

    fn cut(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.thrown) {
            return Some(Line::TooLong);
        }
        (!line.trim_ascii().is_empty()).then_some(Line::Whole(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_and_long_ones_thrown_away() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let input = format!("one\n\n  \r\ntwo\r\n{long}\nthree");
        let mut lines = Lines::new(input.as_bytes());
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await {
            seen.push(line);
        }
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(seen, [whole("one"), whole("two\r"), Line::TooLong, whole("three")]);
    }
}
