//! `larkline job`: durable commands, for operators, and for programs of a running task within their
//! own chat.

use std::path::PathBuf;

use anyhow::{Result, bail};
use http::Method;
use larkline_gateway::jobs::{JobRequest, JobSpec, JobState, JobView};
use serde_json::{Value, json};

use super::ask::{self, Gateway};
use super::task::{self, Task};
use crate::args::{Format, JobAction, JobRunArgs};
use crate::exit::ExitStatus;
use crate::output;

/// Who asks: the operator, or a task.
enum Way {
    Operator(Gateway),
    Task(Task),
}

/// `larkline job …`
///
/// # Errors
/// When the gateway is not there or refuses.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    action: JobAction,
) -> Result<ExitStatus> {
    let way = match Task::of_env(None)? {
        Some(task) => Way::Task(task),
        None => Way::Operator(Gateway::of(&ask::load(file)?)),
    };
    match action {
        JobAction::Run(args) => start(&way, format, args).await,
        JobAction::List { chat, limit } => list(&way, format, chat, limit).await,
        JobAction::Show { job } => show(&way, format, &job).await,
        JobAction::Stop { job } => act(&way, &job, "stop").await,
        JobAction::Retry { job } => act(&way, &job, "retry").await,
    }
}

async fn start(way: &Way, format: Format, args: JobRunArgs) -> Result<ExitStatus> {
    let cwd = match args.cwd {
        Some(cwd) => task::here()?.join(cwd),
        None => task::here()?,
    };
    let job = JobSpec {
        argv: args.command,
        cwd: Some(cwd),
        name: args.name,
        attempts: args.attempts,
        timeout_s: args.timeout.map(|timeout| timeout.as_secs().max(1)),
        memory: args.memory,
    };
    let taken: JobView = match way {
        Way::Operator(gateway) => {
            let request = JobRequest { app: args.app, chat: args.chat, job };
            gateway.post("/v1/jobs", &request).await?
        }
        Way::Task(_) if args.chat.is_some() || args.app.is_some() => {
            bail!("a job of a task answers its own chat; leave --chat and --app out");
        }
        Way::Task(task) => task.run(&job).await?,
    };
    output::show(format, &taken, |job| job.id.clone())?;
    Ok(ExitStatus::Ok)
}

async fn list(way: &Way, format: Format, chat: Option<String>, limit: usize) -> Result<ExitStatus> {
    let jobs: Vec<JobView> = match way {
        Way::Operator(gateway) => {
            gateway.get("/v1/jobs", &json!({ "chat": chat, "limit": limit })).await?
        }
        Way::Task(_) if chat.is_some() => bail!("a task sees its own chat; leave --chat out"),
        Way::Task(task) => task.get("/v1/task/jobs").await?,
    };
    output::show(format, &jobs, |jobs| {
        output::table(
            &["ID", "TIME", "STATE", "ATTEMPT", "CHAT", "CODE", "NAME"],
            jobs.iter().map(|job| {
                vec![
                    job.id.clone(),
                    output::local_time(job.created_ms),
                    job.state.word().to_owned(),
                    format!("{}/{}", job.attempt, job.attempts),
                    job.chat_id.clone(),
                    job.code.clone(),
                    job.name.clone(),
                ]
            }),
        )
    })?;
    Ok(ExitStatus::Ok)
}

async fn show(way: &Way, format: Format, job: &str) -> Result<ExitStatus> {
    let job: JobView = match way {
        Way::Operator(gateway) => gateway.call(Method::GET, &format!("/v1/jobs/{job}")).await?,
        Way::Task(task) => task.get(&format!("/v1/task/jobs/{job}")).await?,
    };
    output::show(format, &job, tell)?;
    Ok(ExitStatus::Ok)
}

fn tell(job: &JobView) -> String {
    let mut lines = vec![
        format!("{}  {}  {}", job.id, job.state.word(), job.name),
        format!("attempt {} of {}", job.attempt, job.attempts),
        format!("asked for {}", output::local_time(job.created_ms)),
    ];
    lines.extend(job.began_ms.map(|at| format!("begun {}", output::local_time(at))));
    lines.extend(job.ended_ms.map(|at| format!("ended {}", output::local_time(at))));
    if let Some(at) = job.due_ms.filter(|_| job.state == JobState::Retrying) {
        lines.push(format!("tried again {}", output::local_time(at)));
    }
    if let Some(outcome) = &job.outcome {
        let code = outcome.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        let seconds = outcome.took_ms / 1000;
        lines.push(format!("last attempt: {}{code}, {seconds} s", outcome.word));
    }
    if !job.error.is_empty() {
        lines.push(format!("{}: {}", job.code, job.error));
    }
    lines.push(format!("its story: larkline explain {}", job.event_id));
    if let Some(log) = &job.log {
        lines.push(format!("printed (all of it in {}):", log.display()));
        lines.push(job.output.clone());
    }
    lines.join("\n")
}

async fn act(way: &Way, job: &str, action: &str) -> Result<ExitStatus> {
    let _: Value = match way {
        Way::Operator(gateway) => {
            gateway.call(Method::POST, &format!("/v1/jobs/{job}/{action}")).await?
        }
        Way::Task(task) => task.post(&format!("/v1/task/jobs/{job}/{action}"), &json!({})).await?,
    };
    output::note(&format!("{job}: {action}"));
    Ok(ExitStatus::Ok)
}
