//! Sockets around `proto`: the dialer, the supervised link, tokens and typed API calls.
//!
//! Usable without the daemon. Protocol decisions live in `larkline_proto`; this crate moves
//! bytes and keeps time. What it deliberately does not do: store anything, retry a call
//! beyond one token refresh, or decide what a message means.
//!
//! # A bot in four steps
//!
//! `examples/echo.rs` is these steps in full; a test runs it against the simulator.
//!
//! 1. [`Dialer::new`] reads proxy and CA settings, one time for everything.
//! 2. [`ApiClient::new`] makes the calls; [`ApiClient::verify`] checks the credentials.
//! 3. [`link::start`] returns a handle and a future. The future belongs into a task of yours:
//!    it resolves, dials, proves itself by the server's frame, pings, notices a dead peer and
//!    redials for ever, within clamped server settings. [`link::LinkHandle::status`] shows it,
//!    [`link::LinkHandle::close`] ends it in good order.
//! 4. Take a [`link::Delivery`], make it safe, and only then give
//!    [`link::LinkHandle::answer`]: without an answer the platform delivers it again.
//!
//! An error tells what to do, not just what happened: [`ApiError::disposition`],
//! [`DialError::stage`]. Retries of a send reuse its `uuid`, so that the platform makes one
//! message of them:
//!
//! ```no_run
//! use larkline_client::{ApiClient, Dialer, FEISHU, NetOptions, Secret};
//! use larkline_proto::api::{Disposition, ReceiveId};
//! use larkline_proto::content::Outgoing;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let dialer = Dialer::new(&NetOptions::default())?;
//! let secret = Secret::new(std::env::var("FEISHU_APP_SECRET")?);
//! let api = ApiClient::new(dialer, FEISHU.parse()?, "cli_a1b2c3d4e5f60718".into(), secret);
//! let (chat, text) = (ReceiveId::Chat("oc_1".into()), Outgoing::text("build 42 is green"));
//! while let Err(error) = api.send(&chat, &text, "build-42").await {
//!     let Disposition::Retry { after, .. } = error.disposition() else { return Err(error.into()) };
//!     tokio::time::sleep(after.unwrap_or(std::time::Duration::from_secs(5))).await;
//! }
//! # Ok(())
//! # }
//! ```

mod api;
mod api_error;
mod attempt;
mod call;
mod certificate;
mod dial_error;
mod dialer;
pub mod link;
mod meter;
mod proxy;
mod reach;
pub mod registration;
mod secret;
mod tls;
mod token;

pub use api::{
    ApiClient, Container, Download, FEISHU, FileType, LARK, Listing, Sort, TRANSFER_TIMEOUT,
};
pub use api_error::{ApiError, ApiErrorKind};
pub use attempt::Trace;
pub use call::Answer;
pub use dial_error::{
    CertificateProblem, CertificateRefused, DialError, DialStage, NetError, ProxyRefusal,
};
pub use dialer::{Connection, Dialer, Io, NetOptions, ProxyEnv};
pub use proxy::ProxyChoice;
pub use reach::Reach;
pub use secret::{Secret, SecretUrl, redacted_url};
pub use tls::{TlsPeer, Trust};
