//! Notices to services: ours, signed as Standard Webhooks are, or a custom bot of the platform, whose
//! refusals come with status 200.

use std::cmp::Reverse;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use larkline_client::{Dialer, Secret};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::both::{Both, both};
use crate::chain::chain;
use crate::clock::now_ms;
use crate::config::{Hook, HookFormat};
use crate::handler::http::read;
use crate::handler::http::signature::{self, SigningKey};

/// So much of an answer is read: a code and a sentence.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// So much of it is shown.
const SHOWN_CHARS_MAX: usize = 200;
/// Pieces of an address that are shorter are no secrets.
const PART_BYTES_MIN: usize = 6;

/// Said of an `authorization` with line ends and the like.
const NO_HEADER: Both =
    Both::of("`authorization` 不能用作请求头", "`authorization` is no header value");

/// Posts a notice.
pub(super) async fn post(
    dialer: &Dialer,
    hook: &Hook,
    id: &str,
    text: &str,
    body: &Value,
    limit: Duration,
) -> Result<(), Both> {
    let now_s = now_ms() / 1000;
    let body = match hook.format {
        HookFormat::Generic => body.clone(),
        HookFormat::FeishuBot => bot_message(hook.secret.as_ref(), text, now_s),
    };
    let body = body.to_string().into_bytes();
    let mut request = dialer
        .http()
        .post(hook.url.expose().clone())
        .timeout(limit)
        .header(CONTENT_TYPE, "application/json");
    if hook.format == HookFormat::Generic {
        request = request.header(signature::ID, id).header(signature::TIMESTAMP, now_s);
        if let Some(key) = hook.secret.as_ref().and_then(|s| SigningKey::parse(s).ok()) {
            request =
                request.header(signature::SIGNATURE, signature::sign(&[key], id, now_s, &body));
        }
    }
    if let Some(secret) = &hook.authorization {
        let value = HeaderValue::from_str(secret.expose()).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        request = request.header(AUTHORIZATION, value.map_err(|_| NO_HEADER)?);
    }
    let response = request.body(body).send().await.map_err(|error| said(error, limit))?;
    let status = response.status();
    if !status.is_success() {
        // Its words are welcome, and it has refused without them too.
        let answer = read(response, ANSWER_BYTES_MAX).await.unwrap_or_default();
        return Err(both!(
            zh: "服务的应答是 {status}：{answer}",
            en: "the service answered {status}: {answer}",
            answer = shown(&answer, hook)
        ));
    }
    match hook.format {
        // The status says all, whatever becomes of the body.
        HookFormat::Generic => Ok(()),
        HookFormat::FeishuBot => {
            let answer = read(response, ANSWER_BYTES_MAX).await;
            let answer = answer.map_err(|error| said(error, limit))?;
            bot_answer(&answer, &shown(&answer, hook))
        }
    }
}

/// The message of a custom bot, signed when it has a secret.
fn bot_message(secret: Option<&Secret>, text: &str, now_s: i64) -> Value {
    let message = json!({ "msg_type": "text", "content": { "text": text } });
    match secret.and_then(|secret| bot_sign(secret, now_s)) {
        Some(sign) => {
            let mut signed = message;
            signed["timestamp"] = json!(now_s.to_string());
            signed["sign"] = json!(sign);
            signed
        }
        None => message,
    }
}

