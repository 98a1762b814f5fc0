//! `[log]`: what is logged and where.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tracing_subscriber::EnvFilter;

use super::decoder::Spot;
use super::field::{Field, choices};
use super::section::Section;
use super::units::{Bytes, days};
use crate::both::{Both, both};

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
    const HINT: Both = Both::of(
        "如 \"info\"、\"debug\" 或 \"info,larkline_client=debug\"",
        "as \"info\", \"debug\", or \"info,larkline_client=debug\"",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("级别", "a level"), Self::HINT)?;
        match EnvFilter::try_new(text) {
            Ok(_) if !text.trim().is_empty() => Some(Self(text.to_owned())),
            Ok(_) | Err(_) => spot.refuse(
                both!(zh: "`{text}` 不是日志级别", en: "`{text}` is no log level"),
                Self::HINT,
            ),
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
            format: section.key("format", "json for collectors").or(LogFormat::Human),
            level: section
                .key("level", "or directives, as `info,larkline_client=debug`")
                .or(Level("info".to_owned()))
                .0,
            file: section
                .key("file", "beside stderr, where systemd and containers look")
                .optional(),
            rotate_size: section
                .key("rotate_size", "a file that still opens in an editor")
                .within(Bytes::mib(10), sizes.clone()),
            rotate_age: section
                .key("rotate_age", "a day's events in a day's file")
                .within(days(1), Duration::from_mins(1)..=days(365)),
            keep_total: section
                .key("keep_total", "all files together; the oldest go")
                .within(Bytes::mib(100), sizes),
            previews: section
                .key(
                    "previews",
                    "the start of a message in its line; switch it off where messages are \
                    private",
                )
                .or(true),
        };
        if log.keep_total < log.rotate_size {
            section.refuse(
                "keep_total",
                Both::of("全部文件的总量小于单个文件", "all files together are smaller than one"),
                Both::of("调大 `keep_total`", "raise `keep_total`"),
            );
        }
        log
    }
}
