//! Covers secrets in the text of a file, so that a message may show a line of it.
//!
//! Two ways, because each misses something: what was decoded as a secret is known to the
//! byte; a misspelt key or a line with a syntax error is caught by its looks.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// What names of secrets have in them, in lower case.
const MARKS: [&str; 6] = ["secret", "token", "passw", "encrypt_key", "api_key", "apikey"];

/// A key whose name sounds like a secret, and its value where that is no table or list.
static SOUNDS_SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let key = format!(r#"(?i)(?:{})[\w-]*["']?[ \t]*=[ \t]*"#, MARKS.join("|"));
    let value = r#"("[^"\n]*"?|'[^'\n]*'?|[^\s{\["'][^\s,}]*)"#;
    Regex::new(&format!("{key}{value}")).ok()
});

/// A password in a URL.
static IN_URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"://[^/\s:@"']*:([^/\s@"']+)@"#).ok());

/// True for a name such as `GITHUB_TOKEN`.
pub(super) fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    MARKS.iter().any(|mark| name.contains(mark))
}

/// The text with secrets overwritten by `*`. Its length in bytes stays, so that spans hold.
pub(super) fn masked(text: &str, secrets: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let patterns = SOUNDS_SECRET.iter().chain(IN_URL.iter());
    let looks = patterns.flat_map(|regex| regex.captures_iter(text));
    let by_looks = looks.filter_map(|found| found.get(1)).map(|value| value.range());
    for span in secrets.iter().cloned().chain(by_looks) {
        for byte in bytes.get_mut(span).into_iter().flatten() {
            if !matches!(byte, b'"' | b'\'' | b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    }
    // Spans end at characters, so the bytes are still text.
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sounds_like_a_secret_is_covered_and_nothing_moves() {
        let text = "app_secrett = \"hunter2\"\ntoken = hunter2 # no quotes\napp_id = \"cli_1\"\n";
        let expected =
            "app_secrett = \"*******\"\ntoken = ******* # no quotes\napp_id = \"cli_1\"\n";
        assert_eq!(masked(text, &[]), expected);
    }

    #[test]
    fn references_to_secrets_stay_readable() {
        let text = "app_secret = { env = \"X\" }\n";
        assert_eq!(masked(text, &[]), text);
    }

    #[test]
    fn a_known_secret_is_covered_byte_by_byte() {
        let spans = vec![0..1, 4..10];
        assert_eq!(masked("a = \"密x\"\n", &spans), "* = \"****\"\n");
    }
}
