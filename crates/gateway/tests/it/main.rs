//! The gateway from outside, one binary for all of it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows both in tests, but does not see that what tests share is one"
)]

mod config;
mod handler_command;
mod handler_docs;
mod handler_echo;
mod handler_http;
mod handler_script;
mod handler_service;
mod handler_signature;
mod handler_tree;
mod handler_turn;
