//! Logs: one line an event, for people or machines, that never hold up the daemon.
//!
//! ```text
//! tracing event ──format──> bounded queue ──> one thread ──scrub──> stderr, and the file
//! ```
//!
//! A line that finds the queue full is dropped and counted: a terminal nobody reads or a full
//! disk must not stop acknowledgements. Secrets are types that do not print; the scrub is the
//! last resort behind them. The journal reads stderr: there each line begins with its priority.
//! What is not here: which events are logged.

mod fields;
mod rotate;
mod scrub;
pub mod support;
mod writer;

pub use fields::unsteering;

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::Subscriber;
use tracing_subscriber::fmt::format::Writer as FormatWriter;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::clock;
use crate::config::{LogFormat, LogSettings};
use crate::words::Lang;
use fields::PlainFields;
use rotate::RotatingFile;
use writer::{LineQueue, LineWriter};

/// The log cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The level is none.
    #[error("`{level}` is no log level; use error, warn, info, debug, trace, or directives")]
    Level {
        /// What was asked for.
        level: String,
    },
    /// The file cannot be written.
    #[error("the log file {} cannot be opened; check log.file and its folder's owner", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another subscriber is installed already.
    #[error("logging is set up already; call init once, from main")]
    AlreadySet,
}

impl LogError {
    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        match (lang, self) {
            (Lang::En, error) => error.to_string(),
            (Lang::Zh, Self::Level { level }) => {
                format!("`{level}` 不是日志级别；请用 error、warn、info、debug、trace 或指令")
            }
            (Lang::Zh, Self::File { path, .. }) => {
                format!("无法打开日志文件 {}；请检查 log.file 及其目录的所有者", path.display())
            }
            (Lang::Zh, Self::AlreadySet) => {
                "日志已经设置过；init 只应在 main 中调用一次".to_owned()
            }
        }
    }
}

/// Keeps the log going; dropping it writes out what is queued, within a second.
#[must_use = "dropping the guard ends the log"]
#[derive(Debug)]
pub struct LogGuard {
    level: reload::Handle<EnvFilter, Registry>,
    writer: LineWriter,
}

impl LogGuard {
    /// Changes which lines are logged, from now on.
    ///
    /// # Errors
    /// [`LogError::Level`] when the text is no level; the old one stays.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let wrong = || LogError::Level { level: level.to_owned() };
        let filter = EnvFilter::try_new(level).map_err(|_| wrong())?;
        self.level.reload(filter).map_err(|_| wrong())
    }

    /// Lines dropped since the start because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.writer.queue().dropped()
    }
}

/// Sets up the log of the process.
///
/// # Errors
/// [`LogError`] when the level, the file or the process does not allow it.
pub fn init(settings: &LogSettings) -> Result<LogGuard, LogError> {
    let journal = is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref(), io::stderr());
    let (subscriber, guard) = build(settings, Box::new(io::stderr()), journal)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::AlreadySet)?;
    Ok(guard)
}

/// Whether this is the stream that systemd said leads to its journal, and not one that a shell
/// put in its place.
fn is_journal(stream: Option<&str>, file: impl AsFd) -> bool {
    let known = stream.and_then(|stream| stream.split_once(':'));
    let number = |text: &str| text.parse::<u64>().ok();
    let Some((device, inode)) = known.and_then(|(d, i)| Some((number(d)?, number(i)?))) else {
        return false;
    };
    rustix::fs::fstat(file).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (device, inode))
}

/// The subscriber, writing to `out`, for the `journal` with priorities, and to the file of the settings.
fn build(
    settings: &LogSettings,
    out: Box<dyn io::Write + Send>,
    journal: bool,
) -> Result<(impl Subscriber + Send + Sync, LogGuard), LogError> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|_| LogError::Level { level: settings.level.clone() })?;
    let file = match &settings.file {
        None => None,
        Some(path) => Some(
            RotatingFile::open(path, settings.into(), clock::now_ms())
                .map_err(|source| LogError::File { path: path.clone(), source })?,
        ),
    };
    let writer = LineWriter::start(out, journal, file);
    let (filter, level) = reload::Layer::new(filter);
    let lines = layer(settings.format, writer.queue().clone());
    Ok((Registry::default().with(filter).with(lines), LogGuard { level, writer }))
}

fn layer<S>(format: LogFormat, queue: LineQueue) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer =
        tracing_subscriber::fmt::layer().with_writer(queue).with_timer(Clock).with_ansi(false);
    match format {
        LogFormat::Human => layer.fmt_fields(PlainFields).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// RFC 3339 with milliseconds and the offset of this machine's zone, so that a line can be
/// compared with another machine's without knowing where it was written.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, w: &mut FormatWriter<'_>) -> fmt::Result {
        let now_ms = clock::now_ms();
        let (second, ms) = (now_ms.div_euclid(1000), now_ms.rem_euclid(1000));
        // A busy second has thousands of lines and one date.
        let mut last = SECOND.lock().unwrap_or_else(PoisonError::into_inner);
        if last.second != second || last.date.is_empty() {
            let now = Timestamp::from_second(second).unwrap_or_default();
            let now = now.to_zoned(TimeZone::system());
            let date = now.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            *last = Second { second, date, offset: now.strftime("%:z").to_string() };
        }
        write!(w, "{}.{ms:03}{}", last.date, last.offset)
    }
}

