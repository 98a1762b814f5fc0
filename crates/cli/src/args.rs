//! The command line.

mod init;
mod job;
mod service;

// tidy: long file: the whole command line, as its help shows it, in one place

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use larkline_gateway::config;

pub(crate) use self::init::{Answerer, Brand, InitArgs, Provider, brand, words};
pub(crate) use self::job::{JobAction, JobRunArgs};
pub(crate) use self::service::{InstallArgs, LogsArgs, ManagerKind, ServiceAction, ServiceTarget};

/// A self-hosted gateway for Feishu/Lark bots (unofficial).
#[derive(Debug, Parser)]
#[command(name = "larkline", version, propagate_version = true)]
pub(crate) struct Args {
    /// Configuration file; without one, FEISHU_APP_ID and FEISHU_APP_SECRET are enough.
    #[arg(long, short, global = true, env = "LARKLINE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How data is written to stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway in the foreground.
    Run(RunArgs),
    /// Create or choose an app, choose what answers, write larkline.toml, see the link work.
    Init(Box<InitArgs>),
    /// Simulator and gateway with one command, no account needed.
    Demo(DemoArgs),
    /// The platform simulator alone, for testing any bot.
    Sim(SimArgs),
    /// Find out what is wrong, from this machine to the developer console; one verdict.
    Doctor(DoctorArgs),
    /// Post a nonce into a chat and time the return of an event about it.
    Probe(ProbeArgs),
    /// Is it well: link, queues, verdicts.
    Status {
        /// Only the exit code: 0 ready, 1 not ready.
        #[arg(long)]
        check: bool,
        /// Again and again, in place on a terminal, until Ctrl-C.
        #[arg(long, conflicts_with = "check")]
        watch: bool,
        /// How often, with --watch.
        #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time, requires = "watch")]
        every: Duration,
    },
    /// What is wrong, who was told of it, and what was.
    Alerts {
        #[command(subcommand)]
        action: Option<AlertsAction>,
    },
    /// What came in and went out, newest first.
    Messages(MessagesArgs),
    /// Chats seen, ready to paste into a route.
    Chats,
    /// Dead letters: what could not be handled or delivered.
    Dead {
        #[command(subcommand)]
        action: Option<DeadAction>,
    },
    /// One message's story, by event id, message id or a piece of its text; or what an error means.
    Explain {
        /// What to look for, or a code, a number, a line of a log.
        text: String,
    },
    /// Conversations with agents and models.
    Sessions(SessionsArgs),
    /// Send a message or a file through the running gateway, or ask a question.
    Send(SendArgs),
    /// Durable commands: run, list, stop, retry.
    Job {
        #[command(subcommand)]
        action: JobAction,
    },
    /// MCP server of a running task: agents write, ask and send files to their own chat.
    Mcp,
    /// Ask the running gateway to read its configuration again.
    Reload {
        /// Its socket, without a look at the configuration [default: as configured].
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
    },
    /// Stop the running gateway in order, and wait for the next one's verified link.
    Restart {
        /// How long to wait, such as 90s or 5m [default: the longest stop and `link.startup_deadline`].
        #[arg(long, value_name = "TIME", value_parser = time)]
        timeout: Option<Duration>,
    },
    /// Keep the gateway running with systemd or launchd.
    Service {
        #[command(subcommand)]
        action: ServiceAction,
    },
    /// Look at the configuration, offline.
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Be a coding agent without a model, for the demo and for tests.
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    ScriptedAgent {
        /// The command line of Claude Code.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Versions of the binary, the protocol and the libraries that matter.
    Version,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsAction {
    /// Tell every destination, or one, that nothing is wrong; exit code 1 when one fails.
    Test {
        /// Its name; all by default.
        destination: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Ask a running instance of the same app to drain and leave, then start.
    #[arg(long)]
    pub(crate) takeover: bool,
    /// With refused credentials stay up and retry slowly instead of exiting with code 3.
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Exit with code 1 when no link is verified within the start-up deadline.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Use no proxy in this run, whatever the configuration or the environment says.
    #[arg(long)]
    pub(crate) no_proxy: bool,
    /// Stop in order when the process that started this one is gone, however it went.
    #[arg(long, hide = true)]
    pub(crate) end_with_parent: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProbeArgs {
    /// Where to post it (oc_…); see `larkline chats`.
    #[arg(long)]
    pub(crate) chat: String,
    /// Which app, when several are configured.
    #[arg(long)]
    pub(crate) app: Option<String>,
    /// How long to wait for the return, in seconds.
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// How long each single step may take, in seconds.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Open no long connection, not even for a moment.
    #[arg(long)]
    pub(crate) no_link: bool,
    /// After an upgrade: is the new version up, its link verified, and all that waited still there?
    #[arg(long, conflicts_with = "no_link")]
    pub(crate) post_upgrade: bool,
    /// Offer one QR code for each app that adds the scopes, events and callbacks it lacks.
    #[arg(long)]
    pub(crate) fix: bool,
    /// Write all that somebody who helps wants to see into this archive (.tar.gz), without secrets and chats.
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// Host at which apps are amended by QR code [default: the domain's own].
    #[arg(long, value_name = "URL", requires = "fix")]
    pub(crate) accounts: Option<url::Url>,
}

/// A positive number of seconds, a day at most.
fn seconds(text: &str) -> Result<Duration, String> {
    let fits = |n: &f64| (0.1..=86_400.0).contains(n);
    match text.parse::<f64>().ok().filter(fits) {
        Some(number) => Ok(Duration::from_secs_f64(number)),
        None => Err(say!(
            zh: "请给出秒数，0.1 到 86400",
            en: "give a number of seconds, from 0.1 to 86400"
        )),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Play one conversation, print the transcript, exit.
    #[arg(long)]
    pub(crate) once: bool,
    /// Port of the chat page on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Be the demo's own handler: a turn on stdin, an answer on stdout.
    #[arg(long, hide = true, conflicts_with_all = ["once", "port"])]
    pub(crate) handler: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7800")]
    pub(crate) listen: SocketAddr,
    /// Seed of everything random [default: the script's, or 1].
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Run the platform's clock this many times faster [default: the script's, or 1].
    #[arg(long)]
    pub(crate) speed: Option<f64>,
    /// Play this script to whoever connects, print what became of it, exit 0 or 1.
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Reconnect interval served to clients, seconds of the platform's clock.
    #[arg(long, default_value_t = 120)]
    pub(crate) reconnect_interval: u64,
    /// Reconnect jitter served to clients, seconds of the platform's clock.
    #[arg(long, default_value_t = 30)]
    pub(crate) reconnect_nonce: u64,
    /// No rate limits: for measuring a bot, which then shows its own speed.
    #[arg(long)]
    pub(crate) no_limits: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MessagesArgs {
    /// Only this chat.
    #[arg(long)]
    pub(crate) chat: Option<String>,
    /// Only events with this verdict.
    #[arg(long, value_parser = ["waiting", "replied", "filtered", "failed"])]
    pub(crate) verdict: Option<String>,
    /// Only those whose first words contain this.
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadAction {
    /// Make it due again.
    Retry {
        /// Its id, for example t7 or o7.
        item: String,
    },
    /// Close it for good.
    Drop {
        /// Its id, for example t7 or o7.
        item: String,
    },
    /// Make dead letters of what waits for a handler that is not configured any more.
    GiveUp {
        /// The handler's name.
        handler: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<SessionsAction>,
    /// Only those of this chat.
    #[arg(long)]
    pub(crate) chat: Option<String>,
    /// Only those with this handler.
    #[arg(long)]
    pub(crate) handler: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsAction {
    /// Show one with its history.
    Show {
        /// Its number.
        id: i64,
    },
    /// End its running turn; the conversation goes on.
    Stop {
        /// Its number.
        id: i64,
    },
    /// End it for good; the next message begins another.
    End {
        /// Its number.
        id: i64,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct SendArgs {
    /// Chat (oc_…), person (ou_…) or e-mail address; a task writes to its own chat.
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// Which app, when several are configured.
    #[arg(long)]
    pub(crate) app: Option<String>,
    /// Send as a post with Markdown.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Names the message. A task that says something newer under the same key puts it in the place of
    /// what was there; an operator's message is sent one time under each key.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Send this file, after the text if there is one.
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// Ask with a button for each of these (repeat it), and print the one that was pressed. Tasks only.
    #[arg(long, value_name = "OPTION", conflicts_with_all = ["file", "key", "markdown"])]
    pub(crate) ask: Vec<String>,
    /// How long to wait for a button, such as 90s or 10m.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    pub(crate) wait: Duration,
    /// Variable with the token of a task [default: LARKLINE_TOKEN].
    #[arg(long, value_name = "NAME")]
    pub(crate) token_env: Option<String>,
    /// The text; from stdin when absent.
    pub(crate) text: Option<String>,
}

/// A time as the configuration has them.
fn time(text: &str) -> Result<Duration, String> {
    config::parse_duration(text)
        .ok_or_else(|| say!(zh: "时间写作 90s、10m 或 2h", en: "write a time as 90s, 10m or 2h"))
}

/// The least memory that a program can be given, as in the configuration: less is a forgotten unit.
const MEMORY_MIN: u64 = 4 << 20;

/// A size of memory as the configuration has them, in bytes.
fn memory(text: &str) -> Result<u64, String> {
    match config::parse_size(text).map(|bytes| bytes.0) {
        Some(bytes) if bytes >= MEMORY_MIN => Ok(bytes),
        Some(_) => Err(say!(
            zh: "少于 4M；大小写作 512M 或 2G",
            en: "less than 4M; write a size as 512M or 2G"
        )),
        None => Err(say!(zh: "大小写作 512M 或 2G", en: "write a size as 512M or 2G")),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Check everything, all problems at once.
    Check,
    /// Show every value and where it comes from, secrets masked.
    Show,
}
