//! Which proxy a URL goes through, and how a proxy is asked for a tunnel.
//!
//! The choice is hyper-util's `Matcher`, the one reqwest uses inside, fed with the same
//! strings that reqwest gets: HTTP and WebSocket cannot disagree. CONNECT is spoken here
//! because hyper-util's drops the status of a refusal, which is what an operator needs.
//! SOCKS4 and NTLM are deliberately not here.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Service as _;
use url::{Host, Url};

use crate::dial_error::{NetError, ProxyRefusal};
use crate::dialer::Io;
use crate::secret::{Secret, redacted_url};

/// Bound on a proxy's answer to CONNECT; answers fit a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 8 << 10;

/// Characters of a proxy's own words that are quoted.
const QUOTED_CHARS_MAX: usize = 120;

/// Which proxy to use.
#[derive(Clone, Debug, Default)]
pub enum ProxyChoice {
    /// What `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` say, in upper or lower case.
    #[default]
    System,
    /// None, whatever the environment says.
    None,
    /// This one: `http://`, `https://`, `socks5://` or `socks5h://`, with `user:password@`
    /// where needed.
    Url(Secret),
}

/// The proxy for each scheme, and what goes around it.
#[derive(Debug)]
pub(crate) struct Routes {
    http: Option<Setting>,
    https: Option<Setting>,
    no_proxy: String,
    matcher: Matcher,
}

/// One checked proxy setting.
#[derive(Clone, Debug)]
struct Setting {
    url: Secret,
    label: String,
}

/// The proxy chosen for one URL.
#[derive(Debug)]
pub(crate) struct Hop<'a> {
    /// As `http proxy http://user:***@host:3128`.
    pub(crate) label: &'a str,
    intercept: Intercept,
}

impl Routes {
    pub(crate) fn new(
        choice: &ProxyChoice,
        no_proxy: Option<&str>,
        env: &BTreeMap<String, String>,
    ) -> Result<Self, NetError> {
        let (http, https) = match choice {
            ProxyChoice::None => (None, None),
            ProxyChoice::Url(url) => {
                let setting = Setting::parse("proxy", url.expose())?;
                (Some(setting.clone()), Some(setting))
            }
            ProxyChoice::System => {
                let all = from_env(env, &["ALL_PROXY", "all_proxy"])?;
                let http = from_env(env, &["HTTP_PROXY", "http_proxy"])?;
                let https = from_env(env, &["HTTPS_PROXY", "https_proxy"])?;
                (http.or_else(|| all.clone()), https.or(all))
            }
        };
        let no_proxy = no_proxy
            .or_else(|| present(env, "NO_PROXY"))
            .or_else(|| present(env, "no_proxy"))
            .unwrap_or_default()
            // Go and Python write a suffix as `*.host`, curl and `Matcher` as `.host`.
            .replace("*.", ".");
        let text = |setting: &Option<Setting>| {
            setting.as_ref().map_or_else(String::new, |setting| setting.url.expose().to_owned())
        };
        let matcher =
            Matcher::builder().http(text(&http)).https(text(&https)).no(no_proxy.as_str()).build();
        Ok(Self { http, https, no_proxy, matcher })
    }

    /// The proxy for a URL; `None` is direct.
    pub(crate) fn hop(&self, url: &Url) -> Option<Hop<'_>> {
        let (scheme, setting) = if matches!(url.scheme(), "https" | "wss") {
            ("https", self.https.as_ref()?)
        } else {
            ("http", self.http.as_ref()?)
        };
        let target = format!("{scheme}://{}/", url.host_str()?).parse().ok()?;
        let intercept = self.matcher.intercept(&target)?;
        Some(Hop { label: &setting.label, intercept })
    }

    /// Gives reqwest the same proxies and the same exceptions.
    pub(crate) fn apply(
        &self,
        mut builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, reqwest::Error> {
        // Also stops reqwest from reading the environment by itself.
        builder = builder.no_proxy();
        let except = || reqwest::NoProxy::from_string(&self.no_proxy);
        if let Some(setting) = &self.http {
            let proxy = reqwest::Proxy::http(setting.url.expose())?;
            builder = builder.proxy(proxy.no_proxy(except()));
        }
        if let Some(setting) = &self.https {
            let proxy = reqwest::Proxy::https(setting.url.expose())?;
            builder = builder.proxy(proxy.no_proxy(except()));
        }
        Ok(builder)
    }
}

fn present<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    env.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn from_env(
    env: &BTreeMap<String, String>,
    names: &[&'static str],
) -> Result<Option<Setting>, NetError> {
    names
        .iter()
        .find_map(|name| present(env, name).map(|value| Setting::parse(name, value)))
        .transpose()
}

impl Setting {
    fn parse(setting: &'static str, text: &str) -> Result<Self, NetError> {
        let text = text.trim();
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let refuse = |reason: String| NetError::ProxyAddress { setting, reason };
        let url = Url::parse(&text).map_err(|error| refuse(error.to_string()))?;
        let kind = match url.scheme() {
            "http" => "http",
            "https" => "https",
            "socks5" | "socks5h" => "socks5",
            other => return Err(refuse(format!("the scheme {other} is not supported"))),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("it has no host".to_owned()));
        }
        // `Matcher` ignores an address it cannot read, which would mean going direct.
        if url.as_str().parse::<http::Uri>().is_err() {
            return Err(refuse("a character in it must be percent-encoded".to_owned()));
        }
        let label = format!("{kind} proxy {}", redacted_url(&url));
        Ok(Self { url: Secret::new(url.as_str()), label })
    }
}

