//! What an app may ask about itself. Reference: open API, 6.1 and 6.4.

use serde_json::{Value, json};

use super::Context;
use super::reply::{Refusal, Reply, Result};
use crate::console::Console;
use crate::options::AppSpec;

/// What is granted to an app whose scopes nobody narrowed: the set a chat bot needs.
const EVERY_SCOPE: &[&str] = &[
    "im:message",
    "im:message:send_as_bot",
    "im:message:readonly",
    "im:message:update",
    "im:message:recall",
    "im:message.p2p_msg:readonly",
    "im:message.group_at_msg:readonly",
    "im:message.group_msg",
    "im:message.reactions:read",
    "im:message.reactions:write_only",
    "im:resource",
    "im:chat",
    "im:chat:read",
    "cardkit:card:write",
    "contact:user.basic_profile:readonly",
    "application:application:self_manage",
];

/// `GET /open-apis/bot/v3/info`: the payload is under `bot`.
pub(super) fn bot_info(cx: &mut Context<'_>) -> Result {
    let app = cx.world.app(cx.app);
    Ok(Reply::Raw(json!({
        "code": 0,
        "msg": "ok",
        "bot": {
            "activate_status": app.spec.console.activate_status,
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
    let online = cx.world.faults.online_count.map_or(online, |count| count as usize);
    Ok(Reply::Raw(json!({"code": 0, "msg": "", "data": {"online_instance_cnt": online}})))
}

/// `GET /open-apis/application/v6/scopes`.
pub(super) fn scopes(cx: &mut Context<'_>) -> Result {
    let scopes: Vec<_> = granted(&cx.world.app(cx.app).spec)
        .iter()
        .map(|s| json!({"scope_name": s, "scope_type": "tenant", "grant_status": 1}))
        .collect();
    Ok(Reply::Data(json!({ "scopes": scopes })))
}

/// `GET /open-apis/application/v6/applications/:app_id`; `me` or the app's own id.
pub(super) fn application(cx: &mut Context<'_>) -> Result {
    let spec = own(cx)?;
    let Console { status, callback_type, unreleased, draft, .. } = &spec.console;
    let callbacks: &[&str] = if spec.callbacks { &["card.action.trigger"] } else { &[] };
    let app = json!({
        "app_id": spec.app_id,
        "app_name": spec.name,
        "status": status,
        "scene_type": 0,
        "online_version_id": if *unreleased { "" } else { LIVE },
        "unaudit_version_id": if draft.is_some() { DRAFT } else { "" },
        "scopes": scope_objects(&granted(spec)),
        "primary_language": "zh_cn",
        "callback_info": {"callback_type": callback_type, "subscribed_callbacks": callbacks},
    });
    Ok(Reply::Data(json!({ "app": app })))
}

/// `GET …/applications/:app_id/app_versions`, newest in front.
pub(super) fn versions(cx: &mut Context<'_>) -> Result {
    let spec = own(cx)?;
    let console = &spec.console;
    let draft = console.draft.as_ref().map(|d| {
        let head = json!({"version": "1.0.2", "version_id": DRAFT, "status": d.status, "publish_time": null});
        version(head, &d.events, &d.scopes)
    });
    let live = (!console.unreleased).then(|| {
        let head = json!({"version": "1.0.1", "version_id": LIVE, "status": 1, "publish_time": "1610462760"});
        version(head, &console.events, &granted(spec))
    });
    let items: Vec<Value> = draft.into_iter().chain(live).collect();
    Ok(Reply::Data(json!({"items": items, "has_more": false, "page_token": ""})))
}

/// Id of the released version.
const LIVE: &str = "oav_d317f090b7258ad0372aa53963cda70d";
/// Id of the one that waits.
const DRAFT: &str = "oav_0f3a7c1de59b4288b1d2c6a9e07f5514";

fn version(mut head: Value, events: &[String], scopes: &[String]) -> Value {
    let infos: Vec<_> = events.iter().map(|e| json!({"event_type": e})).collect();
    head["events"] = json!(events);
    head["event_infos"] = json!(infos);
    head["scopes"] = json!(scope_objects(scopes));
    head
}

fn scope_objects(scopes: &[String]) -> Vec<Value> {
    scopes.iter().map(|s| json!({"scope": s, "level": 1, "token_types": ["tenant"]})).collect()
}

fn granted(spec: &AppSpec) -> Vec<String> {
    let every = || EVERY_SCOPE.iter().map(|s| (*s).to_owned()).collect();
    spec.scopes.clone().unwrap_or_else(every)
}

fn own<'a>(cx: &'a Context<'_>) -> std::result::Result<&'a AppSpec, Refusal> {
    let asked = cx.param("app_id");
    let spec = &cx.world.app(cx.app).spec;
    if cx.call.query("lang").is_none() {
        return Err(Refusal::new(99_992_402, "field validation failed: lang is required"));
    }
    match asked == "me" || asked == spec.app_id.as_str() {
        true => Ok(spec),
        false => Err(Refusal::new(210_504, "no such app in the tenant")),
    }
}
