//! Covers secrets in the text of a file, so that a message may show a line of it, and finds those that
//! nothing decodes, so that they can be taken out of what leaves the machine.
//!
//! Two ways, because each misses something: what was decoded as a secret is known to the byte; a
//! misspelt key, a line with a syntax error or a secret in the wrong place is caught by its looks.

use std::ops::Range;
use std::sync::LazyLock;

use larkline_client::Secret;
use regex::Regex;

use super::nearest::nearest;
use crate::both::Both;

/// What names of secrets have in them, in lower case.
const MARKS: [&str; 6] = ["secret", "token", "passw", "encrypt_key", "api_key", "apikey"];

/// The keys that hold secrets by their names; whatever is nearly one of them may hold one, too.
const KEYS: [&str; 8] = [
    "app_secret",
    "verification_token",
    "encrypt_key",
    "api_key",
    "secret",
    "token",
    "authorization",
    "password",
];

/// What ids of the platform start with: they may be shown, however they look.
const IDS: [&str; 5] = ["cli_", "ou_", "oc_", "om_", "on_"];

/// What stands where a secret would be shown.
pub(super) const MASK: &str = "***";

/// A shorter value is also a word of everyday.
const SUSPECT_BYTES_MIN: usize = 6;

/// In a part of this length letters and digits are mixed by no human hand.
const RANDOM_PART_MIN: usize = 8;

/// A key and its value where that is no table or list: anywhere with a sign between, and without one
/// at the beginning of a line, as a slip of the hand leaves it.
static ASSIGNED: LazyLock<Option<[Regex; 2]>> = LazyLock::new(|| {
    let value = r#"("[^"\n]*"?|'[^'\n]*'?|[^\s{\["'=:][^\s,}]*)"#;
    let signed = format!(r#"([\w-]+)["']?[ \t]*[=:][ \t]*{value}"#);
    let unsigned = format!(r"(?m)^[ \t]*(?:export[ \t]+)?([\w-]+)[ \t]+{value}");
    Some([Regex::new(&signed).ok()?, Regex::new(&unsigned).ok()?])
});

/// The rest of a line behind a key: a value may have blanks and commas in it.
static REST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)^[ \t]*(?:export[ \t]+)?([\w-]+)[ \t]*[=: \t][ \t]*(\S.*)$").ok()
});

/// A password in a URL, and the user of a proxy, whatever the rest of its address is.
static IN_URL: LazyLock<Option<[Regex; 2]>> = LazyLock::new(|| {
    let password = r#"://[^/\s:@"']*:([^/\s@"']+)@"#;
    let user = r#"(?i)proxy["']?[ \t]*=[ \t]*["']?(?:\w+://)?([^"'\n]*)@"#;
    Some([Regex::new(password).ok()?, Regex::new(user).ok()?])
});

/// What is long enough for a key that a machine made.
static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[0-9A-Za-z_+=-]{16,}").ok());

/// True for a name such as `GITHUB_TOKEN`.
pub(super) fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    MARKS.iter().any(|mark| name.contains(mark))
}

/// The text with secrets overwritten by `*`. Its length in bytes stays, so that spans hold.
pub(super) fn masked(text: &str, secrets: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in secrets.iter().cloned().chain(suspicious(text)) {
        for byte in bytes.get_mut(span).into_iter().flatten() {
            if !matches!(byte, b'"' | b'\'' | b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    }
    // Spans end at characters, so the bytes are still text.
    String::from_utf8(bytes).unwrap_or_default()
}

/// A message that repeats what somebody wrote, without what may be a secret in that.
pub(super) fn without_suspects(message: Both, written: &str) -> Both {
    // The name of a file is needed to find it.
    if written.starts_with(['/', '.', '~']) {
        return message;
    }
    let covered = |text: &str| {
        random(written).fold(text.to_owned(), |text, span| text.replace(&written[span], MASK))
    };
    Both { zh: covered(&message.zh).into(), en: covered(&message.en).into() }
}

/// The values in a text that may be secrets, though nothing reads them as such.
pub(super) fn suspects(text: &str) -> Vec<Secret> {
    let rests = REST.iter().flat_map(|regex| regex.captures_iter(text));
    let rests = rests.filter(|found| near_secret(&found[1])).filter_map(|found| found.get(2));
    let spans = suspicious(text).chain(rests.map(|rest| rest.range()));
    let values = spans.map(|span| text[span].trim().trim_matches(['"', '\'']));
    let long = values.filter(|value| value.len() >= SUSPECT_BYTES_MIN);
    long.filter(|value| !value.bytes().all(|b| b.is_ascii_digit())).map(Secret::new).collect()
}

/// Where something stands that may be a secret, by its key or by its looks.
fn suspicious(text: &str) -> impl Iterator<Item = Range<usize>> {
    let assigned = ASSIGNED.iter().flatten().flat_map(|regex| regex.captures_iter(text));
    let by_key = assigned.filter(|found| near_secret(&found[1])).filter_map(|found| found.get(2));
    let urls = IN_URL.iter().flatten().flat_map(|regex| regex.captures_iter(text));
    let in_urls = urls.filter_map(|found| found.get(1));
    by_key.chain(in_urls).map(|value| value.range()).chain(random(text))
}

/// True for the name of a secret, and for what may be meant as one.
fn near_secret(name: &str) -> bool {
    sounds_secret(name) || nearest(name, KEYS).is_some()
}

/// Words that no human hand made and that are no ids.
fn random(text: &str) -> impl Iterator<Item = Range<usize>> {
    let words = WORD.iter().flat_map(|regex| regex.find_iter(text));
    let made = words.filter(|word| {
        let mut parts = word.as_str().split(['_', '-', '+', '=']);
        !IDS.iter().any(|id| word.as_str().starts_with(id)) && parts.any(mixed)
    });
    made.map(|word| word.range())
}

fn mixed(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    part.len() >= RANDOM_PART_MIN && digits > 1 && digits + 1 < part.len()
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
