//! What a running task may ask of the gateway, over a socket of its own.
//!
//! | route | what |
//! |---|---|
//! | `POST /v1/task/say` | a message, or a newer form of one |
//! | `POST /v1/task/file?name=…` | a file, its bytes as the body |
//! | `POST /v1/task/ask` | a question with buttons; answers when one was pressed |
//! | `GET /v1/task/messages?limit=…` | what was said in the chat |
//! | `GET`, `POST /v1/task/jobs`, `/v1/task/jobs/{id}/stop`, `/retry` | jobs of the chat |
//!
//! Every call shows the token of a running task, and reaches the chat of that task alone. The bytes
//! of a file come with the call, so that a program sends what it can read itself, and nothing that
//! only the gateway can. What a task says has lower priority than replies.

mod ask;
mod file;
mod jobs;
mod list;
mod say;
mod server;

pub use ask::{PATIENCE_S_MAX, Question, Reply};
pub use file::FileSent;
pub(crate) use file::refusal as file_refusal;
pub use list::{ChatMessage, ChatMessages};
pub use say::{Places, Said, Say};
pub use server::{TaskApi, serve};

/// What a task says waits until replies have left, also those of its own chat.
const PRIORITY: i32 = -1;
