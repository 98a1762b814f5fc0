//! Lines of a child's output, cut from whatever pieces its pipe gave.
//!
//! Pure: no pipe, no clock. What a line means is not known here.

use bytes::BytesMut;

/// The longest line: a whole answer or the result of a tool is one line of an agent. A longer
/// one is thrown away to its end, and counted.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Output that was read from the pipe and not yet taken.
#[derive(Debug)]
pub(super) struct Lines {
    unread: BytesMut,
    /// So many bytes of `unread` hold no line end.
    searched: usize,
    /// So many bytes of the line that `unread` begins with were thrown away.
    thrown: usize,
    line_max: usize,
}

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A whole one.
    Line(Vec<u8>),
    /// It had so many bytes, and is gone.
    TooLong(usize),
}

impl Lines {
    pub(super) fn new(line_max: usize) -> Self {
        Self { unread: BytesMut::new(), searched: 0, thrown: 0, line_max }
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.unread.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next line that has an end.
    pub(super) fn cut(&mut self) -> Option<Cut> {
        let found = self.unread[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = found.map(|at| self.searched + at) else {
            self.searched = self.unread.len();
            if self.thrown + self.searched > self.line_max {
                self.throw();
            }
            return None;
        };
        self.searched = 0;
        let line = self.unread.split_to(end + 1);
        Some(self.whole(&line[..end]))
    }

    /// The last line, if the output ended in the middle of one. Call it when `cut` finds none.
    pub(super) fn rest(&mut self) -> Option<Cut> {
        if self.thrown + self.unread.len() == 0 {
            return None;
        }
        self.searched = 0;
        let line = self.unread.split();
        Some(self.whole(&line))
    }

    /// All that waits, as it is.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.searched = 0;
        self.unread.split().into()
    }

    fn throw(&mut self) {
        self.thrown += self.unread.len();
        self.unread.clear();
        self.searched = 0;
    }

    fn whole(&mut self, end: &[u8]) -> Cut {
        let bytes = std::mem::take(&mut self.thrown) + end.len();
        if bytes > self.line_max {
            return Cut::TooLong(bytes);
        }
        Cut::Line(end.strip_suffix(b"\r").unwrap_or(end).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &[u8] =
        b"one\r\n\n12345678\n123456789\n\xff\xfe\0\nabcdefghijklmnopqrstuvwxyz\nlast";

    fn line(text: &[u8]) -> Cut {
        Cut::Line(text.to_vec())
    }

    fn all(lines: &mut Lines) -> Vec<Cut> {
        std::iter::from_fn(|| lines.cut()).collect()
    }

    #[test]
    fn lines_are_the_same_in_whatever_pieces_they_come_and_whenever_they_are_taken() {
        let expected = [
            line(b"one"),
            line(b""),
            line(b"12345678"),
            Cut::TooLong(9),
            line(b"\xff\xfe\0"),
            Cut::TooLong(26),
            line(b"last"),
        ];
        for piece in 1..=OUTPUT.len() {
            let (mut eager, mut lazy) = (Lines::new(8), Lines::new(8));
            let mut cuts = Vec::new();
            for bytes in OUTPUT.chunks(piece) {
                eager.push(bytes);
                lazy.push(bytes);
                cuts.append(&mut all(&mut eager));
            }
            cuts.extend(eager.rest());
            assert_eq!(cuts, expected, "in pieces of {piece}");
            let mut cuts = all(&mut lazy);
            cuts.extend(lazy.rest());
            assert_eq!(cuts, expected, "all at once");
            assert_eq!((lazy.rest(), eager.rest()), (None, None));
        }
    }

    #[test]
    fn of_a_line_that_is_too_long_nothing_is_kept() {
        let mut lines = Lines::new(8);
        for _ in 0..1000 {
            lines.push(b"123456789");
            assert_eq!(lines.cut(), None);
            assert_eq!(lines.len(), 0);
        }
        assert_eq!(lines.rest(), Some(Cut::TooLong(9000)));
    }
}
