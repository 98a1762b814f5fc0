//! The last resort: covers what looks like a secret in a finished line.
//!
//! Secrets are types that print nothing of themselves. This catches the one that came in by
//! another way, say inside a platform's error text.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// A named secret and its value, bare, in a query, or in JSON (also JSON inside a string).
const NAMED: &str = r#"(?i)((?:ticket|access_key|app_secret|access_token|encrypt_key|verification_token|password)\\*["']?\s*[:=]\s*\\*["']?)[^\s"'&,;}\\<]+"#;
/// A token in a header.
const BEARER: &str = r"(?i)(bearer\s+)[^\s,;\\<]+";
/// A password in a URL.
const USERINFO: &str = r"(://[^/\s:@]*:)[^/\s@]+(@)";

/// What every one of them contains: most lines have none of it and are looked at this one time.
const HINT: &str = "(?i)ticket|access_key|app_secret|access_token|encrypt_key|verification_token|password|bearer|://";

static HINTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(HINT).ok());
static PATTERNS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| [NAMED, BEARER, USERINFO].iter().filter_map(|p| Regex::new(p).ok()).collect());

/// The line with what looks like a secret replaced.
pub(super) fn scrub(line: &str) -> Cow<'_, str> {
    if HINTED.as_ref().is_some_and(|hint| !hint.is_match(line)) {
        return Cow::Borrowed(line);
    }
    let mut line = Cow::Borrowed(line);
    for pattern in PATTERNS.iter() {
        if let Cow::Owned(clean) = pattern.replace_all(&line, "${1}<redacted>${2}") {
            line = Cow::Owned(clean);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), 3);
        assert!(HINTED.is_some());
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (line, clean) in [
            ("url=wss://h/ws?a=1&ticket=T&b=2", "url=wss://h/ws?a=1&ticket=<redacted>&b=2"),
            (
                r#"{"app_secret":"S","app_id":"cli_1"}"#,
                r#"{"app_secret":"<redacted>","app_id":"cli_1"}"#,
            ),
            (r#""body":"{\"app_secret\":\"S\"}""#, r#""body":"{\"app_secret\":\"<redacted>\"}""#),
            (
                "tenant_access_token: t-1, expire: 7200",
                "tenant_access_token: <redacted>, expire: 7200",
            ),
            ("Authorization: Bearer t-abc.def", "Authorization: Bearer <redacted>"),
            ("proxy http://me:pw@host:3128", "proxy http://me:<redacted>@host:3128"),
            ("app_secret = <redacted>", "app_secret = <redacted>"),
        ] {
            assert_eq!(scrub(line), clean);
        }
    }

    #[test]
    fn an_ordinary_line_is_not_copied() {
        assert!(matches!(scrub("12:00:00 INFO received chat=oc_1 bytes=12"), Cow::Borrowed(_)));
    }
}
