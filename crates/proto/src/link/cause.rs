//! Why a link was lost, or does not come up: the closed set of codes, for the log, metrics and the
//! sentences that people read.

use serde::{Serialize, Serializer};

macro_rules! causes {
    ($($(#[$doc:meta])+ $cause:ident = $code:literal,)+) => {
        /// Why a link was lost, or did not come up. Not open: whoever tells causes to people tells each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause {
            $($(#[$doc])+ $cause,)+
        }

        impl Cause {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$cause),+];

            /// Its stable code, fit for a metric label.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$cause => $code,)+
                }
            }

            /// The cause of a code; none for one of another version.
            pub fn of_code(code: &str) -> Option<Self> {
                match code {
                    $($code => Some(Self::$cause),)+
                    _ => None,
                }
            }
        }
    };
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

causes! {
    /// The open connection broke.
    Network = "network",
    /// A ping was not answered in time.
    Silent = "silent",
    /// The platform closed the link.
    Closed = "closed",
    /// No frame came after the upgrade.
    Unverified = "unverified",
    /// A step took too long.
    Timeout = "timeout",
    /// The platform said no.
    Refused = "refused",
    /// Discovery was answered without a usable endpoint.
    BadReply = "bad_reply",
    /// Somebody asked for a new connection.
    Requested = "requested",
    /// The HTTP connection for discovery did not open.
    ConnectFailed = "connect_failed",
    /// The HTTP connection for discovery broke before the whole answer was there.
    ConnectionBroken = "connection_broken",
    /// The question for the endpoint could not be written.
    BadRequest = "bad_request",
    /// The answer to the upgrade was no WebSocket.
    UpgradeFailed = "upgrade_failed",
    /// The peer broke the WebSocket protocol.
    WebSocket = "websocket",
    /// A message was larger than any of the platform.
    FrameTooLarge = "frame_too_large",
    /// Our acks were no longer read.
    PeerNotReading = "peer_not_reading",
    /// The address cannot be dialled.
    DialAddress = "dial_address",
    /// The name does not resolve.
    DnsFailed = "dns_failed",
    /// No address takes a TCP connection.
    TcpFailed = "tcp_failed",
    /// This process may open no more files.
    OpenFiles = "open_files",
    /// The dial took too long.
    DialTimeout = "dial_timeout",
    /// The proxy itself cannot be reached.
    ProxyUnreachable = "proxy_unreachable",
    /// The proxy wants a user and password, or refused ours.
    ProxyAuth = "proxy_auth",
    /// The proxy refused us or the target.
    ProxyRefused = "proxy_refused",
    /// The proxy does not speak the protocol of its address.
    ProxyProtocol = "proxy_protocol",
    /// The chain ends at an authority that this machine does not trust.
    TlsUntrusted = "tls_untrusted",
    /// The certificate's time is over, or has not begun.
    TlsExpired = "tls_expired",
    /// The certificate is for other names.
    TlsHostname = "tls_hostname",
    /// The certificate is refused for something else.
    TlsCertificate = "tls_certificate",
    /// The TLS handshake failed.
    TlsFailed = "tls_failed",
}
