//! The sections that are there once: governor, link, network, store, log, server, limits.
//!
//! Every default has its reason beside it, here or in `docs/configuration.md`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use larkline_client::{ProxyChoice, Secret, redacted_url};
use larkline_proto::link::Probe;
use serde_json::{Value as Json, json};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::decoder::Spot;
use super::field::{Field, choices};
use super::placeholder;
use super::section::Section;
use super::units::Bytes;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn days(n: u64) -> Duration {
    Duration::from_hours(24 * n)
}

/// `[governor]`: limits of what goes out, and of what one person may send in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governor {
    /// Calls an app may make in any second.
    pub app_per_second: u32,
    /// Calls an app may make in any minute.
    pub app_per_minute: u32,
    /// Messages a chat may get.
    pub chat: ChatRate,
    /// Messages one person may send in any minute; `None` is no limit.
    pub user_per_minute: Option<u32>,
}

/// Messages one chat may get: so many `points` in any `window`, and, once they are used up,
/// none for `block`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatRate {
    /// Messages.
    pub points: u32,
    /// In any period of this length.
    pub window: Duration,
    /// Silence after the limit was reached; zero is none beyond the window itself.
    pub block: Duration,
}

impl Governor {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let app_per_second = section.within("app_per_second", 50, 1..=1_000);
        let app_per_minute = section.within("app_per_minute", 1_000, 1..=60_000);
        let per_second = section.within("chat_per_second", 5, 1..=100);
        let user_per_minute = section.optional_within("user_per_minute", 1..=10_000);
        let chat = read_chat_rate(&mut section, per_second);
        Self { app_per_second, app_per_minute, chat, user_per_minute }
    }
}

/// Two spellings of one limit; giving both would leave open which one holds.
fn read_chat_rate(section: &mut Section<'_>, per_second: u32) -> ChatRate {
    let mut table = section.section("chat");
    let points = table.within("points", per_second, 1..=100_000);
    let window = table.within("window", secs(1), secs(1)..=days(1));
    let block = table.within("block", Duration::ZERO, Duration::ZERO..=days(1));
    if table.is_present() && section.has("chat_per_second") {
        section.refuse(
            "chat",
            "chat and chat_per_second are two spellings of one limit",
            "remove one",
        );
    }
    ChatRate { points, window, block }
}

/// `[link]`: how a connection is kept, proven and replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// Floor of the ping interval the server asks for.
    pub ping_min: Duration,
    /// Ceiling of the ping interval the server asks for.
    pub ping_max: Duration,
    /// How a silent link is probed between pings.
    pub probe: Probe,
    /// Silence after which a probe is sent.
    pub probe_interval: Duration,
    /// How long a probe may stay unanswered.
    pub probe_timeout: Duration,
    /// How long a protocol ping may stay unanswered.
    pub pong_timeout: Duration,
    /// Limit of finding the socket's address.
    pub discovery_timeout: Duration,
    /// Limit of a dial: name, proxy, TCP, TLS and upgrade together.
    pub dial_timeout: Duration,
    /// Limit from the upgrade to the server's next frame.
    pub verify_timeout: Duration,
    /// How long the start waits for a verified link before it says so and goes on trying.
    pub startup_deadline: Duration,
    /// Longest wait after the loss of a link that was verified.
    pub backoff_quick: Duration,
    /// Ceiling of the wait after one failure; doubles with each further one.
    pub backoff_first: Duration,
    /// The ceiling's own limit.
    pub backoff_max: Duration,
    /// How long a link stays verified before the waits start over.
    pub stable_after: Duration,
    /// Failures in a row that raise an alarm; attempts never end.
    pub alarm_after: u32,
}

choices!(Probe, "auto, websocket, protocol or off", {
    "auto" => Self::Auto,
    "websocket" => Self::WebSocket,
    "protocol" => Self::Protocol,
    "off" => Self::Off,
});

