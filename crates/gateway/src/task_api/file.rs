//! Files of a task, whose bytes come with the call.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::say::{enqueue, previews};
use super::server::{TaskApi, too_many};
use crate::admin::Refusal;
use crate::both::Both;
use crate::clock::now_ms;
use crate::grants::{Grant, Use};
use crate::handler::{Parcel, ParcelError};
use crate::outgoing::Saying;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileQuery {
    name: String,
}

/// The file will be delivered within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSent {
    /// Its size.
    pub bytes: u64,
}

pub(super) async fn file(
    State(api): State<TaskApi>,
    Extension(grant): Extension<Arc<Grant>>,
    Query(query): Query<FileQuery>,
    body: Body,
) -> Result<Json<FileSent>, Refusal> {
    if !grant.spend(Use::File) {
        return Err(too_many("files"));
    }
    let folder = grant.to.task.0.to_string();
    let parcel = Parcel::take_in(&api.state_dir, &folder, &query.name, body).await;
    let Parcel { name, path, bytes } = parcel.map_err(refusal)?;
    let part = format!("file/{}/", Uuid::now_v7().simple());
    let file = vec![Saying::File { name, path }];
    enqueue(&grant, grant.to.rows(&part, file, None, previews(&grant), now_ms())).await?;
    Ok(Json(FileSent { bytes }))
}

/// What whoever sent it is told.
pub(crate) fn refusal(error: ParcelError) -> Refusal {
    let status = match error {
        ParcelError::Empty | ParcelError::TooLarge | ParcelError::CutOff(_) => {
            StatusCode::BAD_REQUEST
        }
        ParcelError::Disk(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refusal(status, Both::each(|lang| error.said(lang)))
}
