//! The simulator seen from outside: raw HTTP, raw WebSocket, golden bytes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helper fails by panicking")]

mod api_faults;
mod cards;
mod client;
mod delivery;
mod detours;
mod diagnosis;
mod documented;
mod faults;
mod load;
mod messages;
mod page;
mod people;
mod scripts;
mod speech;
