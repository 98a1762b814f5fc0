//! `larkline send` and `larkline reload`.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::Method;
use larkline_gateway::admin::{SendAccepted, SendFileQuery, SendRequest};
use larkline_gateway::task_api::{Question, Say};
use serde::Serialize;
use serde_json::Value;

use super::ask::{self, Gateway};
use super::task::{self, Task};
use crate::args::{Format, SendArgs};
use crate::exit::{ExitStatus, Yours};
use crate::lang::either;
use crate::output;

/// Longest text read from stdin: some forty messages, and escaped it still fits the gateway's
/// bound on a request.
const TEXT_BYTES_MAX: u64 = 512 * 1024;

/// `larkline send --to CHAT [TEXT]`, and the same without `--to` inside a task.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    args: SendArgs,
) -> Result<ExitStatus> {
    match Task::of_env(args.token_env.as_deref())? {
        Some(task) => of_task(&task, format, args).await,
        None => of_operator(file, format, args).await,
    }
}

async fn of_operator(file: Option<PathBuf>, format: Format, args: SendArgs) -> Result<ExitStatus> {
    if !args.ask.is_empty() {
        bail!(say!(
            zh: "--ask 只供运行中任务的程序使用，它们有 LARKLINE_TOKEN",
            en: "--ask is for programs of a running task, which have LARKLINE_TOKEN"
        ));
    }
    let Some(to) = args.to else {
        bail!(say!(
            zh: "请用 --to 指明收件方；只有运行中任务的程序可以省略它",
            en: "say to whom with --to; only a program of a running task may leave it out"
        ));
    };
    let gateway = Gateway::of(&ask::load(file)?);
    let mut accepted = Vec::new();
    if let Some(text) = text(args.text, args.file.is_some())? {
        let (app, to, key) = (args.app.clone(), to.clone(), args.key.clone());
        let request = SendRequest { app, to, text, markdown: args.markdown, key };
        accepted.push(gateway.post::<SendAccepted>("/v1/send", &request).await?);
    }
    if let Some(path) = args.file {
        // Text and file under one key are two messages all the same.
        let key = args.key.map(|key| format!("{key}/file"));
        let query = SendFileQuery { app: args.app, to, name: task::file_name(&path), key };
        let to = ask::with_query("/v1/send/file", &query)?;
        accepted.push(gateway.upload(&to, task::read_file(&path)?).await?);
    }
    // Scripts read one id; where a text and a file were sent, that of the last.
    if let Some(last) = accepted.last() {
        output::show(format, last, |a| format!("o{}", a.outbox_id))?;
    }
    Ok(ExitStatus::Ok)
}

async fn of_task(task: &Task, format: Format, args: SendArgs) -> Result<ExitStatus> {
    if args.to.is_some() || args.app.is_some() {
        bail!(say!(
            zh: "任务只能写到自己的会话；请去掉 --to 和 --app",
            en: "a task writes to its own chat; leave --to and --app out"
        ));
    }
    if !args.ask.is_empty() {
        let question = text(args.text, false)?.unwrap_or_default();
        return question_of(task, format, question, args.ask, args.wait).await;
    }
    if let Some(text) = text(args.text, args.file.is_some())? {
        let (text, markdown) = if args.markdown { (None, Some(text)) } else { (Some(text), None) };
        let said = task.say(&Say { text, markdown, key: args.key, card: None }).await?;
        told(format, &said)?;
    }
    if let Some(path) = args.file {
        let sent = task.send_file(&path, None).await?;
        told(format, &sent)?;
    }
    Ok(ExitStatus::Ok)
}

async fn question_of(
    task: &Task,
    format: Format,
    question: String,
    options: Vec<String>,
    wait: Duration,
) -> Result<ExitStatus> {
    let timeout_s = Some(wait.as_secs());
    let reply = task.ask(&Question { question, options, timeout_s }, wait).await?;
    output::show(format, &reply, |reply| reply.choice.clone().unwrap_or_default())?;
    if reply.timeout {
        output::note(either("无人在时限内回答", "nobody answered in time"));
        return Ok(ExitStatus::Yours);
    }
    Ok(ExitStatus::Ok)
}

/// For programs alone: what a script prints is as a rule the answer of its task.
fn told(format: Format, value: &impl Serialize) -> Result<()> {
    match format {
        Format::Json => output::show(format, value, |_| String::new()),
        Format::Human => Ok(()),
    }
}

/// The text as given, or from stdin; nothing where a file is enough.
fn text(given: Option<String>, has_file: bool) -> Result<Option<String>> {
    match given {
        Some(text) => Ok(Some(text)),
        None if has_file => Ok(None),
        None => read_stdin().map(Some),
    }
}

/// `larkline reload`
pub(crate) async fn reload(file: Option<PathBuf>, socket: Option<PathBuf>) -> Result<ExitStatus> {
    let gateway = match socket {
        Some(socket) => Gateway::at(&socket),
        None => Gateway::of(&ask::load(file)?),
    };
    let answer: Value = gateway.call(Method::POST, "/v1/reload").await?;
    let list = answer.get("needs_restart").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if names.is_empty() {
        output::note(either("已重新加载", "reloaded"));
    } else {
        output::note(&say!(
            zh: "已重新加载；以下项目在重启后生效：{names}",
            en: "reloaded; these take effect after a restart: {names}",
            names = names.join(", ")
        ));
    }
    Ok(ExitStatus::Ok)
}

fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(TEXT_BYTES_MAX + 1);
    input.read_to_end(&mut bytes).with_context(
        || say!(zh: "无法从 stdin 读取文字", en: "cannot read the text from stdin"),
    )?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        let kib = TEXT_BYTES_MAX / 1024;
        let words = say!(
            zh: "文字太长，超过 {kib} KiB；请分段发送",
            en: "the text is too long, more than {kib} KiB; send it in parts"
        );
        return Err(Yours(words).into());
    }
    String::from_utf8(bytes).map_err(|_| {
        let words = say!(
            zh: "stdin 中的文字不是 UTF-8；请先转换，参见 iconv(1)",
            en: "the text on stdin is not UTF-8; convert it, see iconv(1)"
        );
        Yours(words).into()
    })
}
