//! The real binary against the simulator: one module an area, laws as names.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, in its helpers too"
)]

mod config;
mod demo;
mod line;
mod rig;
mod tls;