impl LinkSettings {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let wait = Duration::from_millis(100)..=Duration::from_mins(10);
        let interval = secs(1)..=Duration::from_hours(1);
        let link = Self {
            ping_min: section.within("ping_min", secs(1), interval.clone()),
            ping_max: section.within("ping_max", Duration::from_hours(1), interval.clone()),
            probe: section.or("probe", Probe::Auto),
            probe_interval: section.within("probe_interval", secs(5), interval),
            probe_timeout: section.within("probe_timeout", secs(5), wait.clone()),
            pong_timeout: section.within("pong_timeout", secs(10), wait.clone()),
            discovery_timeout: section.within("discovery_timeout", secs(15), wait.clone()),
            dial_timeout: section.within("dial_timeout", secs(15), wait.clone()),
            verify_timeout: section.within("verify_timeout", secs(10), wait.clone()),
            startup_deadline: section.within("startup_deadline", secs(45), wait.clone()),
            backoff_quick: section.within(
                "backoff_quick",
                Duration::from_millis(1500),
                wait.clone(),
            ),
            backoff_first: section.within("backoff_first", secs(2), wait.clone()),
            backoff_max: section.within("backoff_max", secs(60), wait),
            stable_after: section.within("stable_after", secs(60), Duration::ZERO..=days(1)),
            alarm_after: section.within("alarm_after", 5, 1..=1_000),
        };
        if link.ping_max < link.ping_min {
            section.refuse(
                "ping_max",
                "the ceiling is below the floor",
                "raise `ping_max` or lower `ping_min`",
            );
        }
        if link.backoff_max < link.backoff_first.max(link.backoff_quick) {
            let hint = "raise `backoff_max`, or lower `backoff_first` and `backoff_quick`";
            section.refuse("backoff_max", "the longest wait is shorter than a shorter one", hint);
        }
        link
    }
}

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
        let proxy = section.or("proxy", Proxy(ProxyChoice::System)).0;
        let no_proxy = section.optional::<Vec<String>>("no_proxy").map(|hosts| hosts.join(","));
        let ca_files: Vec<PathBuf> = section.or("ca_files", Vec::new());
        for file in ca_files.iter().filter(|file| !file.is_file()) {
            section.refuse(
                "ca_files",
                format!("{} is not there", file.display()),
                "name a PEM file",
            );
        }
        let request_timeout = section.within("request_timeout", secs(15), secs(1)..=secs(120));
        let proxy_variables = section.proxy_variables();
        Self { proxy, no_proxy, ca_files, request_timeout, proxy_variables }
    }
}

struct Proxy(ProxyChoice);

impl Field for Proxy {
    const KIND: &'static str = "system, none or a URL";
    const HINT: &'static str = "write \"system\", \"none\", or http://, https://, socks5:// or socks5h:// with host and port";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text("a string", Self::HINT)?;
        match text {
            "system" => return Some(Self(ProxyChoice::System)),
            "none" => return Some(Self(ProxyChoice::None)),
            _ => {}
        }
        if let Some(what) = placeholder::in_text(text) {
            return spot.refuse(format!("the proxy {what}"), Self::HINT);
        }
        // The text may hold a password, so no message repeats it.
        let known = |url: &Url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
        match Url::parse(text) {
            Ok(url) if known(&url) && url.has_host() => {
                Some(Self(ProxyChoice::Url(Secret::new(text))))
            }
            Ok(_) | Err(_) => spot.refuse("not a proxy", Self::HINT),
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

/// `[store]`: where state lives and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The state directory: database, instance lock, records of running children.
    pub path: PathBuf,
    /// How long finished events, their stories and the keys that recognise redeliveries stay.
    pub retention: Duration,
    /// How large the database may grow; then nothing is acknowledged until there is room.
    /// `None` is the disk.
    pub size_max: Option<Bytes>,
}

impl StoreSettings {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let path = section.or("path", section.state_dir());
        // Below a day a redelivery, which the platform sends for hours, would pass as new.
        let retention = section.within("retention", days(7), days(1)..=days(3650));
        let size_max = section.optional_within("size_max", Bytes::mib(1)..=Bytes::mib(1 << 20));
        Self { path, retention, size_max }
    }
}

