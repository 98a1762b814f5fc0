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
pub mod admin;
pub mod daemon;
pub mod delivery;
pub mod dispatch;
pub mod identity;
pub mod intake;
pub mod router;
pub mod routing;
pub mod shared;
pub mod stages;
pub mod status;
pub mod takeover;
pub mod upkeep;
