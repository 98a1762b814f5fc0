//! `probe`: posts a nonce now, and tells when an event about it came back.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use larkline_client::ApiError;
use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::server::{Admin, Refusal};
use crate::both::{Both, both};
use crate::causes;
use crate::clock::{ms, now_ms};
use crate::governor::{Hint, Permit};
use crate::probe::Returned;
use crate::say_in;
use crate::shared::AppRuntime;
use crate::words::{Lang, link_state};

/// How long a permit is waited for: a chat that is busy for longer is no chat to probe.
const PERMIT_WAIT: Duration = Duration::from_secs(5);
/// How long one question about a probe waits at most.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// The reaction that asks the platform for an event; any one would do.
const REACTION: &str = "OK";

/// A probe to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeRequest {
    /// Name of the app; the one there is when absent.
    #[serde(default)]
    pub app: Option<String>,
    /// `oc_…`.
    pub chat: String,
}

/// A probe is out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeStarted {
    /// What to look for, and what a person may repeat.
    pub nonce: String,
    /// The message that carries it.
    pub message_id: String,
    /// How long posting it took.
    pub posted_ms: u64,
    /// When its reaction was asked for, Unix ms.
    pub reacted_at_ms: i64,
    /// Why there is no reaction of our own, when there is none.
    pub reaction_error: Option<String>,
    /// The same in Chinese, for a client that speaks it; an older gateway does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction_error_zh: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Look {
    wait_ms: u64,
}

/// How a probe stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeState {
    /// What came back, if anything did.
    pub returned: Option<Returned>,
    /// The link's state.
    pub link: String,
}

pub(super) async fn start(
    State(admin): State<Admin>,
    Json(request): Json<ProbeRequest>,
) -> Result<Json<ProbeStarted>, Refusal> {
    let app = admin.app(request.app.as_deref())?;
    let link = app.link.status().borrow().state;
    if !app.link.status().borrow().is_verified() {
        let text = Both::each(|lang| {
            let link = link_state(lang, &link.to_string()).to_owned();
            say_in!(lang,
                zh: "连接：{link}，什么也收不到；见 `larkline doctor`",
                en: "link: it is {link}, so nothing can come back; see `larkline doctor`"
            )
        });
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    let nonce = Uuid::now_v7().simple().to_string()[20..].to_owned();
    admin.shared.probes.begin(&nonce, request.chat.as_str().into(), Instant::now());
    let begun = Instant::now();
    let words = format!(
        "larkline probe {nonce}\n这是连通性检查，请忽略。A check of the connection, nothing to do."
    );
    let to = ReceiveId::Chat(request.chat.as_str().into());
    let permit = permit(app, &request.chat).await?;
    let sent = app.api.send(&to, &Outgoing::text(&words), &nonce).await;
    let sent = settled(&admin, app, "send", permit, sent).map_err(|error| {
        let error = Both::each(|lang| causes::api(lang, &error));
        let text = both!(zh: "发送：{error}", en: "post: {error}"; error = error);
        Refusal(StatusCode::BAD_GATEWAY, text)
    })?;
    let posted = begun.elapsed();
    let message = sent.data.message_id;
    admin.shared.probes.posted(&nonce, message.clone());
    let permit = self::permit(app, &request.chat).await?;
    let reacted_at_ms = now_ms();
    let reaction = app.api.add_reaction(&message, REACTION).await;
    let reaction_error = settled(&admin, app, "add_reaction", permit, reaction).err();
    Ok(Json(ProbeStarted {
        nonce,
        message_id: message.to_string(),
        posted_ms: u64::try_from(ms(posted)).unwrap_or(0),
        reacted_at_ms,
        reaction_error: reaction_error.as_ref().map(ToString::to_string),
        reaction_error_zh: reaction_error.map(|e| causes::api(Lang::Zh, &e)),
    }))
}

async fn permit(app: &AppRuntime, chat: &str) -> Result<Permit, Refusal> {
    timeout(PERMIT_WAIT, app.governor.acquire(chat)).await.map_err(|_| {
        let text = Both::of(
            "发送：该会话的限额已被其他消息用完；请一分钟后再试",
            "post: the chat's limit is used up by other messages; try again in a minute",
        );
        Refusal(StatusCode::SERVICE_UNAVAILABLE, text)
    })
}

/// Completes a call's permit and counts the call.
fn settled<T>(
    admin: &Admin,
    app: &AppRuntime,
    endpoint: &str,
    permit: Permit,
    result: Result<T, ApiError>,
) -> Result<T, ApiError> {
    permit.complete(Hint::Fine);
    admin.shared.answered(&app.name, endpoint, &result);
    result
}

pub(super) async fn look(
    State(admin): State<Admin>,
    Path((app, nonce)): Path<(String, String)>,
    Query(look): Query<Look>,
) -> Result<Json<ProbeState>, Refusal> {
    let app = admin.app(Some(&app).filter(|name| *name != "-").map(String::as_str))?;
    let returned =
        admin.shared.probes.wait(&nonce, Duration::from_millis(look.wait_ms).min(LOOK_MAX)).await;
    let link = app.link.status().borrow().state.to_string();
    Ok(Json(ProbeState { returned, link }))
}
