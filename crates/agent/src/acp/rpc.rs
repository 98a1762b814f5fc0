//! JSON-RPC 2.0 on lines: reading what comes, writing what goes.
//!
//! What the methods mean is not here.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::line;
use crate::plain::{DETAIL_MAX, cut};

/// The asked method is not one of ours.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
/// The request cannot be taken.
pub(super) const INVALID_REQUEST: i64 = -32600;
/// The request was taken back by who had made it.
pub(super) const REQUEST_CANCELLED: i64 = -32800;

/// An id as the agent wrote it, so that it can be echoed to the byte.
pub(super) type Id = Box<RawValue>;

/// What a line is.
pub(super) enum Incoming {
    /// A question; it must be answered.
    Request { id: Id, method: String, params: Value },
    /// A word that needs no answer.
    Notification { method: String, params: Value },
    /// The answer to a request of ours.
    Answer { id: Id, result: Result<Value, Fault> },
}

/// An error that was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its number.
    pub(super) code: i64,
    /// All it says in words, with what it hides in its data.
    pub(super) words: String,
}

#[derive(Deserialize)]
struct Envelope {
    id: Option<Id>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<Value>,
}

/// Reads a line; `None` for what is not JSON-RPC.
pub(super) fn read(line: &[u8]) -> Option<Incoming> {
    let Envelope { id, method, params, result, error } = line::read(line)?;
    match (method, id) {
        (Some(method), Some(id)) => Some(Incoming::Request { id, method, params }),
        (Some(method), None) => Some(Incoming::Notification { method, params }),
        (None, Some(id)) => {
            let result = error.map_or(Ok(result), |error| Err(Fault::new(&error)));
            Some(Incoming::Answer { id, result })
        }
        (None, None) => None,
    }
}

/// A request of ours, as a line.
pub(super) fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    written(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
}

/// A word of ours that needs no answer, as a line.
pub(super) fn notification(method: &str, params: &Value) -> Vec<u8> {
    written(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
}

/// The answer to a request of the agent's, as a line.
pub(super) fn answer(id: &RawValue, result: &Value) -> Vec<u8> {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n").into_bytes()
}

/// An error as the answer to a request of the agent's, as a line.
pub(super) fn refusal(id: &RawValue, code: i64, message: &str) -> Vec<u8> {
    let error = json!({"code": code, "message": message});
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}\n").into_bytes()
}

fn written(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

impl Fault {
    /// Gathers what an error says: agents keep the telling part in `message`, `data`,
    /// `data.message` or `data.details`.
    fn new(error: &Value) -> Self {
        let data = &error["data"];
        let mut words: Vec<&str> = Vec::new();
        for part in [&error["message"], data, &data["message"], &data["details"]] {
            let Some(part) = part.as_str().map(str::trim) else { continue };
            if !part.is_empty() && !words.iter().any(|said| said.contains(part)) {
                words.push(part);
            }
        }
        Self {
            code: error["code"].as_i64().unwrap_or_default(),
            words: cut(&words.join(": "), DETAIL_MAX),
        }
    }
}
