//! One question to the model's service: the request, the answer as it comes, another try.
//!
//! Another try is made where the service asks for it or failed by itself, and only as long as nothing
//! of an answer was shown: two beginnings of one answer would stand in the chat.

use std::time::Duration;

use larkline_agent::Usage;
use larkline_agent::chat::{self, ChatError, ChatEvent, ChatRequest, ErrorClass, Finish, Stream};
use larkline_client::Secret;
use larkline_proto::markdown;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config;
use crate::live::Live;
use crate::turns::Stop;
use crate::words::{self, Lang};

/// Tries of one question.
const TRIES_MAX: u32 = 3;
/// Waits between tries where the service names none, doubling.
const WAIT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// Characters of a service's own words that a chat is shown.
const DETAIL_CHARS_MAX: usize = 300;
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

/// How it ended.
#[derive(Debug)]
pub(super) enum Over {
    Answered,
    /// At the model's limit of length.
    CutShort,
    Stopped(Stop),
    Failed(ChatError),
    TooLong(Duration),
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
        let mut tries = 0;
        loop {
            tries += 1;
            let Ok(over) = timeout_at(deadline, self.once()).await else {
                return Over::TooLong(self.settings.timeouts.whole);
            };
            let Over::Failed(error) = &over else { return over };
            let Some(wait) = self.wait_after(error, tries) else { return over };
            let lang = self.live.lang();
            let words = words::retrying(lang, &error.code, tries, &words::duration(lang, wait));
            self.live.show("", &words);
            tracing::warn!(
                code = error.code,
                wait_ms = wait.as_millis(),
                "the model's service failed, asked again: {}",
                error.message
            );
            if Instant::now() + wait > deadline {
                return over;
            }
            sleep(wait).await;
        }
    }

    fn wait_after(&self, error: &ChatError, tries: u32) -> Option<Duration> {
        if tries >= TRIES_MAX || !self.answer.is_empty() {
            return None;
        }
        let own = WAIT.0.saturating_mul(2_u32.saturating_pow(tries - 1)).min(WAIT.1);
        match error.class {
            ErrorClass::Overloaded { after } => {
                Some(after.unwrap_or(own).max(Duration::from_millis(200)))
            }
            ErrorClass::Retryable => Some(own.mul_f64(0.75 + fastrand::f64() / 2.0)),
            ErrorClass::Refused | ErrorClass::Auth | ErrorClass::NotFound | ErrorClass::Final => {
                None
            }
        }
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
            Err(_) => return Over::Failed(silent(first)),
        };
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.map(str::to_owned);
            let body = refusal(&mut response).await;
            return Over::Failed(chat::error(status.as_u16(), after.as_deref(), &body));
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
                Err(_) => return Over::Failed(silent(patience)),
            };
            patience = self.settings.timeouts.between;
            for event in events {
                match event {
                    ChatEvent::Delta { text } => {
                        self.answer.push_str(&text);
                        self.live_show();
                    }
                    ChatEvent::Reasoning { .. } => {}
                    ChatEvent::Usage(usage) => self.usage = usage,
                    ChatEvent::Done { finish: Finish::Stop | Finish::ToolCalls } => {
                        return Over::Answered;
                    }
                    ChatEvent::Done { finish: Finish::Length } => return Over::CutShort,
                    ChatEvent::Done { finish: Finish::ContentFilter } => {
                        return Over::Failed(seen(ErrorClass::Refused, "content_filter", ""));
                    }
                    ChatEvent::Failed(error) => return Over::Failed(error),
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

    fn live_show(&self) {
        if self.settings.stream {
            self.live.show(&self.answer, &words::thinking(self.live.lang()));
        }
    }
}

impl Over {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Answered => "ok",
            Self::CutShort => "limit",
            Self::Stopped(Stop::By(_) | Stop::Operator) => "stopped",
            Self::Stopped(Stop::Steered) => "steered",
            Self::TooLong(_) => "wall",
            Self::Failed(error) => match error.class {
                ErrorClass::Refused => "refused",
                ErrorClass::Auth => "auth",
                ErrorClass::Overloaded { .. } => "overloaded",
                ErrorClass::NotFound | ErrorClass::Retryable | ErrorClass::Final => "failed",
            },
        }
    }

    /// What happened, for the operator.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Failed(error) => format!("{} {}", error.code, error.message),
            Self::Answered | Self::CutShort | Self::Stopped(_) | Self::TooLong(_) => String::new(),
        }
    }

    /// What the chat is told besides the answer.
    pub(super) fn sentence(&self, lang: Lang, handler: &str) -> Option<String> {
        match self {
            Self::Answered => None,
            Self::CutShort => Some(words::cut_short(lang)),
            Self::Stopped(Stop::By(who)) => {
                Some(words::stopped_by(lang, &format!("<at id={who}></at>")))
            }
            Self::Stopped(Stop::Operator) => Some(words::stopped_by(lang, &words::operator(lang))),
            Self::Stopped(Stop::Steered) => Some(words::steered(lang)),
            Self::TooLong(limit) => Some(words::wall(lang, &words::duration(lang, *limit))),
            Self::Failed(error) => Some(failed(lang, handler, error)),
        }
    }
}

fn failed(lang: Lang, handler: &str, error: &ChatError) -> String {
    // A service's words are no more the gateway's than its answer is.
    let message = markdown::growing(&error.message, DETAIL_CHARS_MAX);
    match error.class {
        ErrorClass::Refused => words::refused(lang, &message),
        ErrorClass::Auth => words::auth(lang, handler),
        ErrorClass::Overloaded { .. } => words::overloaded(lang),
        ErrorClass::NotFound | ErrorClass::Retryable | ErrorClass::Final => {
            words::broken_off(lang, &format!("{} {message}", error.code))
        }
    }
}

/// What was seen of a service that said nothing about it.
fn seen(class: ErrorClass, code: &str, message: &str) -> ChatError {
    ChatError { class, status: 0, code: code.to_owned(), message: message.to_owned() }
}

fn broken(error: reqwest::Error) -> ChatError {
    seen(ErrorClass::Retryable, "transport", &error.without_url().to_string())
}

fn silent(time: Duration) -> ChatError {
    seen(ErrorClass::Retryable, "silent", &format!("nothing came for {time:?}"))
}

/// The body of a refusal, as much as tells what it is.
async fn refusal(response: &mut reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout(WAIT.0, response.chunk()).await {
        let room = REFUSAL_BYTES_MAX.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if room <= chunk.len() {
            break;
        }
    }
    body
}
