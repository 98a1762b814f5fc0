//! Cards around answers, and back from cards to Markdown.
