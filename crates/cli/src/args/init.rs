//! The flags of `larkline init`: each answers one of its questions.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use larkline_gateway::words::Lang;
use url::Url;

use super::seconds;
use crate::lang::either;

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Where the configuration is written [default: --config, or larkline.toml here].
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Language of the file's comments and of everything people read.
    #[arg(long, value_parser = lang)]
    pub(crate) lang: Option<Lang>,
    /// Where the app is: feishu, lark, or the URL of a platform of your own.
    #[arg(long, value_parser = brand)]
    pub(crate) domain: Option<Brand>,
    /// Create or choose the app by a QR code.
    #[arg(long, conflicts_with_all = ["app_id", "app_secret_file", "app_secret_env"])]
    pub(crate) qr: bool,
    /// The id of an app that is there (cli_…); its secret comes by one of the next two.
    #[arg(long, value_name = "ID")]
    pub(crate) app_id: Option<String>,
    /// File that holds the app's secret; the configuration refers to it.
    #[arg(long, value_name = "FILE", conflicts_with = "app_secret_env")]
    pub(crate) app_secret_file: Option<PathBuf>,
    /// Variable that holds the app's secret; the configuration refers to it.
    #[arg(long, value_name = "NAME")]
    pub(crate) app_secret_env: Option<String>,
    /// What answers: echo, agent:claude, agent:codex, llm:qwen (qwen-intl, deepseek, openai; llm:qwen/MODEL),
    /// or command:PROGRAM and its arguments.
    #[arg(long, value_name = "WHAT", value_parser = answerer)]
    pub(crate) handler: Option<Answerer>,
    /// Variable with the model's key, for llm [default: the provider's usual one].
    #[arg(long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,
    /// Directory an agent works in [default: one of its own for each conversation].
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Who owns the bot (ou_…; repeat it) [default: whoever scans the code].
    #[arg(long, value_name = "ID")]
    pub(crate) owner: Vec<String>,
    /// Ask nothing, and replace a file that is there; a copy of it is kept.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Open no link and wait for no message.
    #[arg(long)]
    pub(crate) no_link: bool,
    /// How long to hold the link and wait for an event, in seconds.
    #[arg(long, default_value = "120", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) wait: Duration,
    /// How long each single step may take, in seconds.
    #[arg(long, default_value = "15", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Proxy for everything, or none; goes into the file [default: the environment's].
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// PEM file with an authority to trust (repeat it); goes into the file.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Vec<PathBuf>,
    /// Host at which apps are registered by QR code [default: the domain's own].
    #[arg(long, value_name = "URL")]
    pub(crate) accounts: Option<Url>,
    /// The same for people who turn out to be on Lark.
    #[arg(long, value_name = "URL")]
    pub(crate) lark_accounts: Option<Url>,
}

/// A platform, as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Brand {
    Feishu,
    Lark,
    Own(Url),
}

/// What answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answerer {
    Echo,
    /// A coding agent: `claude` or `codex`.
    Agent(&'static str),
    Llm {
        provider: Provider,
        /// The provider's usual one when absent.
        model: Option<String>,
    },
    Command(Vec<String>),
}

/// A service of models whose address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    Qwen,
    QwenIntl,
    #[value(name = "deepseek")]
    DeepSeek,
    #[value(name = "openai")]
    OpenAi,
}

impl Provider {
    /// Its name in the configuration, a model of it, and the variable that usually holds its key.
    pub(crate) fn usual(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Qwen => ("qwen", "qwen-plus", "DASHSCOPE_API_KEY"),
            Self::QwenIntl => ("qwen-intl", "qwen-plus", "DASHSCOPE_API_KEY"),
            Self::DeepSeek => ("deepseek", "deepseek-chat", "DEEPSEEK_API_KEY"),
            Self::OpenAi => ("openai", "gpt-4.1-mini", "OPENAI_API_KEY"),
        }
    }
}

fn lang(text: &str) -> Result<Lang, String> {
    match text {
        "zh" => Ok(Lang::Zh),
        "en" => Ok(Lang::En),
        _ => Err(either("应为 zh 或 en", "zh or en").to_owned()),
    }
}

/// Reads a platform.
///
/// # Errors
/// What may be written.
pub(crate) fn brand(text: &str) -> Result<Brand, String> {
    match text {
        "feishu" => Ok(Brand::Feishu),
        "lark" => Ok(Brand::Lark),
        _ => match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Brand::Own(url)),
            _ => Err(either(
                "应为 feishu、lark，或以 http:// 或 https:// 开头的地址",
                "feishu, lark, or an address with http:// or https://",
            )
            .to_owned()),
        },
    }
}

fn answerer(text: &str) -> Result<Answerer, String> {
    let all = either(
        "应为 echo、agent:claude、agent:codex、llm:qwen、llm:qwen-intl、llm:deepseek、llm:openai\
         （llm 之后可以加 /模型），或 command:程序",
        "echo, agent:claude, agent:codex, llm:qwen, llm:qwen-intl, llm:deepseek, llm:openai \
         (each with /MODEL behind it, or without), or command:PROGRAM",
    );
    match text.split_once(':').unwrap_or((text, "")) {
        ("echo", "") => Ok(Answerer::Echo),
        ("agent", "claude") => Ok(Answerer::Agent("claude")),
        ("agent", "codex") => Ok(Answerer::Agent("codex")),
        ("llm", rest) => {
            let (provider, model) = match rest.split_once('/') {
                Some((provider, model)) => (provider, Some(model.to_owned())),
                None => (rest, None),
            };
            let provider = Provider::from_str(provider, false).map_err(|_| all.to_owned())?;
            Ok(Answerer::Llm { provider, model })
        }
        ("command", line) if !line.trim().is_empty() => Ok(Answerer::Command(words(line))),
        _ => Err(all.to_owned()),
    }
}

/// A command line in words; no shell reads it.
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_answerer_is_one_word() {
        assert_eq!(answerer("echo"), Ok(Answerer::Echo));
        assert_eq!(answerer("agent:codex"), Ok(Answerer::Agent("codex")));
        let model = Some("deepseek-reasoner".to_owned());
        let provider = Provider::DeepSeek;
        assert_eq!(
            answerer("llm:deepseek/deepseek-reasoner"),
            Ok(Answerer::Llm { provider, model })
        );
        let argv = vec!["./answer".to_owned(), "--fast".to_owned()];
        assert_eq!(answerer("command:./answer --fast"), Ok(Answerer::Command(argv)));
        for wrong in ["", "agent:", "agent:gpt", "llm:", "command:", "echo:x"] {
            assert!(answerer(wrong).is_err(), "{wrong}");
        }
    }
}
