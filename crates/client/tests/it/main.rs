//! The crate from outside: its laws, against peers on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on panics, in its helpers too"
)]

mod api_calls;
mod api_files;
mod api_sim;
mod api_token;
mod dial_proxy;
mod dial_tls;
mod environment;
mod example;
mod link_log;
mod link_loss;
mod link_messages;
mod link_proof;
mod link_rig;
mod peer;
mod send;
