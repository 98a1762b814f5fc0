//! Whose gateway answers. A socket is found by its path alone, and two bots without a `store.path` of
//! their own share one. So a command says of which apps its configuration is, and a gateway with none
//! of them refuses it.
//!
//! One app in common is enough: one that was added to the file, or taken out of it, waits for a restart,
//! and such a command asks for it. Who names no apps (a probe, an older binary) is served.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use larkline_proto::id::AppId;

use super::server::{Admin, Refusal};
use crate::both::both;

/// The header with the ids of the caller's apps.
pub(super) const APPS: &str = "x-larkline-apps";
/// How such a refusal is known.
pub(super) const ANOTHERS: StatusCode = StatusCode::MISDIRECTED_REQUEST;

/// What the header says; nothing of a configuration in which no app is right.
pub(super) fn header<'a>(apps: impl IntoIterator<Item = &'a AppId>) -> Option<String> {
    let ids: Vec<&str> = apps.into_iter().map(AppId::as_str).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// Lets calls of this gateway's own configuration through.
pub(super) async fn own(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let asked = request.headers().get(APPS).and_then(|apps| apps.to_str().ok());
    let ours = |id: &str| admin.apps.iter().any(|app| app.app_id.as_str() == id);
    if asked.is_none_or(|asked| asked.split(' ').any(ours)) {
        return next.run(request).await;
    }
    let apps = header(admin.apps.iter().map(|app| &app.app_id)).unwrap_or_default();
    let (state, pid) = (admin.state_dir.display(), std::process::id());
    let text = both!(
        zh: "在此应答的是另一份配置的网关（应用 {apps}，进程 {pid}），状态目录 {state} 归它使用；请为这份配置单独设置 `store.path`，若只是改了 app_id，则停止那个进程后重新启动",
        en: "a gateway of another configuration (app {apps}, process {pid}) answers here and has the state directory {state}; give this configuration a `store.path` of its own, or, if only its app_id was changed, stop that process and start it again"
    );
    Refusal(ANOTHERS, text).into_response()
}
