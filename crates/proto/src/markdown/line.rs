//! Reads what is inside a line, from events with their places in the source.

use std::ops::Range;

use super::harmless::web_address;
use super::inline::{self, Inline, Span};

/// A line that is being read.
pub(super) struct Line {
    inlines: Vec<Inline>,
    spans: Vec<Reading>,
    /// Where the last event ended in the source.
    end: usize,
    /// Text does not join the piece before this one: a link begins here.
    seam: usize,
}

/// A span that is open in the source.
enum Reading {
    /// Shown as a span.
    Shown,
    /// Not shown: nested too deep, or unknown to the platform.
    Dropped,
    /// A link, from this piece on; shown as a span.
    Link { from: usize, address: String },
    /// An address that no link can lead to: it follows the text, from this piece on.
    Address { from: usize, address: String },
    /// A picture that cannot be shown: its text, from this piece on, or this word.
    Picture { from: usize, name: String },
}

/// Spans deeper than this are not shown.
const SPANS_MAX: usize = 8;

impl Line {
    /// A line that begins at this place of the source.
    pub(super) fn new(start: usize) -> Self {
        Self { inlines: Vec::new(), spans: Vec::new(), end: start, seam: 0 }
    }

    /// Where the last event ended.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The pieces, spans closed, no breaks at the ends.
    pub(super) fn finish(&mut self) -> Vec<Inline> {
        while !self.spans.is_empty() {
            self.close(self.end);
        }
        let blank = |inline: &Inline| matches!(inline, Inline::Break { .. });
        while self.inlines.last().is_some_and(blank) {
            self.inlines.pop();
        }
        std::mem::take(&mut self.inlines)
    }

    /// Text that the parser found at this range: as it stands there, or what an entity or a
    /// backslash made of it.
    pub(super) fn text(&mut self, source: &str, text: &str, range: Range<usize>) {
        let before = range.start.checked_sub(1).filter(|at| *at >= self.end);
        let escaped = before.is_some_and(|at| source.as_bytes().get(at) == Some(&b'\\'));
        if source.get(range.clone()) != Some(text) {
            self.literal(text);
        } else if escaped {
            let first = text.chars().next().map_or(0, char::len_utf8);
            self.literal(&text[..first]);
            self.plain(&text[first..]);
        } else {
            self.plain(text);
        }
        self.end = range.end;
    }

    /// Code in the line.
    pub(super) fn code(&mut self, code: &str, end: usize) {
        self.inlines.push(Inline::Code(code.to_owned()));
        self.end = end;
    }

    /// HTML is text like any other, except a break.
    pub(super) fn html(&mut self, html: &str, end: usize) {
        let name = html.trim().trim_matches(['<', '>', '/', ' ']);
        if name.eq_ignore_ascii_case("br") {
            self.line_break(true, end);
            return;
        }
        let mut lines = html.split('\n').peekable();
        while let Some(line) = lines.next() {
            self.literal(line);
            if lines.peek().is_some() {
                self.line_break(false, end);
            }
        }
        self.end = end;
    }

    /// The end of a line; several are one.
    pub(super) fn line_break(&mut self, hard: bool, end: usize) {
        let again = matches!(self.inlines.last(), None | Some(Inline::Break { .. }));
        if !again {
            self.inlines.push(Inline::Break { hard });
        }
        self.end = end;
    }

    /// The box of a task.
    pub(super) fn task(&mut self, done: bool, end: usize) {
        self.inlines.push(Inline::Task(done));
        self.end = end;
    }

    /// A span begins; `None` is one that the platform does not know.
    pub(super) fn open(&mut self, span: Option<Span>, start: usize) {
        let shown = self.spans.iter().filter(|span| matches!(span, Reading::Shown)).count();
        match span.filter(|_| shown < SPANS_MAX) {
            Some(span) => {
                self.inlines.push(Inline::Open(span));
                self.spans.push(Reading::Shown);
            }
            None => self.spans.push(Reading::Dropped),
        }
        self.end = start;
    }

    /// A link or a picture begins.
    pub(super) fn open_link(&mut self, address: String, picture: bool, start: usize) {
        let reading = self.reading(address, picture);
        self.spans.push(reading);
        self.end = start;
    }

    /// How a link or a picture is shown: a picture by its address leads to it, and one by its key
    /// is only told of, for the agent cannot have uploaded it.
    fn reading(&mut self, address: String, picture: bool) -> Reading {
        let from = self.inlines.len();
        self.seam = from;
        let inside = self.spans.iter().any(|span| matches!(span, Reading::Link { .. }));
        let web = web_address(&address).filter(|_| !inside);
        if let Some(web) = web {
            self.inlines.push(Inline::Open(Span::Link(web)));
            return Reading::Link { from, address };
        }
        let key = address.starts_with("img_");
        let data = address.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
        if picture && (inside || key || data || address.is_empty()) {
            let name = if key { address } else { "image".to_owned() };
            return Reading::Picture { from, name };
        }
        if inside { Reading::Dropped } else { Reading::Address { from, address } }
    }

    /// The innermost span ends.
    pub(super) fn close(&mut self, end: usize) {
        match self.spans.pop() {
            Some(Reading::Shown) => self.inlines.push(Inline::Close),
            Some(Reading::Link { from, address }) => {
                if self.shown(from).is_empty() {
                    self.literal(&address);
                }
                self.inlines.push(Inline::Close);
            }
            Some(Reading::Address { from, address }) => {
                let shown = self.shown(from);
                if shown.is_empty() {
                    self.literal(&address);
                } else if !address.is_empty() && shown != address {
                    self.literal(&format!(" ({address})"));
                }
            }
            Some(Reading::Picture { from, name }) => {
                if self.shown(from).is_empty() {
                    self.literal(&name);
                }
            }
            Some(Reading::Dropped) | None => {}
        }
        self.end = end;
    }

    /// What is to be seen since a piece.
    fn shown(&self, from: usize) -> String {
        inline::visible(self.inlines.get(from..).unwrap_or_default()).trim().to_owned()
    }

    fn plain(&mut self, text: &str) {
        if let Some(Inline::Text(last)) =
            self.inlines.get_mut(self.seam..).and_then(<[_]>::last_mut)
        {
            last.push_str(text);
        } else if !text.is_empty() {
            self.inlines.push(Inline::Text(text.to_owned()));
        }
    }

    fn literal(&mut self, text: &str) {
        // An entity may stand for a control character.
        let text: String =
            text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        if let Some(Inline::Literal(last)) =
            self.inlines.get_mut(self.seam..).and_then(<[_]>::last_mut)
        {
            last.push_str(&text);
        } else if !text.is_empty() {
            self.inlines.push(Inline::Literal(text));
        }
    }
}
