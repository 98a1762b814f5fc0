//! What stands inside a line: text, code, breaks, and spans that open and close.
//!
//! Text is kept as it was written wherever it meant itself; only what would mean something else
//! in its new place is escaped. So an answer without tricks leaves as it came.

use super::harmless::GAP;

/// One piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Inline {
    /// Text as written, which meant itself where it stood.
    Text(String),
    /// Text that must mean itself wherever it stands.
    Literal(String),
    /// Code in a line.
    Code(String),
    /// The end of a line: a hard one is shown.
    Break {
        /// Shown by every reader of Markdown.
        hard: bool,
    },
    /// The box of a task, ticked or not.
    Task(bool),
    /// A span begins.
    Open(Span),
    /// The innermost span ends.
    Close,
}

/// What a span does to its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Italics, with the mark that was used.
    Emphasis(char),
    /// Bold, with the mark that was used.
    Strong(char),
    /// Struck out.
    Strike,
    /// A link to an address of the web.
    Link(String),
}

/// Where a line of Markdown stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A paragraph: it may have several lines.
    Paragraph,
    /// A heading: one line.
    Heading,
    /// A cell: one line, without pipes.
    Cell,
}

impl Span {
    /// What stands before the text.
    fn opening(&self) -> String {
        match self {
            Self::Emphasis(mark) => mark.to_string(),
            Self::Strong(mark) => format!("{mark}{mark}"),
            Self::Strike => "~~".to_owned(),
            Self::Link(_) => "[".to_owned(),
        }
    }

    /// What stands behind it.
    fn closing(&self) -> String {
        match self {
            Self::Link(address) => format!("]({address})"),
            Self::Emphasis(_) | Self::Strong(_) | Self::Strike => self.opening(),
        }
    }

    /// Bytes that the marks of a span need.
    pub(super) fn len(&self) -> usize {
        self.opening().len() + self.closing().len()
    }
}

/// The text of a line as people see it.
pub(super) fn visible(inlines: &[Inline]) -> String {
    let mut out = String::new();
    for inline in inlines {
        match inline {
            Inline::Text(text) | Inline::Literal(text) | Inline::Code(text) => out.push_str(text),
            Inline::Break { .. } => out.push(' '),
            Inline::Task(_) | Inline::Open(_) | Inline::Close => {}
        }
    }
    out
}

/// Whether anything is there to be seen.
pub(super) fn is_blank(inlines: &[Inline]) -> bool {
    inlines.iter().all(|inline| match inline {
        Inline::Text(text) | Inline::Literal(text) => super::harmless::seen(text).next().is_none(),
        Inline::Code(_) | Inline::Task(_) => false,
        Inline::Break { .. } | Inline::Open(_) | Inline::Close => true,
    })
}

/// A line as plain text: links as `text (address)`, what is struck out between tildes, no marks.
pub(super) fn plain(inlines: &[Inline], line_break: char) -> String {
    let mut out = String::new();
    let mut spans = Vec::new();
    for inline in inlines {
        match inline {
            Inline::Text(text) | Inline::Literal(text) | Inline::Code(text) => out.push_str(text),
            Inline::Break { .. } => out.push(line_break),
            Inline::Task(done) => out.push_str(task(*done)),
            Inline::Open(span) => {
                if *span == Span::Strike {
                    out.push_str("~~");
                }
                spans.push((span, out.len()));
            }
            Inline::Close => match spans.pop() {
                Some((Span::Strike, _)) => out.push_str("~~"),
                Some((Span::Link(address), start)) => {
                    let shown = &out[start..];
                    if shown != address && Some(shown) != address.strip_prefix("mailto:") {
                        out.push_str(&format!(" ({address})"));
                    }
                }
                Some((Span::Emphasis(_) | Span::Strong(_), _)) | None => {}
            },
        }
    }
    out
}

/// The box of a task as every form shows it: the platform knows no other.
pub(super) fn task(done: bool) -> &'static str {
    if done { "☑ " } else { "☐ " }
}

