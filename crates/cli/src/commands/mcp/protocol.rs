//! JSON-RPC and the handshake of MCP. Pure: a line in, what it asks for out.

use serde_json::{Value, json};

use super::tools;

/// Versions of the protocol that this server speaks, the newest in front.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// "Parse error."
const PARSE: i64 = -32700;
/// "Invalid request."
const INVALID: i64 = -32600;
/// "Method not found."
const NO_METHOD: i64 = -32601;
/// "Invalid params."
const BAD_PARAMS: i64 = -32602;
/// "Internal error."
const INTERNAL: i64 = -32603;

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// An answer at once.
    Say(Value),
    /// The use of a tool.
    Call {
        /// The request.
        id: Value,
        /// The tool.
        name: String,
        /// What it is given.
        arguments: Value,
    },
    /// A call is to end without an answer.
    Cancel(Value),
    /// Nothing.
    Nothing,
}

/// Reads a line.
pub(super) fn hear(line: &[u8]) -> Heard {
    let Ok(message) = serde_json::from_slice::<Value>(line) else {
        return Heard::Say(error(&Value::Null, PARSE, "this line is no JSON"));
    };
    let id = message.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    let Some(method) = message.get("method").and_then(Value::as_str) else {
        // An answer to a request that this server never makes.
        if message.get("result").or_else(|| message.get("error")).is_some() {
            return Heard::Nothing;
        }
        let id = id.unwrap_or_default();
        return Heard::Say(error(&id, INVALID, "one request or notification a line"));
    };
    let params = message.get("params").cloned().unwrap_or_default();
    match id {
        Some(id) => request(id, method, &params),
        None if method == "notifications/cancelled" => Heard::Cancel(params["requestId"].clone()),
        None => Heard::Nothing,
    }
}

fn request(id: Value, method: &str, params: &Value) -> Heard {
    match method {
        "initialize" => Heard::Say(result(&id, &greeting(params))),
        "ping" => Heard::Say(result(&id, &json!({}))),
        "tools/list" => Heard::Say(result(&id, &json!({ "tools": tools::list() }))),
        "tools/call" => call(id, params),
        _ => Heard::Say(error(&id, NO_METHOD, &format!("no method {method:?} here"))),
    }
}

fn greeting(params: &Value) -> Value {
    let wanted = params["protocolVersion"].as_str().unwrap_or_default();
    let [newest, ..] = VERSIONS;
    let version = VERSIONS.into_iter().find(|version| *version == wanted).unwrap_or(newest);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": {
            "name": "larkline",
            "title": "The chat of this task",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "instructions": "Talks to the chat that your task came from, and to no other. Your final \
            answer is sent there anyway: use these tools for what has to be said before, for files, \
            and to ask the person. For progress, use update_message with one key: it replaces the \
            message instead of adding one.",
    })
}

fn call(id: Value, params: &Value) -> Heard {
    let name = params["name"].as_str().unwrap_or_default();
    if !tools::NAMES.contains(&name) {
        return Heard::Say(error(&id, BAD_PARAMS, &format!("unknown tool {name:?}")));
    }
    let arguments = match params.get("arguments") {
        None | Some(Value::Null) => json!({}),
        Some(arguments) => arguments.clone(),
    };
    Heard::Call { id, name: name.to_owned(), arguments }
}

/// The answer to a request.
pub(super) fn result(id: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// A line that is longer than any message.
pub(super) fn too_long() -> Value {
    error(&Value::Null, INVALID, "this line is longer than 4 MB")
}

/// Too many calls run.
pub(super) fn busy(id: &Value) -> Value {
    error(id, INTERNAL, "too many calls are under way; wait for one to end")
}

/// The call ended without a result.
pub(super) fn broken(id: &Value) -> Value {
    error(
        id,
        INTERNAL,
        "the call broke off, a mistake in larkline; look at the chat before you repeat it",
    )
}

fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Value {
        let heard = hear(line.as_bytes());
        let Heard::Say(answer) = heard else { panic!("{line}: {heard:?}") };
        answer
    }

    #[test]
    fn the_version_is_the_clients_when_it_is_known_and_the_newest_otherwise() {
        for (asked, spoken) in [
            ("2024-11-05", "2024-11-05"),
            ("2025-03-26", "2025-03-26"),
            ("2025-06-18", "2025-06-18"),
            ("2025-11-25", "2025-11-25"),
            ("2099-01-01", "2025-11-25"),
        ] {
            let params = json!({ "protocolVersion": asked });
            let line =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
            let answer = said(&line.to_string());
            assert_eq!(answer["result"]["protocolVersion"], spoken);
            assert_eq!(answer["result"]["capabilities"], json!({ "tools": {} }));
            assert_eq!(answer["id"], 1);
        }
    }

    #[test]
    fn every_tool_is_listed_with_an_object_as_its_input() {
        let answer = said("{\"id\":\"a\",\"method\":\"tools/list\"}");
        let listed = answer["result"]["tools"].as_array().unwrap();
        let names: Vec<&str> = listed.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, tools::NAMES);
        for tool in listed {
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
            assert!(tool["description"].as_str().unwrap().len() > 20, "{tool}");
        }
    }

    #[test]
    fn what_is_no_request_has_its_error_and_a_notification_none() {
        for (line, code) in [
            ("", PARSE),
            ("nonsense", PARSE),
            ("{\"id\":1", PARSE),
            ("[]", INVALID),
            ("7", INVALID),
            ("{}", INVALID),
            ("{\"id\":1}", INVALID),
            ("{\"id\":1,\"method\":7}", INVALID),
            ("{\"id\":1,\"method\":\"resources/list\"}", NO_METHOD),
            ("{\"id\":1,\"method\":\"tools/call\"}", BAD_PARAMS),
            ("{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}}", BAD_PARAMS),
        ] {
            assert_eq!(said(line)["error"]["code"], code, "{line}");
        }
        for line in [
            "{\"method\":\"notifications/initialized\"}",
            "{\"method\":\"notifications/whatever\",\"params\":7}",
            "{\"id\":null,\"method\":\"ping\"}",
            "{\"id\":1,\"result\":{}}",
            "{\"id\":1,\"error\":{}}",
        ] {
            assert_eq!(hear(line.as_bytes()), Heard::Nothing, "{line}");
        }
    }

    #[test]
    fn a_call_is_heard_with_its_arguments_and_may_be_cancelled() {
        let line = "{\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"list_messages\"}}";
        let name = "list_messages".to_owned();
        assert_eq!(hear(line.as_bytes()), Heard::Call { id: json!(5), name, arguments: json!({}) });
        let line = "{\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":5}}";
        assert_eq!(hear(line.as_bytes()), Heard::Cancel(json!(5)));
    }
}
