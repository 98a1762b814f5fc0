//! The envelope: `{"code", "msg", "data", "error"}`, its headers, and the exceptions to it.

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use larkline_proto::id::LogId;
use serde_json::{Value, json};

use super::Finished;
use crate::fault::Answer;

/// What an API function returns.
pub(super) type Result = std::result::Result<Reply, Refusal>;

/// A good answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// `{"code":0,"msg":"success","data":…}`.
    Data(Value),
    /// A body of its own shape.
    Raw(Value),
    /// The same with an HTTP status.
    Status(u16, Value),
    /// A download.
    Bytes { name: String, content_type: &'static str, bytes: Bytes },
    /// A page that is no JSON, with its status.
    Html(u16),
}

/// A bad answer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: i64,
    pub(super) msg: String,
    /// Members of `error` besides `log_id`.
    pub(super) error: Option<Value>,
    /// `x-ogw-ratelimit-reset`.
    pub(super) reset_s: Option<u64>,
}

impl Refusal {
    /// A refusal with HTTP 400, as most are.
    pub(super) fn new(code: i64, msg: impl Into<String>) -> Self {
        Self { status: 400, code, msg: msg.into(), error: None, reset_s: None }
    }

    /// 230001 with its `ext`.
    pub(super) fn invalid(ext: &str) -> Self {
        Self::new(
            230_001,
            format!("Your request contains an invalid request parameter, ext={ext}."),
        )
    }
}

/// What a scripted answer looks like; `None` when the proper answer is wanted.
pub(super) fn scripted(answer: Answer) -> Option<Result> {
    match answer {
        // A status below 400 with a code is what auth endpoints do; the code rules.
        Answer::Code { status, code, msg, reset_s } => {
            Some(Err(Refusal { status, reset_s, ..Refusal::new(code, msg) }))
        }
        Answer::Html { status } => Some(Ok(Reply::Html(status))),
        Answer::NullData => Some(Ok(Reply::Raw(json!({"code": 0, "msg": "", "data": null})))),
        Answer::Hang | Answer::Slow { .. } | Answer::Cut => None,
    }
}

/// The response on the wire, and the code in it.
pub(super) fn response(result: Result, log_id: &LogId) -> (Finished, Option<i64>) {
    let (mut response, code) = match result {
        Ok(Reply::Data(data)) => {
            (json_response(200, &json!({"code": 0, "msg": "success", "data": data})), Some(0))
        }
        Ok(Reply::Raw(body)) => {
            let code = body.get("code").and_then(Value::as_i64);
            (json_response(200, &body), code)
        }
        Ok(Reply::Status(status, body)) => (json_response(status, &body), None),
        Ok(Reply::Bytes { name, content_type, bytes }) => {
            (download(&name, content_type, bytes), None)
        }
        Ok(Reply::Html(status)) => (html(status), None),
        Err(refusal) => {
            let code = refusal.code;
            (refused(refusal, log_id), Some(code))
        }
    };
    if let Ok(value) = HeaderValue::from_str(log_id.as_str()) {
        response.headers_mut().insert(HeaderName::from_static("x-tt-logid"), value);
    }
    (response, code)
}

fn refused(refusal: Refusal, log_id: &LogId) -> Finished {
    let mut error = refusal.error.unwrap_or_else(|| json!({}));
    error["log_id"] = json!(log_id);
    let body = json!({"code": refusal.code, "msg": refusal.msg, "error": error, "data": {}});
    let mut response = json_response(refusal.status, &body);
    if let Some(reset_s) = refusal.reset_s {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("x-ogw-ratelimit-limit"), HeaderValue::from(50));
        headers
            .insert(HeaderName::from_static("x-ogw-ratelimit-reset"), HeaderValue::from(reset_s));
    }
    response
}

fn with_status(status: u16, content_type: &'static str, body: Bytes) -> Finished {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A JSON body with a status.
pub(crate) fn json_response(status: u16, body: &Value) -> Finished {
    with_status(status, "application/json; charset=utf-8", body.to_string().into())
}

fn html(status: u16) -> Finished {
    let page = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>";
    with_status(status, "text/html", Bytes::from_static(page.as_bytes()))
}

fn download(name: &str, content_type: &'static str, bytes: Bytes) -> Finished {
    let mut response = with_status(200, content_type, bytes);
    let quoted = format!("attachment; filename=\"{}\"", name.replace(['"', '\r', '\n'], "_"));
    if let Ok(value) = HeaderValue::from_bytes(quoted.as_bytes()) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}
