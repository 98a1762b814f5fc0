//! Words on the screen: data to stdout, everything else to stderr, both without panics when
//! the other end of a pipe has gone.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use larkline_gateway::admin::client::ClientError;
use larkline_gateway::causes;
use larkline_gateway::config::ConfigErrors;
use larkline_gateway::instance::LockError;
use larkline_gateway::log::{LogError, unsteering};
use larkline_gateway::run_error::RunError;
use larkline_gateway::words::Lang;
use larkline_sim::SimError;
use serde::Serialize;

use crate::args::Format;
use crate::exit::Failed;
use crate::explain;
use crate::lang::{choose, either, lang};

/// Why data did not come to where it goes: the first error, told at the end.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes data.
pub(crate) fn data(text: &str) {
    data_is_read(text);
}

/// Writes data, to whoever still reads it; `false` when nobody does.
pub(crate) fn data_is_read(text: &str) -> bool {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    written.map_err(lost).is_ok()
}

/// Notes that data could not be written. A reader that has seen enough (`| head`) is no error.
pub(crate) fn lost(error: io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Whether all data came to where it goes; says what did not. Called at the end.
pub(crate) fn is_complete() -> bool {
    let Some(error) = LOST.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return true;
    };
    note(&say!(
        zh: "错误：输出没有写全：{error}；请腾出空间或换个地方，再运行一次",
        en: "error: the output is not complete: {error}; make room or write it elsewhere, and run it again"
    ));
    false
}

/// Writes a word to the person.
pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes over the last line of progress; only where somebody watches. An empty text wipes it.
pub(crate) fn progress(text: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        drop(write!(stderr, "\r\u{1b}[2K{text}").and_then(|()| stderr.flush()));
    }
}

/// A time as `1:05`.
pub(crate) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Writes an error with its chain, and what is known about it.
pub(crate) fn error(error: &anyhow::Error) {
    // Problems of the configuration come as a report of their own.
    if let Some(errors) = error.downcast_ref::<ConfigErrors>() {
        choose(errors.language);
        let report = errors.render(false, lang());
        // What it kept from being done is said first, where that is known.
        if error.chain().next().is_some_and(|first| !first.is::<ConfigErrors>()) {
            note(&say!(zh: "错误：{error}", en: "error: {error}"));
        }
        return note(report.trim_end());
    }
    let words = unsteering(&said(error.as_ref()));
    note(&say!(zh: "错误：{words}", en: "error: {words}"));
    for cause in error.chain().skip(1) {
        let cause = unsteering(&said(cause));
        note(&say!(zh: "  原因：{cause}", en: "  caused by: {cause}"));
    }
    if !error.is::<Failed>() && !words.contains(either("；", "; ")) {
        hint(&format!("{error:#}"));
    }
}

/// The words of an error in the process's language, where they are ours.
pub(crate) fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let lang = lang();
    let ours = [
        error.downcast_ref().map(|error: &RunError| error.said(lang)),
        error.downcast_ref().map(|error: &LockError| error.said(lang)),
        error.downcast_ref().map(|error: &ClientError| error.said(lang)),
        error.downcast_ref().map(|error: &LogError| error.said(lang)),
        error.downcast_ref().map(|error| causes::api(lang, error)),
        error.downcast_ref().map(|error| causes::net(lang, error)),
        error.downcast_ref().map(|error| causes::dial(lang, error)),
        error.downcast_ref().map(|error| causes::store(lang, error)),
        error.downcast_ref().map(sim),
    ];
    ours.into_iter().flatten().next().unwrap_or_else(|| error.to_string())
}

/// Why a simulator did not start.
fn sim(error: &SimError) -> String {
    match (lang(), error) {
        (Lang::Zh, SimError::Listen { address, .. }) => {
            format!("无法在 {address} 监听；请换一个地址，或用端口 0")
        }
        (Lang::Zh, SimError::Speed(speed)) => {
            format!("时钟不能以 {speed} 倍运行；请给出 0.01 到 1000000 之间的数")
        }
        _ => error.to_string(),
    }
}

/// The meaning and the next step of an error that does not name one itself, in the operator's language.
fn hint(error: &str) {
    let step = either("；", "; ");
    if error.contains(step) {
        return;
    }
    let Some(entry) = explain::find(error).into_iter().next() else { return };
    let explain::Words { meaning, remedy } = entry.words(lang());
    if lang() == Lang::Zh {
        note(&format!("  含义：{meaning}"));
    }
    note(&say!(zh: "  下一步：{remedy}", en: "  next: {remedy}"));
}

/// Writes data as JSON, or through `human`.
///
/// # Errors
/// When the data cannot be serialised.
pub(crate) fn show<T: Serialize>(
    format: Format,
    value: &T,
    human: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    match format {
        Format::Json => data(&serde_json::to_string_pretty(value)?),
        // Names and errors are other people's words; the terminal is not to obey them.
        Format::Human => data(&unsteering(&human(value))),
    }
    Ok(())
}

/// A table without borders.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table.add_rows(rows);
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A moment in the local time zone, RFC 3339 to the second.
pub(crate) fn local_time(ms: i64) -> String {
    formatted(ms, "%Y-%m-%dT%H:%M:%S%:z")
}

/// The same to the millisecond, where steps follow each other closely.
pub(crate) fn precise_time(ms: i64) -> String {
    formatted(ms, "%Y-%m-%dT%H:%M:%S%.3f%:z")
}

fn formatted(ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime(format).to_string(),
        Err(_) => ms.to_string(),
    }
}

/// An age in the largest unit that says it well.
pub(crate) fn age(from_ms: i64, to_ms: i64) -> String {
    let seconds = (to_ms - from_ms).max(0) / 1000;
    let (number, zh, en) = match seconds {
        0..=119 => (seconds, "秒", "s"),
        120..=7199 => (seconds / 60, "分钟", "min"),
        7200..=172_799 => (seconds / 3600, "小时", "h"),
        _ => (seconds / 86_400, "天", "d"),
    };
    format!("{number} {}", either(zh, en))
}
