//! Signatures of requests in the Standard Webhooks manner, made and checked.
//!
//! `webhook-signature` holds, separated by blanks, `v1,` and the base64 of an HMAC-SHA256
//! over id, timestamp and body joined by dots, one for each secret. Remembering ids is the
//! receiver's business and not here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use larkline_client::Secret;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The header with the id, the same for every attempt.
pub const ID: &str = "webhook-id";
/// The header with the time of this attempt, Unix seconds.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// How far, in seconds, a timestamp may be from now in either direction.
pub const TOLERANCE_S: i64 = 300;

/// Before the base64 of a secret.
const PREFIX: &str = "whsec_";

/// Before a signature; others (`v1a` is ed25519) are skipped.
const VERSION: &str = "v1,";

/// A secret that signs, between 24 and 64 bytes; prints as `<redacted>`.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

/// The text is no signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a signing secret is `whsec_` and the base64 of 24 to 64 random bytes; make one with: \
     echo whsec_$(openssl rand -base64 32)"
)]
pub struct KeyError;

/// A signed request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A header is missing, or not text.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The timestamp is no number of seconds, or too far from now.
    #[error("{TIMESTAMP} is not within {TOLERANCE_S} s of now; set the clocks")]
    Timestamp,
    /// No signature was made with a secret known here.
    #[error("no signature fits; compare the secrets, and sign the bytes that are sent")]
    Signature,
}

impl SigningKey {
    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// [`KeyError`] when it has another form or length.
    pub fn parse(secret: &Secret) -> Result<Self, KeyError> {
        let encoded = secret.expose().strip_prefix(PREFIX).ok_or(KeyError)?;
        let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyError)?);
        if (24..=64).contains(&key.len()) { Ok(Self(key)) } else { Err(KeyError) }
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length; its type does not say so.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        Some(mac)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The value of `webhook-signature` for a body: a signature for each key, in order.
pub fn sign(keys: &[SigningKey], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let timestamp = timestamp_s.to_string();
    let signatures: Vec<String> = keys
        .iter()
        .filter_map(|key| key.mac(id, &timestamp, body))
        .map(|mac| format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes())))
        .collect();
    signatures.join(" ")
}

/// Checks a signed request and returns its `webhook-id`. Signatures are compared in constant
/// time; `now_s` is Unix time in seconds.
///
/// # Errors
/// [`VerifyError`] when a header is missing, the timestamp is off, or no signature fits.
pub fn verify<'h>(
    headers: &'h HeaderMap,
    body: &[u8],
    keys: &[SigningKey],
    now_s: i64,
) -> Result<&'h str, VerifyError> {
    let text = |name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or(VerifyError::Missing(name))
    };
    let (id, timestamp, signatures) = (text(ID)?, text(TIMESTAMP)?, text(SIGNATURE)?);
    let at: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    if at.abs_diff(now_s) > TOLERANCE_S.unsigned_abs() {
        return Err(VerifyError::Timestamp);
    }
    let fits = |signature: &[u8]| {
        keys.iter()
            .filter_map(|key| key.mac(id, timestamp, body))
            .any(|mac| mac.verify_slice(signature).is_ok())
    };
    signatures
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix(VERSION)?).ok())
        .any(|signature| fits(&signature))
        .then_some(id)
        .ok_or(VerifyError::Signature)
}