/// The platform's way: time and secret are the key, and nothing is signed with it.
fn bot_sign(secret: &Secret, now_s: i64) -> Option<String> {
    let key = format!("{now_s}\n{}", secret.expose());
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// Status 200 says nothing: the code does. Older ones have it under another name.
fn bot_answer(answer: &[u8], shown: &str) -> Result<(), Both> {
    let told: Value = serde_json::from_slice(answer).unwrap_or_default();
    let code = told["code"].as_i64().or_else(|| told["StatusCode"].as_i64());
    let hint = match code {
        Some(0) => return Ok(()),
        Some(19001) => Both::of(
            "；这个地址不属于任何机器人：请重新复制",
            "; the address is of no bot: copy it again",
        ),
        Some(19021) => Both::of(
            "；`secret` 不是这个机器人的，或时钟相差一小时以上",
            "; `secret` is not the bot's, or the clock is off by more than an hour",
        ),
        Some(19022) => Both::of(
            "；本机的地址不在机器人的名单上",
            "; this machine's address is not on the bot's list",
        ),
        Some(19024) => Both::of(
            "；机器人要求关键词：请把 `larkline` 加入它的列表",
            "; the bot wants a keyword: add `larkline` to its list",
        ),
        Some(9499 | 11232) => Both::of(
            "；发给机器人的消息太多，将重试",
            "; too many messages for the bot, it is tried again",
        ),
        Some(_) | None => Both::NOTHING,
    };
    Err(both!(
        zh: "自定义机器人拒绝：{answer}{hint}",
        en: "the custom bot refused: {answer}{hint}",
        answer = shown; hint = hint
    ))
}

/// An error without the address, which is a secret.
fn said(error: reqwest::Error, limit: Duration) -> Both {
    if error.is_timeout() && !error.is_connect() {
        return both!(
            zh: "服务在 {limit:?} 内没有应答",
            en: "the service did not answer within {limit:?}"
        );
    }
    let text = chain(&error.without_url());
    both!(zh: "服务没有应答：{text}", en: "{text}")
}

/// What the service said, without what it repeats of our secrets: many name the path they were asked for.
fn shown(answer: &[u8], hook: &Hook) -> String {
    let mut text = String::from_utf8_lossy(answer).into_owned();
    for secret in secrets(hook) {
        text = text.replace(&secret, "<redacted>");
    }
    text.trim().chars().take(SHOWN_CHARS_MAX).collect()
}

/// The destination's secrets and what they are made of, the longest first.
fn secrets(hook: &Hook) -> Vec<String> {
    let url = hook.url.expose();
    let (path, query) = (url.path(), url.query().unwrap_or_default());
    let path_and_query = format!("{path}?{query}");
    let whole = [url.as_str(), &path_and_query, path, query];
    let own = [&hook.secret, &hook.authorization].into_iter().flatten().map(Secret::expose);
    let parts = path.split('/').chain(query.split(['&', '=']));
    let parts = parts.chain(own.clone().flat_map(str::split_whitespace));
    // The shorter ones are words and names.
    let parts = parts.filter(|part| part.len() >= PART_BYTES_MIN);
    let all = whole.into_iter().filter(|all| all.len() > 1).chain(own).chain(parts);
    let mut all: Vec<String> = all.map(str::to_owned).collect();
    all.sort_by_key(|part| Reverse(part.len()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_bots_message_is_signed_as_its_page_says() {
        let message = bot_message(Some(&"demo".into()), "hello", 1_599_360_473);
        assert_eq!(message["timestamp"], "1599360473");
        // openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '1599360473\ndemo' | xxd -p) -binary </dev/null | base64
        assert_eq!(message["sign"], "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        assert_eq!(message["content"]["text"], "hello");
        assert_eq!(bot_message(None, "hello", 1).get("sign"), None);
    }

    #[test]
    fn a_refusal_with_status_200_is_a_failure() {
        assert_eq!(bot_answer(br#"{"code":0,"msg":"success","data":{}}"#, ""), Ok(()));
        assert_eq!(bot_answer(br#"{"StatusCode":0,"StatusMessage":"success"}"#, ""), Ok(()));
        for (answer, part) in [
            (r#"{"code":19021,"msg":"sign match fail"}"#, "clock"),
            (r#"{"code":19024,"msg":"Key Words Not Found"}"#, "keyword"),
            ("<html>", "refused"),
        ] {
            assert!(
                bot_answer(answer.as_bytes(), answer).unwrap_err().en.contains(part),
                "{answer}"
            );
        }
    }
}
