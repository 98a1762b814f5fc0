//! The last block of a text that still grows: what is open in it is closed or held back.
//!
//! The parser leaves a mark without its partner as text, so that is where to look.

use super::block::{Block, Kind};
use super::inline::{self, Inline, Span};

/// Longest text behind an open mark that is taken for its own, in characters: a stray bracket must
/// not hold back a page.
const HELD_CHARS_MAX: usize = 200;

/// A text without the first half of the `**` that is about to close: the parser would take it for
/// the end of italics.
pub(super) fn without_half_mark(markdown: &str) -> &str {
    let line = markdown.rsplit('\n').next().unwrap_or_default();
    match line.strip_suffix('*') {
        Some(text) if !text.ends_with('*') && text.matches("**").count() % 2 == 1 => {
            &markdown[..markdown.len() - 1]
        }
        Some(_) | None => markdown,
    }
}

/// The last block, mended; `None` if nothing of it can be shown yet.
pub(super) fn mended(block: Block) -> Option<Block> {
    let Block { path, tight, kind } = block;
    let kind = match kind {
        Kind::Paragraph(inlines) => Kind::Paragraph(mended_line(without_half_table(inlines))),
        Kind::Heading(level, inlines) => Kind::Heading(level, mended_line(inlines)),
        Kind::Code(..) | Kind::Table(_) | Kind::Rule => kind,
    };
    let blank = match &kind {
        Kind::Paragraph(inlines) | Kind::Heading(_, inlines) => inline::is_blank(inlines),
        Kind::Code(..) | Kind::Table(_) | Kind::Rule => false,
    };
    match (blank, path.is_empty()) {
        (false, _) => Some(Block { path, tight, kind }),
        // The marker of an item can be shown without its text.
        (true, false) => Some(Block { path, tight, kind: Kind::Paragraph(Vec::new()) }),
        (true, true) => None,
    }
}

/// A paragraph without lines at its end that look like the head of a table: one without its ruler
/// is a line of pipes.
fn without_half_table(mut inlines: Vec<Inline>) -> Vec<Inline> {
    let is_start = |at: usize| at == 0 || matches!(inlines.get(at - 1), Some(Inline::Break { .. }));
    let is_piped =
        |at: usize| matches!(inlines.get(at), Some(Inline::Text(text)) if text.starts_with('|'));
    let starts = (0..inlines.len()).rev().filter(|at| is_start(*at));
    let piped: Vec<usize> = starts.take_while(|at| is_piped(*at)).collect();
    // A head and its ruler; more is no table.
    if let (1..=2, Some(first)) = (piped.len(), piped.last()) {
        inlines.truncate(*first);
    }
    inlines
}

fn mended_line(mut inlines: Vec<Inline>) -> Vec<Inline> {
    if let Some(at) = half_link(&inlines) {
        truncate(&mut inlines, at);
    }
    close_code(&mut inlines);
    close_span(&mut inlines, "**", Span::Strong('*'));
    close_span(&mut inlines, "~~", Span::Strike);
    inlines
}

/// A place in a line: a piece of text, and a byte of it.
#[derive(Clone, Copy)]
struct At {
    piece: usize,
    byte: usize,
}

/// The last place where a text has this mark, and the text behind it.
fn last_mark(inlines: &[Inline], mark: &str) -> Option<(At, String)> {
    let mut behind = String::new();
    for (piece, inline) in inlines.iter().enumerate().rev() {
        if let Inline::Text(text) = inline
            && let Some(byte) = text.rfind(mark)
        {
            return Some((At { piece, byte }, format!("{}{behind}", &text[byte + mark.len()..])));
        }
        behind.insert_str(0, &inline::visible(std::slice::from_ref(inline)));
        if behind.chars().count() > HELD_CHARS_MAX {
            return None;
        }
    }
    None
}

