//! The answer's text: pieces as they come, and the finished ones that replace them.

use serde_json::Value;

use crate::event::Event;

/// Which pieces still count. A message whose stream broke is said again under a new id; the pieces
/// of the old one are taken back then.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The message whose pieces count.
    streaming: Option<String>,
    /// Pieces are out that no finished text has replaced.
    loose: bool,
}

impl Text {
    /// A message's stream begins.
    pub(super) fn begin(&mut self, id: Option<&str>) -> Option<Event> {
        self.streaming = Some(id.unwrap_or_default().to_owned());
        self.take_back()
    }

    /// A piece of it.
    pub(super) fn delta(&mut self, text: &str) -> Option<Event> {
        if self.streaming.is_none() || text.is_empty() {
            return None;
        }
        self.loose = true;
        Some(Event::Delta { text: text.to_owned() })
    }

    /// A finished block belongs to this message: pieces of another one count no longer.
    pub(super) fn supersede(&mut self, message: &Value) -> Option<Event> {
        let id = message["id"].as_str().unwrap_or_default();
        if self.streaming.as_deref() == Some(id) {
            return None;
        }
        self.streaming = None;
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        // A text replaces them by itself.
        if blocks.iter().any(|block| block["type"] == "text") { None } else { self.take_back() }
    }

    /// A block of text is finished.
    pub(super) fn finish(&mut self, text: &str) -> Option<Event> {
        let said = self.loose || !text.trim().is_empty();
        self.loose = false;
        said.then(|| Event::Message { text: text.to_owned() })
    }

    fn take_back(&mut self) -> Option<Event> {
        let loose = std::mem::take(&mut self.loose);
        loose.then(|| Event::Message { text: String::new() })
    }
}
