//! Whether what was written is what was meant, and what the platform takes.
//!
//! Markdown has more corners than anyone remembers, so each part is read again before it leaves.
//! What does not hold is written in a simpler form.

use pulldown_cmark::{Event, Parser, Tag};

use super::FORM_BYTES_MAX;
use super::block::{Block, seen_of};
use super::harmless::{sent_len, web_address};
use super::read::{OPTIONS, read};
use super::write::{Form, TABLES_MAX, write};

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It may leave.
    Sound,
    /// Some form of it is too long.
    Long,
    /// Some form of it does not say the same, or would be refused.
    Broken,
}

/// Compares the Markdown of a part, in all its forms, with the blocks that it was made of.
pub(super) fn check(markdown: &str, blocks: &[Block]) -> Finding {
    let seen = seen_of(blocks);
    let reread = read(markdown);
    let [card, post, text] = [Form::Card, Form::Post, Form::Plain].map(|form| write(&reread, form));
    if [&card, &post, &text].into_iter().any(|form| sent_len(form) > FORM_BYTES_MAX) {
        return Finding::Long;
    }
    let said = seen_of(&reread) == seen
        && says(&seen_of(&read(&card)), &seen)
        && says(&seen_of(&read(&post)), &seen)
        && says(&text, &seen);
    if said && is_accepted(&card) && is_accepted(&post) { Finding::Sound } else { Finding::Broken }
}

/// Whether a text has every letter of another, in order.
fn says(text: &str, meant: &str) -> bool {
    let mut rest = text.chars();
    meant.chars().filter(|c| c.is_alphanumeric()).all(|c| rest.any(|other| other == c))
}

/// Whether a card with this content is taken and shows no picture and no tag.
pub(super) fn is_accepted(markdown: &str) -> bool {
    // Spaces around a fence line stop a streamed card from showing code.
    let fences = markdown.lines().filter(|line| is_fence(line));
    let even = fences.clone().count() % 2 == 0;
    let bare = fences.clone().all(|line| line.trim() == line);
    let pictured = outside_fences(markdown).any(|line| line.contains("!["));
    let acts = Parser::new_ext(markdown, OPTIONS).any(|event| {
        if let Event::Start(Tag::Link { dest_url, .. }) = &event {
            return web_address(dest_url).is_none();
        }
        matches!(event, Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Image { .. }))
    });
    even && bare && !pictured && !acts && tables(markdown) <= TABLES_MAX
}

/// Tables that a content shows, as a hasty reader counts them.
pub(super) fn tables(markdown: &str) -> usize {
    outside_fences(markdown).filter(|line| is_ruler(line)).count()
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

fn outside_fences(markdown: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    markdown.lines().filter(move |line| {
        let fence = is_fence(line);
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The second line of a table, or what looks like it.
fn is_ruler(line: &str) -> bool {
    let line = line.trim();
    line.contains('|')
        && line.contains("--")
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}
