//! `larkline version`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::args::Format;
use crate::exit::ExitStatus;
use crate::lang::{either, padded};
use crate::output;

/// Where the versions start.
const COLUMNS: usize = 10;

/// Prints the versions that matter in a report.
pub(crate) fn run(format: Format) -> Result<ExitStatus> {
    let versions = versions();
    output::show(format, &versions, |v| {
        v.as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| padded(label(name), COLUMNS) + value.as_str().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    Ok(ExitStatus::Ok)
}

/// What a version is of, for people.
fn label(name: &str) -> &str {
    let zh = match name {
        "commit" => "提交",
        "larkline" => "版本",
        "protocol" => "协议",
        "store" => "存储",
        "target" => "平台",
        "tls" => "TLS 库",
        other => other,
    };
    either(zh, name)
}

/// The versions by name.
pub(crate) fn versions() -> Value {
    json!({
        "larkline": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("LARKLINE_COMMIT").unwrap_or("unknown"),
        "protocol": "pbbp2",
        "tls": "rustls (ring)",
        "store": format!("SQLite {}", larkline_store::sqlite_version()),
        "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
    })
}
