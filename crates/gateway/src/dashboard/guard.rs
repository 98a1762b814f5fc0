//! Who may: whoever shows the token, or, on loopback without one, whoever is on this machine; and
//! in a browser the dashboard's own page alone.
//!
//! Any site in a browser can send requests to a port on loopback. It cannot hide where they come
//! from: a browser names the origin with every POST and, where it is modern, the relation of the two
//! sites with every request. A name that is pointed at 127.0.0.1 (rebinding) shows in `Host`.
//! Every answer leaves with the headers that keep a browser from doing more than the page says.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Dashboard, login, seal};
use crate::admin::{Refusal, token};
use crate::clock::now_ms;

/// Nothing but what the gateway itself serves, nothing inline, no frame around it. The script may
/// turn what the feed sends into elements; elements that hold scripts do not run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types larkline";

/// Headers of every answer. Without a referrer even for ourselves, browsers would hide the origin
/// of our own forms.
const FIXED: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("x-frame-options"), "DENY"),
];

pub(super) async fn guard(
    State(dashboard): State<Dashboard>,
    request: Request,
    next: Next,
) -> Response {
    let refusal = refuses(&dashboard, &request);
    let is_unknown = refusal.as_ref().is_some_and(|r| r.status() == StatusCode::UNAUTHORIZED);
    if is_unknown && !token::shown(request.headers()).is_empty() {
        token::was_wrong().await;
    }
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The answer to whoever may not; `None` for whoever may.
fn refuses(dashboard: &Dashboard, request: &Request) -> Option<Response> {
    let config = dashboard.admin.shared.config.load();
    let (headers, method) = (request.headers(), request.method());
    if let Some(why) = from_elsewhere(headers, method, config.server.token.is_some()) {
        return Some(Refusal::of_program(StatusCode::FORBIDDEN, why).into_response());
    }
    let path = request.uri().path();
    if path == login::PATH || super::files::serves(path) || may(dashboard, headers) {
        return None;
    }
    let asks_for_page = method == Method::GET && matches!(path, "/" | "/dashboard");
    if asks_for_page {
        return Some(login::form(dashboard, request.uri().query(), false));
    }
    let text = "show the token of [server] as `Authorization: Bearer …`, or log in at /";
    Some(Refusal::of_program(StatusCode::UNAUTHORIZED, text).into_response())
}

/// Whether a request shows the token that is in force, or a session made from it; without one
/// everybody may.
pub(super) fn may(dashboard: &Dashboard, headers: &HeaderMap) -> bool {
    let config = dashboard.admin.shared.config.load();
    let Some(wanted) = &config.server.token else { return true };
    let cookie = login::cookie_name(dashboard);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut sessions = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == cookie);
    token::same(token::shown(headers), wanted.expose())
        || sessions.any(|(_, value)| seal::is_session(wanted, value, now_ms() / 1000))
}

/// Why a request cannot come from our own page, or a program of this machine.
fn from_elsewhere(headers: &HeaderMap, method: &Method, has_token: bool) -> Option<&'static str> {
    let (host, origin) = (text(headers, &HOST), text(headers, &ORIGIN));
    if !has_token && !is_local(host) {
        return Some(
            "without a token the dashboard answers to localhost alone; open it by 127.0.0.1, \
             or set `token` in [server]",
        );
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let named = |name: &'static str| text(headers, &HeaderName::from_static(name));
    let other_site = match named("sec-fetch-site") {
        "" | "same-origin" => false,
        // Typed, or from a bookmark.
        "none" => !reads,
        _ => !(reads && named("sec-fetch-mode") == "navigate"),
    };
    let own_origin = ["http://", "https://"]
        .iter()
        .any(|scheme| origin.strip_prefix(scheme).is_some_and(|rest| rest == host));
    (other_site || !(origin.is_empty() || own_origin))
        .then_some("another site may not use the dashboard; open the dashboard's own page")
}

/// A header as text; empty when there is none, or it is no text.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a `Host` names this machine by something no name server decides.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &Method, has_token: bool, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        from_elsewhere(&headers.collect(), method, has_token).is_some()
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:7080");

    #[test]
    fn only_the_own_page_writes_and_only_by_a_name_of_this_machine() {
        let (get, post) = (&Method::GET, &Method::POST);
        for host in ["localhost:7080", "127.0.0.1", "[::1]:7080", "127.9.9.9:1"] {
            assert!(!refused(post, false, &[("host", host)]), "{host}");
        }
        for host in
            ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "[::2]", "10.0.0.1"]
        {
            assert!(refused(get, false, &[("host", host)]), "{host}");
            assert!(!refused(get, true, &[("host", host)]), "{host}: the token decides");
        }
        assert!(!refused(post, false, &[HERE, ("origin", "http://127.0.0.1:7080")]));
        for origin in ["null", "http://evil.example", "http://127.0.0.1:7081", "http://127.0.0.1"] {
            assert!(refused(post, true, &[HERE, ("origin", origin)]), "{origin}");
        }
        let site = |site| ("sec-fetch-site", site);
        assert!(!refused(post, false, &[HERE, site("same-origin")]));
        for from in ["cross-site", "same-site", "none"] {
            assert!(refused(post, false, &[HERE, site(from)]), "{from}");
        }
        assert!(refused(get, false, &[HERE, site("cross-site"), ("sec-fetch-mode", "no-cors")]));
        assert!(!refused(get, false, &[HERE, site("cross-site"), ("sec-fetch-mode", "navigate")]));
    }
}
