//! `[handler.<name>]`: what answers, by kind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use larkline_client::Secret;
use url::Url;

use super::agent::Agent;
use super::command_line::Argv;
use super::emoji::Emoji;
use super::field::choices;
use super::jobs::Jobs;
use super::kind::Kind;
use super::llm::Llm;
use super::retry::RetrySettings;
use super::section::Section;
use super::signing::SigningSecrets;
use super::units::Bytes;
use crate::both::{Both, both};
use crate::handler::http::guard;

/// A handler.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Handler {
    /// Answers with what was written.
    Echo(Echo),
    /// Runs a program.
    Command(Command),
    /// Posts to an HTTP service.
    Http(Http),
    /// Runs a coding agent.
    Agent(Box<Agent>),
    /// Asks a language model.
    Llm(Box<Llm>),
}

/// What every handler has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// What makes a conversation: its turns come one after the other.
    pub session: SessionBy,
    /// Turns of different conversations that may run at once.
    pub concurrency: usize,
    /// What happens after a failed attempt.
    pub retry: RetrySettings,
    /// Whether answers quote the message.
    pub reply: ReplyStyle,
    /// Whether answers open a topic under the message.
    pub reply_in_thread: bool,
    /// The emoji that says on a message that it was heard, until it is answered; none for nothing.
    pub reaction: Option<String>,
}

/// What makes a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionBy {
    /// The chat.
    Chat,
    /// The topic in the chat; the chat where there are no topics.
    Thread,
    /// The person in the chat.
    Sender,
}

/// How an answer refers to its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyStyle {
    /// As a reply that quotes it.
    Quote,
    /// As a message of its own.
    Plain,
}

/// Answers with what was written.
#[derive(Clone, Debug)]
pub struct Echo {
    /// What comes before the text.
    pub prefix: String,
    /// What every handler has.
    pub common: Common,
}

/// Runs a program for each turn.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program and its arguments; with `shell = true`, `/bin/sh -c` and the line.
    pub argv: Vec<String>,
    /// Its working directory; `None` is the gateway's.
    pub cwd: Option<PathBuf>,
    /// Variables it gets beside the usual few.
    pub env: BTreeMap<String, Secret>,
    /// Variables it inherits beside the usual few.
    pub pass_env: Vec<String>,
    /// How long it may run.
    pub timeout: Duration,
    /// How long it may write nothing; `None` is as long as it runs.
    pub idle: Option<Duration>,
    /// How much it may write to stdout.
    pub output_max: Bytes,
    /// How its output is read.
    pub output: OutputFormat,
    /// Writable private memory of each of its processes; `None` is the system's limit.
    pub memory: Option<Bytes>,
    /// Largest file it may write; `None` is the system's limit.
    pub file_max: Option<Bytes>,
    /// Whether each message has a lane of its own, so that a long run holds up nobody's next one.
    pub background: bool,
    /// What every handler has.
    pub common: Common,
}

/// How a command's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// As the text of the answer.
    Text,
    /// As the JSON of an answer.
    Json,
}

/// Posts each turn to a service.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to.
    pub url: Url,
    /// What signs the request, one or two; the signature lists one for each.
    pub secrets: Vec<Secret>,
    /// How long the response may take.
    pub timeout: Duration,
    /// How long an answer announced by 202 may take; with `None`, 202 is no answer.
    pub reply_within: Option<Duration>,
    /// Whether the service may have a loopback or private address.
    pub allow_private: bool,
    /// What every handler has.
    pub common: Common,
}

choices!(SessionBy, "chat, thread or sender", {
    "chat" => Self::Chat,
    "thread" => Self::Thread,
    "sender" => Self::Sender,
});

choices!(ReplyStyle, "quote or plain", {
    "quote" => Self::Quote,
    "plain" => Self::Plain,
});

choices!(OutputFormat, "text or json", {
    "text" => Self::Text,
    "json" => Self::Json,
});

impl Handler {
    /// The built-in handler `echo`, for a configuration that defines none.
    pub(super) fn built_in_echo() -> Self {
        Self::Echo(Echo {
            prefix: String::new(),
            common: Common::with_concurrency(ECHO_CONCURRENCY),
        })
    }

