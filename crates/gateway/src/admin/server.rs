//! Routes, state, and the two listeners.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{alerts, jobs, lists, probe, replies, send, sessions, token, whose};
use crate::alert::Post;
use crate::both::{Both, both};
use crate::clock::ms;
use crate::serve::serve;
use crate::shared::{AppRuntime, Shared};
use crate::status::{self, Status};
use crate::{dashboard, drain};

/// Largest request body: a late reply with a few full-size texts.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What the routes need.
#[derive(Clone)]
pub struct Admin {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// The apps.
    pub apps: Arc<Vec<Arc<AppRuntime>>>,
    /// To the daemon's main loop.
    pub commands: mpsc::Sender<Command>,
    /// Below it are the folders of tasks.
    pub state_dir: PathBuf,
    /// Tells destinations of alerts.
    pub post: Arc<Post>,
}

impl Admin {
    /// The app of this name; the one there is when none is named.
    pub(super) fn app(&self, name: Option<&str>) -> Result<&Arc<AppRuntime>, Refusal> {
        match (name, self.apps.as_slice()) {
            (Some(name), apps) => apps.iter().find(|a| a.name == name),
            (None, [app]) => Some(app),
            (None, _) => None,
        }
        .ok_or_else(|| {
            let text = Both::of(
                "请用 --app 指定一个已配置的应用",
                "name one of the configured apps with --app",
            );
            Refusal(StatusCode::BAD_REQUEST, text)
        })
    }
}

/// What the API asks of the daemon.
#[derive(Debug)]
pub enum Command {
    /// Read the configuration again; the answer is the list of what needs a restart, or the
    /// problems that kept the old configuration.
    Reload(tokio::sync::oneshot::Sender<Result<Vec<String>, Both>>),
    /// Drain and end.
    Stop {
        /// For the log and the boot record.
        reason: String,
    },
}

/// A refusal: one sentence that ends in what to do. The answer's `error` is English; the command
/// line, which speaks its operator's language, reads `error_zh`.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) Both);

impl Refusal {
    /// One in English alone, for programs: a service's later answer, an agent at its task, a browser.
    pub(crate) fn of_program(status: StatusCode, text: impl std::fmt::Display) -> Self {
        Self(status, Both::same(text))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1.en, "error_zh": self.1.zh }))).into_response()
    }
}

