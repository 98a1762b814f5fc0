//! The product as a library: from a delivery to an answer in the chat, every step safe to
//! die after. `ARCHITECTURE.md` has the picture.

pub mod handler;
pub mod callback;
pub mod clock;
pub mod governor;
pub mod instance;
pub mod metrics;
pub mod outgoing;
pub mod supervisor;
pub mod config;
pub mod log;
