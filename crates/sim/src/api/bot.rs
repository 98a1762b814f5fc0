//! What an app may ask about itself.

use serde_json::json;

use super::Context;
use super::reply::{Reply, Result};

/// `GET /open-apis/bot/v3/info`: the payload is under `bot`.
pub(super) fn info(cx: &mut Context<'_>) -> Result {
    let app = cx.world.app(cx.app);
    Ok(Reply::Raw(json!({
        "code": 0,
        "msg": "ok",
        "bot": {
            "activate_status": 2,
            "app_name": app.spec.name,
            "avatar_url": "",
            "ip_white_list": [],
            "open_id": app.bot,
        },
    })))
}

/// `GET /open-apis/event/v1/connection`: half-open connections count, as the platform
/// believes in them.
pub(super) fn connection_count(cx: &mut Context<'_>) -> Result {
    let online = cx.world.conns.values().filter(|c| c.app == cx.app).count();
    Ok(Reply::Raw(json!({"code": 0, "msg": "", "data": {"online_instance_cnt": online}})))
}

/// `GET /open-apis/application/v6/scopes`.
pub(super) fn scopes(cx: &mut Context<'_>) -> Result {
    let granted = cx.world.app(cx.app).spec.scopes.clone();
    let scopes = granted.unwrap_or_else(|| {
        vec!["im:message".to_owned(), "im:chat".to_owned(), "im:resource".to_owned()]
    });
    let scopes: Vec<_> = scopes
        .iter()
        .map(|s| json!({"scope_name": s, "scope_type": "tenant", "grant_status": 1}))
        .collect();
    Ok(Reply::Data(json!({ "scopes": scopes })))
}
