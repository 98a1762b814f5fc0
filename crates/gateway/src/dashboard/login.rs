//! The token for a cookie, and back. The token itself is never in an address, a page or a cookie.

use axum::extract::{Form, Query, State};
use axum::http::header::{HeaderName, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::page::{self, LangQuery};
use super::{Dashboard, guard, seal};
use crate::admin::{Refusal, token};
use crate::both::Both;
use crate::clock::now_ms;
use crate::config::Config;
use crate::words::Lang;

/// Where the form goes.
pub(super) const PATH: &str = "/dashboard/login";

/// Cookies know no ports: two gateways on one machine are not to log each other out.
pub(super) fn cookie_name(dashboard: &Dashboard) -> String {
    format!("larkline_{}", dashboard.admin.shared.http.map_or(0, |address| address.port()))
}

/// What the form holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginForm {
    token: String,
}

/// What the button to leave holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogoutForm {
    mark: String,
}

pub(super) async fn login(
    State(dashboard): State<Dashboard>,
    Query(query): Query<LangQuery>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    let config = dashboard.admin.shared.config.load_full();
    let lang = query.lang(&config);
    let Some(wanted) = &config.server.token else { return home(lang, &config, None) };
    if !token::same(&form.token, wanted.expose()) {
        token::was_wrong().await;
        return page::login(&dashboard, lang, true);
    }
    let cookie = format!(
        "{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}",
        cookie_name(&dashboard),
        seal::session(wanted, now_ms() / 1000),
        seal::SESSION_SECONDS,
        secure(&headers)
    );
    home(lang, &config, Some(cookie))
}

pub(super) async fn logout(
    State(dashboard): State<Dashboard>,
    Query(query): Query<LangQuery>,
    Form(form): Form<LogoutForm>,
) -> Response {
    if !dashboard.seal.is_on(&form.mark) {
        return stale_form();
    }
    let config = dashboard.admin.shared.config.load_full();
    let cookie =
        format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", cookie_name(&dashboard));
    home(query.lang(&config), &config, Some(cookie))
}

/// The form, for whoever asked for a page.
pub(super) fn form(dashboard: &Dashboard, query: Option<&str>, wrong: bool) -> Response {
    let config = dashboard.admin.shared.config.load();
    page::login(dashboard, LangQuery::of(query).lang(&config), wrong)
}

/// A form from before a restart, or of nobody's.
pub(super) fn stale_form() -> Response {
    let text = Both::of(
        "这个表单不属于网关的这次运行；请重新加载页面后再按",
        "this form is not of this run of the gateway; reload the page and press again",
    );
    Refusal(StatusCode::FORBIDDEN, text).into_response()
}

/// Behind a proxy that speaks TLS the cookie goes nowhere else.
fn secure(headers: &HeaderMap) -> &'static str {
    let scheme = guard::text(headers, &HeaderName::from_static("x-forwarded-proto"));
    if scheme == "https" { "; Secure" } else { "" }
}

fn home(lang: Lang, config: &Config, cookie: Option<String>) -> Response {
    let place = page::address(lang, config, "/");
    let head = [(LOCATION, place)].into_iter().chain(cookie.map(|cookie| (SET_COOKIE, cookie)));
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in head {
        // Both are made here, of characters that headers may have.
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
