//! `larkline job`: durable commands, for operators, and for programs of a running task within their
//! own chat.

use std::path::PathBuf;

use anyhow::{Result, bail};
use http::Method;
use larkline_gateway::jobs::{JobRequest, JobSpec, JobState, JobView};
use serde_json::{Value, json};

use super::ask::{self, Gateway, with_parts};
use super::task::{self, Task};
use crate::args::{Format, JobAction, JobRunArgs};
use crate::exit::ExitStatus;
use crate::lang::either;
use crate::{output, words};

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
            bail!(say!(
                zh: "任务的作业只回答任务自己的会话；请去掉 --chat 和 --app",
                en: "a job of a task answers its own chat; leave --chat and --app out"
            ));
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
        Way::Task(_) if chat.is_some() => bail!(say!(
            zh: "任务只能看到自己的会话；请去掉 --chat",
            en: "a task sees its own chat; leave --chat out"
        )),
        Way::Task(task) => task.get("/v1/task/jobs").await?,
    };
    output::show(format, &jobs, |jobs| {
        output::table(
            &either(
                ["编号", "时间", "状态", "尝试", "会话", "代码", "名称"],
                ["ID", "TIME", "STATE", "ATTEMPT", "CHAT", "CODE", "NAME"],
            ),
            jobs.iter().map(|job| {
                vec![
                    job.id.clone(),
                    output::local_time(job.created_ms),
                    words::outcome(job.state.word()).to_owned(),
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
        Way::Operator(gateway) => {
            gateway.call(Method::GET, &with_parts("/v1/jobs", &[job])).await?
        }
        Way::Task(task) => task.get(&with_parts("/v1/task/jobs", &[job])).await?,
    };
    output::show(format, &job, tell)?;
    Ok(ExitStatus::Ok)
}

fn tell(job: &JobView) -> String {
    let at = output::local_time;
    let (attempt, of) = (job.attempt, job.attempts);
    let mut lines = vec![
        format!("{}  {}  {}", job.id, words::outcome(job.state.word()), job.name),
        say!(zh: "第 {attempt} 次尝试，共 {of} 次", en: "attempt {attempt} of {of}"),
        said(either("提交于", "asked for"), &at(job.created_ms)),
    ];
    lines.extend(job.began_ms.map(|ms| said(either("开始于", "begun"), &at(ms))));
    lines.extend(job.ended_ms.map(|ms| said(either("结束于", "ended"), &at(ms))));
    if let Some(ms) = job.due_ms.filter(|_| job.state == JobState::Retrying) {
        lines.push(said(either("将重试于", "tried again"), &at(ms)));
    }
    if let Some(outcome) = &job.outcome {
        let code =
            outcome.exit_code.map(|code| say!(zh: "，退出码 {code}", en: ", exit code {code}"));
        lines.push(say!(
            zh: "上次尝试：{word}{code}，{seconds} 秒",
            en: "last attempt: {word}{code}, {seconds} s",
            word = outcome.word, code = code.unwrap_or_default(), seconds = outcome.took_ms / 1000
        ));
    }
    if !job.error.is_empty() {
        lines.push(format!("{}: {}", job.code, job.error));
    }
    let event = &job.event_id;
    lines.push(
        say!(zh: "完整经过：larkline explain {event}", en: "its story: larkline explain {event}"),
    );
    if let Some(log) = &job.log {
        let log = log.display();
        lines.push(say!(zh: "输出（全文在 {log}）：", en: "printed (all of it in {log}):"));
        lines.push(job.output.clone());
    }
    lines.join("\n")
}

fn said(what: &str, when: &str) -> String {
    format!("{what} {when}")
}

async fn act(way: &Way, job: &str, action: &str) -> Result<ExitStatus> {
    let _: Value = match way {
        Way::Operator(gateway) => {
            gateway.call(Method::POST, &with_parts("/v1/jobs", &[job, action])).await?
        }
        Way::Task(task) => {
            task.post(&with_parts("/v1/task/jobs", &[job, action]), &json!({})).await?
        }
    };
    let done = match action {
        "stop" => either("停止", "stop"),
        _ => either("重试", "retry"),
    };
    output::note(&say!(zh: "{job}：{done}", en: "{job}: {done}"));
    Ok(ExitStatus::Ok)
}
