//! Cuts blocks that are too long for one message, and packs blocks into messages.

use super::block::{Block, Container, Kind};
use super::harmless::{sent_char_len, sent_len};
use super::inline::{Inline, Span, is_blank};
use super::write::{Form, write};

/// Bytes for the marks around a block.
const BETWEEN: usize = 16;

/// The blocks, each of which fits into so many bytes of a request however it is written.
pub(super) fn cut(blocks: Vec<Block>, bytes_max: usize) -> Vec<Block> {
    let mut pieces = Vec::with_capacity(blocks.len());
    for block in blocks {
        if sent_len_at_most(&block) <= bytes_max {
            pieces.push(block);
            continue;
        }
        let before = block.prefix_len();
        let Block { path, tight, kind } = block;
        let kinds = match kind {
            Kind::Paragraph(inlines) | Kind::Heading(_, inlines) => {
                let room = bytes_max.saturating_sub(2 * before + BETWEEN);
                cut_line(inlines, room, before).into_iter().map(Kind::Paragraph).collect()
            }
            Kind::Code(language, code) => code_pieces(&language, &code, bytes_max),
            Kind::Table(table) => match table.cut(bytes_max) {
                Ok(tables) => tables.into_iter().map(Kind::Table).collect(),
                Err(text) => code_pieces("", &text, bytes_max),
            },
            Kind::Rule => vec![Kind::Rule],
        };
        for (at, kind) in kinds.into_iter().enumerate() {
            pieces.push(match at {
                0 => Block { path: path.clone(), tight, kind },
                _ => Block::continued(&path, kind),
            });
        }
    }
    pieces
}

