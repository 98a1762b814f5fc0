//! The page's files, in the binary, each with an `ETag` of its content.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};
use http::header::{HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::http::Call;

/// Nothing but what the simulator itself serves; no inline script or style, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Path, type, content.
type Asset = (&'static str, &'static str, &'static str);

macro_rules! asset {
    ($name:literal, $kind:expr) => {
        (concat!("/page/", $name), $kind, include_str!(concat!("assets/", $name)))
    };
}

const ASSETS: &[Asset] = &[
    ("/", "text/html; charset=utf-8", include_str!("assets/index.html")),
    asset!("icon.svg", "image/svg+xml"),
    asset!("base.css", STYLE),
    asset!("chat.css", STYLE),
    asset!("card.css", STYLE),
    asset!("panel.css", STYLE),
    asset!("app.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("card.js", SCRIPT),
    asset!("card_parts.js", SCRIPT),
    asset!("composer.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("emoji.js", SCRIPT),
    asset!("faults.js", SCRIPT),
    asset!("header.js", SCRIPT),
    asset!("i18n.js", SCRIPT),
    asset!("keys.js", SCRIPT),
    asset!("markdown.js", SCRIPT),
    asset!("message.js", SCRIPT),
    asset!("sidebar.js", SCRIPT),
    asset!("story.js", SCRIPT),
    asset!("store.js", SCRIPT),
    asset!("log.js", SCRIPT),
    asset!("toast.js", SCRIPT),
    asset!("words_en.js", SCRIPT),
    asset!("words_zh.js", SCRIPT),
];

/// Whether a path is the page's.
pub(super) fn serves(path: &str) -> bool {
    path == "/" || path.starts_with("/page/")
}

/// The file a request asks for.
pub(super) fn answer(call: &Call) -> Option<Response<Bytes>> {
    if !serves(&call.path) || !matches!(call.method, Method::GET | Method::HEAD) {
        return None;
    }
    let (_, kind, text) = ASSETS.iter().find(|(path, ..)| *path == call.path)?;
    let tag = etag(text);
    let known = call.header("if-none-match").split(',').any(|t| t.trim() == tag);
    let mut response = Response::new(match known {
        true => Bytes::new(),
        false => Bytes::from_static(text.as_bytes()),
    });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let fixed = [
        (CONTENT_TYPE, *kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        // Asked again each time, answered with 304: a new binary shows its new page at once.
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    Some(response)
}

/// FNV-1a: it tells versions of a file apart, and nobody is to be kept from forging one.
fn etag(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything the files name is served: a module that is missing here is missing in a browser.
    #[test]
    fn what_the_page_asks_for_is_there() {
        let paths: Vec<_> = ASSETS.iter().map(|(path, ..)| *path).collect();
        for (path, _, text) in ASSETS {
            for part in text.split(['"', '\'']) {
                let wanted = match part.strip_prefix("./") {
                    Some(module) if path.ends_with(".js") => format!("/page/{module}"),
                    _ if part.starts_with("/page/") => part.to_owned(),
                    _ => continue,
                };
                assert!(paths.contains(&wanted.as_str()), "{path} wants {wanted}");
            }
        }
    }

    #[test]
    fn nothing_in_it_needs_a_weaker_policy() {
        for (path, _, text) in ASSETS {
            for banned in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                " style=\"",
                "<style",
                "onclick=",
            ] {
                assert!(!text.contains(banned), "{path} uses {banned}");
            }
            assert!(!text.contains("https://") || path.ends_with(".js"), "{path} reaches outside");
        }
    }

    fn text(name: &str) -> &'static str {
        ASSETS.iter().find(|(path, ..)| *path == format!("/page/{name}")).unwrap().2
    }

    /// The keys of a page of words.
    fn keys(name: &str) -> std::collections::BTreeSet<&'static str> {
        let lines = text(name).lines().filter_map(|line| line.strip_prefix("  "));
        lines
            .filter_map(|line| line.split("\": ").next()?.split(": ").next())
            .map(|k| k.trim_matches('"'))
            .collect()
    }

    #[test]
    fn both_languages_have_every_word_that_is_asked_for() {
        let (english, chinese) = (keys("words_en.js"), keys("words_zh.js"));
        assert_eq!(english, chinese);
        for (path, _, text) in ASSETS {
            for asked in [" t(\"", "(t(\"", "data-t=\"", "data-t-label=\""] {
                for part in text.split(asked).skip(1) {
                    let key = part.split('"').next().unwrap_or_default();
                    assert!(english.contains(key), "{path} asks for {key}");
                }
            }
        }
    }
}