    /// Its kind, as configured.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Echo(_) => "echo",
            Self::Command(_) => "command",
            Self::Http(_) => "http",
            Self::Agent(_) => "agent",
            Self::Llm(_) => "llm",
        }
    }

    /// Whether it has conversations, which chat commands are about.
    pub fn converses(&self) -> bool {
        match self {
            Self::Agent(_) | Self::Llm(_) => true,
            Self::Echo(_) | Self::Command(_) | Self::Http(_) => false,
        }
    }

    /// How long it keeps a conversation that nobody uses; nothing when it has none.
    pub fn keeps_conversations(&self) -> Option<Duration> {
        match self {
            Self::Agent(agent) => Some(agent.keep),
            Self::Llm(llm) => Some(llm.history.age),
            Self::Echo(_) | Self::Command(_) | Self::Http(_) => None,
        }
    }

    /// Whether each of its messages has a lane of its own.
    pub fn is_background(&self) -> bool {
        match self {
            Self::Command(command) => command.background,
            Self::Echo(_) | Self::Http(_) | Self::Agent(_) | Self::Llm(_) => false,
        }
    }

    /// What every handler has.
    pub fn common(&self) -> &Common {
        match self {
            Self::Echo(echo) => &echo.common,
            Self::Command(command) => &command.common,
            Self::Http(http) => &http.common,
            Self::Agent(agent) => &agent.common,
            Self::Llm(llm) => &llm.common,
        }
    }
}

/// Echoes cost nothing; the bound is what one claim from the store takes.
const ECHO_CONCURRENCY: usize = 256;
/// Commands and pressed buttons at once.
const DESK_CONCURRENCY: usize = 64;
/// Processes at once: agents and scripts are heavy, and two cores are common.
const COMMAND_CONCURRENCY: usize = 4;
/// Requests at once to one service.
const HTTP_CONCURRENCY: usize = 16;
/// Most turns of one handler at once; more would not fit into the lease keeper's round.
const CONCURRENCY_MAX: usize = 1024;

impl Common {
    /// Of the gateway's own desk: quick work that waits for nobody.
    pub fn of_desk() -> Self {
        Self::with_concurrency(DESK_CONCURRENCY)
    }

    /// Of what runs jobs: each has a lane of its own, and answers the message that asked for it.
    pub fn of_jobs(jobs: &Jobs) -> Self {
        Self { retry: jobs.retry, ..Self::with_concurrency(jobs.concurrency) }
    }

    fn with_concurrency(concurrency: usize) -> Self {
        Self {
            session: SessionBy::Chat,
            concurrency,
            retry: RetrySettings::default_policy(),
            reply: ReplyStyle::Quote,
            reply_in_thread: false,
            reaction: None,
        }
    }

    /// Of a handler whose answers take seconds: a message is acknowledged.
    pub(super) fn read_slow(
        section: &mut Section<'_>,
        concurrency: usize,
        why: &'static str,
    ) -> Self {
        let emoji = Emoji::default_of_slow();
        Self::read_with(section, concurrency, why, emoji)
    }

    pub(super) fn read(section: &mut Section<'_>, concurrency: usize, why: &'static str) -> Self {
        Self::read_with(section, concurrency, why, Emoji(None))
    }

    fn read_with(
        section: &mut Section<'_>,
        concurrency: usize,
        why: &'static str,
        emoji: Emoji,
    ) -> Self {
        let default = Self::with_concurrency(concurrency);
        let concurrency = section.key("concurrency", why).within(concurrency, 1..=CONCURRENCY_MAX);
        let reaction = section
            .key(
                "reaction",
                "on a message that is not answered at once; `none`, or an emoji's documented name",
            )
            .or(emoji);
        section.narrow("handler.<name>".to_owned());
        Self {
            concurrency,
            session: section
                .key("session", "what one conversation is: its turns come one after the other")
                .or(default.session),
            retry: RetrySettings::read(section.section("retry"), default.retry),
            reply: section
                .key("reply", "in a busy group a quote shows what is answered")
                .or(default.reply),
            reply_in_thread: section
                .key("reply_in_thread", "opens a topic under the message")
                .or(default.reply_in_thread),
            reaction: reaction.0,
        }
    }
}

