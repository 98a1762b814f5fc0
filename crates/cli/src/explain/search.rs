//! Finds what is known in whatever somebody pasted: a bare code, a log line, another program's words.

use super::catalogue::{Entry, all};

/// Most entries that one text brings up: more would be a list to read, not an answer.
const FOUND_MAX: usize = 3;
/// A code is meant more surely than a fragment of words, which counts by its length.
const CODE_WEIGHT: usize = 40;
/// A text that is nothing but the code.
const ALONE_WEIGHT: usize = 100;
/// Words before a code whose own word says too little, as in `code=timeout` or `HTTP 403`.
const MARKS: [&str; 5] = ["code", "errcode", "errno", "status", "http"];

/// What is known about a text, best first.
pub(crate) fn find(text: &str) -> Vec<&'static Entry> {
    let text = text.trim().to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let mut found: Vec<(usize, &Entry)> = all()
        .map(|entry| (weight(entry, &text, &words), entry))
        .filter(|(weight, _)| *weight > 0)
        .collect();
    // Stable: of equal weights the order of the catalogue stays.
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().take(FOUND_MAX).map(|(_, entry)| entry).collect()
}

/// What is known about a code alone.
#[cfg(test)]
pub(super) fn by_code(code: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.codes.iter().any(|known| known.eq_ignore_ascii_case(code)))
}

fn weight(entry: &Entry, text: &str, words: &[&str]) -> usize {
    let codes = entry.codes.iter().map(|code| code_weight(code, text, words)).max();
    let texts = entry.texts.iter().filter(|part| text.contains(**part)).map(|part| part.len());
    codes.unwrap_or(0) + texts.max().unwrap_or(0)
}

fn code_weight(code: &str, text: &str, words: &[&str]) -> usize {
    if text.eq_ignore_ascii_case(code) {
        return ALONE_WEIGHT;
    }
    let mut before = "";
    for word in words {
        let is_meant = !is_common(code) || MARKS.contains(&before);
        if word.eq_ignore_ascii_case(code) && is_meant {
            return CODE_WEIGHT;
        }
        before = word;
    }
    0
}

/// Whether a code is also a word or a number of everyday texts: `network`, `exit`, `403`.
fn is_common(code: &str) -> bool {
    let is_word = code.bytes().all(|b| b.is_ascii_lowercase());
    let is_short_number = code.len() < 4 && code.bytes().all(|b| b.is_ascii_digit());
    is_word || is_short_number
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strings of the requirements and of the field, with a code or word of the entry they mean.
    const SEEN: &[(&str, &str)] = &[
        ("no close frame received or sent", "network"),
        ("websockets.exceptions.ConnectionClosedError: no close frame received or sent", "network"),
        ("keepalive ping timeout", "silent"),
        ("ping_timeout", "silent"),
        ("sent 1011 (internal error) keepalive ping timeout; no close frame received", "1011"),
        ("error 10068", "10068"),
        ("错误码 10068：应用未建立长连接", "10068"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain",
            "tls_untrusted",
        ),
        ("407 Proxy Authentication Required", "proxy_auth"),
        ("Request trigger frequency limit, code=99991400", "99991400"),
        ("230020", "230020"),
        (
            "Failed to create card content, ext=ErrCode: 11310; ErrMsg: card table number over limit",
            "11310",
        ),
        ("code=230025", "230025"),
        ("300305", "300305"),
        ("300317", "300317"),
        ("10003 invalid param", "10003"),
        ("{\"code\":10014,\"msg\":\"app secret invalid\"}", "10014"),
        ("handshake failed: 1000040350", "1000040350"),
        ("99991403", "99991403"),
        ("getaddrinfo ENOTFOUND open.feishu.cn", "dns_failed"),
        ("connect ETIMEDOUT 1.2.3.4:443", "dial_timeout"),
        ("code = \"refused\"", "refused"),
        ("HTTP 403", "403"),
        ("OSError: [Errno 28] No space left on device", "store_full"),
    ];

    #[test]
    fn strings_from_the_field_find_their_entry_first() {
        for (text, code) in SEEN {
            let found = find(text);
            let first = found.first().unwrap_or_else(|| panic!("{text}: nothing is known"));
            assert!(first.codes.contains(code), "{text}: {:?}", first.codes);
        }
        for text in [
            "python-socks is required to use a SOCKS proxy",
            "curl -I https://open.feishu.cn",
            "AI not enabled or API key missing",
        ] {
            assert!(find(text).first().is_some_and(|entry| entry.codes.is_empty()), "{text}");
        }
    }

    #[test]
    fn everyday_words_and_short_numbers_mean_nothing_by_themselves() {
        for text in ["the network here is fine", "room 403", "memory of a text", "hello", ""] {
            assert!(find(text).is_empty(), "{text}: {:?}", find(text));
        }
        assert!(!find("timeout").is_empty());
    }

    #[test]
    fn a_text_with_several_errors_lists_the_best_few() {
        let text = "230099 ErrCode: 11310, then 99991400, 230020, 300317, dns_failed";
        assert_eq!(find(text).len(), FOUND_MAX);
        assert!(find("timeout").len() > 1, "a link's and a handler's");
    }
}
