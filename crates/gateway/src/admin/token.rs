//! The token of `[server]`, as programs show it: `Authorization: Bearer …`.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

/// A wrong token is answered so late: with the bound of connections, guessing is slow.
const WRONG_AFTER: Duration = Duration::from_millis(500);

/// What a request shows; empty when it shows nothing.
pub(crate) fn shown(headers: &HeaderMap) -> &str {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

/// Compares in a time that does not tell how much was right.
pub(crate) fn same(shown: &str, wanted: &str) -> bool {
    shown.as_bytes().ct_eq(wanted.as_bytes()).into()
}

/// Puts a wrong token on record, and makes whoever showed it wait.
pub(crate) async fn was_wrong() {
    tracing::warn!(code = "dashboard_login", "somebody showed a wrong token");
    tokio::time::sleep(WRONG_AFTER).await;
}
