//! The socket for tasks: who is asked for, and by which route.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::{ask, file, jobs, list, say};
use crate::admin::{Refusal, token};
use crate::serve;
use crate::shared::{AppRuntime, Shared};

/// Largest request but for files: a message with a few full-size texts.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What the routes need.
#[derive(Clone)]
pub struct TaskApi {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// The apps.
    pub apps: Arc<Vec<Arc<AppRuntime>>>,
    /// Below it are the folders of tasks.
    pub state_dir: PathBuf,
}

/// Serves tasks until cancelled.
pub async fn serve(api: TaskApi, listener: UnixListener, cancel: CancellationToken) {
    let guard = middleware::from_fn_with_state(api.clone(), guard);
    let routes = Router::new()
        .route("/v1/task/say", post(say::say))
        .route("/v1/task/file", post(file::file))
        .route("/v1/task/ask", post(ask::ask))
        .route("/v1/task/messages", get(list::messages))
        .route("/v1/task/jobs", get(jobs::list).post(jobs::run))
        .route("/v1/task/jobs/{job}", get(jobs::show))
        .route("/v1/task/jobs/{job}/stop", post(jobs::stop))
        .route("/v1/task/jobs/{job}/retry", post(jobs::retry))
        .fallback(nowhere)
        .layer(guard)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api);
    serve::serve(listener, routes, cancel).await;
}

/// Finds the grant of the token, for whoever comes after.
async fn guard(State(api): State<TaskApi>, mut request: Request, next: Next) -> Response {
    match api.shared.grants.of(token::shown(request.headers())) {
        Some(grant) => {
            request.extensions_mut().insert(grant);
            next.run(request).await
        }
        None => {
            let text = "the token is not that of a running task: it ends with the task it was made \
                        for; use LARKLINE_TOKEN as the task's own environment has it";
            Refusal::of_program(StatusCode::UNAUTHORIZED, text).into_response()
        }
    }
}

async fn nowhere() -> Refusal {
    let text = "no such route; tasks use `larkline send`, `larkline job` and `larkline mcp`";
    Refusal::of_program(StatusCode::NOT_FOUND, text)
}

/// Reads a body of JSON.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let text = format!("the request cannot be read: {error}");
        Refusal::of_program(StatusCode::BAD_REQUEST, text)
    })
}

/// A task went beyond a bound.
pub(super) fn too_many(what: &str) -> Refusal {
    let text = format!("this task has sent as many {what} as one may; finish it with one answer");
    Refusal::of_program(StatusCode::TOO_MANY_REQUESTS, text)
}
