//! `larkline scripted-agent`: a coding agent without a model, for the demo and for tests.
//!
//! It speaks the wire of Claude Code (`-p`, stream-json in both directions) and takes its command
//! line, so that the gateway starts it as it starts the real one. What it does is steered by
//! directives anywhere in the chat text; without one it answers as [`words`] says.
//!
//! | directive | what it does |
//! |---|---|
//! | `[[say TEXT]]`, `[[long N]]` | the answer: this text, or one of N characters |
//! | `[[chunks N]]`, `[[delay S]]` | pieces of the answer, and seconds between them |
//! | `[[think TEXT]]` | a thought in front of the answer |
//! | `[[tell TEXT]]` | a finished piece of text before the answer |
//! | `[[aside TEXT]]` | a line of a sub-agent, which is no part of the answer |
//! | `[[tool NAME {JSON}]]` | asks for leave; `Bash` runs its command, `Write` writes its file |
//! | `[[write NAME TEXT]]` | writes a file into `LARKLINE_OUT` (or the working directory), unasked |
//! | `[[question TEXT]]` | asks it, with the answers A and B |
//! | `[[remember TEXT]]`, `[[recall]]` | keeps it in the conversation; answers with what was kept |
//! | `[[retry N]]` | N lines about refusals of the model's service |
//! | `[[hang S]]`, `[[stall S]]` | silence before, or in, the answer; without S for ever |
//! | `[[error CODE]]`, `[[refuse]]`, `[[notloggedin]]`, `[[maxturns]]`, `[[maxbudget]]` | bad ends |
//! | `[[nostart]]` | stderr and exit 1, before any line |
//! | `[[exit N]]`, `[[half]]` | exit in the middle; `half` writes half a line first |
//! | `[[garbage]]`, `[[bigline N]]`, `[[badutf8]]` | a line that is no JSON, is N bytes long, is no UTF-8 |
//! | `[[ignoreterm]]` | SIGTERM has no effect from now on |
//! | `[[fork]]`, `[[fork held]]` | leaves a `sleep 600` in a session of its own; `held` with our stdout |
//! | `[[hog MB]]`, `[[burn S]]` | holds memory until the end; burns a core, without S for ever |
//!
//! `{output}` in the texts of `say` and `write` is what the last command printed.
//!
//! Faithful, because the gateway has to cope with it: commands run in sessions of their own and
//! outlive a SIGTERM, they see our whole environment, a user line that comes while a tool runs
//! belongs to the running turn, `@path` and a leading `/` in the last text block have effects
//! ([`prompt`]), conversations are files found by working directory and id, and nothing locks them.
//! Not here: SIGINT as an interrupt, parallel tools, background commands, MCP, hooks, and commands
//! that need no leave because they are harmless.

mod answer;
mod ask;
mod conversation;
mod ends;
mod flags;
mod hearing;
mod prompt;
mod script;
mod shell;
mod tools;
mod turn;
mod voice;
mod words;

use crate::exit::ExitStatus;
use crate::output;

/// Plays the agent until its stdin ends.
pub(crate) fn run(arguments: &[String]) -> ExitStatus {
    if let [only] = arguments
        && matches!(only.as_str(), "--version" | "-v")
    {
        output::data(concat!(env!("CARGO_PKG_VERSION"), " (larkline scripted agent)"));
        return ExitStatus::Ok;
    }
    let played = flags::Flags::parse(arguments).and_then(turn::Agent::new);
    let code = match played {
        Ok(mut agent) => agent.run(),
        Err(problem) => {
            output::note(&problem);
            1
        }
    };
    ExitStatus::Played(code)
}
