//! The secrets that sign requests of an `http` handler.

use larkline_client::Secret;
use serde_json::Value as Json;

use super::decoder::Spot;
use super::field::Field;
use crate::both::{Both, both};
use crate::handler::http::signature::SigningKey;

/// Secrets an `http` handler may have: the current one, and the next or the previous one while
/// they are being changed.
const HTTP_SECRETS_MAX: usize = 2;

/// What such a secret has to be.
pub(super) const NOT_SIGNING: Both = Both::of(
    "签名密钥是 `whsec_` 加 24 到 64 字节的 base64",
    "a signing secret is `whsec_` and base64 of 24 to 64 bytes",
);

/// One or two secrets that sign requests, in the form of Standard Webhooks.
pub(super) struct SigningSecrets(pub(super) Vec<Secret>);

impl Field for SigningSecrets {
    const KIND: &'static str = "secret, or list of two";
    const HINT: Both = Both::of(
        "写 { env = \"NAME\" }；生成方法：echo whsec_$(openssl rand -base64 32)",
        "write { env = \"NAME\" }; make one with: echo whsec_$(openssl rand -base64 32)",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let secrets = match spot.node.as_list() {
            Some(_) => Vec::<Secret>::read(spot)?,
            None => vec![Secret::read(spot)?],
        };
        if secrets.is_empty() || secrets.len() > HTTP_SECRETS_MAX {
            return spot.refuse(
                both!(
                    zh: "应有一个或 {HTTP_SECRETS_MAX} 个密钥",
                    en: "expected one or {HTTP_SECRETS_MAX} secrets"
                ),
                Self::HINT,
            );
        }
        if secrets.iter().any(|secret| SigningKey::parse(secret).is_err()) {
            return spot.refuse(NOT_SIGNING, Self::HINT);
        }
        Some(Self(secrets))
    }

    fn shown(&self) -> Json {
        self.0.shown()
    }
}
