//! The chat page: its files, its feed, and what it asks besides the admin API.
//!
//! The page is plain HTML, CSS and modules of JavaScript, all of them in the binary. It is
//! told of every change by server-sent events (`feed`), and acts through the admin API like any
//! script. Who may do that from a browser is decided in `guard`.

mod assets;
mod feed;
mod guard;
mod view;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use http::{Method, Response};
use larkline_proto::id::MessageId;
use serde_json::{Value, json};

use crate::api::{content_type, json_response};
use crate::http::{Body, Call, whole};
use crate::platform::{Platform, PlatformError};

/// Whether a path is the page's or the admin API's: no platform has it, no fault touches it.
pub(crate) fn is_backstage(path: &str) -> bool {
    assets::serves(path) || path.starts_with("/_sim/")
}

/// Answers what belongs to the page; `None` leaves the request to the admin API or the open API.
pub(crate) async fn handle(platform: &Arc<Platform>, call: &Call) -> Option<Response<Body>> {
    if !is_backstage(&call.path) {
        return None;
    }
    if let Some(why) = guard::refuses(platform, call) {
        return Some(json_response(403, &json!({ "error": why })).map(whole));
    }
    if let Some(response) = assets::answer(call) {
        return Some(response.map(whole));
    }
    let response = match (&call.method, call.path.trim_start_matches("/_sim/")) {
        (&Method::GET, "feed") => return Some(feed::open(platform, call)),
        (&Method::GET, "file") => file(platform, call),
        (&Method::GET, "story") => answer(story(platform, call).await),
        (&Method::POST, "gateway/kill") => answer(kill(platform).await),
        _ => return None,
    };
    Some(response.map(whole))
}

fn answer(outcome: Result<Value, PlatformError>) -> Response<Bytes> {
    match outcome {
        Ok(value) => json_response(200, &value),
        Err(error) => json_response(400, &json!({ "error": error.to_string() })),
    }
}

/// An uploaded image or file, in a form no browser runs anything from.
fn file(platform: &Platform, call: &Call) -> Response<Bytes> {
    let key = call.query("key").unwrap_or_default();
    let found = platform
        .look(|world| world.files.get(key).map(|f| (f.image, f.name.clone(), f.bytes.clone())));
    let Some((image, name, bytes)) = found else {
        return answer(Err(PlatformError::unknown("file", key)));
    };
    let kind = content_type(&bytes);
    let mut response = Response::new(bytes);
    let headers = response.headers_mut();
    let shown = image && kind.starts_with("image/");
    let kind = if shown { kind } else { "application/octet-stream" };
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    if !shown {
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let text = format!("attachment; filename*=UTF-8''{}", name.replace('+', "%20"));
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
    }
    response
}

/// What the platform saw of a message, and what the gateway has to tell of it.
async fn story(platform: &Platform, call: &Call) -> Result<Value, PlatformError> {
    let id = call.query("id").unwrap_or_default();
    let message = MessageId::new(id);
    let events: Vec<_> = platform.read(|ledger| {
        ledger.events.iter().filter(|e| e.message_id.as_ref() == Some(&message)).cloned().collect()
    });
    let (story, note) = match platform.gateway() {
        None => (
            None,
            "no gateway was started with this simulator; the platform's side is all there is"
                .to_owned(),
        ),
        Some(gateway) => match gateway.story(id).await {
            Ok(story) => (Some(story), String::new()),
            Err(why) => (None, why),
        },
    };
    Ok(json!({ "message_id": id, "platform": events, "gateway": story, "note": note }))
}

async fn kill(platform: &Platform) -> Result<Value, PlatformError> {
    let gateway = platform.gateway().ok_or_else(|| {
        PlatformError::Refused(
            "no gateway was started with this simulator; `larkline demo` starts one".to_owned(),
        )
    })?;
    gateway.kill().await.map_err(PlatformError::Refused)
}
