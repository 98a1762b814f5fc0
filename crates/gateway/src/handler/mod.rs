//! Handlers: what turns a message into an answer.
//!
//! The set is closed and chosen by configuration, so it is an enum and not a trait. A handler
//! gets a [`Turn`] and gives an [`Answer`] or a [`HandlerError`]; it never talks to the
//! platform or the store itself. Everything that leaves goes through the outbox.

pub mod answer;
pub mod turn;

pub use answer::{Answer, HandlerError, Retry};
pub use turn::Turn;