/// The last second that was written out.
struct Second {
    second: i64,
    date: String,
    offset: String,
}

static SECOND: Mutex<Second> =
    Mutex::new(Second { second: 0, date: String::new(), offset: String::new() });

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, MutexGuard};
    use std::time::Duration;

    use super::*;
    use crate::config::Bytes;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        fn text(&self) -> MutexGuard<'_, Vec<u8>> {
            self.0.lock().unwrap()
        }
    }

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn settings(format: LogFormat) -> LogSettings {
        LogSettings {
            format,
            level: "info".to_owned(),
            file: None,
            rotate_size: Bytes::mib(1),
            rotate_age: Duration::from_hours(24),
            keep_total: Bytes::mib(2),
            previews: true,
        }
    }

    /// What is logged while `work` runs.
    fn logged(settings: &LogSettings, work: impl FnOnce(&LogGuard)) -> String {
        logged_to(false, settings, work)
    }

    fn logged_to(journal: bool, settings: &LogSettings, work: impl FnOnce(&LogGuard)) -> String {
        let out = Shared::default();
        let (subscriber, guard) = build(settings, Box::new(out.clone()), journal).unwrap();
        tracing::subscriber::with_default(subscriber, || work(&guard));
        drop(guard);
        String::from_utf8(out.text().clone()).unwrap()
    }

    #[test]
    fn a_line_starts_with_time_and_offset() {
        let text =
            logged(&settings(LogFormat::Human), |_| tracing::info!(event_id = "e1", "received"));
        let time = text.split_whitespace().next().unwrap();
        assert!(time.parse::<Timestamp>().is_ok(), "{time} is no RFC 3339 time");
        let offset = &time[time.len() - 6..];
        assert!(offset.starts_with(['+', '-']), "{time} has no offset");
        assert!(text.contains("received event_id=\"e1\""), "{text}");
    }

    #[test]
    fn in_the_journal_each_line_has_its_priority_and_in_the_file_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("larkline.log");
        let settings = LogSettings { file: Some(file.clone()), ..settings(LogFormat::Human) };
        let text = logged_to(true, &settings, |_| {
            tracing::error!("bad");
            tracing::warn!("odd");
            tracing::info!("news");
        });
        let priorities: Vec<&str> = text.lines().map(|line| &line[..3]).collect();
        assert_eq!(priorities, ["<3>", "<4>", "<6>"], "{text}");
        let in_file = std::fs::read_to_string(file).unwrap();
        assert!(in_file.lines().all(|line| !line.starts_with('<')), "{in_file}");
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let file = tempfile::tempfile().unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        let stream = format!("{}:{}", stat.st_dev, stat.st_ino);
        assert!(is_journal(Some(&stream), &file));
        for other in [None, Some(""), Some("1"), Some("a:b"), Some("1:2")] {
            assert!(!is_journal(other, &file), "{other:?}");
        }
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let text = logged(&settings(LogFormat::Json), |_| tracing::warn!(code = "rst", "lost"));
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["message"], "lost");
        assert_eq!(line["code"], "rst");
        assert_eq!(line["level"], "WARN");
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }

    #[test]
    fn a_secret_that_slipped_through_is_scrubbed() {
        let url = "wss://host/ws?device_id=1&access_key=AK&ticket=TICKET";
        for format in [LogFormat::Human, LogFormat::Json] {
            let text = logged(&settings(format), |_| {
                tracing::info!(url, body = r#"{"app_secret":"S3CR3T"}"#, "Bearer t-TOKEN");
            });
            for secret in ["AK", "TICKET", "S3CR3T", "t-TOKEN"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
            assert!(text.contains("device_id=1"), "{text}");
        }
    }

    #[test]
    fn the_level_changes_while_running() {
        let text = logged(&settings(LogFormat::Human), |guard| {
            tracing::debug!("unheard");
            guard.set_level("debug").unwrap();
            tracing::debug!("heard");
            assert!(guard.set_level("loud=very").is_err());
            tracing::debug!("still heard");
        });
        assert!(!text.contains("unheard"));
        assert!(text.contains("DEBUG") && text.contains("still heard"));
    }

    #[test]
    fn the_file_gets_the_same_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("larkline.log");
        let settings = LogSettings { file: Some(file.clone()), ..settings(LogFormat::Human) };
        let text = logged(&settings, |_| tracing::info!("once"));
        assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    }
}