/// Where a link or a picture begins that has no end yet.
fn half_link(inlines: &[Inline]) -> Option<At> {
    let (At { piece, byte }, behind) = last_mark(inlines, "[")?;
    let half = match behind.split_once(']') {
        None | Some((_, "")) => true,
        Some((_, rest)) => {
            rest.starts_with('(') && !rest.contains(')')
                || rest.starts_with('[') && !rest.contains(']')
        }
    };
    let Some(Inline::Text(text)) = inlines.get(piece) else { return None };
    let before = &text[..byte];
    // A picture, perhaps in a link of its own.
    let before = before.strip_suffix('!').map_or(before, |b| b.strip_suffix('[').unwrap_or(b));
    let byte = before.len();
    (half && behind.chars().count() <= HELD_CHARS_MAX).then_some(At { piece, byte })
}

/// Makes code of what stands behind an open mark of code.
fn close_code(inlines: &mut Vec<Inline>) {
    let Some((At { piece, byte }, code)) = last_mark(inlines, "`") else { return };
    if code.chars().count() > HELD_CHARS_MAX {
        return;
    }
    let Some(Inline::Text(text)) = inlines.get(piece) else { return };
    let before = text[..=byte].trim_end_matches('`');
    let space = before.len() - before.trim_end().len();
    let at = At { piece, byte: before.len() };
    truncate(inlines, at);
    if !code.trim().is_empty() {
        let depth = inlines.iter().rev().take_while(|inline| **inline == Inline::Close).count();
        let code = [Inline::Text(" ".repeat(space)), Inline::Code(code)];
        let end = inlines.len() - depth;
        inlines.splice(end..end, code);
    }
}

/// Closes a span whose mark has no partner at the end of the line.
fn close_span(inlines: &mut Vec<Inline>, mark: &str, span: Span) {
    let mut depth = 0_usize;
    let mut marks = Vec::new();
    for (piece, inline) in inlines.iter().enumerate() {
        match inline {
            Inline::Open(_) => depth += 1,
            Inline::Close => depth = depth.saturating_sub(1),
            Inline::Text(text) if depth == 0 => {
                marks.extend(text.match_indices(mark).map(|(byte, _)| At { piece, byte }));
            }
            Inline::Text(_)
            | Inline::Literal(_)
            | Inline::Code(_)
            | Inline::Break { .. }
            | Inline::Task(_) => {}
        }
    }
    let Some(At { piece, byte }) = marks.pop().filter(|_| marks.len() % 2 == 0) else { return };
    let Some(Inline::Text(text)) = inlines.get_mut(piece) else { return };
    let behind = text.split_off(byte).split_off(mark.len());
    let mut rest = inlines.split_off(piece + 1);
    rest.insert(0, Inline::Text(behind));
    let half_mark = &mark[1..];
    if let Some(Inline::Text(last)) = rest.last_mut() {
        let end = last.trim_end().trim_end_matches(half_mark).trim_end().len();
        last.truncate(end);
    }
    rest.retain(|inline| !matches!(inline, Inline::Text(text) if text.is_empty()));
    if inline::is_blank(&rest) {
        return;
    }
    inlines.push(Inline::Open(span));
    inlines.extend(rest);
    inlines.push(Inline::Close);
}

/// Ends a line at a place; spans that are open there are closed.
fn truncate(inlines: &mut Vec<Inline>, at: At) {
    inlines.truncate(at.piece + 1);
    if let Some(Inline::Text(text)) = inlines.last_mut() {
        text.truncate(text[..at.byte].trim_end().len());
        if text.is_empty() {
            inlines.pop();
        }
    }
    while matches!(inlines.last(), Some(Inline::Open(_) | Inline::Break { .. })) {
        inlines.pop();
    }
    let open = |inline: &&Inline| matches!(inline, Inline::Open(_));
    let opened = inlines.iter().filter(open).count();
    let closed = inlines.iter().filter(|inline| **inline == Inline::Close).count();
    inlines.extend(std::iter::repeat_n(Inline::Close, opened.saturating_sub(closed)));
}
