//! What can be done from the page: a dead letter is retried, or dropped.

use axum::extract::{Form, Path, Query, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use larkline_store::record::DeadItem;
use serde::Deserialize;

use super::page::{self, LangQuery};
use super::{Dashboard, guard, login, words};
use crate::admin::{Refusal, parse_item};
use crate::clock::now_ms;

/// Sent by the page's script, which wants a sentence instead of the page anew.
const SCRIPTED: HeaderName = HeaderName::from_static("x-larkline-part");

/// What a form holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadForm {
    mark: String,
}

pub(super) async fn dead(
    State(dashboard): State<Dashboard>,
    Path((item, deed)): Path<(String, String)>,
    Query(query): Query<LangQuery>,
    headers: HeaderMap,
    Form(form): Form<DeadForm>,
) -> Result<Response, Refusal> {
    if !dashboard.seal.is_on(&form.mark) {
        return Ok(login::stale_form());
    }
    let letter = parse_item(&item)?;
    let said = act(&dashboard, letter, &deed).await?;
    dashboard.looks.forget().await;
    let config = dashboard.admin.shared.config.load();
    let lang = query.lang(&config);
    if !guard::text(&headers, &SCRIPTED).is_empty() {
        return Ok(words::of(lang).said(said).into_response());
    }
    let place = page::address(lang, &config, &format!("/?said={said}"));
    Ok((StatusCode::SEE_OTHER, [(LOCATION, place + "#dead")]).into_response())
}

/// Does it; the word for what became of it.
async fn act(dashboard: &Dashboard, letter: DeadItem, deed: &str) -> Result<&'static str, Refusal> {
    let shared = &dashboard.admin.shared;
    let (done, said) = match deed {
        "retry" => (shared.store.retry_dead(letter, now_ms()).await?, "retried"),
        "drop" => (shared.store.drop_dead(letter, now_ms()).await?, "dropped"),
        other => {
            let text = format!("a dead letter can be retried or dropped, not {other:?}");
            return Err(Refusal::of_program(StatusCode::NOT_FOUND, text));
        }
    };
    if !done {
        return Ok("gone");
    }
    tracing::info!(?letter, deed, "done from the dashboard");
    shared.dispatch.notify_waiters();
    shared.delivery.notify_waiters();
    Ok(said)
}
