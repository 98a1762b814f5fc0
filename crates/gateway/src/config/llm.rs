//! `[handler.<name>]` of kind `llm`: a language model behind an OpenAI-compatible service.

use std::time::Duration;

use larkline_client::Secret;
use minijinja::Environment;
use serde_json::{Map, Value as Json};
use url::Url;

use super::field::choices;
use super::handler::Common;
use super::secret::Wanted;
use super::section::Section;
use super::units::{Bytes, days};
use crate::both::{Both, both};

/// A language model.
#[derive(Clone, Debug)]
pub struct Llm {
    /// Where; `…/chat/completions` is added.
    pub base_url: Url,
    /// The key; without one every answer says so.
    pub api_key: Option<Secret>,
    /// The model.
    pub model: String,
    /// The instructions: a template over the message.
    pub system: Option<String>,
    /// Whether models that can think shall; for services that know the switch.
    pub thinking: Option<bool>,
    /// Members added to the request: a JSON object.
    pub extra: Option<String>,
    /// Whether pictures are shown to it.
    pub images: bool,
    /// Largest picture that is.
    pub image_max: Bytes,
    /// Bounds of the history.
    pub history: History,
    /// Whether the answer grows in a card.
    pub stream: bool,
    /// Time-outs.
    pub timeouts: LlmTimeouts,
    /// What every handler has.
    pub common: Common,
}

/// How much of a conversation the model is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Tokens, by estimate.
    pub tokens: usize,
    /// Questions with their answers.
    pub turns: usize,
    /// Nothing older.
    pub age: Duration,
}

/// How long the service may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmTimeouts {
    /// Until its first byte.
    pub first: Duration,
    /// Between two pieces.
    pub between: Duration,
    /// In all.
    pub whole: Duration,
}

/// Services whose address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    OpenAi,
    Qwen,
    QwenIntl,
    DeepSeek,
}

choices!(Provider, "openai, qwen, qwen-intl or deepseek", {
    "openai" => Self::OpenAi,
    "qwen" => Self::Qwen,
    "qwen-intl" => Self::QwenIntl,
    "deepseek" => Self::DeepSeek,
});

impl Provider {
    fn base_url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Qwen => "https://dashscope.aliyuncs.com/compatible-mode/v1",
            Self::QwenIntl => "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            Self::DeepSeek => "https://api.deepseek.com/v1",
        }
    }
}

/// Requests at once to one service.
const CONCURRENCY: usize = 16;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

impl Llm {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let provider: Option<Provider> = section
            .key("provider", "a service whose address is known, or write `base_url`")
            .optional();
        let base_url: Option<Url> = section
            .key("base_url", "where `/chat/completions` is added; the provider's by default")
            .optional();
        let known = provider.and_then(|provider| Url::parse(provider.base_url()).ok());
        let base_url = base_url.or(known);
        if base_url.is_none() && !section.has("base_url") && !section.has("provider") {
            let hint = Both::of(
                "写 provider = \"qwen\"，或 base_url = \"https://…/v1\"",
                "write provider = \"qwen\", or base_url = \"https://…/v1\"",
            );
            section.refuse("base_url", Both::of("没有服务", "there is no service"), hint);
        }
        let api_key = section
            .key("api_key", "`{ env = … }` or `{ file = … }`; without one the chat is told")
            .optional::<Wanted>();
        let model = section.key("model", "as the service calls it").required::<String>();
        let mut llm = Self {
            api_key: None,
            system: section
                .key("system", "the instructions: a template with `app`, `chat_id`, `now` …")
                .optional(),
            thinking: section
                .key("thinking", "sent as `enable_thinking`, for services that know it")
                .optional(),
            extra: section
                .key("extra", "members added to the request, as JSON: `{\"temperature\": 0.2}`")
                .optional(),
            images: section.key("images", "show pictures to the model").or(false),
            image_max: section
                .key("image_max", "larger pictures are named, not shown")
                .within(Bytes::mib(5), Bytes::kib(1)..=Bytes::mib(5)),
            history: History::read(section.section("history")),
            stream: section.key("stream", "the answer grows in a card").or(true),
            timeouts: LlmTimeouts::read(section.section("timeouts")),
            common: Common::read_slow(section, CONCURRENCY, "requests at once to one service"),
            base_url: base_url?,
            model: model?,
        };
        llm.check(section);
        match api_key {
            Some(Wanted::Given(key)) => llm.api_key = Some(key),
            Some(Wanted::Missing(why)) => {
                let message = both!(zh: "{why}：会话里会这样提示", en: "{why}: the chat is told so"; why = why);
                section.warn("api_key", message, Both::of("设置它", "set it"));
            }
            None => {
                let message =
                    Both::of("没有密钥：会话里会这样提示", "there is no key: the chat is told so");
                let hint = Both::of(
                    "写 api_key = { env = \"…\" }，并设置该变量",
                    "write api_key = { env = \"…\" }, and set that variable",
                );
                section.warn("api_key", message, hint);
            }
        }
        Some(llm)
    }

    fn check(&self, section: &Section<'_>) {
        let is_object = |text: &str| serde_json::from_str::<Map<String, Json>>(text).is_ok();
        if self.extra.as_deref().is_some_and(|text| !is_object(text)) {
            let hint = Both::of(
                "写 extra = '{\"temperature\": 0.2}'",
                "write extra = '{\"temperature\": 0.2}'",
            );
            section.refuse("extra", Both::of("不是 JSON 对象", "not a JSON object"), hint);
        }
        let environment = Environment::new();
        let read = self.system.as_deref().map(|text| environment.template_from_str(text));
        if let Some(Err(error)) = read {
            let hint = Both::of(
                "`{{ … }}` 和 `{% … %}` 是模板的记号；见 docs/llm.md",
                "`{{ … }}` and `{% … %}` are the template's; see docs/llm.md",
            );
            let message = both!(zh: "不是模板：{error}", en: "not a template: {error}");
            section.refuse("system", message, hint);
        }
    }
}

impl History {
    fn read(mut section: Section<'_>) -> Self {
        Self {
            tokens: section
                .key("tokens", "by estimate; the oldest go first")
                .within(8_000, 0..=10_000_000),
            turns: section.key("turns", "questions with their answers").within(20, 0..=10_000),
            age: section.key("age", "nothing older is told").within(days(7), SECOND..=days(3650)),
        }
    }
}

impl LlmTimeouts {
    fn read(mut section: Section<'_>) -> Self {
        Self {
            first: section
                .key("first", "until the first byte; a model that thinks takes minutes")
                .within(Duration::from_mins(3), SECOND..=HOUR),
            between: section
                .key("between", "between two pieces")
                .within(Duration::from_mins(1), SECOND..=HOUR),
            whole: section
                .key("whole", "for the whole answer")
                .within(Duration::from_mins(15), SECOND..=Duration::from_hours(24)),
        }
    }
}
