//! Who may use the page and the admin API from a browser: the page itself, nobody else's.
//!
//! Any site in a browser can send requests to a port on loopback. It cannot hide where they
//! come from: a browser names the origin with every POST and, where it is modern, the relation
//! of the two sites with every request. A name that is pointed at 127.0.0.1 (rebinding) shows
//! in `Host`. Programs send none of these headers and are let through, as ever.

use std::net::IpAddr;

use http::Method;

use crate::http::Call;
use crate::platform::Platform;

/// Why a request is refused, ending in what to do; `None` when it is not.
pub(super) fn refuses(platform: &Platform, call: &Call) -> Option<&'static str> {
    let loopback = platform.look(|world| world.options.listen.ip().is_loopback());
    let (host, origin) = (call.header("host"), call.header("origin"));
    if loopback && !is_local(host) {
        return Some("this name is not the simulator's; open it by the address it printed");
    }
    let from_elsewhere = match call.header("sec-fetch-site") {
        "" | "same-origin" => false,
        // Typed, or from a bookmark: reading the page is meant, writing is not.
        "none" => call.method != Method::GET,
        _ => !(call.method == Method::GET && call.header("sec-fetch-mode") == "navigate"),
    };
    let own_origin = ["http://", "https://"]
        .iter()
        .any(|scheme| origin.strip_prefix(scheme).is_some_and(|rest| rest == host));
    if from_elsewhere || !(origin.is_empty() || own_origin) {
        return Some("another site may not use the simulator; open the simulator's own page");
    }
    let browser = !origin.is_empty() || !call.header("sec-fetch-site").is_empty();
    let json = call.header("content-type").starts_with("application/json");
    if browser && call.method == Method::POST && !json {
        return Some("a browser's order has to be JSON; send `Content-Type: application/json`");
    }
    None
}

/// Whether a `Host` names this machine by something no name server decides.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SimOptions;

    fn verdict(method: Method, headers: &[(&'static str, &str)]) -> Option<&'static str> {
        let platform = Platform::new(SimOptions::default(), false);
        let mut call = Call {
            method,
            path: "/_sim/say".to_owned(),
            query: Vec::new(),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        for (name, value) in headers {
            call.headers.insert(*name, value.parse().unwrap());
        }
        refuses(&platform, &call)
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:7800");
    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn programs_and_the_own_page_are_let_through() {
        assert_eq!(verdict(Method::POST, &[HOST]), None);
        assert_eq!(verdict(Method::GET, &[("host", "[::1]:7800")]), None);
        let own = ("origin", "http://127.0.0.1:7800");
        let site = ("sec-fetch-site", "same-origin");
        assert_eq!(verdict(Method::POST, &[HOST, own, site, JSON]), None);
        assert_eq!(verdict(Method::GET, &[HOST, ("sec-fetch-site", "none")]), None);
    }

    #[test]
    fn another_site_is_refused_whatever_it_tries() {
        for origin in ["https://evil.example", "null", "http://127.0.0.1:9999"] {
            assert!(verdict(Method::POST, &[HOST, JSON, ("origin", origin)]).is_some(), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(verdict(Method::POST, &[HOST, JSON, ("sec-fetch-site", site)]).is_some());
            assert!(verdict(Method::GET, &[HOST, ("sec-fetch-site", site)]).is_some());
        }
        let form = ("content-type", "text/plain");
        let own = ("origin", "http://127.0.0.1:7800");
        assert!(verdict(Method::POST, &[HOST, own, form]).unwrap().contains("JSON"));
    }

    #[test]
    fn a_name_that_was_pointed_here_is_refused() {
        for host in ["evil.example:7800", "127.0.0.1.evil.example", "", "0.0.0.0:7800"] {
            assert!(verdict(Method::GET, &[("host", host)]).is_some(), "{host}");
        }
        assert_eq!(verdict(Method::GET, &[("host", "localhost:7800")]), None);
    }
}
