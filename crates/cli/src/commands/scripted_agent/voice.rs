//! The lines the agent prints, in the shapes that were recorded of Claude Code 2.1.197.
//!
//! When which line comes is not here.

use std::io::Write as _;

use serde_json::{Value, json};
use uuid::Uuid;

/// The version that the recordings were made with.
const SPOKEN: &str = "2.1.197";
/// What a call of the model costs, as the recordings have it.
const CALL: (u64, u64, f64) = (120, 7, 0.000_775);

/// Writes lines of one conversation.
pub(super) struct Voice {
    pub(super) session: String,
    pub(super) model: String,
    cwd: String,
    cost_usd: f64,
    serial: u32,
}

/// What `result` says besides what every one says.
pub(super) struct Closing {
    /// `success`, or the name of an error.
    pub(super) subtype: &'static str,
    /// What failed, for those that are no success.
    pub(super) errors: Vec<String>,
    /// The text, for those that are.
    pub(super) text: Option<String>,
    pub(super) is_error: bool,
    /// The status of the model's service, for those that are a success.
    pub(super) status: Option<u16>,
    pub(super) stop_reason: Option<&'static str>,
    pub(super) terminal_reason: Option<&'static str>,
    pub(super) num_turns: u32,
    pub(super) duration_ms: u64,
    /// Calls of the model in this turn.
    pub(super) calls: u32,
    pub(super) denials: Vec<Value>,
}

impl Voice {
    pub(super) fn new(session: String, model: String, cwd: String) -> Self {
        Self { session, model, cwd, cost_usd: 0.0, serial: 0 }
    }

    /// Writes a line. Whoever reads may have gone; the real agent goes on then, and so do we.
    pub(super) fn line(&self, line: &Value) {
        let mut text = line.to_string();
        text.push('\n');
        self.raw(text.as_bytes());
    }

    /// Writes bytes, whatever they are.
    #[expect(clippy::unused_self, reason = "whoever writes holds the voice")]
    pub(super) fn raw(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        drop(stdout.write_all(bytes).and_then(|()| stdout.flush()));
    }

    /// An id like `msg_scripted000001`.
    pub(super) fn id(&mut self, kind: &str) -> String {
        self.serial += 1;
        format!("{kind}_scripted{:06}", self.serial)
    }

    /// Writes an object with the members that every line of a conversation has.
    fn own(&self, mut line: Value) {
        line["session_id"] = json!(self.session);
        line["uuid"] = json!(Uuid::now_v7());
        self.line(&line);
    }

    /// A line of type `system`.
    pub(super) fn system(&self, subtype: &str, mut more: Value) {
        more["type"] = json!("system");
        more["subtype"] = json!(subtype);
        self.own(more);
    }

    /// The opening line of a turn.
    pub(super) fn init(&self, mode: &str) {
        self.system(
            "init",
            json!({
                "cwd": self.cwd, "model": self.model, "permissionMode": mode,
                "tools": ["AskUserQuestion", "Bash", "Write"], "mcp_servers": [],
                "slash_commands": [], "agents": [], "skills": [], "plugins": [],
                "apiKeySource": "none", "claude_code_version": SPOKEN, "output_style": "default",
                "analytics_disabled": true, "product_feedback_disabled": true,
                "memory_paths": {"auto": ""}, "fast_mode_state": "off",
            }),
        );
    }

    /// A raw event of the model's service.
    pub(super) fn event(&self, event: Value) {
        let first = event["type"] == "message_start";
        let mut line = json!({"type": "stream_event", "event": event, "parent_tool_use_id": null});
        if first {
            line["ttft_ms"] = json!(1);
        }
        self.own(line);
    }

    /// A finished block of the agent, or of one of its sub-agents.
    pub(super) fn block(&self, message: &str, block: &Value, parent: Option<&str>) {
        let mut message = self.message(message, json!([block]));
        message["context_management"] = Value::Null;
        self.own(json!({
            "type": "assistant", "message": message, "parent_tool_use_id": parent,
            "request_id": "req_scripted",
        }));
    }

