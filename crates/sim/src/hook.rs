//! Custom bots of a group: an address that takes messages, with a keyword or a signature.
//!
//! Reference: open API, section 7. What comes in is in the ledger; such a bot has no id, hears
//! nothing and takes nothing back. An unknown token is 19001, which the reference does not name.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use larkline_proto::id::ChatId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::ledger::HookRow;
use crate::platform::PlatformError;
use crate::world::World;

/// Largest body.
const BODY_BYTES_MAX: usize = 20 * 1024;
/// How far a timestamp may be from the platform's clock.
const SIGNED_S_MAX: u64 = 60 * 60;
/// Hooks that can be made; tests make a handful.
const HOOKS_MAX: usize = 1_000;

/// A custom bot that is added to a group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewHook {
    /// The group.
    pub chat: ChatId,
    /// A word every message needs (19024).
    pub keyword: Option<String>,
    /// What messages are signed with (19021).
    pub secret: Option<String>,
}

/// The hooks by their token.
pub(crate) type Hooks = BTreeMap<String, NewHook>;

impl World {
    /// Adds a custom bot to a group and returns its token.
    pub(crate) fn add_hook(&mut self, hook: NewHook) -> Result<String, PlatformError> {
        self.chat_mut(&hook.chat)?;
        if self.hooks.len() >= HOOKS_MAX {
            return Err(PlatformError::Refused(format!("there are {HOOKS_MAX} hooks already")));
        }
        let token = self.uuid();
        self.hooks.insert(token.clone(), hook);
        Ok(token)
    }

    /// Takes what came to a hook; the answer is HTTP 200, whatever its code.
    pub(crate) fn take_hook(&mut self, now_ms: u64, token: &str, body: &[u8]) -> Value {
        match self.hooked(now_ms, token, body) {
            Ok(()) => json!({
                "StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"
            }),
            Err((code, msg)) => json!({"code": code, "msg": msg, "data": {}}),
        }
    }

    fn hooked(&mut self, now_ms: u64, token: &str, body: &[u8]) -> Result<(), (i64, &'static str)> {
        let invalid = (19_001, "param invalid: incoming webhook access token invalid");
        let hook = self.hooks.get(token).ok_or(invalid)?.clone();
        if body.len() > BODY_BYTES_MAX {
            return Err((19_036, "the body is too large"));
        }
        let message: Value = serde_json::from_slice(body).map_err(|_| (9_499, "Bad Request"))?;
        let kind = message.get("msg_type").and_then(Value::as_str);
        let kind = kind.ok_or((19_002, "params error, msg_type need"))?;
        let content = match kind {
            "interactive" => message.get("card"),
            "text" | "post" | "image" | "share_chat" => message.get("content"),
            _ => None,
        };
        let content = content.filter(|c| c.is_object()).ok_or((9_499, "Bad Request"))?;
        if let Some(secret) = &hook.secret
            && !signed(&message, secret, now_ms / 1000)
        {
            let msg = "sign match fail or timestamp is not within one hour from current time";
            return Err((19_021, msg));
        }
        let text = content.to_string();
        if hook.keyword.as_ref().is_some_and(|word| !text.contains(word.as_str())) {
            return Err((19_024, "Key Words Not Found"));
        }
        let limits = &self.options.limits;
        let windows = [(1_000, limits.per_hook_per_s), (60_000, limits.per_hook_per_min)];
        let admitted = self.windows.hook.admit(token.to_owned(), now_ms, &windows);
        admitted.map_err(|_| (11_232, "too many requests"))?;
        let row =
            HookRow { chat_id: hook.chat, msg_type: kind.to_owned(), content: text, at_ms: now_ms };
        self.ledger.hooked.push(row, self.options.ledger_rows_max);
        Ok(())
    }
}

fn signed(message: &Value, secret: &str, now_s: u64) -> bool {
    let timestamp = match message.get("timestamp") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return false,
    };
    let fresh = timestamp.parse::<u64>().is_ok_and(|t| t.abs_diff(now_s) <= SIGNED_S_MAX);
    fresh && message.get("sign").and_then(Value::as_str) == Some(&sign(&timestamp, secret))
}

/// The signature: an empty message under a key of timestamp and secret.
fn sign(timestamp: &str, secret: &str) -> String {
    let key = format!("{timestamp}\n{secret}");
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    mac.map(|mac| BASE64_STANDARD.encode(mac.finalize().into_bytes())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SimOptions;

    #[test]
    fn the_signature_is_the_references() {
        assert_eq!(sign("1599360473", "demo"), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
    }

    #[test]
    fn a_hook_takes_what_is_signed_fits_and_is_not_too_much() {
        let mut world = World::new(SimOptions::default(), false);
        let chat = world.add_group("team", Vec::new(), false);
        let (keyword, secret) = (Some("build".to_owned()), Some("demo".to_owned()));
        let open = world.add_hook(NewHook { chat: chat.clone(), ..NewHook::default() }).unwrap();
        let strict = world.add_hook(NewHook { chat, keyword, secret }).unwrap();
        let text = |text: &str| json!({"msg_type": "text", "content": {"text": text}});
        let mut code = |token: &str, now_s: u64, body: Value| {
            world.take_hook(now_s * 1000, token, body.to_string().as_bytes())["code"].clone()
        };
        assert_eq!(code("unknown", 0, text("x")), 19_001);
        assert_eq!(code(&open, 0, json!({"content": {}})), 19_002);
        assert_eq!(code(&open, 0, json!({"msg_type": "text", "content": "x"})), 9_499);
        assert_eq!(code(&open, 0, text(&"x".repeat(21_000))), 19_036);
        let codes: Vec<_> = (0..6).map(|_| code(&open, 1, text("x"))).collect();
        assert_eq!(codes, [0, 0, 0, 0, 0, 11_232]);
        let at = 1_599_360_473;
        let signed = |words: &str, at: u64| {
            let mut body = text(words);
            body["timestamp"] = json!(at.to_string());
            body["sign"] = json!(sign(&at.to_string(), "demo"));
            body
        };
        assert_eq!(code(&strict, at, text("build failed")), 19_021);
        assert_eq!(code(&strict, at + 3_601, signed("build failed", at)), 19_021);
        assert_eq!(code(&strict, at, signed("all is well", at)), 19_024);
        assert_eq!(code(&strict, at, signed("build failed", at)), 0);
        assert_eq!(world.ledger.hooked.len(), 6);
    }
}
