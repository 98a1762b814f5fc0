//! The open API: one table of routes, one gate in front of all of them.
//!
//! The gate does what the platform does before any API sees a request: faults, token, scope,
//! rate. Each API is one function from a [`Context`] to a [`Reply`]. Reference: open API.

mod auth;
mod cardkit;
mod chat;
mod contact;
mod content;
mod diagnosis;
mod file;
mod history;
mod message;
mod reaction;
mod receipt;
mod reply;
mod routes;

use bytes::Bytes;
use http::{Method, Response};
use larkline_proto::id::LogId;

use crate::fault::{Answer, Fault};
use crate::http::{Call, Outcome};
use crate::ledger::CallRow;
use crate::stream::Head;
use crate::world::{AppIx, World};
pub(crate) use file::content_type;
pub(crate) use reply::json_response;
use reply::{Refusal, Reply, Result};
use routes::{ROUTES, Route};

/// One call, as an API function sees it.
struct Context<'a> {
    world: &'a mut World,
    now_ms: u64,
    app: AppIx,
    call: &'a Call,
    params: Vec<(&'static str, String)>,
}

impl Context<'_> {
    /// A path parameter; the route has it, or it is empty.
    fn param(&self, name: &str) -> String {
        self.params.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone()).unwrap_or_default()
    }

    /// The body as JSON.
    fn json<T: serde::de::DeserializeOwned>(&self) -> std::result::Result<T, Refusal> {
        serde_json::from_slice(&self.call.body)
            .map_err(|e| Refusal::new(99_992_402, format!("field validation failed: {e}")))
    }
}

/// Answers one request, whatever it is.
pub(crate) fn handle(world: &mut World, now_ms: u64, call: &Call) -> Outcome {
    let log_id = world.log_id(now_ms);
    let fault = scripted(world, call);
    let late = match &fault {
        Some(Answer::Hang) => return cut(world, now_ms, call, &log_id, Outcome::Hang),
        Some(Answer::Cut) => return cut(world, now_ms, call, &log_id, Outcome::Cut),
        Some(Answer::Slow { ms }) => Some(std::time::Duration::from_millis(*ms)),
        Some(Answer::Code { .. } | Answer::Html { .. } | Answer::NullData) | None => None,
    };
    let result = match fault.and_then(reply::scripted) {
        Some(reply) => reply,
        None => run(world, now_ms, call),
    };
    let loses = |f: &Fault| matches!(f, Fault::LoseAnswer { path, .. } if call.path.contains(path.as_str()));
    if world.faults.take(|f| loses(f).then_some(())).is_some() {
        return cut(world, now_ms, call, &log_id, Outcome::Cut);
    }
    let (response, code) = reply::response(result, &log_id);
    let status = response.status().as_u16();
    world.log(now_ms, call, status, code, &log_id);
    match late {
        None => Outcome::Answer(response),
        Some(by) => Outcome::Late(by, response),
    }
}

fn cut(world: &mut World, now_ms: u64, call: &Call, log_id: &LogId, outcome: Outcome) -> Outcome {
    world.log(now_ms, call, 0, None, log_id);
    outcome
}

fn scripted(world: &mut World, call: &Call) -> Option<Answer> {
    world.faults.take(|fault| {
        if let Fault::Endpoint { answer, .. } = fault
            && call.path == auth::DISCOVERY
        {
            return Some(answer.clone());
        }
        let Fault::Api { path, method, answer, .. } = fault else { return None };
        let meant = call.path != auth::DISCOVERY
            && call.path.contains(path.as_str())
            && (method.is_empty() || call.method.as_str() == method);
        meant.then(|| answer.clone())
    })
}

