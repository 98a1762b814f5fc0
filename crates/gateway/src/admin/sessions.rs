//! Conversations for the operator: lists, histories, ends.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use larkline_store::StoreError;
use larkline_store::session::{
    Session, SessionId, SessionMove, SessionPatch, SessionQuery, SessionState, SessionStep,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::server::{Admin, Asked, Refusal};
use crate::both::both;
use crate::clock::now_ms;
use crate::turns::Stop;

/// Longest list in one answer.
const ROWS_MAX: usize = 1000;

/// One conversation with its history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionStory {
    /// The conversation.
    pub session: Session,
    /// What became of it, oldest first.
    pub steps: Vec<SessionStep>,
}

pub(super) async fn sessions(
    State(admin): State<Admin>,
    Asked(query): Asked<SessionQuery>,
) -> Result<Json<Vec<Session>>, Refusal> {
    let query = SessionQuery { limit: query.limit.clamp(1, ROWS_MAX), ..query };
    Ok(Json(admin.shared.store.sessions(query).await?))
}

pub(super) async fn session(
    State(admin): State<Admin>,
    Path(id): Path<i64>,
) -> Result<Json<SessionStory>, Refusal> {
    let store = &admin.shared.store;
    let found = store.session_by_id(SessionId(id)).await?;
    let session = found.ok_or_else(|| unknown(id))?;
    let steps = store.session_steps(session.id).await?;
    Ok(Json(SessionStory { session, steps }))
}

/// Ends the running turn of a conversation.
pub(super) async fn stop(
    State(admin): State<Admin>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, Refusal> {
    let found = admin.shared.store.session_by_id(SessionId(id)).await?;
    let session = found.ok_or_else(|| unknown(id))?;
    if !admin.shared.turns.stop(&session.key, Stop::Operator) {
        let text = both!(
            zh: "会话 {id} 没有正在进行的工作；见 `larkline sessions show {id}`",
            en: "session {id} is in no turn; see `larkline sessions show {id}`"
        );
        return Err(Refusal(StatusCode::CONFLICT, text));
    }
    Ok(Json(json!({ "session": id })))
}

/// Ends a conversation for good: it cannot be resumed.
pub(super) async fn end(
    State(admin): State<Admin>,
    Path(id): Path<i64>,
) -> Result<Json<Session>, Refusal> {
    let step = SessionMove {
        to: SessionState::Terminated,
        cause: "operator".to_owned(),
        detail: String::new(),
        at_ms: now_ms(),
        patch: SessionPatch::default(),
    };
    match admin.shared.store.step_session(SessionId(id), step).await {
        Ok(session) => {
            // A turn that runs in it has nowhere to go on.
            admin.shared.turns.stop(&session.key, Stop::Operator);
            Ok(Json(session))
        }
        Err(StoreError::NoSession { .. }) => Err(unknown(id)),
        Err(StoreError::SessionStep { .. }) => {
            let text = both!(
                zh: "会话 {id} 已经终止", en: "session {id} is terminated already"
            );
            Err(Refusal(StatusCode::CONFLICT, text))
        }
        Err(error) => Err(error.into()),
    }
}

fn unknown(id: i64) -> Refusal {
    let text = both!(
        zh: "没有会话 {id}；见 `larkline sessions`",
        en: "there is no session {id}; see `larkline sessions`"
    );
    Refusal(StatusCode::NOT_FOUND, text)
}
