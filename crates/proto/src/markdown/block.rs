//! An answer as a flat list of blocks, each with the quotes and list items that it stands in.
//!
//! Flat, so that it can be cut anywhere and no depth of nesting can exhaust a stack. Code, tables
//! and rules stand in nothing: the platform wants fences without spaces around them, and shows
//! tables at the left edge only. A list goes on behind them with its own numbers.

use super::harmless::seen;
use super::inline::{self, Inline};
use super::table::Table;

/// A block and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// Quotes and items, the outermost first, at most [`DEPTH_MAX`].
    pub(super) path: Vec<Container>,
    /// Text of an item that has no blank lines around it.
    pub(super) tight: bool,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Lines of text.
    Paragraph(Vec<Inline>),
    /// A heading of level 1 to 6.
    Heading(usize, Vec<Inline>),
    /// Code with the name of its language, which may be empty.
    Code(String, String),
    /// A table.
    Table(Table),
    /// A line across.
    Rule,
}

/// What blocks stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    /// A quote, with a number that tells it from others.
    Quote(usize),
    /// An item of a list.
    Item(Item),
}

/// An item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// A number that tells it from others.
    pub(super) id: usize,
    /// A number that tells its list from others.
    pub(super) list: usize,
    /// Its number and the mark behind it, when the list has numbers.
    pub(super) number: Option<(u64, char)>,
    /// This is the first block of the item, the one with the marker.
    pub(super) first: bool,
}

/// Quotes and lists deeper than this are shown at this depth: no client shows more.
pub(super) const DEPTH_MAX: usize = 8;

impl Container {
    /// Whether both are the same quote or item.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Quote(a), Self::Quote(b)) => a == b,
            (Self::Item(a), Self::Item(b)) => a.id == b.id,
            (Self::Quote(_), Self::Item(_)) | (Self::Item(_), Self::Quote(_)) => false,
        }
    }

    /// What stands before the lines that follow the first.
    pub(super) fn continuation(&self) -> String {
        match self {
            Self::Quote(_) => "> ".to_owned(),
            // Four spaces nest in posts, too; a longer marker needs more.
            Self::Item(item) => " ".repeat(item.marker().len().max(4)),
        }
    }

    /// What stands before the first line.
    pub(super) fn opening(&self) -> String {
        match self {
            Self::Quote(_) => "> ".to_owned(),
            Self::Item(item) => item.marker(),
        }
    }
}

impl Item {
    /// The item with another mark behind its number, if that of the list before it would make
    /// both lists one, which would count on.
    pub(super) fn apart_from(self, before: Option<&Container>) -> Self {
        let Some(Container::Item(before)) = before else { return self };
        let (Some((number, mark)), Some((_, taken))) = (self.number, before.number) else {
            return self;
        };
        let mark = match (before.list == self.list, mark == taken) {
            (true, _) => taken,
            (false, true) => {
                if mark == '.' {
                    ')'
                } else {
                    '.'
                }
            }
            (false, false) => mark,
        };
        Self { number: Some((number, mark)), ..self }
    }

    fn marker(&self) -> String {
        self.number.map_or_else(|| "- ".to_owned(), |(number, mark)| format!("{number}{mark} "))
    }
}

impl Block {
    /// A block that stands in nothing.
    pub(super) fn alone(kind: Kind) -> Self {
        Self { path: Vec::new(), tight: false, kind }
    }

    /// The same, as a block that goes on where another ended.
    pub(super) fn continued(path: &[Container], kind: Kind) -> Self {
        let mut path = path.to_vec();
        for container in &mut path {
            if let Container::Item(item) = container {
                item.first = false;
            }
        }
        Self { path, tight: false, kind }
    }

    /// What people see of it.
    pub(super) fn visible(&self) -> String {
        match &self.kind {
            Kind::Paragraph(inlines) | Kind::Heading(_, inlines) => inline::visible(inlines),
            Kind::Code(_, code) => code.clone(),
            Kind::Table(table) => table.visible(),
            Kind::Rule => String::new(),
        }
    }

    /// The block in simpler form: escaped text, a table as code.
    pub(super) fn literal(self) -> Self {
        let kind = match self.kind {
            Kind::Paragraph(inlines) | Kind::Heading(_, inlines) => {
                Kind::Paragraph(vec![Inline::Literal(inline::visible(&inlines))])
            }
            Kind::Table(table) => Kind::Code(String::new(), table.aligned()),
            Kind::Code(..) | Kind::Rule => self.kind,
        };
        Self { kind, ..self }
    }

    /// The block in the simplest form, which nothing can be wrong with: code.
    pub(super) fn code(self) -> Self {
        match self.kind {
            Kind::Code(..) | Kind::Rule => self,
            Kind::Paragraph(_) | Kind::Heading(..) | Kind::Table(_) => {
                Self::alone(Kind::Code(String::new(), self.visible()))
            }
        }
    }

    /// Bytes at most of what is written before each of its lines.
    pub(super) fn prefix_len(&self) -> usize {
        self.path.iter().map(|container| container.continuation().len()).sum()
    }
}

/// What is seen of blocks, as one line without spaces.
pub(super) fn seen_of(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        match &block.kind {
            Kind::Code(..) | Kind::Table(_) | Kind::Rule => out.extend(seen(&block.visible())),
            Kind::Paragraph(inlines) | Kind::Heading(_, inlines) => {
                for inline in inlines {
                    if let Inline::Text(text) | Inline::Literal(text) | Inline::Code(text) = inline
                    {
                        out.extend(seen(text));
                    }
                }
            }
        }
    }
    out
}