/// Reads one handler; its kind is known even when the rest is wrong.
pub(super) fn read(mut section: Section<'_>) -> (Option<&'static str>, Option<Handler>) {
    let Some(Kind(kind)) =
        section.key("kind", "decides which of the keys below it has").required::<Kind>()
    else {
        section.abandon();
        return (None, None);
    };
    section.narrow(format!("handler.<{kind}>"));
    let handler = match kind {
        "echo" => Some(Handler::Echo(Echo {
            prefix: section.key("prefix", "before the text").or(String::new()),
            common: Common::read(
                &mut section,
                ECHO_CONCURRENCY,
                "conversations at once; echoes cost nothing",
            ),
        })),
        "command" => read_command(&mut section).map(Handler::Command),
        "agent" => Agent::read(&mut section).map(|agent| Handler::Agent(Box::new(agent))),
        "llm" => Llm::read(&mut section).map(|llm| Handler::Llm(Box::new(llm))),
        _ => read_http(&mut section).map(Handler::Http),
    };
    (Some(kind), handler)
}

fn read_command(section: &mut Section<'_>) -> Option<Command> {
    let shell = section.key("shell", "`true`: `argv` is one line for `/bin/sh -c`").or(false);
    let argv = section
        .key("argv", "words; nothing a person wrote is among them")
        .required::<Argv>()
        .and_then(|argv| argv.checked(section, shell));
    let second = Duration::from_secs(1);
    let command = Command {
        argv: Vec::new(),
        cwd: section.key("cwd", "the gateway's own directory").optional(),
        env: section
            .key("env", "set for the program; each value may be `{ env = … }` or `{ file = … }`")
            .or(BTreeMap::new()),
        pass_env: section
            .key(
                "pass_env",
                "inherited beside PATH, HOME, LANG, TZ, TMPDIR: the gateway's \
                environment holds secrets",
            )
            .or(Vec::new()),
        timeout: section
            .key("timeout", "then the whole process tree is ended")
            .within(Duration::from_mins(5), second..=Duration::from_hours(24)),
        idle: section
            .key("idle", "the same when it writes nothing for so long")
            .optional_within(second..=Duration::from_hours(24)),
        output_max: section
            .key("output_max", "more is a runaway, and no chat shows it")
            .within(Bytes::mib(1), Bytes::kib(1)..=Bytes::mib(64)),
        output: section.key("output", "how stdout is read").or(OutputFormat::Text),
        memory: section
            .key("memory", "of each of its processes; absent is the system's limit")
            .optional_within(Bytes::mib(16)..=Bytes::mib(1 << 20)),
        file_max: section
            .key("file_max", "largest file it may write; absent is the system's limit")
            .optional_within(Bytes::kib(1)..=Bytes::mib(1 << 20)),
        background: section
            .key(
                "background",
                "`true`: messages of a chat run side by side, so a run of hours holds up none",
            )
            .or(false),
        common: Common::read(
            section,
            COMMAND_CONCURRENCY,
            "processes are heavy, and small machines common",
        ),
    };
    Some(Command { argv: argv?, ..command })
}

fn read_http(section: &mut Section<'_>) -> Option<Http> {
    let url = section.key("url", "http or https; redirects are not followed").required::<Url>();
    let secrets = section
        .key("secret", "`whsec_` and base64; two while one is being replaced")
        .required::<SigningSecrets>();
    let second = Duration::from_secs(1);
    let timeout = section
        .key("timeout", "what takes longer answers 202 and replies later")
        .within(Duration::from_secs(15), second..=Duration::from_mins(10));
    let reply_within = section
        .key("reply_within", "how long a later reply is waited for; absent refuses 202")
        .optional_within(second..=Duration::from_hours(24));
    let allow_private = section
        .key("allow_private", "a redirected name must not reach the machine's own services")
        .or(false);
    let checked = url.as_ref().filter(|_| !allow_private);
    if let Some(Err(private)) = checked.map(|url| guard::check_host(url, true)) {
        section.refuse(
            "url",
            both!(zh: "{host} 不在公网上", en: "{host} is not on the public internet",
                host = private.host),
            Both::of(
                "如果确实如此，加上 `allow_private = true`",
                "if that is meant, add `allow_private = true`",
            ),
        );
    }
    let common = Common::read(section, HTTP_CONCURRENCY, "requests at once to one service");
    Some(Http { url: url?, secrets: secrets?.0, timeout, reply_within, allow_private, common })
}
