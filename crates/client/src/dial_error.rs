//! Why no connection came to be, by stage, in words an operator can act on.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use larkline_proto::link::Cause;

/// The network settings themselves are wrong; nothing was dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// A proxy setting is not a proxy address.
    #[error(
        "{setting} is not a proxy address: {reason}; write it as http://host:port or socks5h://host:port"
    )]
    ProxyAddress {
        /// The variable or key it came from, never its value.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A CA file cannot be read.
    #[error("the CA file {} cannot be read; check the path and its permissions", path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A CA file holds no usable certificate, or is larger than 8 MiB.
    #[error("the CA file {} is not a PEM bundle: {reason}; export the CA as PEM", path.display())]
    CaBundle {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No certificate is trusted at all, or the TLS library refused its settings.
    #[error(
        "TLS cannot be set up: {reason}; set network.ca_files or SSL_CERT_FILE to a PEM bundle"
    )]
    Tls {
        /// What the library said.
        reason: String,
    },
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be built; this is a bug, report it")]
    Http(#[source] reqwest::Error),
}

/// How far a dial had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialStage {
    /// The address itself.
    Address,
    /// Resolving the name.
    Dns,
    /// Opening the TCP connection.
    Tcp,
    /// Reaching the proxy, or asking it to connect.
    Proxy,
    /// The TLS handshake.
    Tls,
}

impl DialStage {
    /// The stage as a word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
        }
    }
}

/// A dial failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The URL has no host, or a scheme other than http, https, ws and wss.
    #[error("{url} cannot be dialled; use an http, https, ws or wss address with a host")]
    Address {
        /// The URL without query and credentials.
        url: String,
    },
    /// The name does not resolve.
    #[error(
        "{host} does not resolve; {}",
        or_files(source, "check the name and the DNS servers, or set a proxy")
    )]
    Dns {
        /// Which name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// No TCP connection to the host.
    #[error(
        "{to} cannot be reached; {}",
        or_files(source, "check route and firewall, or set a proxy")
    )]
    Tcp {
        /// `host:port`.
        to: String,
        /// What the system said about the last address tried.
        #[source]
        source: io::Error,
    },
    /// The proxy itself cannot be reached.
    #[error(
        "the {proxy} cannot be reached; {}",
        or_files(source, "check its address, or set proxy = \"none\"")
    )]
    ProxyUnreachable {
        /// The proxy, password masked.
        proxy: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The proxy answered, and will not connect.
    #[error("the {proxy} will not connect to {to}: {refusal}")]
    ProxyRefused {
        /// The proxy, password masked.
        proxy: String,
        /// `host:port` asked for.
        to: String,
        /// What it said.
        refusal: ProxyRefusal,
    },
    /// The certificate chain was refused.
    #[error(transparent)]
    Certificate(#[from] CertificateRefused),
    /// The TLS handshake failed for another reason.
    #[error("TLS with {host} failed; a firewall or a plain-text port may be in the way")]
    Tls {
        /// Which host.
        host: String,
        /// What the library said.
        #[source]
        source: io::Error,
    },
    /// The time for the whole dial ran out.
    #[error("no connection to {to} within {after:?}, stuck at {}; check route and firewall", stage.as_str())]
    Timeout {
        /// `host:port` of the target.
        to: String,
        /// Where it was stuck.
        stage: DialStage,
        /// The time allowed.
        after: Duration,
    },
}

impl DialError {
    /// How far the dial had come.
    pub fn stage(&self) -> DialStage {
        match self {
            Self::Address { .. } => DialStage::Address,
            Self::Dns { .. } => DialStage::Dns,
            Self::Tcp { .. } => DialStage::Tcp,
            Self::ProxyUnreachable { .. } | Self::ProxyRefused { .. } => DialStage::Proxy,
            Self::Certificate(_) | Self::Tls { .. } => DialStage::Tls,
            Self::Timeout { stage, .. } => *stage,
        }
    }

    /// A short stable word for metrics, logs and `docs/errors/`.
    pub fn code(&self) -> &'static str {
        self.cause().code()
    }

    /// Whether this process has used up its file descriptors, which says nothing about the network.
    pub fn is_out_of_files(&self) -> bool {
        match self {
            Self::Dns { source, .. }
            | Self::Tcp { source, .. }
            | Self::ProxyUnreachable { source, .. } => is_out_of_files(source),
            Self::Address { .. }
            | Self::ProxyRefused { .. }
            | Self::Certificate(_)
            | Self::Tls { .. }
            | Self::Timeout { .. } => false,
        }
    }

    pub(crate) fn cause(&self) -> Cause {
        match self {
            _ if self.is_out_of_files() => Cause::OpenFiles,
            Self::Address { .. } => Cause::DialAddress,
            Self::Dns { .. } => Cause::DnsFailed,
            Self::Tcp { .. } => Cause::TcpFailed,
            Self::ProxyUnreachable { .. } => Cause::ProxyUnreachable,
            Self::ProxyRefused { refusal, .. } => refusal.cause(),
            Self::Certificate(refused) => refused.problem.cause(),
            Self::Tls { .. } => Cause::TlsFailed,
            Self::Timeout { .. } => Cause::DialTimeout,
        }
    }
}

/// `EMFILE`, the same number on Linux and macOS.
const OUT_OF_FILES: i32 = 24;

fn is_out_of_files(source: &io::Error) -> bool {
    source.raw_os_error() == Some(OUT_OF_FILES)
}

