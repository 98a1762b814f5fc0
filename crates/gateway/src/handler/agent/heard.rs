//! What a turn has heard from its agent so far: the answer, what it is at, what it used. Pure.

use std::time::Duration;

use larkline_agent::{Event, Notice, Usage};

use crate::words::{self, Lang};

/// Bytes of an answer that a growing card is made from: it shows 8 000 characters.
const TAIL_BYTES: usize = 32 * 1024;

/// The state of a turn as its agent tells it.
#[derive(Debug)]
pub(super) struct Heard {
    lang: Lang,
    /// Finished pieces of the answer.
    pieces: Vec<String>,
    /// The piece that grows.
    growing: String,
    /// A word about the work.
    status: String,
    /// It waits for somebody's word.
    pub(super) asks: bool,
    /// Tools used.
    pub(super) tools: u32,
    /// What it used.
    pub(super) usage: Usage,
}

impl Heard {
    pub(super) fn new(lang: Lang) -> Self {
        Self {
            lang,
            pieces: Vec::new(),
            growing: String::new(),
            status: words::thinking(lang),
            asks: false,
            tools: 0,
            usage: Usage::default(),
        }
    }

    /// The turn is not new to it: until it does something, it goes on.
    pub(super) fn resumes(&mut self) {
        self.status = words::resumed(self.lang);
    }

    /// Takes note of what it said or did; questions and ends are not for here.
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Delta { text } => {
                self.growing.push_str(text);
                self.status = words::thinking(self.lang);
            }
            Event::Message { text } => {
                self.growing.clear();
                if !text.trim().is_empty() {
                    self.pieces.push(text.trim_end().to_owned());
                }
            }
            Event::Thinking | Event::ToolEnd { .. } => self.status = words::thinking(self.lang),
            Event::ToolStart { name, about, .. } => {
                self.tools = self.tools.saturating_add(1);
                self.status = words::using(self.lang, name, &about.replace('`', "'"));
            }
            Event::Notice(Notice::Retrying { attempt, wait_ms, why, .. }) => {
                let wait = words::duration(self.lang, Duration::from_millis(*wait_ms));
                self.status = words::retrying(self.lang, why, *attempt, &wait);
            }
            Event::Usage(usage) => self.usage = *usage,
            Event::Notice(Notice::Other(_))
            | Event::Started { .. }
            | Event::Ask(_)
            | Event::Withdrawn { .. }
            | Event::Done(_) => {}
        }
    }

    /// The answer so far.
    pub(super) fn answer(&self) -> String {
        let growing = Some(&self.growing).filter(|text| !text.is_empty());
        let all: Vec<&str> = self.pieces.iter().chain(growing).map(String::as_str).collect();
        all.join("\n\n")
    }

    /// The end of the answer so far, as much as a card shows of it while it grows.
    pub(super) fn tail(&self) -> String {
        let growing = Some(&self.growing).filter(|text| !text.is_empty());
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for piece in self.pieces.iter().chain(growing).rev() {
            let from = piece.ceil_char_boundary(piece.len().saturating_sub(TAIL_BYTES - bytes));
            pieces.push(&piece[from..]);
            bytes += piece.len() - from;
            // A cut at a character may leave room for a byte of what was before: it is no part of the end.
            if from > 0 || bytes >= TAIL_BYTES {
                break;
            }
        }
        pieces.reverse();
        pieces.join("\n\n")
    }

    /// A word about the work.
    pub(super) fn status(&self) -> String {
        if self.asks { words::waiting_for_leave(self.lang) } else { self.status.clone() }
    }

    /// Small words below the answer.
    pub(super) fn footer(&self, took: Duration) -> String {
        let mut words = vec![format!("⏱ {}", words::duration(self.lang, took))];
        if self.tools > 0 {
            words.push(format!("🔧 {}", self.tools));
        }
        let Usage { tokens_in, tokens_out, cost_usd } = self.usage;
        if tokens_in + tokens_out > 0 {
            words.push(format!("↑{} ↓{}", short(tokens_in), short(tokens_out)));
        }
        if let Some(cost) = cost_usd.filter(|cost| *cost > 0.0) {
            words.push(format!("${cost:.4}"));
        }
        words.join(" · ")
    }
}

fn short(tokens: u64) -> String {
    match tokens {
        0..1000 => tokens.to_string(),
        1000..1_000_000 => format!("{}.{}k", tokens / 1000, tokens % 1000 / 100),
        _ => format!("{}.{}M", tokens / 1_000_000, tokens % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(text: &str) -> Event {
        Event::Delta { text: text.to_owned() }
    }

    fn message(text: &str) -> Event {
        Event::Message { text: text.to_owned() }
    }

    #[test]
    fn a_message_takes_the_place_of_what_grew() {
        let mut heard = Heard::new(Lang::En);
        for event in
            [delta("Hel"), delta("lo"), message("Hello!"), delta("Bro"), message(""), delta("B")]
        {
            heard.take(&event);
        }
        assert_eq!(heard.answer(), "Hello!\n\nB");
    }

    #[test]
    fn a_tool_that_was_allowed_is_seen_at_work() {
        let mut heard = Heard::new(Lang::En);
        heard.take(&Event::ToolStart { id: "1".into(), name: "Bash".into(), about: "ls".into() });
        heard.asks = true;
        assert_eq!(heard.status(), words::waiting_for_leave(Lang::En));
        heard.asks = false;
        assert_eq!(heard.status(), words::using(Lang::En, "Bash", "ls"));
    }

    #[test]
    fn a_long_answer_shows_its_end_while_it_grows() {
        let mut heard = Heard::new(Lang::En);
        for event in [message("first"), message(&"字".repeat(20_000)), delta("last")] {
            heard.take(&event);
        }
        let tail = heard.tail();
        assert!(tail.len() <= TAIL_BYTES + 4, "{}", tail.len());
        assert!(tail.starts_with('字') && tail.ends_with("last"));
        assert!(heard.answer().starts_with("first"));
    }

    #[test]
    fn a_footer_tells_what_is_known() {
        let mut heard = Heard::new(Lang::En);
        assert_eq!(heard.footer(Duration::from_secs(3)), "⏱ 3 s");
        heard.take(&Event::ToolStart { id: "1".into(), name: "Bash".into(), about: "ls".into() });
        let usage = Usage { tokens_in: 12_345, tokens_out: 678, cost_usd: Some(0.0123) };
        heard.take(&Event::Usage(usage));
        assert_eq!(heard.footer(Duration::from_secs(3)), "⏱ 3 s · 🔧 1 · ↑12.3k ↓678 · $0.0123");
    }
}
