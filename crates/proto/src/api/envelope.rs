//! The envelope around every answer: code, message, log id, and what a refusal adds.
//!
//! Optional fields come omitted, `null` or empty (reference 0.1); all three read the same.

use serde::Deserialize;

use crate::id::LogId;

/// Characters of the platform's message kept; a card's refusal with its path fits.
const MSG_CHARS_MAX: usize = 500;

/// Scopes kept from a refusal; real ones list a handful.
const SCOPES_MAX: usize = 20;

/// The envelope without its data.
#[derive(Clone, Debug, Deserialize)]
pub struct Head {
    /// 0 is success.
    pub code: i64,
    msg: Option<String>,
    error: Option<ErrorObject>,
    log_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorObject {
    log_id: Option<String>,
    logid: Option<String>,
    permission_violations: Option<Vec<Violation>>,
    helps: Option<Vec<Help>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Violation {
    subject: Option<String>,
    scope: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Help {
    url: Option<String>,
}

/// What the platform said about a call it refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Never 0.
    pub code: i64,
    /// For people; never branch on it. Cut to 500 characters, no control characters.
    pub msg: String,
    /// Scopes of which any one would have sufficed; empty unless one is missing.
    pub scopes: Vec<String>,
    /// The console page that helps, when it named one.
    pub help: Option<String>,
}

impl Head {
    /// Reads an envelope; `None` when the body is not JSON with an integer `code`, as with a
    /// gateway's HTML page.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// The log id inside the body, in any of the places the platform puts it.
    pub fn log_id(&self) -> Option<LogId> {
        let error = self.error.as_ref();
        let inside = error.and_then(|error| error.log_id.as_deref().or(error.logid.as_deref()));
        inside.or(self.log_id.as_deref()).and_then(log_id_of)
    }

    /// The refusal; `None` when the call succeeded.
    pub fn failure(&self) -> Option<Failure> {
        if self.code == 0 {
            return None;
        }
        let msg = self.msg.as_deref().unwrap_or_default();
        let error = self.error.clone().unwrap_or_default();
        let violations = error.permission_violations.unwrap_or_default();
        let mut scopes: Vec<String> = violations
            .into_iter()
            .filter_map(|violation| violation.subject.or(violation.scope))
            .filter(|scope| !scope.is_empty())
            .collect();
        if scopes.is_empty() && self.code == SCOPE_MISSING {
            scopes = scopes_in(msg);
        }
        scopes.truncate(SCOPES_MAX);
        Some(Failure {
            code: self.code,
            msg: msg.chars().filter(|c| !c.is_control()).take(MSG_CHARS_MAX).collect(),
            scopes,
            help: error.helps.unwrap_or_default().into_iter().find_map(|help| help.url),
        })
    }
}

/// The app lacks an API scope (reference 8.4).
const SCOPE_MISSING: i64 = 99991672;

/// The scopes a message names in brackets: `… is required: [im:message, im:chat].`
fn scopes_in(msg: &str) -> Vec<String> {
    let inside = msg.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or_else(Vec::new, |(list, _)| {
        list.split(',').map(|scope| scope.trim().to_owned()).filter(|s| !s.is_empty()).collect()
    })
}

/// A log id as text may be one: short, printable and not empty.
pub fn log_id_of(text: &str) -> Option<LogId> {
    let sane = !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic());
    sane.then(|| LogId::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_id_is_found_wherever_the_platform_put_it() {
        for body in [
            r#"{"code":1,"msg":"m","error":{"log_id":"L1"}}"#,
            r#"{"code":1,"msg":"m","error":{"logid":"L1"}}"#,
            r#"{"code":1,"msg":"m","log_id":"L1"}"#,
            r#"{"code":1,"msg":null,"error":null,"log_id":"L1","data":null}"#,
        ] {
            let head = Head::parse(body.as_bytes()).unwrap();
            assert_eq!(head.log_id(), Some(LogId::new("L1")), "{body}");
        }
        let bare = Head::parse(br#"{"code":1,"error":{"log_id":""}}"#).unwrap();
        assert_eq!(bare.log_id(), None);
    }

    #[test]
    fn a_missing_scope_is_named_from_violations_or_from_the_message() {
        let listed = br#"{"code":99991672,"msg":"no","error":{
            "permission_violations":[{"type":"action_scope_required","subject":"im:message"}],
            "helps":[{"url":"https://h/auth?q=im:message"}]}}"#;
        let failure = Head::parse(listed).unwrap().failure().unwrap();
        assert_eq!(failure.scopes, ["im:message"]);
        assert_eq!(failure.help.as_deref(), Some("https://h/auth?q=im:message"));

        let told = br#"{"code":99991672,"msg":"required: [im:message, im:chat]. See \n"}"#;
        let failure = Head::parse(told).unwrap().failure().unwrap();
        assert_eq!(failure.scopes, ["im:message", "im:chat"]);
        assert_eq!(failure.msg, "required: [im:message, im:chat]. See ");
    }

    #[test]
    fn a_page_of_html_and_a_body_without_code_are_no_envelope() {
        assert!(Head::parse(b"<html>502</html>").is_none());
        assert!(Head::parse(br#"{"msg":"x"}"#).is_none());
        assert!(Head::parse(br#"{"code":"0"}"#).is_none());
        assert!(Head::parse(br#"{"code":0}"#).unwrap().failure().is_none());
    }
}
