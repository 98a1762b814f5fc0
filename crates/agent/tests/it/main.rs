//! What agents and models were recorded to say, and what is made of it: one binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failed step of a test is a failed test, in its helpers too; a test looks for the \
              events it is about"
)]

mod acp;
mod acp_agent;
mod acp_any;
mod acp_questions;
mod acp_recorded;
mod chat_errors;
mod chat_stream;
mod claude;
mod codex;
mod launches;
