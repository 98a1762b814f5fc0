//! Jobs of a task's chat.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use larkline_proto::id::OpenId;
use larkline_store::job::JobQuery;

use super::server::{TaskApi, read, too_many};
use crate::admin::Refusal;
use crate::both::Both;
use crate::grants::{Grant, Use};
use crate::jobs::{self, JobError, JobSpec, JobView, NewJob, name_of};

/// Jobs of one list.
const LISTED: usize = 50;

pub(super) async fn run(
    State(api): State<TaskApi>,
    Extension(grant): Extension<Arc<Grant>>,
    body: Bytes,
) -> Result<Json<JobView>, Refusal> {
    let spec: JobSpec = read(&body)?;
    if !grant.may_start_jobs {
        let text = "this task may start no jobs: it is one itself, or `jobs.from_tasks` is off";
        return Err(Refusal::of_program(StatusCode::FORBIDDEN, text));
    }
    if !grant.spend(Use::Job) {
        return Err(too_many("jobs"));
    }
    let (to, live) = (&grant.to, &grant.live);
    let new = NewJob {
        chat: Some(to.chat_id.clone()),
        quote: to.quote.clone(),
        by: grant.by.clone(),
        spec,
    };
    let id = jobs::start(live.shared(), live.app(), new).await?;
    Ok(Json(jobs::show(live.shared(), &api.state_dir, &name_of(id), scope(&grant)).await?))
}

pub(super) async fn list(
    Extension(grant): Extension<Arc<Grant>>,
) -> Result<Json<Vec<JobView>>, Refusal> {
    let query = JobQuery { limit: LISTED, ..scope(&grant) };
    Ok(Json(jobs::list(grant.live.shared(), query).await?))
}

pub(super) async fn show(
    State(api): State<TaskApi>,
    Extension(grant): Extension<Arc<Grant>>,
    Path(job): Path<String>,
) -> Result<Json<JobView>, Refusal> {
    Ok(Json(jobs::show(grant.live.shared(), &api.state_dir, &job, scope(&grant)).await?))
}

pub(super) async fn stop(
    State(api): State<TaskApi>,
    Extension(grant): Extension<Arc<Grant>>,
    Path(job): Path<String>,
) -> Result<Json<serde_json::Value>, Refusal> {
    let by = grant.by.clone().unwrap_or_else(OpenId::default);
    jobs::stop(grant.live.shared(), &api.state_dir, &job, scope(&grant), by).await?;
    Ok(Json(serde_json::json!({ "job": job })))
}

pub(super) async fn retry(
    Extension(grant): Extension<Arc<Grant>>,
    Path(job): Path<String>,
) -> Result<Json<serde_json::Value>, Refusal> {
    jobs::retry(grant.live.shared(), &job, scope(&grant)).await?;
    Ok(Json(serde_json::json!({ "job": job })))
}

/// Its own chat in its own app.
fn scope(grant: &Grant) -> JobQuery {
    JobQuery {
        chat: Some(grant.to.chat_id.to_string()),
        app: Some(grant.to.app.clone()),
        ..JobQuery::default()
    }
}

impl From<JobError> for Refusal {
    fn from(error: JobError) -> Self {
        let status = match &error {
            JobError::Spec(_) => StatusCode::BAD_REQUEST,
            JobError::Unknown(_) => StatusCode::NOT_FOUND,
            JobError::Over(_) | JobError::Changing(_) | JobError::NotFailed(_) => {
                StatusCode::CONFLICT
            }
            JobError::Overfull | JobError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, Both::each(|lang| error.said(lang)))
    }
}