/// Groups of pieces that fit into so many bytes; a heading goes with what it is the heading of.
pub(super) fn pack(pieces: Vec<Block>, bytes_max: usize) -> Vec<Vec<Block>> {
    let mut groups = Vec::new();
    let mut group: Vec<Block> = Vec::new();
    let mut bytes = 0;
    for piece in pieces {
        let more = packed_len(&piece);
        if bytes + more > bytes_max && !group.is_empty() {
            let headings = group.iter().rev().take_while(|b| matches!(b.kind, Kind::Heading(..)));
            let headings = headings.count();
            let carried = if headings < group.len() {
                group.split_off(group.len() - headings)
            } else {
                Vec::new()
            };
            bytes = carried.iter().map(packed_len).sum();
            groups.push(std::mem::replace(&mut group, carried));
        }
        bytes += more;
        group.push(piece);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// Bytes of a request that a piece takes in its longest form.
pub(super) fn packed_len(block: &Block) -> usize {
    let written = match &block.kind {
        Kind::Table(table) => table.sent_len(),
        Kind::Paragraph(_) | Kind::Heading(..) | Kind::Code(..) | Kind::Rule => {
            sent_len(&write(std::slice::from_ref(block), Form::Source))
        }
    };
    // A blank line between two, with the marks of quotes.
    let quoted = block.path.iter().any(|container| matches!(container, Container::Quote(_)));
    let between = 2 * sent_char_len('\n') + if quoted { block.prefix_len() } else { 0 };
    // Posts have bold lines for headings.
    let bold = if matches!(block.kind, Kind::Heading(..)) { 4 } else { 0 };
    written + between + bold
}

/// Characters and bytes of a request that a block takes, more or less: without what is escaped.
pub(super) fn rough_len(block: &Block) -> (usize, usize) {
    let text = block.visible();
    let marks = match &block.kind {
        Kind::Paragraph(inlines) | Kind::Heading(_, inlines) => {
            let spans = inlines.iter().filter_map(|inline| match inline {
                Inline::Open(span) => Some(span.len()),
                Inline::Code(_) => Some(2),
                Inline::Text(_)
                | Inline::Literal(_)
                | Inline::Break { .. }
                | Inline::Task(_)
                | Inline::Close => None,
            });
            // Of a heading or an item.
            let mark = 4;
            spans.sum::<usize>() + block.prefix_len() + mark
        }
        Kind::Code(language, _) => language.len() + 8,
        Kind::Table(table) => table.markdown().concat().len().saturating_sub(text.len()),
        Kind::Rule => 3,
    };
    (text.chars().count() + marks + 2, sent_len(&text) + marks + 2 * sent_char_len('\n'))
}

/// Bytes of a request that a block takes if all of it has to be escaped.
fn sent_len_at_most(block: &Block) -> usize {
    let before = block.prefix_len();
    match &block.kind {
        Kind::Paragraph(inlines) | Kind::Heading(_, inlines) => {
            inlines.iter().map(|inline| inline_len(inline, before)).sum::<usize>()
                + 2 * before
                + BETWEEN
        }
        Kind::Code(language, code) => code_len(code) + language.len() + BETWEEN,
        Kind::Table(table) => table.sent_len(),
        Kind::Rule => BETWEEN,
    }
}

fn inline_len(inline: &Inline, before: usize) -> usize {
    match inline {
        Inline::Text(text) | Inline::Literal(text) | Inline::Code(text) => {
            text.chars().map(char_len).sum::<usize>() + 4
        }
        Inline::Break { .. } => sent_char_len('\n') + 8 + before,
        Inline::Task(_) => 4,
        Inline::Open(span) => span.len(),
        Inline::Close => 0,
    }
}

/// Bytes of a character with what may have to stand before it: a backslash or a gap.
fn char_len(c: char) -> usize {
    match c {
        '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' | '(' => 4 + sent_char_len(c),
        '<' | '&' | '!' => 4,
        c => sent_char_len(c),
    }
}

fn code_len(code: &str) -> usize {
    // A line that looks like a fence gets a gap.
    sent_len(code)
        + code.lines().filter(|l| l.trim_start().starts_with("```")).count() * 3
        + code.matches('<').count() * 3
}

/// Code in pieces, cut behind lines, else behind characters.
fn code_pieces(language: &str, code: &str, bytes_max: usize) -> Vec<Kind> {
    let room = bytes_max.saturating_sub(language.len() + 2 * BETWEEN).max(1);
    let mut pieces: Vec<String> = vec![String::new()];
    let mut bytes = 0;
    let mut put = |text: &str, len: usize| {
        if bytes + len > room && bytes > 0 {
            pieces.push(String::new());
            bytes = 0;
        }
        bytes += len;
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(text);
        }
    };
    for line in code.split_inclusive('\n') {
        let len = code_len(line);
        if len <= room {
            put(line, len);
            continue;
        }
        for cluster in clusters(line) {
            put(cluster, code_len(cluster));
        }
    }
    let kind = |piece: String| {
        Kind::Code(language.to_owned(), piece.strip_suffix('\n').unwrap_or(&piece).to_owned())
    };
    pieces.into_iter().map(kind).collect()
}

/// Characters with what joins them: marks, skin tones, sequences of pictures. A sequence longer
/// than any that means something is cut all the same.
fn clusters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices().peekable();
        chars.next()?;
        let mut joiner = false;
        let mut end = rest.len();
        for (count, (at, c)) in chars.enumerate() {
            if count >= CLUSTER_CHARS_MAX || !(joiner || joins(c)) {
                end = at;
                break;
            }
            joiner = c == '\u{200d}';
        }
        let (cluster, after) = rest.split_at(end);
        rest = after;
        Some(cluster)
    })
}

/// Longest sequence of joined characters that stays whole: families have 11.
const CLUSTER_CHARS_MAX: usize = 16;

/// Whether a character belongs to the one before it.
fn joins(c: char) -> bool {
    matches!(
        u32::from(c),
        0x300..=0x36F | 0x200D | 0x20D0..=0x20FF | 0x3099..=0x309A | 0xFE00..=0xFE0F | 0x1F3FB..=0x1F3FF | 0xE0020..=0xE007F
    )
}

/// A piece of a line that is not cut.
struct Atom {
    inline: Inline,
    bytes: usize,
    /// How good a place to cut is behind it; `None` where spans would be left empty.
    worth: Option<u8>,
}

/// A long line in several, each within so many bytes; spans that are open at a cut close and open
/// again.
fn cut_line(inlines: Vec<Inline>, bytes_max: usize, before: usize) -> Vec<Vec<Inline>> {
    let atoms = atoms(inlines, before);
    let mut lines = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut start = 0;
    while start < atoms.len() {
        let reopened = spans.iter().map(Span::len).sum();
        let end = start + cut_at(&atoms[start..], bytes_max, reopened);
        let mut line: Vec<Inline> = spans.iter().cloned().map(Inline::Open).collect();
        for atom in &atoms[start..end] {
            match &atom.inline {
                Inline::Open(span) => spans.push(span.clone()),
                Inline::Close => {
                    spans.pop();
                }
                Inline::Text(_)
                | Inline::Literal(_)
                | Inline::Code(_)
                | Inline::Break { .. }
                | Inline::Task(_) => {}
            }
            append(&mut line, &atom.inline);
        }
        trim_end(&mut line);
        line.extend(spans.iter().map(|_| Inline::Close));
        if !is_blank(&line) {
            lines.push(line);
        }
        // White space between two lines is no part of either.
        let blank = |atom: &Atom| {
            is_blank(std::slice::from_ref(&atom.inline))
                && !matches!(atom.inline, Inline::Open(_) | Inline::Close)
        };
        start = end + atoms[end..].iter().take_while(|atom| blank(atom)).count();
    }
    lines
}

