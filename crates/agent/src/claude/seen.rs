//! What was seen on the way and decides how the turn ended, and what lines say beside it.

use std::time::Duration;

use serde_json::Value;

use crate::event::{Notice, Usage};
use crate::wire::Session;

use super::gist;

/// What a `<synthetic>` line says about a failure is told to the operator as far as this.
const WORDS_CHARS_MAX: usize = 1_000;
/// Words for a status line, the contract's bound.
const NOTICE_CHARS_MAX: usize = 300;
/// A cause is one word.
const CAUSE_CHARS_MAX: usize = 100;
/// Of a broken configuration with many servers the first few tell enough.
const SERVERS_MAX: usize = 5;

/// What was seen of a turn.
#[derive(Debug)]
pub(super) struct Seen {
    /// An existing conversation was to be resumed.
    pub(super) resumed: bool,
    /// It began to work on the turn.
    pub(super) begun: bool,
    /// We asked it to stop.
    pub(super) interrupted: bool,
    /// The model refused.
    pub(super) refused: bool,
    /// The cause on the line by which it reports a failure.
    pub(super) cause: Option<String>,
    /// The words of that line.
    pub(super) words: String,
    /// The status of the last refused call; gone when one succeeds.
    pub(super) status: Option<u64>,
}

impl Seen {
    pub(super) fn new(session: &Session) -> Self {
        Self {
            resumed: match session {
                Session::New(_) => false,
                Session::Resume(_) => true,
            },
            begun: false,
            interrupted: false,
            refused: false,
            cause: None,
            words: String::new(),
            status: None,
        }
    }

    /// A call was refused and is tried again.
    pub(super) fn retried(&mut self, line: &Value) {
        self.status = line["error_status"].as_u64();
    }

    /// The model speaks: what went wrong before is over.
    pub(super) fn progressed(&mut self) {
        self.status = None;
        self.cause = None;
    }

    /// Notes an `assistant` line that the program made up to report a failure; whether it is one.
    pub(super) fn trouble(&mut self, line: &Value) -> bool {
        let Some(cause) = line["error"].as_str() else { return false };
        let text = line["message"]["content"][0]["text"].as_str().unwrap_or_default();
        self.cause = Some(gist::one_line(cause, CAUSE_CHARS_MAX));
        self.words = gist::clip(&gist::shown(text), WORDS_CHARS_MAX);
        true
    }
}

/// What an `api_retry` line says.
pub(super) fn retrying(line: &Value) -> Notice {
    let count = |key: &str| line[key].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let wait = line["retry_delay_ms"].as_f64().unwrap_or(0.0) / 1_000.0;
    let wait = Duration::try_from_secs_f64(wait).unwrap_or_default();
    let cause = line["error"].as_str().unwrap_or_default();
    let why = match (line["error_status"].as_u64(), cause) {
        (Some(529), _) | (_, "overloaded") => "overloaded",
        (Some(429), _) | (_, "rate_limit") => "rate_limit",
        (Some(401 | 403), _) | (_, "authentication_failed") => "auth",
        (Some(500..=599), _) | (_, "server_error") => "server",
        // Without a status there was no answer at all.
        (None, "" | "unknown") => "network",
        (_, own) => own,
    };
    Notice::Retrying {
        attempt: count("attempt"),
        of: count("max_retries"),
        wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        why: gist::one_line(why, CAUSE_CHARS_MAX),
    }
}

/// The MCP servers that could not be reached: that does not fail a turn, but somebody should know.
pub(super) fn servers(init: &Value) -> impl Iterator<Item = Notice> + '_ {
    let servers = init["mcp_servers"].as_array().map_or(&[][..], Vec::as_slice);
    servers
        .iter()
        .filter(|server| matches!(server["status"].as_str(), Some("failed" | "needs-auth")))
        .take(SERVERS_MAX)
        .map(|server| {
            let words = format!(
                "MCP server {}: {}",
                gist::word(&server["name"]),
                gist::word(&server["status"])
            );
            Notice::Other(gist::one_line(&words, NOTICE_CHARS_MAX))
        })
}

/// What the program wants known, if it says anything.
pub(super) fn informed(line: &Value) -> Option<Notice> {
    let words = gist::one_line(line["content"].as_str().unwrap_or_default(), NOTICE_CHARS_MAX);
    (!words.is_empty()).then_some(Notice::Other(words))
}

/// What a `result` line says was used. `usage` leaves out sub-agents and is empty when a limit or
/// a stop ended the turn; `modelUsage` counts the process, which is one turn here, but may be
/// missing: the larger one is true.
pub(super) fn usage(result: &Value) -> Option<Usage> {
    let turn = &result["usage"];
    let models = result["modelUsage"].as_object();
    if !turn.is_object() && models.is_none() {
        return None;
    }
    let of_turn = |keys: &[&str]| sum(turn, keys);
    let of_models = |keys: &[&str]| {
        models.map_or(0, |models| {
            models.values().map(|model| sum(model, keys)).fold(0, u64::saturating_add)
        })
    };
    let tokens_in = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
    let models_in = ["inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens"];
    Some(Usage {
        tokens_in: of_turn(&tokens_in).max(of_models(&models_in)),
        tokens_out: of_turn(&["output_tokens"]).max(of_models(&["outputTokens"])),
        cost_usd: result["total_cost_usd"].as_f64(),
    })
}

fn sum(counts: &Value, keys: &[&str]) -> u64 {
    keys.iter().map(|&key| counts[key].as_u64().unwrap_or(0)).fold(0, u64::saturating_add)
}
