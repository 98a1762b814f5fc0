//! Chat completions as OpenAI made them and everybody copied them, pure: a request to send, bytes
//! of its streamed answer in, events out.
//!
//! The socket, its time-outs and trying again are not here. No tools are offered to the model, so
//! what it would call is not read.

mod error;
mod history;
mod request;
mod sse;
mod stream;

pub use error::{ChatError, ErrorClass, error};
pub use history::{Role, Turn, cut, tokens};
pub use request::{ChatRequest, request};
pub use stream::{ChatEvent, Finish, Stream};
