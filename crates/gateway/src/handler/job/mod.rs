//! The handler that runs jobs, and tells their chats how they ended.
//!
//! A job's program prints into a file in its task's folder, of which the chat sees the end. It has
//! no stdin. Attempts, waits between them and what a restart means are dispatch's, as for every task;
//! what a job is, [`crate::jobs`]'s business.

mod print;
pub(crate) mod tail;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use larkline_client::Secret;
use larkline_store::inbox::InboxId;
use tokio::time::Instant;

use super::Resources;
use super::answer::{Answer, HandlerError, Retry};
use super::children::{Children, End, Heard, Job as ChildJob, Limits, Talk};
use super::command::{inherited, signal_name, turn_env};
use super::files::Folder;
use super::turn::Turn;
use crate::clock::now_ms;
use crate::config;
use crate::grants::Access;
use crate::jobs::{JobSpec, Outcome, name_of};
use crate::outgoing::Saying;
use crate::shared::Shared;
use crate::turns::Running;
use crate::words::{self, Lang};
use print::Print;

/// Where a job leaves files for the chat.
const OUT: &str = "LARKLINE_OUT";
/// The variable with the job's number.
const NUMBER: &str = "LARKLINE_JOB";
/// Becomes the program, whose complaints stand where it made them. Its words are arguments and
/// never part of the script.
const TOGETHER: [&str; 3] = ["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1"];

/// Runs jobs.
pub struct Job {
    shared: Arc<Shared>,
    settings: config::Jobs,
    env: BTreeMap<String, Secret>,
    children: Children,
    kill_grace: Duration,
    state_dir: PathBuf,
}

/// How an attempt was over.
enum Over {
    By(End),
    /// Somebody stopped it.
    Stopped,
    /// The service stops.
    CutOff,
}

/// What is told of an attempt.
struct Told<'a> {
    lang: Lang,
    label: &'a str,
    took: Duration,
    output: String,
}

impl Job {
    /// The handler of a gateway.
    pub fn new(shared: Arc<Shared>, settings: config::Jobs, resources: &Resources) -> Self {
        let env = inherited(&settings.pass_env, &resources.env);
        let (children, state_dir) = (resources.children.clone(), resources.state_dir.clone());
        let kill_grace = resources.kill_grace;
        Self { shared, settings, env, children, kill_grace, state_dir }
    }

    /// Attempts of the job that a turn is about, when it says so itself.
    pub fn attempts(turn: &Turn) -> Option<u32> {
        JobSpec::of(&turn.payload)?.attempts
    }

    /// What a chat is told of a job that is given up without having ended.
    pub fn farewell(lang: Lang, turn: &Turn, error: &HandlerError) -> String {
        let label = JobSpec::of(&turn.payload).map(|spec| spec.label()).unwrap_or_default();
        match error.code {
            "interrupted" => words::job_interrupted(lang, &label),
            code => words::job_broken(lang, &label, code, &error.detail),
        }
    }

