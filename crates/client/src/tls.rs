//! Whom we trust, one configuration for HTTP and WebSocket alike.
//!
//! The system's roots (rustls-native-certs also reads `SSL_CERT_FILE` and `SSL_CERT_DIR`)
//! plus the configured CA files; the bundled Mozilla roots only when the system has none.
//! Verification is always on: there is no option to weaken it and no retry without it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::certificate;
use crate::dial_error::{CertificateProblem, CertificateRefused, NetError};

/// Largest CA file read; the whole Mozilla bundle is a quarter of a megabyte.
const CA_FILE_BYTES_MAX: u64 = 8 << 20;

/// Names of a certificate quoted in an error; some carry hundreds.
const QUOTED_NAMES_MAX: usize = 8;

/// How many roots came from where, for the start-up log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// From the system's store (or `SSL_CERT_FILE`, `SSL_CERT_DIR`).
    pub system: usize,
    /// From the configured CA files.
    pub files: usize,
    /// From the bundle in this program; 0 unless the system has none.
    pub bundled: usize,
}

/// What the peer of a TLS connection showed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TlsPeer {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// Who signed its certificate, as `CN=…, O=…`.
    pub issuer: String,
    /// Whose certificate it is, as `CN=…, O=…`.
    pub subject: String,
    /// When its certificate ends, seconds since 1970.
    pub not_after_unix_s: Option<i64>,
}

impl TlsPeer {
    pub(crate) fn of(connection: &rustls::ClientConnection) -> Self {
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let leaf = connection.peer_certificates().and_then(|chain| chain.first());
        let identity = leaf.and_then(|leaf| certificate::identity(leaf));
        let (issuer, subject, not_after_unix_s) = identity.map_or_else(
            || (String::from("unnamed"), String::from("unnamed"), None),
            |found| (found.issuer, found.subject, found.not_after),
        );
        Self { version, issuer, subject, not_after_unix_s }
    }
}

/// Builds the configuration every connection uses.
pub(crate) fn client_config(ca_files: &[PathBuf]) -> Result<(ClientConfig, Trust), NetError> {
    let (roots, trust) = roots(ca_files)?;
    let provider = Arc::new(ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| NetError::Tls { reason: error.to_string() })?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NetError::Tls { reason: error.to_string() })?
        // "dangerous" is rustls' gate for any verifier of one's own; ours asks webpki and
        // only rewords its refusals.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamingVerifier { inner }))
        .with_no_client_auth();
    Ok((config, trust))
}

fn roots(ca_files: &[PathBuf]) -> Result<(RootCertStore, Trust), NetError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "a certificate of the system's store cannot be read");
    }
    let (system, _unusable) = roots.add_parsable_certificates(native.certs);
    let mut trust = Trust { system, ..Trust::default() };
    if system == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        trust.bundled = webpki_roots::TLS_SERVER_ROOTS.len();
    }
    for path in ca_files {
        trust.files += add_file(&mut roots, path)?;
    }
    Ok((roots, trust))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<usize, NetError> {
    let bundle = |reason: String| NetError::CaBundle { path: path.to_owned(), reason };
    let pem = read_bounded(path)
        .map_err(|source| NetError::CaFile { path: path.to_owned(), source })?
        .ok_or_else(|| bundle("it is larger than 8 MiB".to_owned()))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bundle(error.to_string()))?;
        roots.add(certificate).map_err(|error| bundle(error.to_string()))?;
        count += 1;
    }
    if count == 0 { Err(bundle("it holds no certificate".to_owned())) } else { Ok(count) }
}

fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut pem = Vec::new();
    let size = File::open(path)?.take(CA_FILE_BYTES_MAX + 1).read_to_end(&mut pem)?;
    Ok((size as u64 <= CA_FILE_BYTES_MAX).then_some(pem))
}

/// webpki's verifier, whose refusals name host, issuer and reason.
#[derive(Debug)]
struct NamingVerifier {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for NamingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| {
                let Error::InvalidCertificate(reason) = error else { return error };
                let refused = refusal(&reason, end_entity, intermediates, server_name);
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn refusal(
    reason: &CertificateError,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    host: &ServerName<'_>,
) -> CertificateRefused {
    let identity = certificate::identity(intermediates.last().unwrap_or(end_entity));
    let self_signed = identity.as_ref().is_some_and(|top| top.self_signed);
    let problem = problem(reason, self_signed, intermediates.is_empty());
    let issuer = identity.map_or_else(|| "unnamed".to_owned(), |top| top.issuer);
    CertificateRefused { host: host.to_str().into_owned(), issuer, problem }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls' list is open; the rest is its text")]
fn problem(reason: &CertificateError, self_signed: bool, alone: bool) -> CertificateProblem {
    match reason {
        // webpki has a reason of its own for this, which rustls passes on without a name.
        CertificateError::Other(_) if self_signed && alone => CertificateProblem::AuthorityAsServer,
        CertificateError::UnknownIssuer if self_signed => CertificateProblem::SelfSigned,
        CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotYetValid
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            CertificateProblem::Hostname { presented: quoted(presented) }
        }
        CertificateError::NotValidForName => CertificateProblem::Hostname { presented: vec![] },
        other => CertificateProblem::Other(other.to_string()),
    }
}

fn quoted(names: &[String]) -> Vec<String> {
    names.iter().take(QUOTED_NAMES_MAX).map(|name| name.escape_debug().to_string()).collect()
}

/// Finds our refusal inside an error of rustls, tokio-rustls or reqwest.
pub(crate) fn find_refusal<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a CertificateRefused> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(Error::InvalidCertificate(CertificateError::Other(OtherError(inner)))) =
            error.downcast_ref::<Error>()
        {
            return inner.downcast_ref();
        }
        // An io::Error's source() is the source of what it wraps: look at the wrapped too.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
