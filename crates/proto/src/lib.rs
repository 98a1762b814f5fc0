//! The rules of the platform, pure: bytes in, bytes out, time as an argument.
//!
//! Nothing here opens a socket, reads a clock, a file or a global random source; the
//! `tidy` test refuses such an arrow. `client` moves the bytes, `gateway` gives them
//! meaning, `sim` plays the other side with the same codec (which is why the codec is also
//! held against golden bytes made without it, in `tests/it/vectors.rs`).

pub mod api;
pub mod backoff;
pub mod content;
pub mod endpoint;
pub mod event;
pub mod frame;
pub mod header;
pub mod id;
pub mod link;
pub mod markdown;
pub mod rate;
pub mod reassembly;
pub mod refusal;
pub mod settings;