/// `[log]`: what is logged and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// Which lines; a level, or directives such as `info,larkline_client=debug`.
    pub level: String,
    /// A file beside stderr; `None` is stderr alone.
    pub file: Option<PathBuf>,
    /// The file is put aside when it would grow beyond this.
    pub rotate_size: Bytes,
    /// The file is put aside when it is older than this.
    pub rotate_age: Duration,
    /// All its files together; the oldest are removed.
    pub keep_total: Bytes,
    /// Whether a line about a message has the start of its text.
    pub previews: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

choices!(LogFormat, "human or json", {
    "human" => Self::Human,
    "json" => Self::Json,
});

struct Level(String);

impl Field for Level {
    const KIND: &'static str = "level or directives";
    const HINT: &'static str = "as \"info\", \"debug\", or \"info,larkline_client=debug\"";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text("a level", Self::HINT)?;
        match EnvFilter::try_new(text) {
            Ok(_) if !text.trim().is_empty() => Some(Self(text.to_owned())),
            Ok(_) | Err(_) => spot.refuse(format!("`{text}` is no log level"), Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        json!(self.0)
    }
}

impl LogSettings {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let sizes = Bytes::kib(4)..=Bytes::mib(1 << 20);
        let log = Self {
            format: section.or("format", LogFormat::Human),
            level: section.or("level", Level("info".to_owned())).0,
            file: section.optional("file"),
            rotate_size: section.within("rotate_size", Bytes::mib(10), sizes.clone()),
            rotate_age: section.within("rotate_age", days(1), Duration::from_mins(1)..=days(365)),
            keep_total: section.within("keep_total", Bytes::mib(100), sizes),
            previews: section.or("previews", true),
        };
        if log.keep_total < log.rotate_size {
            section.refuse(
                "keep_total",
                "all files together are smaller than one",
                "raise `keep_total`",
            );
        }
        log
    }
}

/// `[server]`: where status, commands and later answers come in.
#[derive(Clone, Debug)]
pub struct Server {
    /// The Unix socket of the admin API.
    pub socket: PathBuf,
    /// An HTTP listener beside it; `None` is none.
    pub http: Option<SocketAddr>,
    /// What a caller of the HTTP listener must show; needed beyond loopback.
    pub token: Option<Secret>,
    /// The base of reply URLs given to handlers, when it is not the listener's own address.
    pub public_url: Option<Url>,
}

impl Server {
    pub(super) fn read(mut section: Section<'_>, store: &StoreSettings) -> Self {
        let server = Self {
            socket: section.or("socket", store.path.join("larkline.sock")),
            http: section.optional("http"),
            token: section.optional("token"),
            public_url: section.optional("public_url"),
        };
        if server.token.is_none() && server.http.is_some_and(|address| !address.ip().is_loopback())
        {
            let hint = "listen on 127.0.0.1, or set `token`";
            section.refuse("http", "anyone who reaches this address could steer the gateway", hint);
        }
        server
    }
}

/// `[limits]`: bounds of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events that may wait; beyond it nothing is acknowledged, and the platform redelivers.
    pub queue_max: usize,
    /// How long a stop waits for running work.
    pub drain: Duration,
    /// How long a child has between the request to end and its end by force.
    pub kill_grace: Duration,
    /// How long a claimed item is ours without a sign of life.
    pub lease: Duration,
}

impl Limits {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        Self {
            queue_max: section.within("queue_max", 100_000, 1..=10_000_000),
            drain: section.within("drain", secs(30), Duration::ZERO..=Duration::from_hours(1)),
            kill_grace: section.within(
                "kill_grace",
                secs(5),
                Duration::ZERO..=Duration::from_mins(5),
            ),
            lease: section.within("lease", secs(60), secs(5)..=Duration::from_hours(1)),
        }
    }
}
