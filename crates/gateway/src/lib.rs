//! The product as a library: from a delivery to an answer in the chat, every step safe to
//! die after. `ARCHITECTURE.md` has the picture.

pub mod handler;