    /// Runs one attempt.
    ///
    /// # Errors
    /// [`HandlerError`] when its program cannot be started, or does not end with exit code 0.
    pub async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        let Some(spec) = JobSpec::of(&turn.payload) else {
            let error = HandlerError::new("bad_job", "it does not say what is to be run");
            return Err(error.with_retry(Retry::Never));
        };
        if turn.cancel.is_cancelled() {
            return Err(HandlerError::stopped());
        }
        let began = Instant::now();
        let mut running = self.shared.turns.begin(&turn.session, turn.task, Vec::new());
        let folder = Folder::make(&self.state_dir, turn.task)
            .map_err(|error| HandlerError::new("spawn", format!("the task's folder: {error}")))?;
        let mut print = Print::open(&folder.root(), turn.attempt).await;
        let mut talk = self.start(turn, &spec, &folder).await?;
        let over = Box::pin(self.listen(turn, &mut talk, &mut running, &mut print)).await;
        let left = talk.end(Duration::ZERO).await;
        for line in left.lines.iter().map(Vec::as_slice).chain(lines(&left.complaints)) {
            print.line(line).await;
        }
        let lang = self.shared.config.load().language;
        let (took, label) = (began.elapsed(), spec.label());
        let told = Told { lang, label: &label, took, output: print.end().await };
        let over = if left.memory_killed { Over::By(End::Memory) } else { over };
        self.ended(turn, &spec, over, &told, &folder).await
    }

    async fn start(
        &self,
        turn: &Turn,
        spec: &JobSpec,
        folder: &Folder,
    ) -> Result<Talk, HandlerError> {
        let own = self.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let access = turn.access.iter().flat_map(Access::env);
        let mut env: BTreeMap<String, String> = own.chain(turn_env(turn)).chain(access).collect();
        env.insert(OUT.to_owned(), folder.outgoing().display().to_string());
        env.insert(NUMBER.to_owned(), self.number(turn));
        let argv = TOGETHER.into_iter().map(str::to_owned).chain(spec.argv.iter().cloned());
        let job = ChildJob {
            argv: argv.collect(),
            cwd: spec.cwd.clone(),
            env,
            input: Vec::new(),
            handler: turn.handler.clone(),
            task: turn.task,
            limits: self.limits(spec),
        };
        let mut talk = Box::pin(self.children.talk(job)).await.map_err(|error| {
            HandlerError::new("spawn", format!("it cannot be started: {error}; see its cwd"))
        })?;
        talk.close();
        Ok(talk)
    }

    fn limits(&self, spec: &JobSpec) -> Limits {
        Limits {
            wall: spec.timeout_s.map_or(self.settings.timeout, Duration::from_secs),
            idle: None,
            grace: self.kill_grace,
            // Read as it comes, and of a very long output the end.
            output_bytes: usize::MAX,
            memory_bytes: None,
            file_bytes: None,
            memory_tree: spec.memory.or_else(|| self.settings.memory.map(|memory| memory.0)),
            processes: None,
            cpu_percent: None,
        }
    }

    async fn listen(
        &self,
        turn: &Turn,
        talk: &mut Talk,
        running: &mut Running,
        print: &mut Print,
    ) -> Over {
        loop {
            tokio::select! {
                heard = talk.next() => match heard {
                    Heard::Line(line) => print.line(&line).await,
                    Heard::LineTooLong { bytes } => {
                        print.line(format!("[a line of {bytes} bytes]").as_bytes()).await;
                    }
                    Heard::Ended(end) => return Over::By(end),
                },
                _by = running.stopped() => return Over::Stopped,
                () = turn.cancel.cancelled() => return Over::CutOff,
                () = print.due() => print.write().await,
            }
        }
    }

    /// What follows: an answer, or a failure with what its chat is told if it is the last.
    async fn ended(
        &self,
        turn: &Turn,
        spec: &JobSpec,
        over: Over,
        told: &Told<'_>,
        folder: &Folder,
    ) -> Result<Answer, HandlerError> {
        let Told { lang, label, took, .. } = *told;
        let (code, why, detail, exit_code) = match over {
            Over::CutOff => return Err(HandlerError::stopped()),
            Over::Stopped => {
                self.keep(turn, "stopped", None, took);
                let words = words::job_stopped(lang, label, &words::duration(lang, took));
                return Ok(self.answer(turn, told.markdown(&words), "stopped", Vec::new()));
            }
            Over::By(End::Exited(status)) if status.success() => {
                self.keep(turn, "ok", Some(0), took);
                let words = words::job_done(lang, label, &words::duration(lang, took));
                return Ok(self.answer(turn, told.markdown(&words), "ok", folder.left().await));
            }
            Over::By(End::Exited(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => {
                    let detail = format!("exit code {code}");
                    ("exit", words::exit_code(lang, code), detail, Some(code))
                }
                (None, signal) => {
                    let name = signal.map_or_else(|| "a signal".to_owned(), signal_name);
                    ("killed", words::killed(lang, &name), format!("killed by {name}"), None)
                }
            },
            Over::By(End::Memory) => {
                let detail = "it and what it started took more memory than its limit".to_owned();
                ("memory", words::too_much_memory(lang), detail, None)
            }
            Over::By(End::Wall | End::Idle | End::TooMuch | End::Processes | End::Cancelled) => {
                let wall = words::duration(lang, self.limits(spec).wall);
                let detail = format!("still running after {:?}", self.limits(spec).wall);
                ("timeout", words::ran_too_long(lang, &wall), detail, None)
            }
        };
        self.keep(turn, code, exit_code, took);
        let of = spec.attempts.unwrap_or(self.settings.retry.attempts);
        let took = words::duration(lang, took);
        let words = words::job_failed(lang, label, &why, &took, turn.attempt, of);
        let said = format!("{}\n\n{}", told.markdown(&words), self.hint(lang, turn));
        Err(HandlerError { said, ..HandlerError::new(code, detail) })
    }

    fn answer(
        &self,
        turn: &Turn,
        markdown: String,
        outcome: &'static str,
        files: Vec<Saying>,
    ) -> Answer {
        if turn.event.chat_id().is_none() {
            // Nobody is told: `larkline job show` has it.
            return Answer { outcome: Some(outcome), ..Answer::default() };
        }
        let mut said =
            vec![Saying::Answer { markdown, ending: String::new(), footer: self.number(turn) }];
        said.extend(files);
        Answer { said, outcome: Some(outcome), ..Answer::default() }
    }

    fn hint(&self, lang: Lang, turn: &Turn) -> String {
        words::job_hint(lang, &self.number(turn))
    }

    fn number(&self, turn: &Turn) -> String {
        name_of(InboxId(turn.inbox.0))
    }

    fn keep(&self, turn: &Turn, word: &str, exit_code: Option<i32>, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let outcome = Outcome { word: word.to_owned(), exit_code, took_ms, ended_ms: now_ms() };
        outcome.write(&self.state_dir, turn.task);
    }
}

impl Told<'_> {
    /// The words, and the end of what was printed.
    fn markdown(&self, words: &str) -> String {
        if self.output.is_empty() {
            return words.to_owned();
        }
        format!("{words}\n\n{}", super::agent::question::fenced(&self.output))
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}