    /// A message as the service begins it.
    pub(super) fn message(&self, id: &str, content: Value) -> Value {
        json!({
            "id": id, "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": null, "stop_sequence": null,
            "usage": {
                "input_tokens": CALL.0, "output_tokens": 1,
                "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            },
        })
    }

    /// A message that the agent made up itself; `error` when it tells of a failure.
    pub(super) fn synthetic(
        &self,
        text: &str,
        stop_reason: &str,
        error: Option<&str>,
        asked: bool,
    ) {
        let mut line = json!({
            "type": "assistant", "parent_tool_use_id": null,
            "message": {
                "id": Uuid::now_v7(), "container": null, "model": "<synthetic>",
                "role": "assistant", "stop_details": null, "stop_reason": stop_reason,
                "stop_sequence": "", "type": "message", "context_management": null,
                "content": [{"type": "text", "text": text}],
                "usage": unused(),
            },
        });
        if let Some(error) = error {
            line["error"] = json!(error);
        }
        if asked {
            line["request_id"] = json!("req_scripted");
        }
        self.own(line);
    }

    /// A line of type `user` that the agent writes.
    pub(super) fn user(&self, block: &Value, result: Option<Value>) {
        let mut line = Self::of_user(json!([block]));
        if let Some(result) = result {
            line["tool_use_result"] = result;
        }
        self.own(line);
    }

    /// What a local command printed, as a line of type `user`.
    pub(super) fn replayed(&self, printed: &str) {
        let content = format!("<local-command-stdout>{printed}</local-command-stdout>");
        let mut line = Self::of_user(json!(content));
        line["isReplay"] = json!(true);
        self.own(line);
    }

    fn of_user(content: Value) -> Value {
        let now = jiff::Timestamp::from_millisecond(larkline_gateway::clock::now_ms());
        json!({
            "type": "user", "message": {"role": "user", "content": content},
            "parent_tool_use_id": null,
            "timestamp": now.map(|now| now.to_string()).unwrap_or_default(),
        })
    }

    /// The word that a turn was interrupted.
    pub(super) fn interrupted(&self, in_tool: bool) {
        let of = if in_tool { " for tool use" } else { "" };
        let text = format!("[Request interrupted by user{of}]");
        self.user(&json!({"type": "text", "text": text}), None);
    }

    /// A request was taken over.
    pub(super) fn agreed(&self, request: &Value, with: Option<Value>) {
        let mut response = json!({"subtype": "success", "request_id": request});
        if let Some(with) = with {
            response["response"] = with;
        }
        self.line(&json!({"type": "control_response", "response": response}));
    }

    /// A request was refused.
    pub(super) fn refused(&self, request: &Value, error: &str) {
        let response = json!({"subtype": "error", "request_id": request, "error": error});
        self.line(&json!({"type": "control_response", "response": response}));
    }

    /// The closing line of a turn.
    pub(super) fn result(&mut self, closing: Closing) {
        let calls = u64::from(closing.calls);
        self.cost_usd += f64::from(closing.calls) * CALL.2;
        let mut line = json!({
            "type": "result", "subtype": closing.subtype, "is_error": closing.is_error,
            "duration_ms": closing.duration_ms, "duration_api_ms": 0,
            "num_turns": closing.num_turns, "stop_reason": closing.stop_reason,
            "total_cost_usd": self.cost_usd, "usage": usage(calls),
            "modelUsage": self.model_usage(calls), "permission_denials": closing.denials,
        });
        let done = !closing.is_error && closing.terminal_reason.is_some();
        for time in ["ttft_ms", "ttft_stream_ms", "time_to_request_ms"].iter().filter(|_| done) {
            line[*time] = json!(1);
        }
        match closing.text {
            Some(text) => line["result"] = json!(text),
            None => line["errors"] = json!(closing.errors),
        }
        if let Some(reason) = closing.terminal_reason {
            line["terminal_reason"] = json!(reason);
            if closing.subtype == "success" {
                line["api_error_status"] = json!(closing.status);
            }
        }
        // A conversation that does not exist has no mode, either.
        if closing.num_turns > 0 || closing.subtype == "success" {
            line["fast_mode_state"] = json!("off");
        }
        self.own(line);
    }

    fn model_usage(&self, calls: u64) -> Value {
        if calls == 0 {
            return json!({});
        }
        let mut usage = json!({});
        usage[&self.model] = json!({
            "inputTokens": CALL.0 * calls, "outputTokens": CALL.1 * calls,
            "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0, "webSearchRequests": 0,
            "costUSD": self.cost_usd, "contextWindow": 200_000, "maxOutputTokens": 64_000,
        });
        usage
    }
}

/// The usage of a message for which no model was called.
fn unused() -> Value {
    let mut usage = usage(0);
    for unknown in ["service_tier", "inference_geo", "iterations", "speed"] {
        usage[unknown] = Value::Null;
    }
    usage
}

/// What so many calls of the model have used.
fn usage(calls: u64) -> Value {
    json!({
        "input_tokens": CALL.0 * calls, "output_tokens": CALL.1 * calls,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard", "inference_geo": "", "iterations": [], "speed": "standard",
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
    })
}
