//! The streamed answer of a model.

use serde_json::Value;

use super::error::{ChatError, ErrorClass, error};
use super::sse::{EVENT_MAX, Sse, TooLong};
use crate::event::{Outcome, Usage};
use crate::line;

/// The answer of a model as it comes. One [`ChatEvent::Done`] or [`ChatEvent::Failed`] ends it.
#[derive(Default)]
pub struct Stream {
    sse: Sse,
    finish: Option<Finish>,
    /// An event was read that is a piece of an answer.
    begun: bool,
    /// Some text was told.
    said: bool,
    usage: Option<Usage>,
    over: bool,
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// A piece of the answer.
    Delta {
        /// The piece.
        text: String,
    },
    /// A piece of what the model thinks; never a part of the answer.
    Reasoning {
        /// The piece.
        text: String,
    },
    /// What the answer has used so far; a total.
    Usage(Usage),
    /// The answer is whole, as far as it goes.
    Done {
        /// Why it goes no further.
        finish: Finish,
    },
    /// The answer broke off. Once text was told it is not to be tried again.
    Failed(ChatError),
}

/// Why an answer goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is finished.
    Stop,
    /// It reached a limit of its length, or of the model's.
    Length,
    /// The service cut it off for what it says.
    ContentFilter,
    /// The model wants to call a tool, though it was offered none.
    ToolCalls,
}

impl Finish {
    /// How the turn ended.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Stop => Outcome::Ok,
            Self::Length => Outcome::Limit,
            Self::ContentFilter => Outcome::Refused,
            Self::ToolCalls => Outcome::Failed,
        }
    }
}

impl Stream {
    /// Takes bytes, cut anywhere.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Vec<ChatEvent> {
        let mut events = Vec::new();
        while !self.over {
            let next = self.sse.next(&mut bytes);
            if !self.take(next, &mut events) {
                break;
            }
        }
        events
    }

    /// There are no more bytes. An answer that had not said why it goes no further is cut off.
    pub fn end(&mut self) -> Vec<ChatEvent> {
        let mut events = Vec::new();
        if self.over {
            return events;
        }
        let last = self.sse.end();
        self.take(last, &mut events);
        if !self.over {
            self.over = true;
            events.push(match self.finish {
                Some(finish) => ChatEvent::Done { finish },
                None => ChatEvent::Failed(self.cut_off()),
            });
        }
        events
    }

    /// Takes the next event of the stream; whether there was one.
    fn take(&mut self, next: Result<Option<String>, TooLong>, events: &mut Vec<ChatEvent>) -> bool {
        match next {
            Ok(Some(data)) => {
                self.event(&data, events);
                true
            }
            Ok(None) => false,
            Err(TooLong) => {
                let message = format!("an event of the stream is longer than {EVENT_MAX} bytes");
                self.failed(ChatError::seen(ErrorClass::Final, "too_long", &message), events);
                true
            }
        }
    }

    fn event(&mut self, data: &str, events: &mut Vec<ChatEvent>) {
        if data == "[DONE]" {
            return self.done(events);
        }
        // What cannot be read is no error: if it was the end, the end is missing.
        let Some(event) = line::read::<Value>(data.as_bytes()) else { return };
        let choices = event["choices"].as_array();
        let told = !event["error"].is_null() || choices.is_none();
        if let Some(error) = ChatError::in_stream(&event).filter(|_| told) {
            return self.failed(error, events);
        }
        if let Some(choice) = choices.and_then(|choices| choices.first()) {
            self.choice(choice, events);
        }
        self.begun |= choices.is_some();
        let count = |name: &str| event["usage"][name].as_u64();
        let (read, written) = (count("prompt_tokens"), count("completion_tokens"));
        if let (Some(tokens_in), Some(tokens_out)) = (read, written) {
            let usage = Usage { tokens_in, tokens_out, cost_usd: None };
            // Some servers repeat it with every piece.
            if self.usage.replace(usage) != Some(usage) {
                events.push(ChatEvent::Usage(usage));
            }
        }
    }

    fn choice(&mut self, choice: &Value, events: &mut Vec<ChatEvent>) {
        let delta = &choice["delta"];
        let text =
            |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        // The former is Qwen's and DeepSeek's name for it, the latter that of some gateways.
        let reasoning = text(&delta["reasoning_content"]).or_else(|| text(&delta["reasoning"]));
        events.extend(reasoning.map(|text| ChatEvent::Reasoning { text }));
        if let Some(text) = text(&delta["content"]) {
            self.said = true;
            events.push(ChatEvent::Delta { text });
        }
        match choice["finish_reason"].as_str().unwrap_or_default() {
            "" => {}
            // DeepSeek's and Zhipu's words for an answer that broke off.
            broken @ ("insufficient_system_resource" | "network_error") => {
                let class = if broken == "network_error" {
                    ErrorClass::Retryable
                } else {
                    ErrorClass::Overloaded { after: None }
                };
                let error = ChatError::seen(class, broken, "the service broke the answer off");
                self.failed(error, events);
            }
            reason => self.finish = Some(finish(reason)),
        }
    }

    /// The server says that this was all. Where it never says why, text is taken for an answer.
    fn done(&mut self, events: &mut Vec<ChatEvent>) {
        let finish = self.finish.or_else(|| self.said.then_some(Finish::Stop));
        self.over = true;
        events.push(match finish {
            Some(finish) => ChatEvent::Done { finish },
            None => ChatEvent::Failed(self.cut_off()),
        });
    }

    fn failed(&mut self, error: ChatError, events: &mut Vec<ChatEvent>) {
        self.over = true;
        events.push(ChatEvent::Failed(error));
    }

    /// The error of an answer without an end. If it had no beginning either, what came in its place
    /// tells more.
    fn cut_off(&self) -> ChatError {
        let stray = self.sse.stray();
        if self.begun || stray.is_empty() {
            let message = "the stream ended before the answer did";
            return ChatError::seen(ErrorClass::Retryable, "cut_off", message);
        }
        let error = error(200, None, stray.as_bytes());
        // A page in the place of an answer is there the next time, too.
        if error.code.is_empty() { ChatError { class: ErrorClass::Final, ..error } } else { error }
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "length" | "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "content_filter" | "sensitive" => Finish::ContentFilter,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}
