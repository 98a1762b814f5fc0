//! A job as people and programs see it.

use std::path::{Path, PathBuf};

use larkline_store::job::{JobRecord, JobTask};
use larkline_store::task::TaskId;
use serde::{Deserialize, Serialize};

use super::{JobSpec, name_of};
use crate::handler::files::task_folder;
use crate::handler::job::tail;

/// What a job printed, in its task's folder.
pub(crate) const OUTPUT: &str = "output.log";
/// How its last attempt ended, beside it.
const OUTCOME: &str = "outcome.json";

/// A job as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobView {
    /// Its number: `j7`.
    pub id: String,
    /// Its event, by which its story is found.
    pub event_id: String,
    /// What people call it.
    pub name: String,
    /// What is run.
    pub job: JobSpec,
    /// Name of the app.
    pub app: String,
    /// The chat that it answers; empty for none.
    pub chat_id: String,
    /// Where it stands.
    pub state: JobState,
    /// The number of its task.
    pub task: Option<i64>,
    /// Attempts so far.
    pub attempt: u32,
    /// Attempts in all.
    pub attempts: u32,
    /// When it was asked for, Unix ms.
    pub created_ms: i64,
    /// When its last attempt began, Unix ms.
    pub began_ms: Option<i64>,
    /// When it ended, Unix ms.
    pub ended_ms: Option<i64>,
    /// When a waiting one may begin, Unix ms.
    pub due_ms: Option<i64>,
    /// How its last attempt ended, when that is known.
    pub outcome: Option<Outcome>,
    /// A word from a closed list, when it failed.
    pub code: String,
    /// What happened, when it failed.
    pub error: String,
    /// The end of what it printed; of one job that is looked at.
    pub output: String,
    /// Where all of that is, when it is there.
    pub log: Option<PathBuf>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// An attempt failed, and another follows.
    Retrying,
    /// It ended well, or was stopped: the outcome tells.
    Done,
    /// It was given up.
    Failed,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// `ok`, `stopped`, or the code of the failure.
    pub word: String,
    /// Its exit code; none after a signal or a limit.
    pub exit_code: Option<i32>,
    /// How long it ran, ms.
    pub took_ms: u64,
    /// When it ended, Unix ms.
    pub ended_ms: i64,
}

impl JobState {
    fn of(task: Option<&JobTask>) -> Self {
        let Some(task) = task else { return Self::Queued };
        match (task.facts.state.as_str(), task.is_running, task.facts.attempts) {
            ("queued", true, _) => Self::Running,
            ("queued", false, 0) => Self::Queued,
            ("queued", false, _) => Self::Retrying,
            ("dead" | "dropped", _, _) => Self::Failed,
            _ => Self::Done,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl JobView {
    /// A record, `attempts` being what is configured.
    pub(super) fn of(record: &JobRecord, attempts: u32) -> Self {
        let job = JobSpec::of(&record.item.payload).unwrap_or_default();
        let task = record.task.as_ref();
        let state = JobState::of(task);
        let waits = matches!(state, JobState::Queued | JobState::Retrying);
        Self {
            id: name_of(record.item.id),
            event_id: record.item.event_id.to_string(),
            name: job.label(),
            app: record.item.app.clone(),
            chat_id: record.chat_id.clone(),
            state,
            task: task.map(|task| task.facts.id.0),
            attempt: task.map_or(0, |task| task.facts.attempts),
            attempts: job.attempts.unwrap_or(attempts),
            created_ms: record.item.received_ms,
            began_ms: task.and_then(|task| task.facts.claimed_ms),
            ended_ms: task.and_then(|task| task.facts.ended_ms),
            due_ms: task.filter(|_| waits).map(|task| task.due_ms),
            outcome: None,
            code: task.map(|task| task.facts.code.clone()).unwrap_or_default(),
            error: task.map(|task| task.facts.error.clone()).unwrap_or_default(),
            output: String::new(),
            log: None,
            job,
        }
    }

    /// With what its folder holds.
    pub(super) fn with_output(mut self, state_dir: &Path) -> Self {
        let Some(task) = self.task.map(TaskId) else { return self };
        let log = task_folder(state_dir, task).join(OUTPUT);
        self.outcome = Outcome::read(state_dir, task);
        self.output = tail::of_file(&log);
        self.log = log.exists().then_some(log);
        self
    }
}

impl Outcome {
    /// A job that was stopped before it began.
    pub(super) fn stopped(ended_ms: i64) -> Self {
        Self { word: "stopped".to_owned(), exit_code: None, took_ms: 0, ended_ms }
    }

    /// Leaves it in the folder of its task; what is not left there is not shown.
    pub(crate) fn write(&self, state_dir: &Path, task: TaskId) {
        let folder = task_folder(state_dir, task);
        let text = serde_json::to_vec(self).unwrap_or_default();
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join(OUTCOME), text));
        if let Err(error) = written {
            tracing::warn!(task = task.0, "the outcome of a job is not kept: {error}");
        }
    }

    fn read(state_dir: &Path, task: TaskId) -> Option<Self> {
        let text = std::fs::read(task_folder(state_dir, task).join(OUTCOME)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}
