//! The product as a library: from a delivery to an answer in the chat, every step safe to
//! die after. `ARCHITECTURE.md` has the picture.

pub mod admin;
pub mod at_work;
pub mod callback;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod delivery;
pub mod descriptors;
pub mod dispatch;
pub mod governor;
pub mod handler;
pub mod identity;
pub mod inbound;
pub mod instance;
pub mod intake;
pub mod link_watch;
pub mod log;
pub mod metrics;
pub mod outgoing;
pub mod probe;
pub mod reason;
pub mod router;
pub mod routing;
pub mod run_error;
pub mod shared;
pub mod stages;
pub mod status;
pub mod story;
pub mod supervisor;
pub mod takeover;
pub mod tcp;
pub mod unanswered;
pub mod upkeep;
pub mod worker;
