//! Reads Markdown into blocks, by pulldown-cmark's events.
//!
//! Everything that the parser takes for HTML becomes text that means itself, except `<br>`.
//! References are resolved here, so that a part needs no other. Footnotes are off.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::block::{Block, Container, DEPTH_MAX, Item, Kind};
use super::harmless;
use super::inline::{self, Inline, Span};
use super::line::Line;
use super::table::Table;

/// What of Markdown is understood.
pub(super) const OPTIONS: Options =
    Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS);

/// The blocks of a text.
pub(super) fn read(markdown: &str) -> Vec<Block> {
    let mut reader = Reader {
        source: markdown,
        blocks: Vec::new(),
        containers: Vec::new(),
        deeper: 0,
        lists: Vec::new(),
        ids: 0,
        leaf: Leaf::None,
        line: Line::new(0),
    };
    for (event, range) in Parser::new_ext(markdown, OPTIONS).into_offset_iter() {
        reader.event(event, range);
    }
    reader.blocks
}

struct Reader<'a> {
    source: &'a str,
    blocks: Vec<Block>,
    containers: Vec<Open>,
    /// Open containers beyond [`DEPTH_MAX`], which blocks do not show.
    deeper: usize,
    lists: Vec<List>,
    ids: usize,
    leaf: Leaf,
    /// The line of the leaf that is being read: of a paragraph, a heading or a cell.
    line: Line,
}

/// A container that is open.
struct Open {
    container: Container,
    /// A block of it has been read.
    used: bool,
}

/// A list that is open.
struct List {
    id: usize,
    /// The number of the next item.
    next: Option<u64>,
}

