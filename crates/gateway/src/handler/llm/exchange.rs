//! One question to the model's service: the request, the answer as it comes, another try.
//!
//! Another try is made where the service asks for it or failed by itself, and only as long as nothing
//! of an answer was shown: two beginnings of one answer would stand in the chat.

use std::time::Duration;

use larkline_agent::Usage;
use larkline_agent::chat::{self, ChatError, ChatEvent, ChatRequest, ErrorClass, Finish, Stream};
use larkline_client::Secret;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::ending::{self, Over};
use crate::config;
use crate::handler::answer::Retry;
use crate::handler::retry::Next;
use crate::live::Live;
use crate::words;

/// How long a refusal may take to be read.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a refusal that are read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an answer: more is a runaway, and no chat shows it.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A question being asked.
pub(super) struct Exchange<'a> {
    settings: &'a config::Llm,
    client: &'a reqwest::Client,
    key: &'a Secret,
    live: &'a Live,
    request: ChatRequest,
    answer: String,
    usage: Usage,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        settings: &'a config::Llm,
        client: &'a reqwest::Client,
        key: &'a Secret,
        live: &'a Live,
        request: ChatRequest,
    ) -> Self {
        let (answer, usage) = (String::new(), Usage::default());
        Self { settings, client, key, live, request, answer, usage }
    }

    /// The answer as far as it came.
    pub(super) fn answer(&self) -> &str {
        &self.answer
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Asks until there is an answer, or no further try. Safe to cancel.
    pub(super) async fn run(&mut self) -> Over {
        let deadline = Instant::now() + self.settings.timeouts.whole;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Ok(over) = timeout_at(deadline, self.once()).await else {
                return Over::TooLong(self.settings.timeouts.whole);
            };
            let wait = self.wait_after(&over, attempt);
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < deadline) else {
                return over;
            };
            self.announce(&over, attempt, wait);
            sleep(wait).await;
            self.show_answer();
        }
    }

    /// The wait before another try, by the handler's `retry`; nothing when there is none.
    fn wait_after(&self, over: &Over, attempt: u32) -> Option<Duration> {
        if !self.answer.is_empty() {
            return None;
        }
        let retry = match over {
            Over::Silent(_) => Retry::Policy,
            Over::Failed(error) => match error.class {
                ErrorClass::Overloaded { after: Some(after) } => Retry::After(after),
                ErrorClass::Overloaded { after: None } | ErrorClass::Retryable => Retry::Policy,
                ErrorClass::Refused
                | ErrorClass::Auth
                | ErrorClass::NotFound
                | ErrorClass::Final => Retry::Never,
            },
            Over::Answered | Over::CutShort | Over::Stopped(_) | Over::TooLong(_) => Retry::Never,
        };
        match self.settings.common.retry.next(attempt, retry, fastrand::u64(..)) {
            Next::Again(wait) => Some(wait),
            Next::Release | Next::GiveUp => None,
        }
    }

    /// Says that the service is asked again, in the chat and in the log.
    fn announce(&self, over: &Over, attempt: u32, wait: Duration) {
        let lang = self.live.lang();
        let why = match over {
            Over::Failed(error) => ending::code(error),
            Over::Silent(time) => words::duration(lang, *time),
            Over::Answered | Over::CutShort | Over::Stopped(_) | Over::TooLong(_) => String::new(),
        };
        let why = if why.is_empty() { "?" } else { &why };
        self.live.show("", &words::retrying(lang, why, attempt, &words::duration(lang, wait)));
        tracing::warn!(
            code = over.word(),
            attempt,
            wait_ms = wait.as_millis(),
            "the model's service is asked again: {}",
            over.detail()
        );
    }

    async fn once(&mut self) -> Over {
        let url =
            format!("{}/chat/completions", self.settings.base_url.as_str().trim_end_matches('/'));
        let request = self
            .client
            .post(url)
            .bearer_auth(self.key.expose())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .body(chat::request(&self.request).to_string());
        let first = self.settings.timeouts.first;
        let mut response = match timeout(first, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Over::Failed(broken(error)),
            Err(_) => return Over::Silent(first),
        };
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.map(str::to_owned);
            let body = refusal(&mut response).await;
            let error = chat::error(status.as_u16(), after.as_deref(), &body);
            return Over::Failed(self.without_key(error));
        }
        self.read(response).await
    }

    async fn read(&mut self, mut response: reqwest::Response) -> Over {
        let mut stream = Stream::default();
        let mut patience = self.settings.timeouts.first;
        loop {
            let (events, ended) = match timeout(patience, response.chunk()).await {
                Ok(Ok(Some(bytes))) => (stream.feed(&bytes), false),
                Ok(Ok(None)) => (stream.end(), true),
                Ok(Err(error)) => return Over::Failed(broken(error)),
                Err(_) => return Over::Silent(patience),
            };
            patience = self.settings.timeouts.between;
            for event in events {
                match event {
                    ChatEvent::Delta { text } => {
                        self.answer.push_str(&text);
                        self.show_answer();
                    }
                    ChatEvent::Reasoning { .. } => {}
                    ChatEvent::Usage(usage) => self.usage = usage,
                    ChatEvent::Done { finish: Finish::Stop } => return Over::Answered,
                    ChatEvent::Done { finish: Finish::Length } => return Over::CutShort,
                    ChatEvent::Done { finish: Finish::ContentFilter } => {
                        return Over::Failed(seen(ErrorClass::Refused, "content_filter", ""));
                    }
                    ChatEvent::Done { finish: Finish::ToolCalls } => {
                        let words = "the model wants to call a tool, and was offered none";
                        return Over::Failed(seen(ErrorClass::Final, "tool_calls", words));
                    }
                    ChatEvent::Failed(error) => return Over::Failed(self.without_key(error)),
                }
            }
            if self.answer.len() > ANSWER_BYTES_MAX {
                return Over::CutShort;
            }
            if ended {
                let words = "the answer ended in its middle";
                return Over::Failed(seen(ErrorClass::Retryable, "cut", words));
            }
        }
    }

    /// Shows the answer so far, where it grows or a card is there already.
    fn show_answer(&self) {
        if self.settings.stream || self.live.growing().is_some() {
            self.live.show(&self.answer, &words::thinking(self.live.lang()));
        }
    }

    /// What a service says of a request may repeat its key.
    fn without_key(&self, mut error: ChatError) -> ChatError {
        for words in [&mut error.code, &mut error.message] {
            if words.contains(self.key.expose()) {
                *words = words.replace(self.key.expose(), "***");
            }
        }
        error
    }
}

/// What was seen of a service that said nothing about it.
fn seen(class: ErrorClass, code: &str, message: &str) -> ChatError {
    ChatError { class, status: 0, code: code.to_owned(), message: message.to_owned() }
}

/// The connection broke, or there was none; the innermost cause tells most.
fn broken(error: reqwest::Error) -> ChatError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    seen(ErrorClass::Retryable, "transport", &cause.to_string())
}

/// The body of a refusal, as much as tells what it is.
async fn refusal(response: &mut reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout(REFUSAL_TIME_MAX, response.chunk()).await {
        let room = REFUSAL_BYTES_MAX.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if room <= chunk.len() {
            break;
        }
    }
    body
}
