//! Writes blocks in the form that a kind of message takes.
//!
//! Every line is written with what stands before it: marks of quotes, markers and indents of
//! items. A block of an item whose marker is elsewhere (in the part before, or above code that
//! left the list) stands at the left edge.

use super::block::{Block, Container, Kind};
use super::harmless::{self, ANY, GAP, REACHING};
use super::inline::{self, Inline, Place, Span};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Markdown that can be read again.
    Source,
    /// The content of a card's Markdown element.
    Card,
    /// The text of a post's Markdown node: no tables, no headings.
    Post,
    /// Text without marks.
    Plain,
}

/// Tables of one card: the platform refuses the fourth.
pub(super) const TABLES_MAX: usize = 3;

/// The blocks, in this form.
pub(super) fn write(blocks: &[Block], form: Form) -> String {
    let mut writer = Writer { form, out: String::new(), open: Vec::new(), tight: false, tables: 0 };
    for block in blocks {
        writer.block(block);
    }
    harmless::disarm(writer.out, if form == Form::Plain { ANY } else { REACHING })
}

struct Writer {
    form: Form,
    out: String,
    /// What the last block stands in.
    open: Vec<Container>,
    /// The last block has no blank line behind it, if the next wants none.
    tight: bool,
    tables: usize,
}

impl Writer {
    fn block(&mut self, block: &Block) {
        let path = self.path(block);
        let mut tight = block.tight;
        // Two markers on one line would indent what follows differently from all else.
        for at in self.common(&path)..path.len() {
            let more = path[at + 1..].iter().any(|c| matches!(c, Container::Item(_)));
            if more && matches!(path[at], Container::Item(_)) {
                self.lines(&path[..=at], tight, &[GAP.to_string()]);
                self.tight = true;
                tight = true;
            }
        }
        let lines = self.lines_of(&block.kind, &path);
        self.lines(&path, tight, &lines);
        self.tight = block.tight;
    }

    /// The containers of a block, without items whose marker is not above it.
    fn path(&self, block: &Block) -> Vec<Container> {
        let mut path: Vec<Container> = Vec::with_capacity(block.path.len());
        for container in &block.path {
            let goes_on = self.open.get(path.len()).is_some_and(|open| open.is(container))
                && self.common(&path) == path.len();
            match container {
                Container::Item(item) if !item.first && !goes_on => {}
                Container::Item(item) => {
                    let before = self.open.get(path.len());
                    path.push(Container::Item(item.apart_from(before)));
                }
                Container::Quote(_) => path.push(*container),
            }
        }
        path
    }

    /// How many containers are those of the last block.
    fn common(&self, path: &[Container]) -> usize {
        self.open.iter().zip(path).take_while(|(open, container)| open.is(container)).count()
    }

    fn lines(&mut self, path: &[Container], tight: bool, lines: &[String]) {
        let common = self.common(path);
        let kept: String = path[..common].iter().map(Container::continuation).collect();
        if !self.out.is_empty() {
            if !(tight && self.tight && self.may_follow(path, common)) {
                self.out.push('\n');
                self.out.push_str(kept.trim_end());
            }
            self.out.push('\n');
        }
        let opening: String = path[common..].iter().map(Container::opening).collect();
        let rest: String = path.iter().map(Container::continuation).collect();
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                self.out.push('\n');
            }
            let before = if at == 0 { format!("{kept}{opening}") } else { rest.clone() };
            self.out.push_str(if line.is_empty() { before.trim_end() } else { &before });
            self.out.push_str(line);
        }
        self.open = path.to_vec();
    }

    /// Whether a block may stand right below the last one: as an item, but not as the first of a
    /// list that cannot begin below text.
    fn may_follow(&self, path: &[Container], common: usize) -> bool {
        let Some(Container::Item(item)) = path.get(common) else { return false };
        let same_list = match self.open.get(common) {
            Some(Container::Item(open)) => open.list == item.list,
            Some(Container::Quote(_)) | None => false,
        };
        same_list || item.number.is_none_or(|(number, _)| number == 1)
    }

    /// The lines of a block, without what stands before them.
    fn lines_of(&mut self, kind: &Kind, path: &[Container]) -> Vec<String> {
        match (kind, self.form) {
            (Kind::Paragraph(inlines) | Kind::Heading(_, inlines), Form::Plain) => {
                let text = inline::plain(inlines, '\n');
                text.lines().map(|line| line.trim().to_owned()).collect()
            }
            (Kind::Paragraph(inlines), _) if inlines.is_empty() => vec![GAP.to_string()],
            (Kind::Paragraph(inlines), form) => {
                let text = inline::markdown(inlines, Place::Paragraph, form != Form::Source);
                let lines = text.trim_end().split('\n').filter(|line| !line.trim().is_empty());
                lines.map(|line| harmless::guard(line).into_owned()).collect()
            }
            (Kind::Heading(level, inlines), form) => {
                let in_item = path.iter().any(|c| matches!(c, Container::Item(_)));
                vec![heading(*level, inlines, form == Form::Post || in_item)]
            }
            (Kind::Code(_, code), Form::Plain) => code.lines().map(str::to_owned).collect(),
            (Kind::Code(language, code), _) => fence(language, code),
            (Kind::Table(table), Form::Plain) => table.rows(),
            (Kind::Table(table), form) => {
                self.tables += 1;
                if form == Form::Source || form == Form::Card && self.tables <= TABLES_MAX {
                    table.markdown()
                } else {
                    fence("", &table.aligned())
                }
            }
            (Kind::Rule, _) => vec!["---".to_owned()],
        }
    }
}

fn fence(language: &str, code: &str) -> Vec<String> {
    harmless::fence(language, code).lines().map(str::to_owned).collect()
}

/// A heading, or a bold line where headings are not shown.
fn heading(level: usize, inlines: &[Inline], bold: bool) -> String {
    if bold {
        let text = inline::markdown(&evenly(inlines), Place::Heading, true);
        return format!("**{}**", text.trim());
    }
    let text = inline::markdown(inlines, Place::Heading, true);
    // A sign at the end would be taken for part of the mark.
    let end = if text.ends_with('#') { GAP.to_string() } else { String::new() };
    format!("{} {}{end}", "#".repeat(level), text.trim())
}

/// A line without bold and italics of its own.
fn evenly(inlines: &[Inline]) -> Vec<Inline> {
    let mut spans = Vec::new();
    let kept = inlines.iter().filter(|inline| match inline {
        Inline::Open(span) => {
            let keep = !matches!(span, Span::Strong(_) | Span::Emphasis(_));
            spans.push(keep);
            keep
        }
        Inline::Close => spans.pop().unwrap_or(false),
        Inline::Text(_)
        | Inline::Literal(_)
        | Inline::Code(_)
        | Inline::Break { .. }
        | Inline::Task(_) => true,
    });
    kept.cloned().collect()
}
