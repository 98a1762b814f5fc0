//! Jobs, for the operator.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use larkline_proto::id::OpenId;
use larkline_store::job::JobQuery;
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::{Admin, Refusal};
use crate::both::both;
use crate::jobs::{self, JobRequest, JobView, NewJob, name_of};

/// Longest list in one answer.
const ROWS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobsQuery {
    chat: Option<String>,
    #[serde(default)]
    limit: usize,
}

pub(super) async fn run(
    State(admin): State<Admin>,
    Json(request): Json<JobRequest>,
) -> Result<Json<JobView>, Refusal> {
    let app = admin.app(request.app.as_deref())?;
    if let Some(chat) = request.chat.as_ref().filter(|chat| !chat.starts_with("oc_")) {
        let text = both!(
            zh: "{chat:?} 不是会话（oc_…）；见 `larkline chats`",
            en: "{chat:?} is no chat (oc_…); see `larkline chats`"
        );
        return Err(Refusal(StatusCode::BAD_REQUEST, text));
    }
    let new = NewJob {
        chat: request.chat.as_deref().map(Into::into),
        quote: None,
        by: None,
        spec: request.job,
    };
    let id = jobs::start(&admin.shared, app, new).await?;
    show(State(admin), Path(name_of(id))).await
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(query): Query<JobsQuery>,
) -> Result<Json<Vec<JobView>>, Refusal> {
    let limit = query.limit.clamp(1, ROWS_MAX);
    let query = JobQuery { chat: query.chat, limit, ..JobQuery::default() };
    Ok(Json(jobs::list(&admin.shared, query).await?))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Path(job): Path<String>,
) -> Result<Json<JobView>, Refusal> {
    let scope = JobQuery::default();
    Ok(Json(jobs::show(&admin.shared, &admin.state_dir, &job, scope).await?))
}

pub(super) async fn stop(
    State(admin): State<Admin>,
    Path(job): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let (scope, by) = (JobQuery::default(), OpenId::default());
    jobs::stop(&admin.shared, &admin.state_dir, &job, scope, by).await?;
    Ok(Json(json!({ "job": job })))
}

pub(super) async fn retry(
    State(admin): State<Admin>,
    Path(job): Path<String>,
) -> Result<Json<Value>, Refusal> {
    jobs::retry(&admin.shared, &job, JobQuery::default()).await?;
    Ok(Json(json!({ "job": job })))
}