impl From<larkline_store::StoreError> for Refusal {
    fn from(error: larkline_store::StoreError) -> Self {
        let text = both!(
            zh: "存储出错（{error}）；见 `larkline status`",
            en: "{error}; see `larkline status`"
        );
        Self(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

/// What is asked for behind a `?`; what cannot be read is refused as everything else is.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Refusal))]
pub(super) struct Asked<T>(pub(super) T);

impl From<QueryRejection> for Refusal {
    fn from(error: QueryRejection) -> Self {
        let text = both!(
            zh: "无法读取查询：{why}；参数见 docs/dashboard.md",
            en: "the query cannot be read: {why}; its parameters are in docs/dashboard.md",
            why = error.body_text()
        );
        Self(StatusCode::BAD_REQUEST, text)
    }
}

fn public() -> Router<Admin> {
    Router::new()
        .route("/live", get(live))
        .route("/healthz", get(live))
        .route("/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/replies/{task}", post(replies::late_reply))
}

fn operator() -> Router<Admin> {
    public()
        .route("/v1/status", get(status))
        .route("/v1/messages", get(lists::messages))
        .route("/v1/chats", get(lists::chats))
        .route("/v1/dead", get(lists::dead))
        .route("/v1/dead/{item}/retry", post(lists::retry))
        .route("/v1/dead/{item}/drop", post(lists::drop_dead))
        .route("/v1/handlers/{handler}/give-up", post(lists::give_up))
        .route("/v1/sessions", get(sessions::sessions))
        .route("/v1/sessions/{id}", get(sessions::session))
        .route("/v1/sessions/{id}/stop", post(sessions::stop))
        .route("/v1/sessions/{id}/end", post(sessions::end))
        .route("/v1/story", get(lists::story))
        .route("/v1/send", post(send::send))
        .route("/v1/send/file", post(send::send_file))
        .route("/v1/jobs", get(jobs::list).post(jobs::run))
        .route("/v1/jobs/{job}", get(jobs::show))
        .route("/v1/jobs/{job}/stop", post(jobs::stop))
        .route("/v1/jobs/{job}/retry", post(jobs::retry))
        .route("/v1/probe", post(probe::start))
        .route("/v1/probe/{app}/{nonce}", get(probe::look))
        .route("/v1/alerts", get(alerts::list))
        .route("/v1/alerts/test", post(alerts::test))
        .route("/v1/reload", post(reload))
        .route("/v1/stop", post(stop))
}

/// The lists, for the dashboard's listener; nothing in them changes anything.
pub(crate) fn lists_to_read() -> Router<Admin> {
    Router::new()
        .route("/status", get(status_in_english))
        .route("/messages", get(lists::messages))
        .route("/chats", get(lists::chats))
        .route("/dead", get(lists::dead))
        .route("/sessions", get(sessions::sessions))
        .route("/sessions/{id}", get(sessions::session))
        .route("/story", get(lists::story))
}

/// Serves the operator's API until cancelled.
pub async fn serve_socket(admin: Admin, listener: UnixListener, cancel: CancellationToken) {
    let own = middleware::from_fn_with_state(admin.clone(), whose::own);
    let app = operator().layer(own).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(admin);
    serve(listener, app, cancel).await;
}

/// Serves the public part and the dashboard over TCP until cancelled.
pub async fn serve_http(admin: Admin, listener: TcpListener, cancel: CancellationToken) {
    let guard = middleware::from_fn_with_state(admin.clone(), guard);
    let app = public().layer(guard).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let mut app = app.with_state(admin.clone());
    if admin.shared.config.load().server.dashboard {
        app = app.merge(dashboard::router(admin, cancel.clone()));
    }
    serve(listener, app, cancel).await;
}

/// Who reads nothing of an answer for so long is hung up on. Connections take it over from their
/// listener.
#[cfg(target_os = "linux")]
const UNREAD_MAX_MS: u32 = 30_000;

/// Binds the HTTP listener, so that a taken port is an error at start and not later.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind_http(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(&listener, UNREAD_MAX_MS)?;
    Ok(listener)
}

/// Asks for the configured token. Later answers carry a signature instead, and a liveness
/// probe tells nothing that a closed port would not.
async fn guard(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let config = admin.shared.config.load_full();
    let path = request.uri().path();
    let free = path.starts_with("/v1/replies/") || matches!(path, "/live" | "/healthz");
    let Some(wanted) = config.server.token.as_ref().filter(|_| !free) else {
        return next.run(request).await;
    };
    let shown = token::shown(request.headers());
    if token::same(shown, wanted.expose()) {
        return next.run(request).await;
    }
    if !shown.is_empty() {
        token::was_wrong().await;
    }
    let text = "show the token of [server] as `Authorization: Bearer …`";
    Refusal::of_program(StatusCode::UNAUTHORIZED, text).into_response()
}

async fn live() -> &'static str {
    "live\n"
}

async fn ready(State(admin): State<Admin>) -> Result<&'static str, Refusal> {
    let why = status::not_ready(&admin.shared, &admin.apps);
    if why.is_empty() {
        return Ok("ready\n");
    }
    Err(Refusal::of_program(StatusCode::SERVICE_UNAVAILABLE, why.join("; ")))
}

async fn status(State(admin): State<Admin>) -> Json<Status> {
    Json(Status::take(&admin.shared, &admin.apps).await)
}

/// The same for programs, which read one language.
async fn status_in_english(State(admin): State<Admin>) -> Json<Status> {
    let mut status = Status::take(&admin.shared, &admin.apps).await;
    status.in_english();
    Json(status)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let status = Status::take(&admin.shared, &admin.apps).await;
    let page = admin.shared.metrics.page(|_| status.export(&admin.shared));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], page).into_response()
}

async fn reload(State(admin): State<Admin>) -> Result<Json<serde_json::Value>, Refusal> {
    let stopping = Both::of("网关正在停止", "the gateway is stopping");
    let gone = || Refusal(StatusCode::SERVICE_UNAVAILABLE, stopping.clone());
    let (answer, told) = tokio::sync::oneshot::channel();
    admin.commands.send(Command::Reload(answer)).await.map_err(|_| gone())?;
    match told.await.map_err(|_| gone())? {
        Ok(needs_restart) => Ok(Json(json!({ "reloaded": true, "needs_restart": needs_restart }))),
        Err(problems) => Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, problems)),
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StopRequest {
    reason: String,
}

/// What whoever asked for a stop is told.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct StopAnswer {
    /// The stop takes so long at most.
    pub longest_ms: i64,
}

async fn stop(State(admin): State<Admin>, Json(request): Json<StopRequest>) -> Response {
    // A full or closed channel means that a stop is under way; asking again changes nothing.
    if admin.commands.try_send(Command::Stop { reason: request.reason }).is_err() {
        tracing::warn!("stopping already, a second order to stop changes nothing");
    }
    let longest = drain::longest(&admin.shared.config.load().limits);
    (StatusCode::ACCEPTED, Json(StopAnswer { longest_ms: ms(longest) })).into_response()
}
