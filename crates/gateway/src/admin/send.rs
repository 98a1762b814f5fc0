//! `send`: a message from a script, through the same outbox and governor as replies.

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use larkline_store::outbox::NewOutbox;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::server::{Admin, Refusal};
use crate::both::{Both, both};
use crate::clock::now_ms;
use crate::handler::Parcel;
use crate::outgoing::{Op, Source, stable_uuid};
use crate::task_api;

/// Scripts give way to replies.
const PRIORITY: i32 = -1;

/// A message to be sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// Name of the app; the only one when absent.
    #[serde(default)]
    pub app: Option<String>,
    /// `oc_…` chat, `ou_…` person, or an e-mail address.
    pub to: String,
    /// The text, or Markdown when `markdown` is set.
    pub text: String,
    /// Send as a post with Markdown.
    #[serde(default)]
    pub markdown: bool,
    /// The same key is sent once, however often it is asked for.
    #[serde(default)]
    pub key: Option<String>,
}

/// A message was stored; it will be delivered within the limits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendAccepted {
    /// The outbox row; of a text that was split, its beginning.
    pub outbox_id: i64,
}

pub(super) async fn send(
    State(admin): State<Admin>,
    Json(request): Json<SendRequest>,
) -> Result<Json<SendAccepted>, Refusal> {
    let ids = admin.shared.store.enqueue(rows(&admin, &request)?).await?;
    admin.shared.delivery.notify_waiters();
    let outbox_id = ids.first().map_or(0, |id| id.0);
    Ok(Json(SendAccepted { outbox_id }))
}

/// A file to be sent; its bytes are the body.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendFileQuery {
    /// Name of the app; the only one when absent.
    #[serde(default)]
    pub app: Option<String>,
    /// As for a message.
    pub to: String,
    /// Its name in the chat.
    pub name: String,
    /// The same key is sent once, however often it is asked for.
    #[serde(default)]
    pub key: Option<String>,
}

pub(super) async fn send_file(
    State(admin): State<Admin>,
    Query(query): Query<SendFileQuery>,
    body: Body,
) -> Result<Json<SendAccepted>, Refusal> {
    let app = admin.app(query.app.as_deref())?;
    let to = receiver(&query.to).map_err(|text| Refusal(StatusCode::BAD_REQUEST, text))?;
    let key = query.key.unwrap_or_else(|| Uuid::now_v7().to_string());
    let folder = format!("send-{}", Uuid::now_v7().simple());
    let parcel = Parcel::take_in(&admin.state_dir, &folder, &query.name, body).await;
    let Parcel { name, path, .. } = parcel.map_err(task_api::file_refusal)?;
    let message = Op::Send { to, message: Outgoing::file("") };
    let op = Op::File { to: Box::new(message), name: name.clone(), source: Source::Path(path) };
    let previews = admin.shared.config.load().log.previews;
    let preview = if previews { format!("[file: {name}]") } else { String::new() };
    let rows = vec![row(&app.name, &format!("{}/send/{key}/0", app.name), &op, preview)];
    let ids = admin.shared.store.enqueue(rows).await?;
    admin.shared.delivery.notify_waiters();
    Ok(Json(SendAccepted { outbox_id: ids.first().map_or(0, |id| id.0) }))
}

fn row(app: &str, key: &str, op: &Op, preview: String) -> NewOutbox {
    NewOutbox {
        app: app.to_owned(),
        inbox: None,
        task: None,
        uuid: stable_uuid(key),
        key: key.to_owned(),
        lane: op.lane().to_owned(),
        priority: PRIORITY,
        preview,
        body: op.to_body(),
        created_ms: now_ms(),
        due_ms: 0,
    }
}

fn rows(admin: &Admin, request: &SendRequest) -> Result<Vec<NewOutbox>, Refusal> {
    let bad = |text: Both| Refusal(StatusCode::BAD_REQUEST, text);
    let app = admin.app(request.app.as_deref())?;
    if request.text.trim().is_empty() {
        return Err(bad(Both::of(
            "没有文字；请作为参数或从标准输入给出",
            "the text is empty; give one as argument or on stdin",
        )));
    }
    let message = if request.markdown {
        Outgoing::markdown(&request.text)
    } else {
        Outgoing::text(&request.text)
    };
    let to = receiver(&request.to).map_err(bad)?;
    let key = request.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    let previews = admin.shared.config.load().log.previews;
    let one = |(n, message): (usize, Outgoing)| {
        let key = format!("{}/send/{key}/{n}", app.name);
        let preview = if previews { message.preview() } else { String::new() };
        row(&app.name, &key, &Op::Send { to: to.clone(), message }, preview)
    };
    Ok(message.split().into_iter().enumerate().map(one).collect())
}

fn receiver(to: &str) -> Result<ReceiveId, Both> {
    match to {
        _ if to.starts_with("oc_") => Ok(ReceiveId::Chat(to.into())),
        _ if to.starts_with("ou_") => Ok(ReceiveId::Open(to.into())),
        _ if to.starts_with("on_") => Ok(ReceiveId::Union(to.to_owned())),
        _ if to.contains('@') => Ok(ReceiveId::Email(to.to_owned())),
        _ => Err(both!(
            zh: "{to:?} 不是会话（oc_…）、用户（ou_…）或邮箱地址；见 `larkline chats`",
            en: "{to:?} is no chat (oc_…), person (ou_…) or e-mail address; see `larkline chats`"
        )),
    }
}
