//! `larkline send` and `larkline reload`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use http::Method;
use larkline_gateway::admin::{SendAccepted, SendRequest};
use serde_json::Value;

use super::ask::{self, Gateway};
use crate::args::{Format, SendArgs};
use crate::exit::{ExitStatus, Yours};
use crate::output;

/// Longest text read from stdin: some forty messages, and escaped it still fits the gateway's
/// bound on a request.
const TEXT_BYTES_MAX: u64 = 512 * 1024;

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
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(TEXT_BYTES_MAX + 1);
    input.read_to_end(&mut bytes).context("cannot read the text from stdin")?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        let kib = TEXT_BYTES_MAX / 1024;
        return Err(
            Yours(format!("the text is too long, more than {kib} KiB; send it in parts")).into()
        );
    }
    String::from_utf8(bytes).map_err(|_| {
        Yours("the text on stdin is not UTF-8; convert it, see iconv(1)".to_owned()).into()
    })
}
