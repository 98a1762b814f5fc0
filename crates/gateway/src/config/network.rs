//! `[network]`: how the platform and HTTP handlers are reached.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use larkline_client::{ProxyChoice, Secret, redacted_url};
use serde_json::{Value as Json, json};
use url::Url;

use super::decoder::Spot;
use super::field::{A_STRING, Field};
use super::placeholder;
use super::section::Section;
use super::units::secs;
use crate::both::{Both, both};

/// `[network]`: how the platform and HTTP handlers are reached.
#[derive(Clone, Debug)]
pub struct Network {
    /// Which proxy.
    pub proxy: ProxyChoice,
    /// Hosts that go around it, in the form of `NO_PROXY`; `None` leaves that to the variable.
    pub no_proxy: Option<String>,
    /// PEM files trusted beside the system's roots.
    pub ca_files: Vec<PathBuf>,
    /// Limit of one call of the platform's API.
    pub request_timeout: Duration,
    /// The proxy variables of the environment and of `.env`.
    pub proxy_variables: BTreeMap<String, String>,
}

impl Network {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let proxy = section
            .key("proxy", "`HTTPS_PROXY` and its kin; a URL may be http, https, socks5 or socks5h")
            .or(Proxy(ProxyChoice::System))
            .0;
        let no_proxy = section
            .key("no_proxy", "hosts, suffixes, addresses, CIDR; absent leaves that to `NO_PROXY`")
            .optional::<Vec<String>>()
            .map(|hosts| hosts.join(","));
        let ca_files: Vec<PathBuf> = section
            .key(
                "ca_files",
                "PEM files trusted beside the system's roots, for HTTP and WebSocket \
                alike",
            )
            .or(Vec::new());
        for file in ca_files.iter().filter(|file| !file.is_file()) {
            section.refuse(
                "ca_files",
                both!(zh: "{file} 不存在", en: "{file} is not there", file = file.display()),
                Both::of("写一个 PEM 文件", "name a PEM file"),
            );
        }
        let request_timeout = section
            .key(
                "request_timeout",
                "limit of one API call; the platform answers in well below a second",
            )
            .within(secs(15), secs(1)..=secs(120));
        let proxy_variables = section.proxy_variables();
        Self { proxy, no_proxy, ca_files, request_timeout, proxy_variables }
    }
}

struct Proxy(ProxyChoice);

impl Field for Proxy {
    const KIND: &'static str = "system, none or a URL";
    const HINT: Both = Both::of(
        "写 \"system\"、\"none\"，或带主机和端口的 http://、https://、socks5://、socks5h://",
        "write \"system\", \"none\", or http://, https://, socks5:// or socks5h:// with host and port",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&A_STRING, Self::HINT)?;
        match text {
            "system" => return Some(Self(ProxyChoice::System)),
            "none" => return Some(Self(ProxyChoice::None)),
            _ => {}
        }
        if let Some(what) = placeholder::in_text(text) {
            return spot
                .refuse(both!(zh: "代理{what}", en: "the proxy {what}"; what = what), Self::HINT);
        }
        // The text may hold a password, so no message repeats it.
        let known = |url: &Url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
        match Url::parse(text) {
            Ok(url) if known(&url) && url.has_host() => {
                Some(Self(ProxyChoice::Url(Secret::new(text))))
            }
            Ok(_) | Err(_) => spot.refuse(Both::of("不是代理", "not a proxy"), Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        match &self.0 {
            ProxyChoice::System => json!("system"),
            ProxyChoice::None => json!("none"),
            ProxyChoice::Url(url) => {
                json!(
                    Url::parse(url.expose())
                        .map_or_else(|_| "***".to_owned(), |url| redacted_url(&url))
                )
            }
        }
    }
}
