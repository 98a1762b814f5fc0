//! The page's files, in the binary, each with an `ETag` of its content.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::guard;

/// Name, type, content.
const FILES: [(&str, &str, &str); 3] = [
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Whether a path is one of them: they say nothing about anybody.
pub(super) fn serves(path: &str) -> bool {
    let name = path.strip_prefix("/dashboard/");
    name.is_some_and(|name| FILES.iter().any(|(file, ..)| *file == name))
}

pub(super) async fn answer(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, kind, text)) = FILES.iter().find(|(file, ..)| *file == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = etag(text);
    let known = guard::text(&headers, &IF_NONE_MATCH).split(',').any(|known| known.trim() == tag);
    // Asked again each time, answered with 304: a new binary shows its new page at once.
    let head = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, "no-cache"), (ETAG, tag.as_str())];
    match known {
        true => (StatusCode::NOT_MODIFIED, head).into_response(),
        false => (head, *text).into_response(),
    }
}

/// FNV-1a: it tells versions of a file apart, and nobody is to be kept from forging one.
fn etag(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}
