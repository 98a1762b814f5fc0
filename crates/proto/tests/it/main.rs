//! Laws of the pure core, one binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step of a test is a failed test, in its helpers too"
)]

mod acks;
mod backoff;
mod endpoint;
mod events;
mod frame_corpus;
mod liveness;
mod markdown;
mod properties;
mod rate;
mod reassembly;
mod rig;
mod settings;
mod states;
mod vectors;
