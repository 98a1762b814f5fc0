//! Handlers: what turns a message into an answer.
//!
//! The set is closed and chosen by configuration, so it is an enum and not a trait. A handler
//! gets a [`Turn`] and gives an [`Answer`] or a [`HandlerError`]; it never talks to the
//! platform or the store itself. Everything that leaves goes through the outbox.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt as _;
use larkline_client::Dialer;
use larkline_proto::id::OpenId;

use crate::config;
use crate::words::Lang;

pub mod agent;
pub mod answer;
pub mod children;
pub mod command;
mod conversation;
mod conversing;
pub mod desk;
pub mod files;
pub mod http;
pub mod job;
pub mod llm;
mod parcel;
pub mod retry;
pub mod tell;
pub mod turn;

pub use agent::Agent;
pub use answer::{Answer, HandlerError, Retry};
pub use children::Children;
pub use command::Command;
pub use desk::Desk;
pub use http::{Http, HttpError};
pub use job::Job;
pub use llm::Llm;
pub use parcel::{Parcel, ParcelError};
pub use turn::Turn;

/// A handler, ready to work.
#[derive(Debug)]
pub enum Handler {
    /// Says what it heard.
    Echo(Echo),
    /// Runs a program.
    Command(Command),
    /// Posts to a service.
    Http(Http),
    /// Runs a coding agent.
    Agent(Box<Agent>),
    /// Asks a language model.
    Llm(Box<Llm>),
    /// The gateway's own.
    Desk(Desk),
    /// Runs jobs.
    Job(Box<Job>),
}

/// What handlers are made with. Prints nothing: the environment holds secrets.
#[derive(Clone)]
pub struct Resources {
    /// Where programs run.
    pub children: Children,
    /// The way to services.
    pub dialer: Dialer,
    /// The gateway's own environment; programs get the variables they are allowed.
    pub env: BTreeMap<String, String>,
    /// From SIGTERM to SIGKILL.
    pub kill_grace: Duration,
    /// The state directory: folders of tasks and conversations are below it.
    pub state_dir: PathBuf,
}

/// Says what it heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// Put before the text.
    pub prefix: String,
}

impl Handler {
    /// Makes a handler from its configuration; starts and dials nothing.
    ///
    /// # Errors
    /// [`HttpError`] when a service cannot be reached with these settings.
    pub fn new(settings: &config::Handler, resources: &Resources) -> Result<Self, HttpError> {
        Ok(match settings {
            config::Handler::Echo(echo) => Self::Echo(Echo { prefix: echo.prefix.clone() }),
            config::Handler::Command(command) => {
                Self::Command(Command::new(command.clone(), resources))
            }
            config::Handler::Http(http) => Self::Http(Http::new(http.clone(), &resources.dialer)?),
            config::Handler::Agent(agent) => {
                Self::Agent(Box::new(Agent::new((**agent).clone(), resources)))
            }
            config::Handler::Llm(llm) => Self::Llm(Box::new(Llm::new((**llm).clone(), resources)?)),
        })
    }

    /// Handles one turn. Cancelling `turn.cancel` ends it in order; dropping the future ends
    /// it at once.
    ///
    /// # Errors
    /// [`HandlerError`], also when the handler panics: a bug in one must not end the daemon.
    pub async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        contained(async {
            match self {
                Self::Echo(echo) => Ok(echo.handle(turn)),
                Self::Command(command) => command.handle(turn).await,
                Self::Http(http) => http.handle(turn).await,
                Self::Agent(agent) => agent.handle(turn).await,
                Self::Llm(llm) => llm.handle(turn).await,
                Self::Desk(desk) => desk.handle(turn).await,
                Self::Job(job) => job.handle(turn).await,
            }
        })
        .await
    }

    /// Whether it has conversations, with what they show in the chat while a turn runs.
    pub fn converses(&self) -> bool {
        match self {
            Self::Agent(_) | Self::Llm(_) => true,
            Self::Echo(_) | Self::Command(_) | Self::Http(_) | Self::Desk(_) | Self::Job(_) => {
                false
            }
        }
    }

    /// Whether its programs are given a token to talk back with.
    pub fn talks_back(&self) -> bool {
        match self {
            Self::Command(_) | Self::Job(_) => true,
            Self::Agent(agent) => agent.talks_back(),
            Self::Echo(_) | Self::Http(_) | Self::Llm(_) | Self::Desk(_) => false,
        }
    }

    /// Who may answer questions of its turns, besides the owners and whoever began them.
    pub fn approvers(&self) -> &[OpenId] {
        match self {
            Self::Agent(agent) => agent.approvers(),
            Self::Echo(_)
            | Self::Command(_)
            | Self::Http(_)
            | Self::Llm(_)
            | Self::Desk(_)
            | Self::Job(_) => &[],
        }
    }

    /// What the chat of a turn is told when it is given up; nothing for the usual words.
    pub fn farewell(&self, lang: Lang, turn: &Turn, error: &HandlerError) -> Option<String> {
        if !error.said.is_empty() {
            return Some(error.said.clone());
        }
        match self {
            Self::Job(_) => Some(Job::farewell(lang, turn, error)),
            Self::Echo(_)
            | Self::Command(_)
            | Self::Http(_)
            | Self::Agent(_)
            | Self::Llm(_)
            | Self::Desk(_) => None,
        }
    }

    /// Attempts of a turn, where it says so itself.
    pub fn attempts(&self, turn: &Turn) -> Option<u32> {
        match self {
            Self::Job(_) => Job::attempts(turn),
            Self::Echo(_)
            | Self::Command(_)
            | Self::Http(_)
            | Self::Agent(_)
            | Self::Llm(_)
            | Self::Desk(_) => None,
        }
    }

    /// How long an answer that was announced for later may take; nothing when the handler
    /// announces none.
    pub fn reply_within(&self) -> Option<Duration> {
        match self {
            Self::Echo(_)
            | Self::Command(_)
            | Self::Agent(_)
            | Self::Llm(_)
            | Self::Desk(_)
            | Self::Job(_) => None,
            Self::Http(http) => http.reply_within(),
        }
    }
}

impl Echo {
    /// The text of a message; nothing for events that are no messages.
    pub fn handle(&self, turn: &Turn) -> Answer {
        if turn.text.is_empty() {
            return Answer::default();
        }
        Answer::text(&format!("{}{}", self.prefix, turn.text))
    }
}

/// Turns a panic of the work into an error.
async fn contained(
    work: impl Future<Output = Result<Answer, HandlerError>>,
) -> Result<Answer, HandlerError> {
    // What the work borrowed is the handler's own, and each turn finds it as it was made.
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let what = message(&*panic);
        Err(HandlerError::new("panic", format!("a bug in larkline, please report it: {what}")))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_an_error_of_that_turn() {
        let error = contained(async { panic!("boom {}", 1) }).await.unwrap_err();
        assert_eq!(error.code, "panic");
        assert!(error.detail.contains("boom 1"), "{error}");
    }
}