/// What to do next: the usual, unless it is this process that may open no more.
fn or_files(source: &io::Error, usual: &'static str) -> &'static str {
    if is_out_of_files(source) {
        "raise the limit of open files (LimitNOFILE=4096, or ulimit -n)"
    } else {
        usual
    }
}

/// Why a proxy would not connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyRefusal {
    /// It wants a user and password, or refused ours (HTTP 407).
    #[error(
        "{detail}; put the user and password into the proxy address as http://user:password@host:port"
    )]
    Credentials {
        /// The proxy's answer, with the schemes it offers.
        detail: String,
    },
    /// It refused the target.
    #[error("{detail}; ask who runs the proxy to allow the platform's hosts")]
    Target {
        /// The proxy's answer.
        detail: String,
    },
    /// A SOCKS proxy refused us or the target.
    #[error(
        "{detail}; check user and password in the proxy address, and whether it allows the platform's hosts"
    )]
    Socks {
        /// The proxy's answer.
        detail: String,
    },
    /// It does not speak the protocol of its address, or hung up.
    #[error("{detail}; check that the scheme of the proxy address is right")]
    Protocol {
        /// What came instead.
        detail: String,
    },
}

impl ProxyRefusal {
    fn cause(&self) -> Cause {
        match self {
            Self::Credentials { .. } => Cause::ProxyAuth,
            Self::Target { .. } | Self::Socks { .. } => Cause::ProxyRefused,
            Self::Protocol { .. } => Cause::ProxyProtocol,
        }
    }
}

/// A presented certificate chain was refused. There is no retry without verification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the certificate of {host} was refused: {problem} (issuer {issuer}); {}",
    advice(problem, issuer)
)]
pub struct CertificateRefused {
    /// The host we wanted.
    pub host: String,
    /// Issuer at the top of the presented chain, as `CN=…, O=…`.
    pub issuer: String,
    /// Why.
    pub problem: CertificateProblem,
}

impl CertificateRefused {
    /// The program known to open TLS on the way that signed this, by its issuer's name.
    pub fn interceptor(&self) -> Option<&'static str> {
        interceptor(&self.issuer)
    }
}

/// Programs that open TLS on the way, and a word their certificates' issuers have.
const INTERCEPTORS: &[(&str, &str)] = &[
    ("mitmproxy", "mitmproxy"),
    ("charles", "Charles"),
    ("fiddler", "Fiddler"),
    ("clash", "Clash"),
    ("mihomo", "Clash (mihomo)"),
    ("surge", "Surge"),
    ("stash", "Stash"),
    ("quantumult", "Quantumult"),
    ("proxyman", "Proxyman"),
    ("whistle", "whistle"),
    ("portswigger", "Burp"),
    ("adguard", "AdGuard"),
    ("zscaler", "Zscaler"),
    ("netskope", "Netskope"),
    ("fortinet", "FortiGate"),
    ("fortigate", "FortiGate"),
    ("palo alto", "Palo Alto Networks"),
    ("blue coat", "Blue Coat"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("sangfor", "Sangfor"),
    ("kaspersky", "Kaspersky"),
    ("avast", "Avast"),
    ("eset", "ESET"),
    ("bitdefender", "Bitdefender"),
];

fn interceptor(issuer: &str) -> Option<&'static str> {
    let issuer = issuer.to_lowercase();
    let known = INTERCEPTORS.iter().find(|(word, _)| issuer.contains(word));
    known.map(|(_, name)| *name)
}

fn advice(problem: &CertificateProblem, issuer: &str) -> String {
    match (problem, interceptor(issuer)) {
        (CertificateProblem::SelfSigned | CertificateProblem::UnknownIssuer, Some(name)) => {
            format!(
                "{name} opens TLS on the way: export its CA as PEM and add the file to \
             network.ca_files, or let it pass the platform's hosts through"
            )
        }
        _ => problem.advice().to_owned(),
    }
}

/// Why a chain was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// The chain ends in a certificate that signed itself and is not in the store.
    #[error("self-signed certificate in chain")]
    SelfSigned,
    /// The chain ends at an authority that is not in the store.
    #[error("issuer not trusted")]
    UnknownIssuer,
    /// The server presents a lone authority as its own certificate, as `openssl req -x509`
    /// makes them; trusting it does not help.
    #[error("a self-signed authority is used as the server's certificate")]
    AuthorityAsServer,
    /// The certificate's time is over.
    #[error("expired")]
    Expired,
    /// The certificate's time has not begun.
    #[error("not valid yet")]
    NotYetValid,
    /// The certificate is for other names.
    #[error("hostname does not match; the certificate is for {}", presented.join(", "))]
    Hostname {
        /// The names it is for, at most eight.
        presented: Vec<String>,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl CertificateProblem {
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::SelfSigned | Self::UnknownIssuer => Cause::TlsUntrusted,
            Self::Expired | Self::NotYetValid => Cause::TlsExpired,
            Self::Hostname { .. } => Cause::TlsHostname,
            Self::AuthorityAsServer | Self::Other(_) => Cause::TlsCertificate,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::SelfSigned | Self::UnknownIssuer => {
                "if this is the CA of your company, or of a proxy that opens TLS, add its PEM file to network.ca_files"
            }
            Self::Expired | Self::NotYetValid => "check this machine's clock, then the server",
            Self::AuthorityAsServer => {
                "issue a server certificate from it, and add the authority to network.ca_files"
            }
            Self::Hostname { .. } | Self::Other(_) => {
                "check the address, and what intercepts TLS on the way"
            }
        }
    }
}
