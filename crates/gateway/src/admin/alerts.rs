//! What fires and who is told; a test of every destination, or of one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::server::{Admin, Refusal};
use crate::alert::{AlertsView, Tried};
use crate::both::{Both, both};

/// Asks for a test.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Of this destination; of all when absent.
    pub destination: Option<String>,
}

pub(super) async fn list(State(admin): State<Admin>) -> Json<AlertsView> {
    Json(admin.shared.alerts.view(&admin.shared.config.load()))
}

pub(super) async fn test(
    State(admin): State<Admin>,
    Json(request): Json<TestRequest>,
) -> Result<Json<Vec<Tried>>, Refusal> {
    let names: Vec<String> = admin.shared.config.load().destinations.keys().cloned().collect();
    let names = match request.destination {
        _ if names.is_empty() => {
            let text = Both::of(
                "没有配置目的地；请加入 [destination.<name>]，见 docs/alerts.md",
                "no destination is configured; add [destination.<name>], see docs/alerts.md",
            );
            return Err(Refusal(StatusCode::BAD_REQUEST, text));
        }
        Some(name) if names.contains(&name) => vec![name],
        Some(name) => {
            let text = both!(
                zh: "没有目的地 `{name}`；已配置：{names}",
                en: "there is no destination `{name}`; configured: {names}",
                names = names.join(", ")
            );
            return Err(Refusal(StatusCode::BAD_REQUEST, text));
        }
        None => names,
    };
    Ok(Json(admin.post.test(&names).await))
}
