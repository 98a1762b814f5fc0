//! The stable words of JSON, as people read them.

use larkline_gateway::words::session_state;
use larkline_store::session::SessionState;

use crate::lang::{either, lang};

/// A verdict, or the state of a message, a task or a job. One that is not known stays as it is.
pub(crate) fn outcome(word: &str) -> &str {
    larkline_gateway::words::outcome(lang(), word)
}

/// Where a session stands; its English word is that of JSON.
pub(crate) fn session(state: SessionState) -> String {
    either(session_state(lang(), state), state.to_string())
}

/// The way to a host: a proxy by its name, or none.
pub(crate) fn route(word: &str) -> &str {
    if word == "direct" { either("直连", word) } else { word }
}

/// The kind of a chat.
pub(crate) fn chat_type(word: &str) -> &str {
    let zh = match word {
        "p2p" => "单聊",
        "group" => "群聊",
        other => other,
    };
    either(zh, word)
}
