//! The machine and its network, read from the system's own files.

use std::path::Path;

use larkline_client::redacted_url;
use larkline_gateway::config::Config;
use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};
use url::Url;

/// Lines of `/proc/meminfo` that tell what there is.
const MEMORY: [&str; 3] = ["MemTotal", "MemAvailable", "SwapFree"];

/// The system, without the machine's name.
pub(super) fn machine() -> Value {
    let os = lines("/etc/os-release").into_iter().find(|line| line.starts_with("PRETTY_NAME="));
    let memory = lines("/proc/meminfo");
    let of = |name: &&'static str| memory.iter().find(|line| line.starts_with(*name));
    let kernel = rustix::system::uname();
    json!({
        "os": os.map(|line| line["PRETTY_NAME=".len()..].trim_matches('"').to_owned()),
        "kernel": kernel.release().to_string_lossy(),
        "machine": kernel.machine().to_string_lossy(),
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": MEMORY.iter().filter_map(of).collect::<Vec<_>>(),
        "load": one("/proc/loadavg"),
        "up_s": one("/proc/uptime").and_then(|up| Some(up.split_whitespace().next()?.to_owned())),
        "descriptors": getrlimit(Resource::Nofile).current,
        "root": rustix::process::geteuid().is_root(),
        "container": Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists(),
        "locale": std::env::var("LC_ALL").or_else(|_| std::env::var("LANG")).ok(),
        "time": jiff::Zoned::now().to_string(),
    })
}

/// How the platform would be reached.
pub(super) fn network(config: Option<&Config>) -> Value {
    let variables = config.map(|config| &config.network.proxy_variables);
    let shown = |text: &str| match Url::parse(text) {
        Ok(url) if url.has_host() => redacted_url(&url),
        Ok(_) | Err(_) => text.rsplit('@').next().unwrap_or_default().to_owned(),
    };
    let proxies: serde_json::Map<String, Value> = variables
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), json!(shown(value))))
        .collect();
    let dialer =
        config.map(|config| larkline_client::Dialer::new(&config.network.to_net_options()));
    let routes: Vec<Value> = match (&dialer, config) {
        (Some(Ok(dialer)), Some(config)) => config
            .apps
            .iter()
            .map(
                |app| json!({ "host": redacted_url(&app.domain), "by": dialer.route(&app.domain) }),
            )
            .collect(),
        _ => Vec::new(),
    };
    json!({
        "proxy_variables": proxies,
        "routes": routes,
        "resolver": lines("/etc/resolv.conf").into_iter().filter(|l| !l.starts_with('#')).collect::<Vec<_>>(),
        "ipv4_default_route": lines("/proc/net/route").iter().any(|l| l.split_whitespace().nth(1) == Some("00000000")),
        "ipv6_default_route": lines("/proc/net/ipv6_route").iter().any(|line| has_ipv6_default(line)),
    })
}

/// A route to everywhere that does not lead into the loopback device, where the kernel rejects.
fn has_ipv6_default(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.get(1) == Some(&"00") && words.last() != Some(&"lo")
}

fn one(path: &str) -> Option<String> {
    lines(path).into_iter().next()
}

/// Nothing where the system has no such file.
fn lines(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
