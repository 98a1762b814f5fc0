//! How a turn ended. `subtype` says "success" for refusals and failed calls, and exit codes are
//! not reliable, so everything else is asked first.

use serde_json::Value;

use crate::event::{Done, Outcome};
use crate::wire::Exit;

use super::gist;
use super::seen::Seen;

/// The contract's bound of words for the operator.
const DETAIL_CHARS_MAX: usize = 1_000;
/// Of what it wrote to its standard error the end tells most; with the words before it fits above.
const COMPLAINTS_CHARS_MAX: usize = 800;

/// The end that a `result` line says.
pub(super) fn of_result(line: &Value, seen: &Seen) -> Done {
    let subtype = line["subtype"].as_str().unwrap_or_default();
    let aborted = line["terminal_reason"].as_str().is_some_and(|why| why.starts_with("aborted"));
    // Older versions end at a limit without `is_error`.
    let failed = line["is_error"] == true || subtype.starts_with("error") || aborted;
    if !failed {
        let text = line["result"].as_str().unwrap_or_default().to_owned();
        return Done { text, ..Done::new(Outcome::Ok, "") };
    }
    let words = words(line, seen);
    if seen.interrupted {
        return done(Outcome::Cancelled, &words);
    }
    if is_unresumable(&words, seen) {
        return Done { unknown_session: true, ..done(Outcome::Failed, &words) };
    }
    if aborted {
        return done(Outcome::Failed, &format!("interrupted from outside: {words}"));
    }
    let refused = seen.refused || line["stop_reason"] == "refusal";
    let outcome = match subtype {
        "error_max_turns" | "error_max_budget_usd" => Outcome::Limit,
        _ if refused => Outcome::Refused,
        _ => cause(line["api_error_status"].as_u64().or(seen.status), seen, &words),
    };
    done(outcome, &words)
}

/// The end of a process that said none.
pub(super) fn of_end(exit: Exit, complaints: &str, seen: &Seen) -> Done {
    let how = match (exit.signal, exit.code) {
        (Some(signal), _) => format!("ended by signal {signal} before its result"),
        (None, Some(code @ 129..=159)) => {
            format!("exited with code {code} (signal {}) before its result", code - 128)
        }
        (None, Some(code)) => format!("exited with code {code} without a result"),
        (None, None) => "ended without a result".to_owned(),
    };
    let complaints = complaints.trim();
    let words = [how.as_str(), seen.words.trim(), last(complaints)]
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect::<Vec<_>>()
        .join(": ");
    if seen.interrupted {
        return done(Outcome::Cancelled, &words);
    }
    let outcome = if seen.refused { Outcome::Refused } else { cause(seen.status, seen, "") };
    Done {
        unknown_session: is_unresumable(complaints, seen),
        session_exists: !seen.begun && !seen.resumed && complaints.contains("is already in use"),
        ..done(outcome, &words)
    }
}

/// What a failure without a word of its own comes from.
fn cause(status: Option<u64>, seen: &Seen, words: &str) -> Outcome {
    match (status, seen.cause.as_deref().unwrap_or_default()) {
        (Some(401 | 403), _) | (_, "authentication_failed") => Outcome::Auth,
        (Some(429 | 503 | 529), _) | (_, "overloaded" | "rate_limit") => Outcome::Overloaded,
        (Some(413), _) | (_, "max_output_tokens") => Outcome::Limit,
        // The context is full: the service says it in words only.
        (Some(400) | None, _) if words.starts_with("Prompt is too long") => Outcome::Limit,
        _ => Outcome::Failed,
    }
}

/// Whether it does not know the conversation that was to be resumed. It is believed only before it
/// began to work: later such words may be anybody's.
fn is_unresumable(words: &str, seen: &Seen) -> bool {
    seen.resumed && !seen.begun && words.contains("No conversation found with session ID")
}

/// What a bad `result` says in words, wherever it says it.
fn words(line: &Value, seen: &Seen) -> String {
    let errors = line["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let errors = errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    let said = [
        errors.as_str(),
        line["result"].as_str().unwrap_or_default(),
        line["error"]["message"].as_str().unwrap_or_default(),
        line["error"].as_str().unwrap_or_default(),
        seen.words.as_str(),
        line["subtype"].as_str().unwrap_or_default(),
    ];
    said.into_iter().find(|words| !words.trim().is_empty()).unwrap_or("no words").to_owned()
}

fn done(outcome: Outcome, words: &str) -> Done {
    Done::new(outcome, gist::clip(&gist::shown(words), DETAIL_CHARS_MAX))
}

/// The end of a text.
fn last(text: &str) -> &str {
    match text.char_indices().rev().nth(COMPLAINTS_CHARS_MAX - 1) {
        Some((at, _)) => &text[at..],
        None => text,
    }
}
