//! Tables: as Markdown, as columns for code, as rows of text; and cut by rows.

use pulldown_cmark::Alignment;

use super::harmless::{GAP, sent_char_len, sent_len};
use super::inline::{self, Inline, Place};

/// A cell is one line.
pub(super) type Cell = Vec<Inline>;

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// How each column is aligned.
    pub(super) columns: Vec<Alignment>,
    /// The first row.
    pub(super) head: Vec<Cell>,
    /// The others.
    pub(super) rows: Vec<Vec<Cell>>,
}

/// Columns in code are padded up to this width; what is wider stands out.
const PADDED_MAX: usize = 40;

impl Table {
    /// What people see of it.
    pub(super) fn visible(&self) -> String {
        let cells = self.lines().flatten();
        cells.map(|cell| inline::visible(cell)).collect::<Vec<_>>().join(" ")
    }

    /// As Markdown.
    pub(super) fn markdown(&self) -> Vec<String> {
        let ruler = self.columns.iter().map(|aligned| match aligned {
            Alignment::None => "---",
            Alignment::Left => ":---",
            Alignment::Center => ":---:",
            Alignment::Right => "---:",
        });
        let ruler = format!("| {} |", ruler.collect::<Vec<_>>().join(" | "));
        let mut lines: Vec<String> = self.lines().map(|row| line(row)).collect();
        lines.insert(1.min(lines.len()), ruler);
        lines
    }

    /// As columns of text, for code.
    pub(super) fn aligned(&self) -> String {
        let rows: Vec<Vec<String>> = self.lines().map(|row| texts(row)).collect();
        let mut widths = vec![0; self.columns.len()];
        for row in &rows {
            widen(&mut widths, row);
        }
        let mut lines: Vec<String> = rows.iter().map(|row| self.padded(row, &widths)).collect();
        let ruler: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        lines.insert(1.min(lines.len()), ruler.join("-+-"));
        lines.join("\n")
    }

    /// As rows of text, which do not need columns of equal width.
    pub(super) fn rows(&self) -> Vec<String> {
        self.lines().map(|row| texts(row).join(" | ")).collect()
    }

    /// The table in parts, each with the head, none longer than so many bytes in any form.
    ///
    /// # Errors
    /// All of it as rows of text, when one row does not fit.
    pub(super) fn cut(self, bytes_max: usize) -> Result<Vec<Self>, String> {
        let headed = Size::new(&self);
        let part = |rows| Self { columns: self.columns.clone(), head: self.head.clone(), rows };
        let mut parts = Vec::new();
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut size = headed.clone();
        for row in &self.rows {
            let mut grown = size.with(row);
            if grown.total() > bytes_max && !rows.is_empty() {
                parts.push(part(std::mem::take(&mut rows)));
                grown = headed.with(row);
            }
            size = grown;
            if size.total() > bytes_max {
                return Err(self.rows().join("\n"));
            }
            rows.push(row.clone());
        }
        if headed.total() > bytes_max {
            return Err(self.rows().join("\n"));
        }
        parts.push(part(rows));
        Ok(parts)
    }

    /// Bytes of a request that the table needs in its longest form.
    pub(super) fn sent_len(&self) -> usize {
        self.rows.iter().fold(Size::new(self), |size, row| size.with(row)).total()
    }

    fn padded(&self, row: &[String], widths: &[usize]) -> String {
        let cells = row.iter().enumerate().map(|(at, text)| {
            let wide = widths.get(at).copied().unwrap_or(0);
            let pad = " ".repeat(wide.saturating_sub(width(text)));
            match self.columns.get(at) {
                Some(Alignment::Right) => format!("{pad}{text}"),
                Some(Alignment::None | Alignment::Left | Alignment::Center) | None => {
                    format!("{text}{pad}")
                }
            }
        });
        cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<Cell>> {
        std::iter::once(&self.head).chain(&self.rows)
    }
}

/// What a table grows to, row by row, as Markdown and as code.
#[derive(Clone)]
struct Size {
    markdown: usize,
    /// Bytes of the cells in code, less their width: to which the widths of the columns are added.
    bare: isize,
    widths: Vec<usize>,
    rows: usize,
}

impl Size {
    /// Of the head and its ruler.
    fn new(table: &Table) -> Self {
        let columns = table.columns.len();
        let ruler = Self { markdown: 8 * columns + 8, bare: 0, widths: vec![0; columns], rows: 1 };
        ruler.with(&table.head)
    }

    fn with(&self, row: &[Cell]) -> Self {
        let texts = texts(row);
        let mut widths = self.widths.clone();
        widen(&mut widths, &texts);
        Self {
            markdown: self.markdown + sent_len(&line(row)) + sent_char_len('\n'),
            bare: self.bare + texts.iter().map(|text| excess(text)).sum::<isize>(),
            widths,
            rows: self.rows + 1,
        }
    }

    fn total(&self) -> usize {
        let line = self.widths.iter().map(|width| width + 3).sum::<usize>() + 3;
        let code = (line * self.rows).saturating_add_signed(self.bare) + 16;
        code.max(self.markdown)
    }
}

/// Bytes of a text beyond the width that its column is sure to give it.
fn excess(text: &str) -> isize {
    let bytes = isize::try_from(sent_len(text)).unwrap_or(isize::MAX / 2);
    bytes - isize::try_from(width(text).min(PADDED_MAX)).unwrap_or(0)
}

/// A row of Markdown.
fn line(row: &[Cell]) -> String {
    let cells = row.iter().map(|cell| {
        let text = inline::markdown(cell, Place::Cell, true);
        // A row of dashes would be taken for the ruler of another table.
        let ruled = text.contains("--") && text.chars().all(|c| matches!(c, '-' | ':' | ' '));
        if ruled { format!("{GAP}{text}") } else { text }
    });
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn texts(row: &[Cell]) -> Vec<String> {
    row.iter().map(|cell| inline::plain(cell, ' ').trim().to_owned()).collect()
}

fn widen(widths: &mut [usize], row: &[String]) {
    for (widest, text) in widths.iter_mut().zip(row) {
        *widest = (*widest).max(width(text).min(PADDED_MAX));
    }
}

/// Columns of a screen that a text takes.
fn width(text: &str) -> usize {
    text.chars().filter(|c| *c != GAP).map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Characters that take two columns: scripts of East Asia, full-width forms and pictures.
fn is_wide(c: char) -> bool {
    matches!(
        u32::from(c),
        0x1100..=0x115F
            | 0x2E80..=0xA4CF
            | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F
            | 0xFF00..=0xFF60
            | 0xFFE0..=0xFFE6
            | 0x1F300..=0x1F64F
            | 0x1F680..=0x1F6FF
            | 0x1F900..=0x1FAFF
            | 0x20000..=0x3FFFD
    )
}