/// A line as Markdown.
pub(super) fn markdown(inlines: &[Inline], place: Place, boxes: bool) -> String {
    let mut pen = Pen { out: String::new(), place, links: 0 };
    let mut spans: Vec<&Span> = Vec::new();
    for inline in inlines {
        match inline {
            Inline::Text(text) => pen.text(text, false),
            Inline::Literal(text) => pen.text(text, true),
            Inline::Code(code) => pen.code(code),
            Inline::Break { hard } => pen.line_break(*hard),
            Inline::Task(done) if boxes => pen.out.push_str(task(*done)),
            Inline::Task(done) => pen.out.push_str(if *done { "[x] " } else { "[ ] " }),
            Inline::Open(span) => {
                pen.links += usize::from(matches!(span, Span::Link(_)));
                pen.mark(&span.opening());
                spans.push(span);
            }
            Inline::Close => {
                if let Some(span) = spans.pop() {
                    pen.links -= usize::from(matches!(span, Span::Link(_)));
                    pen.out.push_str(&span.closing());
                }
            }
        }
    }
    pen.out
}

/// Characters that may mean something, by themselves or with the next.
const MARKS: [char; 12] = ['<', '!', '[', ']', '(', '&', '|', '\\', '`', '*', '_', '~'];

/// Writes Markdown, with an eye on what it just wrote.
struct Pen {
    out: String,
    place: Place,
    /// Links that are open.
    links: usize,
}

impl Pen {
    fn text(&mut self, text: &str, literal: bool) {
        let mut rest = text;
        let mut joint = true;
        while let Some(c) = rest.chars().next() {
            let (_, after) = rest.split_at(c.len_utf8());
            // Two harmless texts side by side may spell an entity.
            let entity = self.out.ends_with('&') && (c.is_ascii_alphanumeric() || c == '#');
            if entity && (literal || joint) {
                self.out.push(GAP);
            }
            joint = false;
            self.separate(c);
            if self.is_active(c, after.chars().next(), literal) {
                self.out.push('\\');
            }
            self.out.push(c);
            // Nothing matters until the next mark, nor right behind what is none.
            let run = if MARKS.contains(&c) { 0 } else { after.find(MARKS).unwrap_or(after.len()) };
            let (plain, after) = after.split_at(run);
            self.out.push_str(plain);
            rest = after;
        }
    }

    /// Puts a gap where this character would complete a tag, an image or a link.
    fn separate(&mut self, c: char) {
        let tag =
            self.out.ends_with('<') && (c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        let link = c == '(' && self.out.ends_with(']');
        if tag || link || c == '[' && self.out.ends_with('!') {
            self.out.push(GAP);
        }
    }

    /// Whether a character would be read as a mark.
    fn is_active(&self, c: char, next: Option<char>, literal: bool) -> bool {
        match c {
            '|' => self.place == Place::Cell,
            '\\' | '`' | '*' | '[' | ']' | '~' => literal,
            // Inside a word it is a letter.
            '_' => {
                let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                literal && !(word(self.out.chars().next_back()) && word(next))
            }
            _ => false,
        }
    }

    fn mark(&mut self, mark: &str) {
        if let Some(first) = mark.chars().next() {
            self.separate(first);
        }
        self.out.push_str(mark);
    }

    fn code(&mut self, code: &str) {
        let mut longest = 0;
        let mut run = 0;
        for c in code.chars() {
            run = if c == '`' { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        let marks = "`".repeat(longest + 1);
        let pad = if code.starts_with('`') || code.ends_with('`') { " " } else { "" };
        // Two spans of code side by side would be one.
        if self.out.ends_with('`') {
            self.out.push(GAP);
        }
        let code = code.replace("![", &format!("!{GAP}["));
        let code = if self.place == Place::Cell { code.replace('|', "\\|") } else { code };
        self.out.push_str(&format!("{marks}{pad}{code}{pad}{marks}"));
    }

    fn line_break(&mut self, hard: bool) {
        self.out.truncate(self.out.trim_end_matches([' ', '\t']).len());
        // A backslash here would make a break of it.
        if self.out.ends_with('\\') {
            self.out.push(GAP);
        }
        let one_line = self.place != Place::Paragraph || self.links > 0;
        self.out.push_str(match (one_line, hard) {
            (true, _) => " ",
            (false, true) => "  \n",
            (false, false) => "\n",
        });
    }
}
