//! How a question ended, in a word and in a sentence: every end has its own.

use std::time::Duration;

use larkline_agent::Outcome;
use larkline_agent::chat::{ChatError, ErrorClass};
use larkline_proto::markdown;

use crate::turns::Stop;
use crate::words::{self, Lang};

/// Characters of a service's own words that a chat is shown.
const DETAIL_CHARS_MAX: usize = 300;

/// How it ended.
#[derive(Debug)]
pub(super) enum Over {
    Answered,
    /// At the model's limit of length.
    CutShort,
    Stopped(Stop),
    Failed(ChatError),
    /// Nothing came for so long.
    Silent(Duration),
    /// It went on for so long.
    TooLong(Duration),
}

impl Over {
    /// The word in logs, metrics and the session's history.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Answered => Outcome::Ok.word(),
            Self::CutShort => Outcome::Limit.word(),
            Self::Stopped(Stop::By(_) | Stop::Operator) => "stopped",
            Self::Stopped(Stop::Steered) => "steered",
            Self::Silent(_) => "idle",
            Self::TooLong(_) => "wall",
            Self::Failed(error) => error.outcome().word(),
        }
    }

    /// What happened, for the operator.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Failed(error) => error.to_string(),
            Self::Answered
            | Self::CutShort
            | Self::Stopped(_)
            | Self::Silent(_)
            | Self::TooLong(_) => String::new(),
        }
    }

    /// Whether what was said belongs to the conversation. A service that refused it once would
    /// refuse every question after it.
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self, Self::Failed(error) if error.outcome() == Outcome::Refused)
    }

    /// What the chat is told below an answer, or in the place of one.
    pub(super) fn sentence(&self, lang: Lang, handler: &str, answered: bool) -> Option<String> {
        Some(match self {
            Self::Answered => return None,
            Self::CutShort => words::cut_short(lang),
            Self::Stopped(Stop::By(who)) => words::stopped_by(lang, &format!("<at id={who}></at>")),
            Self::Stopped(Stop::Operator) => words::stopped_by(lang, &words::operator(lang)),
            Self::Stopped(Stop::Steered) => words::steered(lang),
            Self::Silent(time) => words::idle(lang, &words::duration(lang, *time)),
            Self::TooLong(limit) => words::wall(lang, &words::duration(lang, *limit)),
            Self::Failed(error) => failed(error, lang, handler, answered),
        })
    }
}

fn failed(error: &ChatError, lang: Lang, handler: &str, answered: bool) -> String {
    let detail = quoted(error);
    match (error.outcome(), error.class) {
        (Outcome::Refused, _) => words::refused(lang, &detail),
        (Outcome::Auth, _) => words::auth(lang, handler),
        (Outcome::Overloaded, _) => words::overloaded(lang),
        (Outcome::Limit, _) => words::outgrown(lang, &detail),
        (_, ErrorClass::NotFound | ErrorClass::Final) if error.status >= 400 => {
            words::misconfigured(lang, handler, &detail)
        }
        (Outcome::Ok | Outcome::Cancelled | Outcome::Failed, _) if answered => {
            words::broken_off(lang, &detail)
        }
        (Outcome::Ok | Outcome::Cancelled | Outcome::Failed, _) => {
            words::not_answered(lang, &detail)
        }
    }
}

/// A short reason: the service's own code, or its status.
pub(super) fn code(error: &ChatError) -> String {
    match (error.code.as_str(), error.status) {
        ("", 0 | 200) => String::new(),
        ("", status) => format!("HTTP {status}"),
        (code, _) => code.to_owned(),
    }
}

/// What the service says, as code: its words are no more the gateway's than its answer is.
fn quoted(error: &ChatError) -> String {
    let parts = [code(error), error.message.clone()];
    let words: Vec<&str> =
        parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    let words = words.join(": ").replace('`', "'");
    if words.is_empty() {
        return "?".to_owned();
    }
    let words: String = words.chars().take(DETAIL_CHARS_MAX).collect();
    markdown::growing(&format!("`{words}`"), usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use larkline_agent::chat;

    fn said(status: u16, body: &str, answered: bool) -> String {
        let over = Over::Failed(chat::error(status, None, body.as_bytes()));
        over.sentence(Lang::En, "assistant", answered).unwrap()
    }

    #[test]
    fn each_failure_has_its_own_sentence() {
        let coded =
            |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"so it `is`"}}}}"#);
        for (status, body, answered, expected) in [
            (401, coded("invalid_api_key"), false, "its key is refused"),
            (429, coded("limit_requests"), false, "overloaded, also after retries"),
            (400, coded("data_inspection_failed"), false, "refused to answer. `data_inspection"),
            (404, coded("model_not_found"), false, "refuses what `assistant` asks: `model_not_f"),
            (400, coded("context_length_exceeded"), false, "too long for the model"),
            (500, coded("oops"), false, "did not answer: `oops: so it 'is'`. Send /retry"),
            (500, coded("oops"), true, "broke off: `oops: so it 'is'`. Send /retry"),
            (502, String::new(), false, "did not answer: `HTTP 502`. Send /retry"),
        ] {
            let said = said(status, &body, answered);
            assert!(said.contains(expected), "{status} {body}: {said}");
        }
    }

    #[test]
    fn a_services_words_mention_nobody() {
        let said = said(500, r#"{"error":{"message":"<at id=all></at> `<at id=all>`"}}"#, false);
        assert!(!said.contains("<at") && said.contains("at id=all"), "{said}");
    }
}
