//! The handler that runs a program: the message as JSON on stdin, the answer on stdout.
//!
//! No shell reads the arguments, and nothing a person wrote becomes an argument. The child's
//! environment is made from an allow-list: what the gateway knows, the child does not.
//! Starting, limiting and ending it is not here: `children` does that.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use larkline_client::Secret;
use larkline_proto::id::{ChatId, MessageId, OpenId};
use rustix::process::Signal;

use super::Resources;
use super::answer::{Answer, HandlerError, Retry};
use super::children::{Children, End, Job, Limits, Outcome};
use super::turn::Turn;
use crate::config::{self, OutputFormat};
use crate::grants::Access;

/// Variables of the gateway's own environment that every child gets.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// Variables that no child gets from the gateway's environment, whatever the configuration
/// says: they hold the app's secret, or overlay the gateway's own configuration.
const WITHHELD: [&str; 3] = ["FEISHU_APP_SECRET", "LARK_APP_SECRET", "LARKLINE_"];

/// How much of the last complaints an error carries.
const DETAIL_BYTES_MAX: usize = 1024;

/// What programs die of, as the manuals call it.
const SIGNALS: [(Signal, &str); 13] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::ILL, "SIGILL"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::KILL, "SIGKILL (out of memory, or somebody)"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::TERM, "SIGTERM"),
    (Signal::XCPU, "SIGXCPU (its limit of processor time)"),
    (Signal::XFSZ, "SIGXFSZ (its limit of file size)"),
];

/// Runs a program for each turn.
#[derive(Debug)]
pub struct Command {
    settings: config::Command,
    env: BTreeMap<String, Secret>,
    limits: Limits,
    children: Children,
}

impl Command {
    /// Makes the handler. The variables that its programs may inherit are taken from the
    /// gateway's environment here, once.
    pub fn new(settings: config::Command, resources: &Resources) -> Self {
        let mut env = inherited(&settings.pass_env, &resources.env);
        env.extend(settings.env.clone());
        let limits = Limits {
            wall: settings.timeout,
            idle: settings.idle,
            grace: resources.kill_grace,
            output_bytes: usize::try_from(settings.output_max.0).unwrap_or(usize::MAX),
            memory_bytes: settings.memory.map(|memory| memory.0),
            file_bytes: settings.file_max.map(|file| file.0),
            memory_tree: None,
            processes: None,
            cpu_percent: None,
        };
        Self { settings, env, limits, children: resources.children.clone() }
    }

    /// Runs the program once.
    ///
    /// # Errors
    /// [`HandlerError`] when it cannot be started, does not end by itself with exit code 0,
    /// or its answer cannot be read.
    pub async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        if turn.cancel.is_cancelled() {
            return Err(HandlerError::stopped());
        }
        let mut input = turn.to_json().to_string().into_bytes();
        input.push(b'\n');
        let job = Job {
            argv: self.settings.argv.clone(),
            cwd: self.settings.cwd.clone(),
            env: self.env(turn),
            input,
            handler: turn.handler.clone(),
            task: turn.task,
            limits: self.limits.clone(),
        };
        // Boxed: a child's whole life is a large future, and many turns wait in it.
        let outcome = Box::pin(self.children.run(job, &turn.cancel)).await;
        self.read(&outcome.map_err(|error| self.not_started(&error))?)
    }

    fn env(&self, turn: &Turn) -> BTreeMap<String, String> {
        let own = self.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let access = turn.access.iter().flat_map(Access::env);
        own.chain(turn_env(turn)).chain(access).collect()
    }

    fn not_started(&self, error: &std::io::Error) -> HandlerError {
        let program = self.settings.argv.first().map_or("", String::as_str);
        HandlerError::new(
            "spawn",
            format!("{program:?} cannot be started: {error}; check argv and cwd of the handler"),
        )
    }

    fn read(&self, outcome: &Outcome) -> Result<Answer, HandlerError> {
        let limits = &self.limits;
        let (code, what) = match outcome.end {
            End::Exited(status) if status.success() => return self.answer(&outcome.output),
            End::Exited(status) => failure(status),
            End::Wall => ("timeout", format!("still running after {:?}", limits.wall)),
            End::Idle => ("idle", format!("silent for {:?}", limits.idle.unwrap_or_default())),
            End::TooMuch => {
                ("output_too_large", format!("wrote more than {} bytes", limits.output_bytes))
            }
            End::Memory => ("memory", beyond(limits.memory_tree, "bytes of memory")),
            End::Processes => ("processes", beyond(limits.processes, "processes")),
            End::Cancelled => return Err(HandlerError::stopped()),
        };
        Err(HandlerError::new(code, with_complaints(what, &outcome.complaints)))
    }

    fn answer(&self, output: &[u8]) -> Result<Answer, HandlerError> {
        match self.settings.output {
            OutputFormat::Text => Ok(Answer::text(&String::from_utf8_lossy(output))),
            OutputFormat::Json if output.trim_ascii().is_empty() => Ok(Answer::default()),
            // The program is through, with whatever effects it has: no second run.
            OutputFormat::Json => Answer::from_json(output).map_err(|error| {
                HandlerError::new("bad_answer", error.to_string()).with_retry(Retry::Never)
            }),
        }
    }
}

