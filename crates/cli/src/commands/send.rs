//! `larkline send` and `larkline reload`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use http::Method;
use larkline_gateway::admin::{SendAccepted, SendRequest};
use serde_json::Value;

use super::ask::{self, Gateway};
use crate::args::{Format, SendArgs};
use crate::exit::ExitStatus;
use crate::output;

/// Longest text read from stdin: what the platform takes in one message and some.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// `larkline send --to CHAT [TEXT]`
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    args: SendArgs,
) -> Result<ExitStatus> {
    let text = match args.text {
        Some(text) => text,
        None => read_stdin()?,
    };
    let gateway = Gateway::of(&ask::load(file)?);
    let request =
        SendRequest { app: args.app, to: args.to, text, markdown: args.markdown, key: args.key };
    let accepted: SendAccepted = gateway.post("/v1/send", &request).await?;
    output::show(format, &accepted, |a| format!("o{}", a.outbox_id))?;
    Ok(ExitStatus::Ok)
}

/// `larkline reload`
pub(crate) async fn reload(file: Option<PathBuf>) -> Result<ExitStatus> {
    let gateway = Gateway::of(&ask::load(file)?);
    let answer: Value = gateway.call(Method::POST, "/v1/reload").await?;
    let list = answer.get("needs_restart").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if names.is_empty() {
        output::note("reloaded");
    } else {
        output::note(&format!("reloaded; these take effect after a restart: {}", names.join(", ")));
    }
    Ok(ExitStatus::Ok)
}

fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(TEXT_BYTES_MAX)
        .read_to_string(&mut text)
        .context("cannot read the text from stdin")?;
    Ok(text)
}
