//! Discovery, tokens, and the gate in front of every other API.

use serde::Deserialize;
use serde_json::{Value, json};

use super::reply::{Refusal, Reply, Result};
use crate::delivery::millis;
use crate::fault::Fault;
use crate::http::Call;
use crate::world::{App, AppIx, World};

pub(super) const DISCOVERY: &str = "/callback/ws/endpoint";
pub(super) const TENANT_TOKEN: &str = "/open-apis/auth/v3/tenant_access_token/internal";
pub(super) const APP_TOKEN: &str = "/open-apis/auth/v3/app_access_token/internal";

pub(super) const REGISTRATION: &str = "/oauth/v1/app/registration";

/// The body of discovery; the keyless variant sends an assertion instead of the secret.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Discovery {
    #[serde(rename = "AppID")]
    app_id: String,
    app_secret: String,
    client_assertion: String,
}

/// `POST /callback/ws/endpoint`: refusals are HTTP 200 with a code and an empty `data`.
pub(super) fn discovery(world: &mut World, call: &Call) -> Result {
    let refuse =
        |code: i64, msg: &str| Ok(Reply::Raw(json!({"code": code, "msg": msg, "data": {}})));
    let Ok(asked) = serde_json::from_slice::<Discovery>(&call.body) else {
        return refuse(1_000_040_344, "invalid request body");
    };
    if asked.app_id.is_empty() || (asked.app_secret.is_empty() && asked.client_assertion.is_empty())
    {
        return refuse(1_000_040_344, "app_id or app_secret is empty");
    }
    let known = world.app_ix(&asked.app_id).filter(|app| {
        !asked.client_assertion.is_empty() || world.app(*app).spec.app_secret == asked.app_secret
    });
    let Some(app) = known else {
        return refuse(1_000_040_345, "app_id or app_secret is invalid");
    };
    let (ticket, conn) = world.issue_ticket(app);
    let scheme = if world.tls { "wss" } else { "ws" };
    let App { service_id, access_key, .. } = world.app(app);
    let url = format!(
        "{scheme}://{}/ws/v2?fpid=493&aid=552564&device_id={conn}&access_key={access_key}\
         &service_id={service_id}&ticket={ticket}",
        call.header("host"),
    );
    let scripted = world.faults.take(|f| {
        let Fault::EndpointConfig { json, .. } = f else { return None };
        Some(json.clone())
    });
    let served = || serde_json::to_value(world.options.served_config()).unwrap_or_default();
    let config = scripted.unwrap_or_else(served);
    Ok(Reply::Data(json!({"URL": url, "ClientConfig": config})))
}

/// The token endpoints: failures are HTTP 200, fields are at top level.
pub(super) fn token(world: &mut World, now_ms: u64, call: &Call, of_app: bool) -> Result {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Asked {
        app_id: String,
        app_secret: String,
    }
    let refuse =
        |code: i64, msg: &str| Ok(Reply::Raw(json!({"code": code, "msg": msg, "data": {}})));
    let asked: Asked = serde_json::from_slice(&call.body).unwrap_or_default();
    let well_formed = larkline_proto::id::AppId::new(asked.app_id.as_str()).is_well_formed();
    if !well_formed || asked.app_secret.is_empty() {
        return refuse(10_003, "invalid param");
    }
    let Some(app) = world.app_ix(&asked.app_id) else {
        return refuse(10_014, "app id not exists");
    };
    if world.app(app).spec.app_secret != asked.app_secret {
        return refuse(10_014, "app secret invalid");
    }
    let lifetime_ms = millis(world.options.token_lifetime);
    let fresh = format!("t-{}", world.hex(40));
    let (token, expire) = world.tokens.issue(app, now_ms, lifetime_ms, || fresh);
    let expire = world.options.real_s(expire * 1000);
    let mut body = json!({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": expire});
    if of_app {
        body["app_access_token"] = json!(token);
    }
    Ok(Reply::Raw(body))
}

/// `POST /oauth/v1/app/registration`: a form, answered without an envelope.
pub(super) fn registration(world: &mut World, now_ms: u64, call: &Call) -> Reply {
    let (status, body) = world.register(now_ms, call.header("host"), &call.body);
    Reply::Status(status, body)
}

/// Whose call this is, when its token and the app's scopes allow it.
pub(super) fn gate(
    world: &World,
    now_ms: u64,
    call: &Call,
    any_of: &[&str],
) -> std::result::Result<AppIx, Refusal> {
    let bearer = call.header("authorization");
    let token = bearer.strip_prefix("Bearer ").unwrap_or_default().trim();
    if token.is_empty() || token == "None" {
        return Err(Refusal::new(
            99_991_661,
            "Missing access token for authorization. Please make a request with token attached.",
        ));
    }
    if !token.starts_with("t-") && !token.starts_with("u-") {
        return Err(Refusal::new(99_991_671, "Invalid access token: it must start with t- or u-"));
    }
    let Some(app) = world.tokens.owner(token, now_ms) else {
        return Err(Refusal::new(
            99_991_663,
            "Invalid access token for authorization. Please make a request with token attached.",
        ));
    };
    match world.app(app).may(any_of) {
        true => Ok(app),
        false => Err(missing_scope(world, app, any_of)),
    }
}

fn missing_scope(world: &World, app: AppIx, any_of: &[&str]) -> Refusal {
    let violations: Vec<Value> =
        any_of.iter().map(|s| json!({"type": "action_scope_required", "subject": s})).collect();
    let app_id = world.app_id(app);
    let url = format!(
        "https://open.feishu.cn/app/{app_id}/auth?q={}&op_from=openapi&token_type=tenant",
        any_of.join(",")
    );
    let description =
        format!("Learn more about scopes and how to add them: [{}]", any_of.join(" "));
    let msg =
        format!("Access denied. One of the following scopes is required: [{}].", any_of.join(", "));
    Refusal {
        error: Some(json!({
            "permission_violations": violations,
            "helps": [{"url": url, "description": description}],
        })),
        ..Refusal::new(99_991_672, msg)
    }
}
