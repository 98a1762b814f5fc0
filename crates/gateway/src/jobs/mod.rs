//! Jobs: durable commands, started by an operator or a running task, that answer a chat.
//!
//! A job is an event of our own making. It is accepted with its decision, so attempts, backoff,
//! dead letters, stories and restarts are those of every other task; its lane is its own, so that it
//! holds up nobody's turn. Running one is [`crate::handler::job`]'s business. What the platform
//! delivers is never taken for one: `intake` stores it under another kind.

mod spec;
mod view;

use std::path::Path;

use larkline_proto::content::preview;
use larkline_proto::event::Event;
use larkline_proto::id::{ChatId, MessageId, OpenId};
use larkline_store::StoreError;
use larkline_store::inbox::{Accepted, Decision, InboxId, NewEvent, Ruling};
use larkline_store::job::{JOB, JobQuery, JobRecord, JobTask};
use larkline_store::record::DeadItem;
use larkline_store::task::NewTask;
use serde_json::json;
use std::sync::atomic::Ordering;
use uuid::Uuid;

use crate::clock::now_ms;
use crate::config::{Common, JOBS};
use crate::intake;
use crate::outgoing::{Destination, Saying};
use crate::shared::{AppRuntime, Shared};
use crate::turns::Stop;
use crate::words;
use crate::words::Lang;

pub use spec::{JobRequest, JobSpec, SpecError};
pub(crate) use view::OUTPUT;
pub use view::{JobState, JobView, Outcome};

/// Name of the route in a job's story.
const ROUTE: &str = "job";

/// A job to be started.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The chat that it answers; none is told when there is none.
    pub chat: Option<ChatId>,
    /// The message that its answer quotes.
    pub quote: Option<MessageId>,
    /// The person in whose name it runs.
    pub by: Option<OpenId>,
    /// What is to be run.
    pub spec: JobSpec,
}

/// A job was not started, stopped or retried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// What is to be run makes no sense.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Too much waits already.
    #[error("too much waits already; see `larkline status`")]
    Overfull,
    /// There is none of this number here.
    #[error("there is no job {0} here; see `larkline job list`")]
    Unknown(String),
    /// It is over.
    #[error("job {0} is over; see `larkline job show {0}`")]
    Over(String),
    /// It is changing just now.
    #[error("job {0} begins or ends just now; try again")]
    Changing(String),
    /// It did not fail.
    #[error("job {0} has not failed, and only that is retried; see `larkline job show {0}`")]
    NotFailed(String),
    /// The store refused.
    #[error("{0}; see `larkline status`")]
    Store(#[from] StoreError),
}

impl JobError {
    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        match (lang, self) {
            (Lang::En, error) => error.to_string(),
            (Lang::Zh, Self::Spec(error)) => error.said(lang),
            (Lang::Zh, Self::Overfull) => "等待的工作太多；见 `larkline status`".to_owned(),
            (Lang::Zh, Self::Unknown(job)) => {
                format!("这里没有任务 {job}；见 `larkline job list`")
            }
            (Lang::Zh, Self::Over(job)) => {
                format!("任务 {job} 已经结束；见 `larkline job show {job}`")
            }
            (Lang::Zh, Self::Changing(job)) => format!("任务 {job} 正在开始或结束；请再试"),
            (Lang::Zh, Self::NotFailed(job)) => {
                format!("任务 {job} 没有失败，只有失败的才能重试；见 `larkline job show {job}`")
            }
            (Lang::Zh, Self::Store(error)) => format!("存储出错（{error}）；见 `larkline status`"),
        }
    }
}

/// Starts a job; its number.
///
/// # Errors
/// [`JobError`] when it makes no sense, or nothing more is taken.
pub async fn start(shared: &Shared, app: &AppRuntime, new: NewJob) -> Result<InboxId, JobError> {
    new.spec.check()?;
    if shared.overfull.load(Ordering::Relaxed) {
        return Err(JobError::Overfull);
    }
    let event = event(shared, app, &new);
    let accepted = shared.store.accept(vec![event].into()).await?;
    let Some(accepted) = accepted.first() else { return Err(JobError::Overfull) };
    let id = accepted.id();
    match accepted {
        // An older event of its chat is decided first.
        Accepted::Undecided(_) => shared.routing.notify_waiters(),
        Accepted::New(_) | Accepted::Duplicate { .. } => shared.dispatch.notify_waiters(),
    }
    tracing::info!(
        app = app.name,
        inbox_id = id.0,
        chat_id = new.chat.as_ref().map_or("", |chat| chat.as_str()),
        program = new.spec.argv.first().map_or("", String::as_str),
        "job taken"
    );
    Ok(id)
}