fn run(world: &mut World, now_ms: u64, call: &Call) -> Result {
    if call.method == Method::POST {
        match call.path.trim_end_matches('/') {
            auth::DISCOVERY => return auth::discovery(world, call),
            auth::TENANT_TOKEN => return auth::token(world, now_ms, call, false),
            auth::APP_TOKEN => return auth::token(world, now_ms, call, true),
            auth::REGISTRATION => return Ok(auth::registration(world, now_ms, call)),
            _ => {}
        }
        if let Some(token) = call.path.strip_prefix("/open-apis/bot/v2/hook/") {
            return Ok(Reply::Raw(world.take_hook(now_ms, token, &call.body)));
        }
    }
    let mut wrong_method = false;
    for Route(method, pattern, scopes, run) in ROUTES {
        let Some(params) = matches(pattern, &call.path) else { continue };
        if *method != call.method {
            wrong_method = true;
            continue;
        }
        let app = auth::gate(world, now_ms, call, scopes)?;
        quota(world)?;
        rate(world, now_ms, app, method, pattern)?;
        return run(&mut Context { world, now_ms, app, call, params });
    }
    match wrong_method {
        true => Err(Refusal::new(99_991_301, "wrong http method")),
        false => Err(Refusal { status: 404, ..Refusal::new(99_991_201, "path not found") }),
    }
}

/// Counts a call against the month's quota.
fn quota(world: &mut World) -> std::result::Result<(), Refusal> {
    match &mut world.faults.quota {
        None => Ok(()),
        Some(0) => Err(Refusal::new(99_991_403, "This month's API call quota has been exceeded.")),
        Some(left) => {
            *left -= 1;
            Ok(())
        }
    }
}

fn rate(
    world: &mut World,
    now_ms: u64,
    app: AppIx,
    method: &Method,
    pattern: &'static str,
) -> std::result::Result<(), Refusal> {
    let limits = &world.options.limits;
    let windows = [(1_000, limits.per_api_per_s), (60_000, limits.per_api_per_min)];
    let key = (app, method_key(method), pattern);
    world.windows.api.admit(key, now_ms, &windows).map_err(|wait_ms| Refusal {
        status: 429,
        reset_s: Some(world.options.real_s(wait_ms).max(1)),
        ..Refusal::new(99_991_400, "request trigger frequency limit")
    })
}

fn method_key(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "POST",
    }
}

/// The parameters of a path that fits a pattern.
fn matches(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut params = Vec::new();
    let mut segments = path.trim_end_matches('/').split('/');
    for part in pattern.split('/') {
        let segment = segments.next()?;
        match part.strip_prefix(':') {
            Some(name) => params.push((name, decoded(segment)?)),
            None if part == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(params)
}

/// A path segment without its percent-encoding.
fn decoded(segment: &str) -> Option<String> {
    // A plus is itself in a path, and a blank in a form; everything else decodes alike.
    let form = segment.replace('+', "%2B");
    let pair = format!("v={form}");
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, v)| v.into_owned())
}

impl World {
    /// A fresh log id: milliseconds and 20 hex digits (the platform writes a calendar time).
    pub(crate) fn log_id(&mut self, now_ms: u64) -> LogId {
        LogId::new(format!("{}{}", now_ms, self.hex(20).to_uppercase()))
    }

    fn log(&mut self, now_ms: u64, call: &Call, status: u16, code: Option<i64>, log_id: &LogId) {
        let row = CallRow {
            at_ms: now_ms,
            method: call.method.to_string(),
            path: call.path.clone(),
            status,
            code,
            log_id: log_id.clone(),
            user_agent: call.header("user-agent").to_owned(),
        };
        self.ledger.calls.push(row, self.options.ledger_rows_max);
    }

    /// Writes a handshake down.
    pub(crate) fn log_call(
        &mut self,
        now_ms: u64,
        head: &Head,
        status: u16,
        code: Option<i64>,
        log_id: &LogId,
    ) {
        let row = CallRow {
            at_ms: now_ms,
            method: head.method.clone(),
            path: head.path().to_owned(),
            status,
            code,
            log_id: log_id.clone(),
            user_agent: head.header("user-agent").unwrap_or_default().to_owned(),
        };
        self.ledger.calls.push(row, self.options.ledger_rows_max);
    }
}

/// A finished response.
type Finished = Response<Bytes>;
