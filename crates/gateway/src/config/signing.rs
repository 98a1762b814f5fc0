//! The secrets that sign requests of an `http` handler.

use larkline_client::Secret;
use serde_json::Value as Json;

use super::decoder::Spot;
use super::field::Field;
use crate::handler::http::signature::SigningKey;

/// Secrets an `http` handler may have: the current one, and the next or the previous one while
/// they are being changed.
const HTTP_SECRETS_MAX: usize = 2;

/// One or two secrets that sign requests, in the form of Standard Webhooks.
pub(super) struct SigningSecrets(pub(super) Vec<Secret>);

impl Field for SigningSecrets {
    const KIND: &'static str = "secret, or list of two";
    const HINT: &'static str =
        "write { env = \"NAME\" }; make one with: echo whsec_$(openssl rand -base64 32)";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let secrets = match spot.node.as_list() {
            Some(_) => Vec::<Secret>::read(spot)?,
            None => vec![Secret::read(spot)?],
        };
        if secrets.is_empty() || secrets.len() > HTTP_SECRETS_MAX {
            return spot.refuse(format!("expected one or {HTTP_SECRETS_MAX} secrets"), Self::HINT);
        }
        if secrets.iter().any(|secret| SigningKey::parse(secret).is_err()) {
            return spot
                .refuse("a signing secret is `whsec_` and base64 of 24 to 64 bytes", Self::HINT);
        }
        Some(Self(secrets))
    }

    fn shown(&self) -> Json {
        self.0.shown()
    }
}