fn event(shared: &Shared, app: &AppRuntime, new: &NewJob) -> NewEvent {
    let (event_id, at_ms) = (format!("job-{}", Uuid::now_v7().simple()), now_ms());
    let payload = json!({
        "schema": "2.0",
        "header": {
            "event_id": event_id,
            "event_type": JOB,
            "create_time": at_ms.to_string(),
            "app_id": app.app_id,
        },
        "event": {
            "chat_id": new.chat,
            "message_id": new.quote,
            "operator_id": { "open_id": new.by },
            "job": new.spec,
        },
    })
    .to_string();
    let mut event = NewEvent {
        app: app.name.clone(),
        received_ms: at_ms,
        boot_id: shared.boot_id.clone(),
        ..NewEvent::default()
    };
    if let Ok(read) = Event::parse(payload.as_bytes()) {
        intake::describe(&mut event, &read, false);
    }
    if shared.config.load().log.previews {
        event.preview = preview(&new.spec.label());
    }
    event.ruling = Some(ruling(event.event_id.as_str()));
    event.payload = payload.into_bytes();
    event
}

/// What becomes of a job: it has a lane of its own.
pub fn ruling(event_id: &str) -> Ruling {
    let task = NewTask {
        route: ROUTE.to_owned(),
        handler: JOBS.to_owned(),
        lane: lane(event_id),
        due_ms: 0,
    };
    Ruling { at_ms: now_ms(), decision: Decision::Queue(vec![task]), notice: None }
}

fn lane(event_id: &str) -> String {
    format!("{JOBS}/{event_id}")
}

/// The number of a job as people write it: `j7`.
pub fn name_of(id: InboxId) -> String {
    format!("j{}", id.0)
}

/// Jobs, newest first.
///
/// # Errors
/// [`JobError::Store`].
pub async fn list(shared: &Shared, query: JobQuery) -> Result<Vec<JobView>, JobError> {
    let attempts = shared.config.load().jobs.retry.attempts;
    let records = shared.store.jobs(query).await?;
    Ok(records.iter().map(|record| JobView::of(record, attempts)).collect())
}

/// One job, with the end of what it printed; `scope` limits where it is looked for.
///
/// # Errors
/// [`JobError`] when it is not there.
pub async fn show(
    shared: &Shared,
    state_dir: &Path,
    job: &str,
    scope: JobQuery,
) -> Result<JobView, JobError> {
    let record = find(shared, job, scope).await?;
    let attempts = shared.config.load().jobs.retry.attempts;
    Ok(JobView::of(&record, attempts).with_output(state_dir))
}

/// Ends a job, or takes it back when it has not begun.
///
/// # Errors
/// [`JobError`] when it is not there, or over.
pub async fn stop(
    shared: &Shared,
    state_dir: &Path,
    job: &str,
    scope: JobQuery,
    by: OpenId,
) -> Result<(), JobError> {
    let record = find(shared, job, scope).await?;
    let Some(task) = record.task.as_ref().filter(|task| task.facts.state == "queued") else {
        return Err(if record.task.is_none() {
            JobError::Changing(job.to_owned())
        } else {
            JobError::Over(job.to_owned())
        });
    };
    // It says itself that it was stopped.
    if shared.turns.stop(&lane(record.item.event_id.as_str()), Stop::By(by)) {
        return Ok(());
    }
    let replies = farewell(shared, &record, task);
    if !shared.store.withdraw(task.facts.id, replies, now_ms()).await? {
        return Err(JobError::Changing(job.to_owned()));
    }
    shared.delivery.notify_waiters();
    Outcome::stopped(now_ms()).write(state_dir, task.facts.id);
    Ok(())
}

/// Makes a failed job due again, with fresh attempts.
///
/// # Errors
/// [`JobError`] when it is not there, or has not failed.
pub async fn retry(shared: &Shared, job: &str, scope: JobQuery) -> Result<(), JobError> {
    let record = find(shared, job, scope).await?;
    let retried = match &record.task {
        Some(task) => shared.store.retry_dead(DeadItem::Task(task.facts.id), now_ms()).await?,
        None => false,
    };
    if !retried {
        return Err(JobError::NotFailed(job.to_owned()));
    }
    shared.dispatch.notify_waiters();
    Ok(())
}

async fn find(shared: &Shared, job: &str, scope: JobQuery) -> Result<JobRecord, JobError> {
    let unknown = || JobError::Unknown(job.to_owned());
    let number = job.strip_prefix('j').and_then(|n| n.parse().ok()).ok_or_else(unknown)?;
    let query = JobQuery { id: Some(InboxId(number)), limit: 1, ..scope };
    shared.store.jobs(query).await?.into_iter().next().ok_or_else(unknown)
}

/// What its chat is told about a job that is taken back.
fn farewell(
    shared: &Shared,
    record: &JobRecord,
    task: &JobTask,
) -> Vec<larkline_store::outbox::NewOutbox> {
    let config = shared.config.load();
    let Ok(event) = Event::parse(&record.item.payload) else { return Vec::new() };
    let common = Common::of_jobs(&config.jobs);
    let Some(to) = Destination::of(&record.item, task.facts.id, JOBS, &event, &common) else {
        return Vec::new();
    };
    let label = JobSpec::of(&record.item.payload).map(|spec| spec.label()).unwrap_or_default();
    let markdown = words::job_withdrawn(config.language, &label);
    let (ending, footer) = (String::new(), name_of(record.item.id));
    let said = vec![Saying::Answer { markdown, ending, footer }];
    to.rows("w", said, None, config.log.previews, now_ms())
}
