//! Sockets around `proto`: the dialer, the supervised link, tokens and typed API calls.
//!
//! Usable without the daemon. Protocol decisions live in `larkline_proto`; this crate moves
//! bytes and keeps time. What it deliberately does not do: store anything, retry a call
//! beyond one token refresh, or decide what a message means.

mod api;
mod api_error;
mod call;
mod certificate;
mod dial_error;
mod dialer;
pub mod link;
mod proxy;
mod secret;
mod tls;
mod token;

pub use api::{ApiClient, Container, Download, FEISHU, FileType, LARK, Listing, Sort};
pub use api_error::{ApiError, ApiErrorKind};
pub use call::Answer;
pub use dial_error::{
    CertificateProblem, CertificateRefused, DialError, DialStage, NetError, ProxyRefusal,
};
pub use dialer::{Connection, Dialer, Io, NetOptions, ProxyEnv};
pub use proxy::ProxyChoice;
pub use secret::{Secret, SecretUrl, redacted_url};
pub use tls::{TlsPeer, Trust};
