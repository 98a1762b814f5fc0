//! How turns end that do not end well, and the lines before it.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Block;
use super::script::{Act, End, Pace, Script};
use super::turn::{Agent, Cut};
use super::voice::Closing;
use crate::output;

/// What a tool that was not used is said to have answered.
const REJECTED: &str = "The user doesn't want to proceed with this tool use. The tool use was \
    rejected (eg. if it was a file edit, the new_string was NOT written to the file). STOP what \
    you are doing and wait for the user to tell you how to proceed.";
/// A refusal by the model, in the agent's words.
const REFUSAL: &str = "API Error: Claude Code is unable to respond to this request, which appears \
    to violate our Usage Policy.";

impl Agent {
    /// Writes the closing line.
    pub(super) fn close(&mut self, closing: Closing) {
        let duration_ms = u64::try_from(self.turn.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let denials = std::mem::take(&mut self.turn.denials);
        let calls = self.turn.calls;
        self.voice.result(Closing { duration_ms, denials, calls, ..closing });
    }

    /// A script that does not even let the turn begin.
    pub(super) fn refuse_to_start(&self, script: &Script) -> Result<(), Cut> {
        if script.acts.iter().any(|act| matches!(act, Act::NoStart)) {
            output::note("error: the scripted agent was told not to start");
            return Err(Cut::Quit(1));
        }
        Ok(())
    }

    /// A command of the agent's own, which calls no model.
    pub(super) fn local(&mut self, command: &str) -> Cut {
        let text = format!("ran the local command {command}");
        self.voice.synthetic(&text, "stop_sequence", None, false);
        self.close(Closing {
            text: Some(text),
            stop_reason: None,
            terminal_reason: None,
            ..Closing::success()
        });
        Cut::Ended(0)
    }

    /// Somebody stopped the turn: says what there was, and that it was stopped.
    pub(super) fn stopped(&mut self, request: Option<&Value>) -> u8 {
        if let Some(pid) = self.turn.command.take() {
            super::shell::end(pid);
        }
        if let Some((ask, denial)) = self.turn.ask.take() {
            self.voice.line(&json!({"type": "control_cancel_request", "request_id": ask}));
            self.turn.denials.push(denial);
        }
        if let Some(request) = request {
            self.voice.agreed(request, None);
        }
        if let Some((message, text)) = self.turn.partial.take().filter(|(_, t)| !t.is_empty()) {
            self.conversation.said(&text);
            self.voice.block(&message, &json!({"type": "text", "text": text}), None);
        }
        let tool = self.turn.tool.take();
        if let Some(tool) = &tool {
            self.result_of(tool, REJECTED, true, json!("User rejected tool use"));
        }
        self.voice.interrupted(tool.is_some());
        let (terminal, stop_reason) = match tool {
            Some(_) => ("aborted_tools", Some("tool_use")),
            None => ("aborted_streaming", None),
        };
        let diagnosis = "[ede_diagnostic] result_type=user last_content_type=n/a".to_owned();
        self.close(Closing {
            errors: vec![diagnosis],
            num_turns: self.turn.calls + 2,
            stop_reason,
            terminal_reason: Some(terminal),
            ..Closing::failed("error_during_execution")
        });
        1
    }

    /// One of the bad ends.
    pub(super) fn bad_end(&mut self, end: End) -> Result<(), Cut> {
        match end {
            End::Api(status) => self.api_error(status)?,
            End::NotLoggedIn => {
                let text = "Not logged in · Please run /login";
                self.failed_with(text, "stop_sequence", "authentication_failed", None, false);
            }
            End::Refusal => self.refusal()?,
            End::TurnsMax => {
                let most = self.flags.turns_max.unwrap_or(1);
                let error = format!("Reached maximum number of turns ({most})");
                self.limit("error_max_turns", error, self.turn.calls + 1, Some("max_turns"));
            }
            End::BudgetMax => {
                let error = "Reached maximum budget ($0.0001)".to_owned();
                self.limit("error_max_budget_usd", error, self.turn.calls.max(1), None);
            }
        }
        Err(Cut::Ended(1))
    }

    fn limit(
        &mut self,
        subtype: &'static str,
        error: String,
        num_turns: u32,
        terminal_reason: Option<&'static str>,
    ) {
        self.close(Closing {
            errors: vec![error],
            num_turns,
            stop_reason: Some("tool_use"),
            terminal_reason,
            ..Closing::failed(subtype)
        });
    }

    /// An error of the model's service: some are retried first, all are told as a "success".
    fn api_error(&mut self, status: u16) -> Result<(), Cut> {
        let (text, word) = match status {
            401 => ("Invalid API key · Fix external API key".to_owned(), "authentication_failed"),
            429 => ("API Error: Request rejected (429) · rate limit".to_owned(), "rate_limit"),
            529 => ("API Error: Repeated 529 Overloaded errors.".to_owned(), "server_error"),
            500..=599 => (format!("API Error: {status} Internal server error."), "server_error"),
            _ => (format!("API Error: {status} bad request (scripted)"), "unknown"),
        };
        if matches!(status, 401 | 429 | 500..=599) {
            let word = if status == 529 { "overloaded" } else { word };
            self.retries(1, status, word)?;
        }
        // The real one names no status for an overload, and no request.
        let told = Some(status).filter(|status| *status != 529);
        self.failed_with(&text, "stop_sequence", word, told, told.is_some());
        Ok(())
    }

    fn refusal(&mut self) -> Result<(), Cut> {
        self.call(&[Block::Text("no".to_owned())], &Pace::default())?;
        let model = self.voice.model.clone();
        self.voice.system(
            "model_refusal_no_fallback",
            json!({
                "original_model": model, "request_id": "req_scripted", "content": "",
                "api_refusal_category": null, "api_refusal_explanation": null,
                "refused_user_message_uuid": "",
            }),
        );
        self.failed_with(REFUSAL, "refusal", "invalid_request", None, true);
        Ok(())
    }

    /// A failure told as an answer of the agent's own.
    fn failed_with(
        &mut self,
        text: &str,
        stop_reason: &'static str,
        error: &str,
        status: Option<u16>,
        asked: bool,
    ) {
        self.voice.synthetic(text, stop_reason, Some(error), asked);
        self.close(Closing {
            text: Some(text.to_owned()),
            is_error: true,
            status,
            stop_reason: Some(stop_reason),
            num_turns: self.turn.calls.max(1),
            ..Closing::success()
        });
    }

    /// So many refusals that the agent does not give up for.
    pub(super) fn retries(&mut self, count: u32, status: u16, why: &str) -> Result<(), Cut> {
        for attempt in 1..=count {
            self.voice.system(
                "api_retry",
                json!({
                    "attempt": attempt, "max_retries": count.max(10), "retry_delay_ms": 1,
                    "error_status": status, "error": why,
                }),
            );
            self.pause(Duration::from_millis(1))?;
        }
        Ok(())
    }
}

impl Closing {
    /// The end of a turn with an answer.
    pub(super) fn success() -> Self {
        Self {
            stop_reason: Some("end_turn"),
            terminal_reason: Some("completed"),
            is_error: false,
            ..Self::failed("success")
        }
    }

    /// The end of one that failed in this way.
    pub(super) fn failed(subtype: &'static str) -> Self {
        Self {
            subtype,
            errors: Vec::new(),
            text: None,
            is_error: true,
            status: None,
            stop_reason: None,
            terminal_reason: None,
            num_turns: 0,
            duration_ms: 0,
            calls: 0,
            denials: Vec::new(),
        }
    }
}
