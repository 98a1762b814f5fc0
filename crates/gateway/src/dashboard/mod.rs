//! The dashboard: one page that says whether it is well, on the HTTP listener of `[server]`.
//!
//! | route | what |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /dashboard/story?key=…`, `/dashboard/config` | what a row of it opens |
//! | `GET /dashboard/feed` | the parts that have changed, as server-sent events |
//! | `GET /dashboard/style.css`, `live.js`, `icon.svg` | its files |
//! | `POST /dashboard/dead/{item}/retry`, `/drop` | what can be done with a dead letter |
//! | `POST /dashboard/login`, `/logout` | the token, for a cookie |
//! | `GET /api/status`, `/api/messages`, … | the lists of the admin API, to be read |
//!
//! Pages are made on the server and work without a script; with one they follow what happens.
//! Who may is in `guard`. Nothing is kept for it beyond the strip of the last day
//! ([`crate::pulse`]); what a page shows is read when somebody looks, at most once a second.

mod acts;
mod feed;
mod files;
mod flow;
mod guard;
mod login;
mod look;
mod month;
mod page;
mod seal;
mod shown;
mod strip;
mod verdict;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use look::Looks;
use seal::Seal;

/// Largest body of a form: a token and a few short fields.
const FORM_BYTES_MAX: usize = 8 * 1024;

/// What the routes need.
#[derive(Clone)]
struct Dashboard {
    admin: Admin,
    looks: Arc<Looks>,
    seal: Arc<Seal>,
    /// Ends the feeds, which would hold up a stop.
    cancel: CancellationToken,
}

/// The dashboard's routes, closed to whom they are not meant for.
pub(crate) fn router(admin: Admin, cancel: CancellationToken) -> Router {
    let lists = admin::lists_to_read().with_state(admin.clone());
    let looks = Arc::new(Looks::default());
    let dashboard = Dashboard { admin, looks, seal: Arc::new(Seal::new()), cancel };
    Router::new()
        .route("/", get(page::whole))
        .route("/dashboard", get(page::home))
        .route("/dashboard/story", get(page::story))
        .route("/dashboard/config", get(page::config))
        .route("/dashboard/feed", get(feed::open))
        .route("/dashboard/dead/{item}/{deed}", post(acts::dead))
        .route("/dashboard/login", get(page::home).post(login::login))
        .route("/dashboard/logout", post(login::logout))
        .route("/dashboard/{file}", get(files::answer))
        .with_state(dashboard.clone())
        .nest("/api", lists)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(dashboard, guard::guard))
}