/// The block that is being read.
enum Leaf {
    None,
    Lines { heading: Option<usize>, tight: bool },
    Code { language: String, code: String },
    Table { table: Table, row: Vec<Vec<Inline>> },
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(tag) => self.end(tag, &range),
            Event::Text(text) => {
                if let Leaf::Code { code, .. } = &mut self.leaf {
                    code.push_str(&text);
                } else {
                    let source = self.source;
                    self.line(range.start).text(source, &text, range);
                }
            }
            Event::Code(code) => self.line(range.start).code(&code, range.end),
            Event::Html(html) | Event::InlineHtml(html) => {
                self.line(range.start).html(&html, range.end);
            }
            Event::SoftBreak => self.line(range.start).line_break(false, range.end),
            Event::HardBreak => self.line(range.start).line_break(true, range.end),
            Event::TaskListMarker(done) => self.line(range.start).task(done, range.end),
            Event::Rule => {
                self.finish();
                self.outside(Kind::Rule);
            }
            // Off in OPTIONS; should they come, they mean themselves.
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.line(range.start).html(&text, range.end)
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.begin(None, range.start),
            Tag::Heading { level, .. } => self.begin(Some(level as usize), range.start),
            Tag::BlockQuote(_) => {
                self.finish();
                let id = self.new_id();
                self.enter(Container::Quote(id));
            }
            Tag::CodeBlock(kind) => {
                self.finish();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => harmless::language(&info),
                    CodeBlockKind::Indented => String::new(),
                };
                self.leaf = Leaf::Code { language, code: String::new() };
            }
            Tag::List(next) => {
                self.finish();
                let id = self.new_id();
                self.lists.push(List { id, next });
            }
            Tag::Item => self.item(range),
            Tag::Table(columns) => {
                self.finish();
                let table = Table { columns, head: Vec::new(), rows: Vec::new() };
                self.leaf = Leaf::Table { table, row: Vec::new() };
            }
            Tag::TableHead | Tag::TableRow => {}
            Tag::TableCell => self.line = Line::new(range.start),
            Tag::Emphasis => self.span(range, Span::Emphasis),
            Tag::Strong => self.span(range, Span::Strong),
            Tag::Strikethrough => self.span(range, |_| Span::Strike),
            Tag::Superscript | Tag::Subscript => self.line(range.start).open(None, range.start),
            Tag::Link { link_type, dest_url, .. } => {
                let mail = if link_type == LinkType::Email { "mailto:" } else { "" };
                let address = format!("{mail}{dest_url}");
                self.line(range.start).open_link(address, false, range.start);
            }
            Tag::Image { dest_url, .. } => {
                self.line(range.start).open_link(dest_url.into_string(), true, range.start);
            }
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::MetadataBlock(_) => self.finish(),
        }
    }

    fn end(&mut self, tag: TagEnd, range: &Range<usize>) {
        match tag {
            TagEnd::Paragraph
            | TagEnd::HtmlBlock
            | TagEnd::Heading(_)
            | TagEnd::CodeBlock
            | TagEnd::Table
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::MetadataBlock(_) => self.finish(),
            TagEnd::BlockQuote(_) => {
                self.finish();
                self.leave();
            }
            TagEnd::Item => {
                self.finish();
                if self.deeper == 0 && self.containers.last().is_some_and(|open| !open.used) {
                    self.push(true, Kind::Paragraph(Vec::new()));
                }
                self.leave();
            }
            TagEnd::List(_) => {
                self.finish();
                self.lists.pop();
            }
            TagEnd::TableCell => {
                if let Leaf::Table { row, .. } = &mut self.leaf {
                    row.push(self.line.finish());
                }
            }
            TagEnd::TableHead => {
                if let Leaf::Table { table, row, .. } = &mut self.leaf {
                    table.head = std::mem::take(row);
                }
            }
            TagEnd::TableRow => self.end_row(range),
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::Link
            | TagEnd::Image => self.line(range.start).close(range.end),
        }
    }

    /// The line that is being read; text of an item outside any paragraph begins one.
    fn line(&mut self, start: usize) -> &mut Line {
        if matches!(self.leaf, Leaf::None | Leaf::Code { .. }) {
            self.finish();
            self.leaf = Leaf::Lines { heading: None, tight: true };
            // The backslash before the first character belongs to it.
            self.line = Line::new(start.saturating_sub(1));
        }
        &mut self.line
    }

    /// A span begins, with a mark that the source has at its place.
    fn span(&mut self, range: &Range<usize>, span: fn(char) -> Span) {
        let rest = self.source.get(range.start..).unwrap_or_default();
        let mark = if rest.starts_with('_') { '_' } else { '*' };
        self.line(range.start).open(Some(span(mark)), range.start);
    }

    fn begin(&mut self, heading: Option<usize>, start: usize) {
        self.finish();
        self.leaf = Leaf::Lines { heading, tight: false };
        self.line = Line::new(start);
    }

    /// Ends the block that is being read.
    fn finish(&mut self) {
        match std::mem::replace(&mut self.leaf, Leaf::None) {
            Leaf::None => {}
            Leaf::Lines { heading, tight } => {
                let inlines = self.line.finish();
                if inline::is_blank(&inlines) {
                    return;
                }
                self.push(
                    tight,
                    match heading {
                        None => Kind::Paragraph(inlines),
                        Some(level) => Kind::Heading(level, inlines),
                    },
                );
            }
            Leaf::Code { language, mut code } => {
                code.truncate(code.trim_end_matches('\n').len());
                self.outside(Kind::Code(language, code));
            }
            Leaf::Table { table, .. } => self.outside(Kind::Table(table)),
        }
    }

    fn push(&mut self, tight: bool, kind: Kind) {
        let path = self.containers.iter_mut().map(|open| {
            let first = !std::mem::replace(&mut open.used, true);
            match open.container {
                Container::Quote(id) => Container::Quote(id),
                Container::Item(item) => Container::Item(Item { first, ..item }),
            }
        });
        let path = path.collect();
        self.blocks.push(Block { path, tight, kind });
    }

    /// A block that leaves its containers; a number before it is said.
    fn outside(&mut self, kind: Kind) {
        let numbered = self.containers.iter().rposition(|open| {
            !open.used && matches!(open.container, Container::Item(item) if item.number.is_some())
        });
        if let Some(at) = numbered {
            let inner = self.containers.split_off(at + 1);
            self.push(true, Kind::Paragraph(Vec::new()));
            self.containers.extend(inner);
        }
        self.containers.iter_mut().for_each(|open| open.used = true);
        self.blocks.push(Block::alone(kind));
    }

    /// Cells beyond the columns of the head, which the parser leaves out, join the last one.
    fn end_row(&mut self, range: &Range<usize>) {
        let Leaf::Table { table, row } = &mut self.leaf else { return };
        let mut row = std::mem::take(row);
        let rest = self.source.get(self.line.end()..range.end).unwrap_or_default();
        let rest = rest.trim_matches(|c: char| c == '|' || c.is_whitespace());
        if let Some(last) = row.last_mut().filter(|_| !rest.is_empty()) {
            last.push(Inline::Literal(format!(" | {rest}")));
        }
        table.rows.push(row);
    }

    fn item(&mut self, range: &Range<usize>) {
        self.finish();
        let id = self.new_id();
        let Some(list) = self.lists.last_mut() else { return };
        let number = list.next.map(|number| {
            let digits = |c: char| c.is_ascii_digit() || c.is_whitespace();
            let marker = self.source.get(range.start..).unwrap_or_default();
            let marker = marker.trim_start_matches(digits);
            (number.min(NUMBER_MAX), if marker.starts_with(')') { ')' } else { '.' })
        });
        list.next = list.next.map(|number| number.saturating_add(1));
        let list = list.id;
        self.enter(Container::Item(Item { id, list, number, first: true }));
    }

    fn enter(&mut self, container: Container) {
        if self.containers.len() < DEPTH_MAX {
            self.containers.push(Open { container, used: false });
        } else {
            self.deeper += 1;
        }
    }

    fn leave(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.containers.pop();
        }
    }

    fn new_id(&mut self) -> usize {
        self.ids += 1;
        self.ids
    }
}

/// Longer numbers are no markers of items.
const NUMBER_MAX: u64 = 999_999_999;
