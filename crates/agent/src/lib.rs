//! The wires of coding agents and language models, pure: no process, no socket, no clock.
//!
//! Every agent is a machine that is fed the lines it prints and gives back what they mean
//! ([`Event`]) and what to write to it ([`Step::write`]). Starting, limiting and ending its process,
//! and telling a chat what the events mean, is not here: `gateway::handler::agent` does that.
//!
//! Lines come from programs whose versions change every week: an unknown line is never an error,
//! and a turn ends with one [`Event::Done`], made up by `ended` if the program dies
//! without a word.

pub mod acp;
pub mod chat;
pub mod claude;
pub mod codex;
mod event;
mod line;
mod plain;
mod prompt;
mod wire;
mod words;

pub use event::{
    Ask, AskKind, Choice, ChoiceKind, Done, Event, Notice, Outcome, Question, Step, Usage,
};
pub use prompt::{Image, Prompt};
pub use wire::{Answer, Exit, Launch, Permission, Session};