/// What a child inherits of the gateway's environment: the usual few, and what is allowed.
pub(super) fn inherited(
    allowed: &[String],
    env: &BTreeMap<String, String>,
) -> BTreeMap<String, Secret> {
    INHERITED
        .into_iter()
        .chain(allowed.iter().map(String::as_str))
        .filter(|name| !WITHHELD.iter().any(|withheld| name.starts_with(withheld)))
        .filter_map(|name| Some((name.to_owned(), env.get(name)?.as_str().into())))
        .collect()
}

/// What the child may learn from its environment, for scripts that read no JSON.
pub(super) fn turn_env(turn: &Turn) -> impl Iterator<Item = (String, String)> {
    let event = &turn.event;
    let known = [
        ("APP", Some(turn.app.clone())),
        ("ROUTE", Some(turn.route.clone())),
        ("HANDLER", Some(turn.handler.clone())),
        ("SESSION", Some(turn.session.clone())),
        ("TASK_ID", Some(turn.task.0.to_string())),
        ("ATTEMPT", Some(turn.attempt.to_string())),
        ("EVENT_ID", Some(event.id.to_string())),
        ("EVENT_TYPE", Some(event.kind.clone())),
        ("CHAT_ID", event.chat_id().map(ChatId::to_string)),
        ("MESSAGE_ID", event.message_id().map(MessageId::to_string)),
        ("SENDER_ID", event.actor().map(OpenId::to_string)),
        ("REPLY_URL", turn.reply_url.clone()),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| Some((format!("LARKLINE_{name}"), value?)))
        // No variable can hold a NUL, and a program that cannot be started loses the message.
        .filter(|(_, value)| !value.contains('\0'))
}

fn beyond(most: Option<impl Display>, of: &str) -> String {
    let most = most.map_or_else(|| "its".to_owned(), |most| most.to_string());
    format!("it and what it started came to more than {most} {of}")
}

pub(super) fn failure(status: ExitStatus) -> (&'static str, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => ("exit", format!("exit code {code}")),
        (None, Some(signal)) => ("killed", format!("killed by {}", signal_name(signal))),
        (None, None) => ("exit", "ended in an unknown way".to_owned()),
    }
}

pub(super) fn signal_name(number: i32) -> String {
    let name =
        |(signal, name): &(Signal, &str)| (signal.as_raw() == number).then(|| (*name).into());
    SIGNALS.iter().find_map(name).unwrap_or_else(|| format!("signal {number}"))
}

pub(super) fn with_complaints(what: String, complaints: &[u8]) -> String {
    let start = complaints.len().saturating_sub(DETAIL_BYTES_MAX);
    let text = String::from_utf8_lossy(&complaints[start..]);
    match text.trim() {
        "" => what,
        text => format!("{what}; its last words: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Bytes, Common, ReplyStyle, RetrySettings, SessionBy};
    use crate::handler::children::Isolating;

    #[test]
    fn a_tree_that_became_too_large_is_a_failure_with_its_limit() {
        let state = tempfile::tempdir().unwrap();
        let limits = Limits {
            wall: Duration::ZERO,
            idle: None,
            grace: Duration::ZERO,
            output_bytes: 0,
            memory_bytes: None,
            file_bytes: None,
            memory_tree: Some(1000),
            processes: Some(20),
            cpu_percent: None,
        };
        let children = Children::open_with(state.path(), Isolating::Off).unwrap();
        let command = Command { settings: settings(), env: BTreeMap::new(), limits, children };
        let read = |end| {
            let complaints = b"oh".to_vec();
            command.read(&Outcome { end, output: b"half".to_vec(), complaints }).unwrap_err()
        };
        let memory = read(End::Memory);
        assert_eq!((memory.code, memory.retry), ("memory", Retry::Policy));
        assert!(memory.detail.contains("more than 1000 bytes of memory"), "{memory}");
        assert!(memory.detail.ends_with("oh"), "{memory}");
        let processes = read(End::Processes);
        assert_eq!((processes.code, processes.retry), ("processes", Retry::Policy));
        assert!(processes.detail.contains("more than 20 processes"), "{processes}");
    }

    fn settings() -> config::Command {
        let retry =
            RetrySettings { attempts: 1, first: Duration::ZERO, max: Duration::ZERO, factor: 1 };
        config::Command {
            argv: Vec::new(),
            cwd: None,
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            timeout: Duration::ZERO,
            idle: None,
            output_max: Bytes(0),
            output: OutputFormat::Text,
            memory: None,
            file_max: None,
            background: false,
            common: Common {
                session: SessionBy::Chat,
                concurrency: 1,
                retry,
                reply: ReplyStyle::Quote,
                reply_in_thread: false,
                reaction: None,
            },
        }
    }
}
