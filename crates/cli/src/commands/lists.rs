//! `messages`, `chats`, `dead`: from the running gateway, or from its store when
//! none runs.

use std::path::PathBuf;

use anyhow::Result;
use http::Method;
use larkline_gateway::chat_watch::name_said;
use larkline_gateway::status::Status;
use larkline_store::record::{ChatRecord, DeadItem, DeadLetter, MessageQuery, Record};
use serde_json::Value;

use super::ask::{Source, with_parts};
use crate::args::{DeadAction, Format, MessagesArgs};
use crate::exit::ExitStatus;
use crate::lang::{either, lang};
use crate::{output, words};

/// `larkline messages`
pub(crate) async fn messages(
    config: Option<PathBuf>,
    format: Format,
    args: MessagesArgs,
) -> Result<ExitStatus> {
    let query =
        MessageQuery { chat: args.chat, verdict: args.verdict, text: args.text, limit: args.limit };
    let (records, boot): (Vec<Record>, String) = match Source::open(config).await? {
        Source::Gateway(gateway) => {
            let status: Status = gateway.call(Method::GET, "/v1/status").await?;
            (gateway.get("/v1/messages", &query).await?, status.boot_id)
        }
        Source::Store(store) => (store.records(query).await?, String::new()),
    };
    output::show(format, &records, |records| {
        output::table(
            &either(
                ["时间", "运行", "方向", "会话", "消息", "结果", "内容"],
                ["TIME", "RUN", "DIRECTION", "CHAT", "MESSAGE", "OUTCOME", "TEXT"],
            ),
            records.iter().map(|r| {
                let direction = match r.direction.as_str() {
                    "in" => either("收到", "inbound"),
                    _ => either("发出", "outbound"),
                };
                let run = match r.boot_id == boot {
                    true => either("本次", "this"),
                    false => either("之前", "earlier"),
                };
                vec![
                    output::local_time(r.at_ms),
                    run.to_owned(),
                    direction.to_owned(),
                    r.chat_id.clone(),
                    r.message_id.clone(),
                    outcome(r),
                    r.preview.clone(),
                ]
            }),
        )
    })?;
    Ok(ExitStatus::Ok)
}

/// `larkline chats`
pub(crate) async fn chats(config: Option<PathBuf>, format: Format) -> Result<ExitStatus> {
    let chats: Vec<ChatRecord> = match Source::open(config).await? {
        Source::Gateway(gateway) => gateway.get("/v1/chats", &()).await?,
        Source::Store(store) => store.chats().await?,
    };
    output::show(format, &chats, |chats| {
        output::table(
            &either(
                ["会话", "类型", "事件", "最近", "名称"],
                ["CHAT", "TYPE", "EVENTS", "LAST", "NAME"],
            ),
            chats.iter().map(|c| {
                vec![
                    c.chat_id.clone(),
                    words::chat_type(&c.chat_type).to_owned(),
                    c.events.to_string(),
                    output::local_time(c.last_ms),
                    name_said(lang(), &c.name),
                ]
            }),
        )
    })?;
    Ok(ExitStatus::Ok)
}

/// `larkline dead [retry|drop ITEM|give-up HANDLER]`
pub(crate) async fn dead(
    config: Option<PathBuf>,
    format: Format,
    action: Option<DeadAction>,
) -> Result<ExitStatus> {
    let source = Source::open(config).await?;
    match action {
        Some(DeadAction::Retry { item }) => act(source, &item, "retry").await,
        Some(DeadAction::Drop { item }) => act(source, &item, "drop").await,
        Some(DeadAction::GiveUp { handler }) => give_up(source, &handler).await,
        None => list_dead(source, format).await,
    }
}

async fn list_dead(source: Source, format: Format) -> Result<ExitStatus> {
    let letters: Vec<DeadLetter> = match source {
        Source::Gateway(gateway) => gateway.get("/v1/dead", &()).await?,
        Source::Store(store) => store.dead(1000).await?,
    };
    output::show(format, &letters, |letters| {
        output::table(
            &either(
                ["编号", "时间", "处理器", "会话", "尝试", "代码", "错误", "内容"],
                ["ITEM", "TIME", "HANDLER", "CHAT", "ATTEMPTS", "CODE", "ERROR", "TEXT"],
            ),
            letters.iter().map(|l| {
                vec![
                    item_name(l.item),
                    output::local_time(l.at_ms),
                    l.handler.clone(),
                    l.chat_id.clone(),
                    l.attempts.to_string(),
                    l.code.clone(),
                    l.error.lines().next().unwrap_or_default().chars().take(60).collect(),
                    l.preview.clone(),
                ]
            }),
        )
    })?;
    Ok(ExitStatus::Ok)
}

async fn act(source: Source, item: &str, action: &str) -> Result<ExitStatus> {
    let path = with_parts("/v1/dead", &[item, action]);
    let _: Value = source.running()?.call(Method::POST, &path).await?;
    let done = match action {
        "retry" => either("将重试", "retry"),
        _ => either("已关闭", "drop"),
    };
    output::note(&say!(zh: "{item}：{done}", en: "{item}: {done}"));
    Ok(ExitStatus::Ok)
}

async fn give_up(source: Source, handler: &str) -> Result<ExitStatus> {
    let path = with_parts("/v1/handlers", &[handler, "give-up"]);
    let done: Value = source.running()?.call(Method::POST, &path).await?;
    let tasks = done["tasks"].as_u64().unwrap_or_default();
    output::note(&say!(
        zh: "已放弃 {handler} 的 {tasks} 个任务；见 `larkline dead`",
        en: "{tasks} tasks for {handler} are given up; see `larkline dead`"
    ));
    Ok(ExitStatus::Ok)
}

/// A verdict or state with its reason.
pub(super) fn outcome(record: &Record) -> String {
    match record.why.as_str() {
        "" => words::outcome(&record.outcome).to_owned(),
        why => format!("{} ({why})", words::outcome(&record.outcome)),
    }
}

fn item_name(item: DeadItem) -> String {
    match item {
        DeadItem::Task(id) => format!("t{}", id.0),
        DeadItem::Outbox(id) => format!("o{}", id.0),
    }
}
