//! The admin API, as JSON over HTTP on a Unix socket, and the public part over loopback TCP.
//!
//! | route | where | what |
//! |---|---|---|
//! | `GET /live` | both | the loop turns |
//! | `GET /ready` | both | every link verified, store writable; 503 with the reasons |
//! | `GET /metrics` | both | OpenMetrics text |
//! | `POST /v1/replies/{task}` | both | a handler's later answer, signed with its secret |
//! | `GET /v1/status` | socket | the whole report |
//! | `GET /v1/messages`, `/v1/chats`, `/v1/dead`, `/v1/story` | socket | lists |
//! | `GET /v1/sessions`, `/v1/sessions/{id}` | socket | conversations |
//! | `POST /v1/sessions/{id}/stop`, `/end` | socket | a turn's end, a conversation's end |
//! | `POST /v1/dead/{item}/retry`, `/drop` | socket | dead letters |
//! | `POST /v1/handlers/{handler}/give-up` | socket | what waits for a handler that is gone |
//! | `POST /v1/send`, `/v1/send/file` | socket | a message, or a file, through the outbox |
//! | `GET`, `POST /v1/jobs`, `/v1/jobs/{job}`, `…/stop`, `…/retry` | socket | durable commands |
//! | `POST /v1/probe`, `GET /v1/probe/{app}/{nonce}` | socket | a nonce out, and its return |
//! | `GET /v1/alerts`, `POST /v1/alerts/test` | socket | what fires, who is told; a test of that |
//! | `POST /v1/reload`, `/v1/stop` | socket | what SIGHUP and SIGTERM do |
//!
//! The TCP listener has the dashboard too ([`crate::dashboard`]), and under `/api` the lists.
//!
//! Running tasks have a socket of their own, [`crate::task_api`].
//!
//! The socket is mode 0600: whoever may open it is the operator; whether of this bot, `whose` looks.
//! Bodies are bounded, unknown fields refused. Over TCP, `[server] token` guards everything but liveness and replies.

mod alerts;
pub mod client;
mod jobs;
mod lists;
mod probe;
mod replies;
mod send;
mod server;
mod sessions;
mod socket;
pub(crate) mod token;
mod whose;

pub use alerts::TestRequest;
pub(crate) use lists::parse_item;
pub use probe::{ProbeRequest, ProbeStarted, ProbeState};
pub use send::{SendAccepted, SendFileQuery, SendRequest};
pub use server::{Admin, Command, StopAnswer, bind_http, serve_http, serve_socket};
pub(crate) use server::{Refusal, lists_to_read};
pub use sessions::SessionStory;
pub use socket::{SocketError, bind_socket, left_behind};
