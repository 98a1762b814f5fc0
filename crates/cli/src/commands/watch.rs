//! `larkline status --watch`: the report again and again, in place on a terminal.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use http::Method;
use larkline_gateway::log::unsteering;
use larkline_gateway::status::Status;
use tokio::signal::unix::{SignalKind, signal};

use super::ask::{self, Gateway};
use super::status;
use crate::args::Format;
use crate::exit::ExitStatus;
use crate::output;

/// Least time between two looks: each reads the store and `/proc`.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// Cursor to the upper left corner, so that the old report is written over and nothing flickers.
const HOME: &str = "\x1b[H";
/// Ends a line: what is left of a longer one goes.
const END_OF_LINE: &str = "\x1b[K";
/// Ends the report: what is left of a longer one goes.
const END: &str = "\x1b[J";
/// Between two reports where there is no terminal.
const BETWEEN: &str = "---";

/// Watches until Ctrl-C. A gateway that is away is said, and looked for again.
///
/// # Errors
/// The configuration's problems.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    every: Duration,
) -> Result<ExitStatus> {
    let gateway = Gateway::of(&ask::load(file)?);
    let terminal = std::io::stdout().is_terminal();
    // One listener for all rounds: what is pressed during a call is not lost.
    let mut pressed = signal(SignalKind::interrupt())?;
    let mut first = true;
    loop {
        let answer = tokio::select! {
            answer = gateway.call::<Status>(Method::GET, "/v1/status") => answer,
            // A gateway that hangs keeps nobody here.
            _ = pressed.recv() => return Ok(ExitStatus::Ok),
        };
        let text = match (format, answer) {
            (Format::Human, Ok(report)) => unsteering(&status::human(&report)),
            (Format::Human, Err(error)) => output::said(error.as_ref()),
            (Format::Json, Ok(mut report)) => {
                report.in_english();
                serde_json::to_string(&report)?
            }
            (Format::Json, Err(error)) => {
                serde_json::json!({ "ready": false, "error": error.to_string() }).to_string()
            }
        };
        let shown = match (format, terminal) {
            (Format::Human, true) => in_place(&text),
            (Format::Human, false) if !first => format!("{BETWEEN}\n{text}"),
            (Format::Human | Format::Json, _) => text,
        };
        if !output::data_is_read(&shown) {
            return Ok(ExitStatus::Ok);
        }
        first = false;
        tokio::select! {
            () = tokio::time::sleep(every.max(EVERY_MIN)) => {}
            _ = pressed.recv() => return Ok(ExitStatus::Ok),
        }
    }
}

fn in_place(text: &str) -> String {
    let lines = text.lines().map(|line| format!("{line}{END_OF_LINE}\n"));
    format!("{HOME}{}{END}", lines.collect::<String>())
}
