//! An answer that still grows, at any moment safe to show; and its first words.

use super::block::{Block, Kind};
use super::harmless::{REACHING, clean, disarm, sent_len};
use super::inline::Inline;
use super::mend::{mended, without_half_mark};
use super::pieces;
use super::read::read;
use super::write::{Form, write};
use super::{PART_BYTES_MAX, check};

/// Longest summary: what a list of chats shows, and more than fits there.
const SUMMARY_CHARS_MAX: usize = 100;
/// How much of an answer is read for its summary.
const SUMMARY_BYTES_READ: usize = 4096;

/// The text so far of an answer, as the content of a card's Markdown element.
///
/// What is open is closed (fences, code, bold), and a link, a picture or a head of a table that is
/// half there is held back. At most `chars_max` characters, and never more than a card takes: of
/// a longer text the *end* is shown, behind a `…`, because that is where something happens. Its
/// beginning then moves in large steps, so that most updates only add to the last one, which the
/// client shows as typing. Never empty: a card's content may not be.
pub fn growing(markdown: &str, chars_max: usize) -> String {
    let mut blocks = read(without_half_mark(&clean(markdown)));
    if let Some(last) = blocks.pop() {
        blocks.extend(mended(last));
    }
    let window = Window { chars_max, bytes_max: PART_BYTES_MAX };
    if window.ends(&blocks).last().is_none_or(|end| *end <= window.bytes_max)
        && let Some(text) = window.written(&blocks, true)
    {
        return text;
    }
    let pieces = pieces::cut(blocks, chars_max.min(PART_BYTES_MAX) / 4);
    let mut shown = &pieces[window.place(&pieces)..];
    loop {
        if let Some(text) = window.written(shown, shown.len() == pieces.len()) {
            return text;
        }
        // The measure was rough: a little less, until it fits.
        match shown.get(shown.len().div_ceil(8)..) {
            Some(rest) if !rest.is_empty() => shown = rest,
            Some(_) | None => return window.last_words(shown),
        }
    }
}

/// The first words of an answer on one line, without marks, at most 100 characters.
pub fn summary(markdown: &str) -> String {
    let start = &markdown[..markdown.floor_char_boundary(SUMMARY_BYTES_READ)];
    let blocks = read(&clean(start));
    let words = blocks.iter().map(Block::visible).collect::<Vec<_>>().join(" ");
    one_line(&words, SUMMARY_CHARS_MAX)
}

/// A text on one line that reaches nobody, shortened.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(&disarm(line, REACHING), chars_max)
}

/// At most so many characters of a text, the last of them a `…` if there are more.
fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// How much may be shown.
struct Window {
    chars_max: usize,
    bytes_max: usize,
}

impl Window {
    /// The blocks as content, if it fits: as they are, else as escaped text.
    fn written(&self, blocks: &[Block], whole: bool) -> Option<String> {
        let content = |blocks: &[Block]| match (whole, write(blocks, Form::Card)) {
            (_, text) if text.is_empty() => "…".to_owned(),
            (true, text) => text,
            (false, text) => format!("…\n\n{text}"),
        };
        let text = content(blocks);
        let text = if check::is_accepted(&text) {
            text
        } else {
            content(&blocks.iter().cloned().map(Block::literal).collect::<Vec<_>>())
        };
        let fits = text.chars().count() <= self.chars_max && sent_len(&text) <= self.bytes_max;
        (fits && check::is_accepted(&text)).then_some(text)
    }

    /// Where each block ends, in bytes of a window that holds as many as it may.
    fn ends(&self, blocks: &[Block]) -> Vec<usize> {
        let ends = blocks.iter().scan(0, |end, block| {
            let (chars, bytes) = pieces::rough_len(block);
            *end += bytes.max(chars * self.bytes_max / self.chars_max.max(1));
            Some(*end)
        });
        ends.collect()
    }

    /// The first piece that is shown, so that the rest fits; it moves by half a window.
    fn place(&self, pieces: &[Block]) -> usize {
        let ends = self.ends(pieces);
        let all = ends.last().copied().unwrap_or(0);
        let step = self.bytes_max.div_ceil(2).max(1);
        let hidden = all.saturating_sub(self.bytes_max).div_ceil(step) * step;
        let before = ends.iter().take_while(|end| **end < hidden).count();
        let first = if hidden == 0 { 0 } else { before + 1 };
        first.min(pieces.len().saturating_sub(1))
    }

    /// The end of the text without any marks, when no piece fits.
    fn last_words(&self, shown: &[Block]) -> String {
        let text = shown.last().map(Block::visible).unwrap_or_default();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut keep = self.chars_max;
        loop {
            let skipped = text.chars().count().saturating_sub(keep);
            let end: String = text.chars().skip(skipped).collect();
            let block = Block::alone(Kind::Paragraph(vec![Inline::Literal(end)]));
            match self.written(&[block], skipped == 0) {
                Some(text) => return text,
                None if keep == 0 => return "…".to_owned(),
                None => keep /= 2,
            }
        }
    }
}
