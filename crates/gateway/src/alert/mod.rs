//! Alerts: what is watched, what fires, who is told, and a heartbeat for those who watch from
//! outside.
//!
//! `rule` is the closed list, `engine` decides what fires and what each destination has still to be
//! told: both are pure. `sources` reads conditions from what the gateway knows anyway, and never
//! calls the platform for it. `watch` brings the two together once a second, `post` has a task for each
//! destination, which fails alone. What is not here: how a mail is sent ([`crate::mail`]).

mod engine;
mod rule;
mod view;
pub mod words;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use engine::{Change, Engine, Episode, Kind, Notice, Policy, Reading, Recipient, Standing};
pub use rule::{Defaults, Rule, Severity};
pub use view::FiringAlert;
pub use words::Words;

/// The alerts of one gateway.
#[derive(Debug, Default)]
pub struct Alerts {
    engine: Mutex<Engine>,
    /// Wakes those who tell.
    changed: Notify,
}

impl Alerts {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What fires, longest first.
    pub fn firing(&self) -> Vec<FiringAlert> {
        self.engine().firing().into_iter().map(FiringAlert::of).collect()
    }
}
