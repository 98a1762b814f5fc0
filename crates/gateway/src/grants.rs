//! Grants: what a running task may do in its own chat, by a token that dies with it.
//!
//! A program of a task has neither the app's secret nor the operator's socket. It has a token, good
//! for one chat and for as long as its handler runs: kept in memory alone, so that no restart brings
//! an old one back. What can be done with one is [`crate::task_api`]'s business.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larkline_client::Secret;
use larkline_proto::id::OpenId;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::live::Live;
use crate::outgoing::Destination;
use crate::task_api::Places;

/// The variable that names the socket for tasks.
pub const SOCKET: &str = "LARKLINE_SOCKET";
/// The variable that holds the token.
pub const TOKEN: &str = "LARKLINE_TOKEN";
/// The variable that names this binary, for scripts whose `PATH` does not lead to it.
pub const BIN: &str = "LARKLINE_BIN";

/// Name of the MCP server that talks to the chat.
pub const MCP_NAME: &str = "larkline";

/// Bytes of a token that nobody can guess.
const TOKEN_BYTES: usize = 32;
/// Messages of one task; more is a runaway that would bury its chat.
const MESSAGES_MAX: u32 = 1000;
/// Files of one task, each of the size that the platform takes.
const FILES_MAX: u32 = 50;
/// Jobs that one task starts; more is a runaway.
const JOBS_MAX: u32 = 20;

/// The grants of tasks that run.
#[derive(Debug)]
pub struct Grants {
    socket: PathBuf,
    binary: Option<PathBuf>,
    open: Mutex<HashMap<String, Arc<Grant>>>,
    /// Questions under way, which end with their tasks.
    asking: Mutex<JoinSet<()>>,
}

/// What one task may do.
pub struct Grant {
    /// Its chat.
    pub live: Live,
    /// Where what it says goes.
    pub to: Destination,
    /// Who may answer its questions.
    pub people: Vec<OpenId>,
    /// The person whose message or job it is about.
    pub by: Option<OpenId>,
    /// Whether it may start jobs.
    pub may_start_jobs: bool,
    /// Its messages that are updated in place.
    pub places: Places,
    /// Cancelled when the task ends.
    pub over: CancellationToken,
    /// How many of its questions wait for a person.
    waiting: watch::Sender<usize>,
    spent: Mutex<Spent>,
}

/// A question of a task waits for a person, for as long as this lives.
#[derive(Debug)]
#[must_use = "dropping it says that nobody is waited for"]
pub struct Waits(watch::Sender<usize>);

/// What a grant has been used for.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    messages: u32,
    files: u32,
    jobs: u32,
}

/// What a grant is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A message, or a question.
    Message,
    /// A file.
    File,
    /// A job.
    Job,
}

/// Where a program of a task finds the gateway, and what it shows there.
#[derive(Clone, Debug)]
pub struct Access {
    socket: PathBuf,
    token: Secret,
    binary: Option<PathBuf>,
    waiting: watch::Receiver<usize>,
}

/// An open grant; dropping it ends it.
#[derive(Debug)]
#[must_use = "dropping it ends the grant"]
pub struct Granted {
    grants: Arc<Grants>,
    access: Access,
    over: CancellationToken,
}

impl Grants {
    /// No grants yet; tasks find the gateway at `socket`. Asked for at the start: a binary that is
    /// replaced while it runs has another name afterwards.
    pub fn new(socket: PathBuf) -> Self {
        let (open, asking) = (Mutex::default(), Mutex::default());
        Self { socket, binary: std::env::current_exe().ok(), open, asking }
    }

    /// The socket for tasks.
    pub fn socket(&self) -> &PathBuf {
        &self.socket
    }

    /// Opens a grant; `None` when the system has no randomness to make a token of.
    pub fn open(self: &Arc<Self>, grant: Grant) -> Option<Granted> {
        let mut bytes = [0; TOKEN_BYTES];
        let random = rustls::crypto::ring::default_provider().secure_random;
        if random.fill(&mut bytes).is_err() {
            tracing::error!("no randomness for a token: the task cannot talk back");
            return None;
        }
        let token = hex::encode(bytes);
        let (over, waiting) = (grant.over.clone(), grant.waiting.subscribe());
        self.lock().insert(token.clone(), Arc::new(grant));
        let (socket, binary) = (self.socket.clone(), self.binary.clone());
        let access = Access { socket, token: token.into(), binary, waiting };
        Some(Granted { grants: Arc::clone(self), access, over })
    }

    /// The grant of a token; nothing when its task has ended, or there was none.
    pub fn of(&self, token: &str) -> Option<Arc<Grant>> {
        self.lock().get(token).cloned()
    }

    /// Runs what a question takes, also when whoever asked is gone.
    pub fn run(&self, question: impl Future<Output = ()> + Send + 'static) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        while asking.try_join_next().is_some() {}
        asking.spawn(question);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Grant>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grant {
    /// A grant for a task in its chat.
    pub fn new(
        live: Live,
        to: Destination,
        people: Vec<OpenId>,
        by: Option<OpenId>,
        may_start_jobs: bool,
    ) -> Self {
        let (places, over) = (Places::default(), CancellationToken::new());
        let (waiting, spent) = (watch::Sender::new(0), Mutex::default());
        Self { live, to, people, by, may_start_jobs, places, over, waiting, spent }
    }

    /// Says that a question waits for a person.
    pub fn waits(&self) -> Waits {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Waits(self.waiting.clone())
    }

    /// Counts a use; `false` when there were too many.
    pub fn spend(&self, it: Use) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, most) = match it {
            Use::Message => (&mut spent.messages, MESSAGES_MAX),
            Use::File => (&mut spent.files, FILES_MAX),
            Use::Job => (&mut spent.jobs, JOBS_MAX),
        };
        let may = *count < most;
        *count += u32::from(may);
        may
    }
}

impl Granted {
    /// What its programs are given.
    pub fn access(&self) -> Access {
        self.access.clone()
    }
}

impl Access {
    /// Variables for a program of the task.
    pub fn env(&self) -> Vec<(String, String)> {
        let binary = self.binary.as_ref().map(|path| (BIN, path.display().to_string()));
        [(SOCKET, self.socket.display().to_string()), (TOKEN, self.token.expose().to_owned())]
            .into_iter()
            .chain(binary)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The MCP server that talks to the chat of the task, in the form that agents read; nothing
    /// when this program cannot be started again.
    pub fn mcp(&self) -> Option<String> {
        let command = self.binary.as_ref()?;
        let env: HashMap<String, String> = self.env().into_iter().collect();
        let server = json!({ "command": command, "args": ["mcp"], "env": env });
        Some(json!({ "mcpServers": { MCP_NAME: server } }).to_string())
    }

    /// Whether a question of the task waits for a person, now and when that changes.
    pub fn waiting(&self) -> watch::Receiver<usize> {
        self.waiting.clone()
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        self.grants.lock().remove(self.access.token.expose());
        self.over.cancel();
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("task", &self.to.task).finish_non_exhaustive()
    }
}