/// How many of the atoms go into a line: at least one.
fn cut_at(atoms: &[Atom], bytes_max: usize, reopened: usize) -> usize {
    let mut bytes = reopened;
    let mut best = None;
    for (at, atom) in atoms.iter().enumerate() {
        if at > 0 && bytes + atom.bytes > bytes_max {
            return best.map_or(at, |(best, _, _)| best);
        }
        bytes += atom.bytes;
        let empty = atoms.get(at + 1).is_some_and(|next| next.inline == Inline::Close);
        let Some(worth) = atom.worth.filter(|_| !empty) else { continue };
        if best.is_none_or(|(_, then, worth_then)| worth >= worth_then || then < bytes_max / 2) {
            best = Some((at + 1, bytes, worth));
        }
    }
    atoms.len()
}

fn atoms(inlines: Vec<Inline>, before: usize) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for inline in inlines {
        let kind = match &inline {
            Inline::Text(_) => Inline::Text,
            Inline::Literal(_) => Inline::Literal,
            Inline::Code(_) => Inline::Code,
            Inline::Break { .. } | Inline::Task(_) | Inline::Open(_) | Inline::Close => {
                let worth = match &inline {
                    Inline::Break { .. } => Some(3),
                    Inline::Close => Some(0),
                    Inline::Text(_)
                    | Inline::Literal(_)
                    | Inline::Code(_)
                    | Inline::Task(_)
                    | Inline::Open(_) => None,
                };
                let bytes = inline_len(&inline, before);
                atoms.push(Atom { inline, bytes, worth });
                continue;
            }
        };
        let (Inline::Text(text) | Inline::Literal(text) | Inline::Code(text)) = &inline else {
            continue;
        };
        for word in words(text) {
            let (bare, spaced) = (word.trim_end(), word.ends_with(char::is_whitespace));
            let sentence = bare.ends_with(SENTENCE_ENDS)
                || spaced && bare.ends_with(['.', '!', '?', ':', ';']);
            let worth = if sentence { 2 } else { u8::from(spaced) };
            let inline = kind(word.to_owned());
            let bytes = inline_len(&inline, before);
            atoms.push(Atom { inline, bytes, worth: Some(worth) });
        }
    }
    atoms
}

/// A text in words, each with the white space behind it; a word of any length is cut.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        let mut space = false;
        for cluster in clusters(rest) {
            let blank = cluster.chars().all(char::is_whitespace);
            if end > 0 && (space && !blank || end >= WORD_BYTES) {
                break;
            }
            space = blank || cluster.ends_with(SENTENCE_ENDS);
            end += cluster.len();
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

/// Signs that end a sentence without a space behind them.
const SENTENCE_ENDS: [char; 4] = ['。', '！', '？', '；'];
/// Longest word that stays whole, give or take a character.
const WORD_BYTES: usize = 96;

/// Adds a piece to a line; text joins text of its kind.
fn append(line: &mut Vec<Inline>, inline: &Inline) {
    match (line.last_mut(), inline) {
        (Some(Inline::Text(last)), Inline::Text(text))
        | (Some(Inline::Literal(last)), Inline::Literal(text))
        | (Some(Inline::Code(last)), Inline::Code(text)) => last.push_str(text),
        _ => line.push(inline.clone()),
    }
}

/// Marks do not count beside white space.
fn trim_end(line: &mut Vec<Inline>) {
    while let Some(last) = line.last_mut() {
        match last {
            Inline::Text(text) | Inline::Literal(text) => {
                text.truncate(text.trim_end().len());
                if !text.is_empty() {
                    return;
                }
            }
            Inline::Break { .. } => {}
            Inline::Code(_) | Inline::Task(_) | Inline::Open(_) | Inline::Close => return,
        }
        line.pop();
    }
}