impl Hop<'_> {
    /// Host and port of the proxy itself.
    pub(crate) fn address(&self) -> (Host, u16) {
        let uri = self.intercept.uri();
        let port = uri.port_u16().unwrap_or_else(|| match uri.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => 1080,
        });
        let host = uri.host().unwrap_or_default();
        (Host::parse(host).unwrap_or_else(|_| Host::Domain(host.to_owned())), port)
    }

    /// TLS is spoken to the proxy itself.
    pub(crate) fn is_tls(&self) -> bool {
        self.intercept.uri().scheme_str() == Some("https")
    }

    /// The target's name is resolved here and not by the proxy.
    pub(crate) fn resolves_here(&self) -> bool {
        self.intercept.uri().scheme_str() == Some("socks5")
    }

    /// Asks the proxy on `io` for a tunnel to `host:port`.
    pub(crate) async fn open_tunnel(
        &self,
        io: Box<dyn Io>,
        host: &Host,
        port: u16,
    ) -> Result<Box<dyn Io>, ProxyRefusal> {
        if matches!(self.intercept.uri().scheme_str(), Some("socks5" | "socks5h")) {
            let auth = self.intercept.raw_auth();
            socks(io, auth, host, port).await
        } else {
            let auth = self.intercept.basic_auth().map(http::HeaderValue::as_bytes);
            http_connect(io, auth, host, port).await
        }
    }
}

async fn http_connect(
    mut io: Box<dyn Io>,
    auth: Option<&[u8]>,
    host: &Host,
    port: u16,
) -> Result<Box<dyn Io>, ProxyRefusal> {
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(auth) = auth {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(auth);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    io.write_all(&request).await.map_err(|error| hung_up(&error))?;

    let answer = read_answer(&mut io).await?;
    let mut lines = answer.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|digits| digits.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(io),
        Some(407) => Err(ProxyRefusal::Credentials { detail: with_schemes(status_line, lines) }),
        Some(_) => Err(ProxyRefusal::Target { detail: quote(status_line) }),
        None => Err(ProxyRefusal::Protocol {
            detail: format!("it does not answer in HTTP: {}", quote(status_line)),
        }),
    }
}

/// Reads up to the empty line and not a byte further: what follows belongs to the target.
async fn read_answer(io: &mut Box<dyn Io>) -> Result<String, ProxyRefusal> {
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == ANSWER_BYTES_MAX {
            let detail = "its answer has more than 8 KiB of headers".to_owned();
            return Err(ProxyRefusal::Protocol { detail });
        }
        // A byte at a time, once per connection: simpler than handing a remainder on.
        answer.push(io.read_u8().await.map_err(|error| hung_up(&error))?);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn with_schemes<'a>(status_line: &str, headers: impl Iterator<Item = &'a str>) -> String {
    let offered: Vec<&str> = headers
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|(_, value)| value.split_whitespace().next())
        .collect();
    if offered.is_empty() {
        quote(status_line)
    } else {
        quote(&format!("{status_line}, it offers {} and we speak Basic", offered.join(", ")))
    }
}

/// hyper-util's SOCKS error is a type without a name, so its text is all there is to keep.
/// `call`, not `oneshot`: the compiler cannot show the latter's future to be `Send`.
async fn socks(
    io: Box<dyn Io>,
    auth: Option<(&str, &str)>,
    host: &Host,
    port: u16,
) -> Result<Box<dyn Io>, ProxyRefusal> {
    let protocol = |detail: String| ProxyRefusal::Protocol { detail };
    let target: http::Uri = format!("http://{host}:{port}/")
        .parse()
        .map_err(|_| protocol(format!("{host} is no host")))?;
    let connector = Connected(Some(TokioIo::new(io)));
    let mut socks = SocksV5::new(target.clone(), connector);
    if let Some((user, password)) = auth {
        socks = socks.with_auth(user.to_owned(), password.to_owned());
    }
    match socks.call(target).await {
        Ok(tunnel) => Ok(tunnel.into_inner()),
        Err(error) => Err(ProxyRefusal::Socks { detail: quote(&error.to_string()) }),
    }
}

/// The connection to the proxy, handed to hyper-util as if it were dialled on demand.
struct Connected(Option<TokioIo<Box<dyn Io>>>);

impl tower::Service<http::Uri> for Connected {
    type Response = TokioIo<Box<dyn Io>>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<Box<dyn Io>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _proxy: http::Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| io::Error::other("one tunnel per connection")))
    }
}

fn hung_up(error: &io::Error) -> ProxyRefusal {
    ProxyRefusal::Protocol { detail: format!("it hung up before its answer: {error}") }
}

fn quote(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(QUOTED_CHARS_MAX).collect()
}
