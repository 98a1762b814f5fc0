//! `sessions`: conversations with agents and models, from the running gateway or its store.

use std::path::PathBuf;

use anyhow::Result;
use http::Method;
use larkline_gateway::admin::SessionStory;
use larkline_store::session::{Session, SessionId, SessionQuery};
use serde_json::Value;

use super::ask::Source;
use crate::args::{Format, SessionsAction, SessionsArgs};
use crate::exit::{ExitStatus, Yours};
use crate::lang::either;
use crate::{output, words};

/// `larkline sessions [show|stop|end ID]`
pub(crate) async fn run(
    config: Option<PathBuf>,
    format: Format,
    args: SessionsArgs,
) -> Result<ExitStatus> {
    let source = Source::open(config).await?;
    match args.action {
        None => list(source, format, args.chat, args.handler, args.limit).await,
        Some(SessionsAction::Show { id }) => show(source, format, id).await,
        Some(SessionsAction::Stop { id }) => act(source, id, "stop").await,
        Some(SessionsAction::End { id }) => act(source, id, "end").await,
    }
}

async fn list(
    source: Source,
    format: Format,
    text: Option<String>,
    handler: Option<String>,
    limit: usize,
) -> Result<ExitStatus> {
    let query = SessionQuery { key: None, handler, state: None, text, limit };
    let sessions: Vec<Session> = match source {
        Source::Gateway(gateway) => gateway.get("/v1/sessions", &query).await?,
        Source::Store(store) => store.sessions(query).await?,
    };
    output::show(format, &sessions, |sessions| {
        output::table(
            &either(
                ["编号", "状态", "轮次", "最近使用", "费用", "智能体会话", "对话"],
                ["ID", "STATE", "TURNS", "LAST USE", "COST", "AGENT SESSION", "CONVERSATION"],
            ),
            sessions.iter().map(|s| {
                vec![
                    s.id.0.to_string(),
                    words::session(s.state),
                    s.turns.to_string(),
                    output::local_time(s.used_ms),
                    dollars(s.cost_microusd),
                    s.agent_session.clone().unwrap_or_default(),
                    s.key.clone(),
                ]
            }),
        )
    })?;
    Ok(ExitStatus::Ok)
}

async fn show(source: Source, format: Format, id: i64) -> Result<ExitStatus> {
    let story: SessionStory = match source {
        Source::Gateway(gateway) => {
            gateway.call(Method::GET, &format!("/v1/sessions/{id}")).await?
        }
        Source::Store(store) => {
            let session = store.session_by_id(SessionId(id)).await?.ok_or_else(|| {
                Yours(say!(
                    zh: "没有编号为 {id} 的对话；见 `larkline sessions`",
                    en: "there is no session {id}; see `larkline sessions`"
                ))
            })?;
            let steps = store.session_steps(session.id).await?;
            SessionStory { session, steps }
        }
    };
    output::show(format, &story, tell)?;
    Ok(ExitStatus::Ok)
}

fn tell(story: &SessionStory) -> String {
    let s = &story.session;
    let (tokens_in, tokens_out) = (s.tokens_in, s.tokens_out);
    let tokens =
        say!(zh: "输入 {tokens_in}，输出 {tokens_out}", en: "{tokens_in} in, {tokens_out} out");
    let known = [
        (either("状态", "state"), words::session(s.state)),
        (either("对话", "conversation"), s.key.clone()),
        (either("智能体会话", "agent session"), s.agent_session.clone().unwrap_or_default()),
        (either("目录", "directory"), s.cwd.clone().unwrap_or_default()),
        (either("模型", "model"), s.model.clone().unwrap_or_default()),
        (either("轮次", "turns"), s.turns.to_string()),
        (either("词元", "tokens"), tokens),
        (either("费用", "cost"), dollars(s.cost_microusd)),
    ];
    let head: Vec<String> = known
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| say!(zh: "{name}：{value}", en: "{name}: {value}"))
        .collect();
    let steps = story.steps.iter().map(|step| {
        let from = step.from.map_or_else(|| "-".to_owned(), words::session);
        vec![
            output::precise_time(step.at_ms),
            format!("{from} → {}", words::session(step.to)),
            step.cause.clone(),
            step.detail.clone(),
        ]
    });
    let header = either(["时间", "步骤", "原因", ""], ["TIME", "STEP", "CAUSE", ""]);
    format!("{}\n{}", head.join("\n"), output::table(&header, steps))
}

async fn act(source: Source, id: i64, action: &str) -> Result<ExitStatus> {
    let path = format!("/v1/sessions/{id}/{action}");
    let _: Value = source.running()?.call(Method::POST, &path).await?;
    let done = match action {
        "stop" => either("停止当前一轮", "stop"),
        _ => either("已结束", "end"),
    };
    output::note(&say!(zh: "对话 {id}：{done}", en: "session {id}: {done}"));
    Ok(ExitStatus::Ok)
}

fn dollars(micro: u64) -> String {
    if micro == 0 {
        String::new()
    } else {
        format!("${}.{:04}", micro / 1_000_000, micro % 1_000_000 / 100)
    }
}
