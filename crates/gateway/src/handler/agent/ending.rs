//! How a turn ended, in a sentence for its chat: every end has its own.

use larkline_agent::Outcome;
use larkline_proto::markdown;

use super::Agent;
use super::run::Ran;
use crate::handler::children::End;
use crate::turns::Stop;
use crate::words::{self, Lang};

/// Characters of an agent's own words that a chat is shown.
const DETAIL_CHARS_MAX: usize = 300;

/// What is said about an end.
pub(super) struct Ending {
    /// The word in logs, metrics and the session's history.
    pub(super) word: &'static str,
    /// The sentence; nothing for an answer that stands by itself.
    pub(super) sentence: Option<String>,
}

impl Agent {
    /// The end of a turn in words.
    pub(super) fn ending(&self, lang: Lang, handler: &str, ran: &Ran) -> Ending {
        let ending = |word, sentence| Ending { word, sentence: Some(sentence) };
        if let Some(stop) = &ran.stop {
            return of_stop(lang, stop);
        }
        let limits = &self.settings.limits;
        // An agent's words about its end are no more the gateway's than its answer is.
        let detail = markdown::growing(&ran.done.detail, DETAIL_CHARS_MAX);
        match (ran.end, ran.done.outcome) {
            // Its own word was said before its process was ended.
            (_, Outcome::Ok) if ran.heard.answer().is_empty() && ran.done.text.is_empty() => {
                ending("ok", words::done_silent(lang))
            }
            (_, Outcome::Ok) => Ending { word: "ok", sentence: None },
            (End::Wall, _) => {
                ending("wall", words::wall(lang, &words::duration(lang, limits.wall)))
            }
            (End::Idle, _) => {
                ending("idle", words::idle(lang, &words::duration(lang, limits.idle)))
            }
            (End::TooMuch, _) => ending("output", words::output(lang, &limits.output.to_string())),
            (End::Memory, _) => {
                let limit = limits.memory.map_or_else(String::new, |memory| memory.to_string());
                ending("memory", words::memory(lang, &limit))
            }
            (End::Processes, _) => {
                ending("processes", words::processes(lang, limits.processes.unwrap_or_default()))
            }
            (End::Exited(_) | End::Cancelled, outcome) => {
                let sentence = match outcome {
                    Outcome::Ok => return Ending { word: "ok", sentence: None },
                    Outcome::Refused => words::refused(lang, &detail),
                    Outcome::Limit => words::limit(lang, &detail),
                    Outcome::Auth => words::auth(lang, handler),
                    Outcome::Overloaded => words::overloaded(lang),
                    Outcome::Failed if ran.said_so => words::gave_up(lang, &detail),
                    Outcome::Cancelled | Outcome::Failed => words::crashed(lang, &detail),
                };
                ending(outcome.word(), sentence)
            }
        }
    }
}

/// The end of a turn that was ended from outside.
pub(super) fn of_stop(lang: Lang, stop: &Stop) -> Ending {
    let (word, sentence) = match stop {
        Stop::By(who) => ("stopped", words::stopped_by(lang, &format!("<at id={who}></at>"))),
        Stop::Operator => ("stopped", words::stopped_by(lang, &words::operator(lang))),
        Stop::Steered => ("steered", words::steered(lang)),
    };
    Ending { word, sentence: Some(sentence) }
}
