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
use crate::output;

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
            &["ID", "STATE", "TURNS", "LAST USE", "COST", "AGENT SESSION", "CONVERSATION"],
            sessions.iter().map(|s| {
                vec![
                    s.id.0.to_string(),
                    s.state.to_string(),
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
                Yours(format!("there is no session {id}; see `larkline sessions`"))
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
    let known = [
        ("state", s.state.to_string()),
        ("conversation", s.key.clone()),
        ("agent session", s.agent_session.clone().unwrap_or_default()),
        ("directory", s.cwd.clone().unwrap_or_default()),
        ("model", s.model.clone().unwrap_or_default()),
        ("turns", s.turns.to_string()),
        ("tokens", format!("{} in, {} out", s.tokens_in, s.tokens_out)),
        ("cost", dollars(s.cost_microusd)),
    ];
    let head: Vec<String> = known
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let steps = story.steps.iter().map(|step| {
        let from = step.from.map_or_else(|| "-".to_owned(), |from| from.to_string());
        vec![
            output::precise_time(step.at_ms),
            format!("{from} → {}", step.to),
            step.cause.clone(),
            step.detail.clone(),
        ]
    });
    format!("{}\n{}", head.join("\n"), output::table(&["TIME", "STEP", "CAUSE", ""], steps))
}

async fn act(source: Source, id: i64, action: &str) -> Result<ExitStatus> {
    let path = format!("/v1/sessions/{id}/{action}");
    let _: Value = source.running()?.call(Method::POST, &path).await?;
    output::note(&format!("session {id}: {action}"));
    Ok(ExitStatus::Ok)
}

fn dollars(micro: u64) -> String {
    if micro == 0 {
        String::new()
    } else {
        format!("${}.{:04}", micro / 1_000_000, micro % 1_000_000 / 100)
    }
}
