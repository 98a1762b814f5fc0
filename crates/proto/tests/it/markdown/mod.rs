//! Answers in Markdown: what they become, and that nothing in them can break it.

mod cards;
mod examples;
mod laws;
mod oracle;
