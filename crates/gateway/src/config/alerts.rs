//! `[alerts]`: from where on something is worth a person's attention.
//!
//! An alert is an ERROR line with a code, a metric, and an INFO line when it is over.

use std::time::Duration;

use super::section::Section;
use super::units::Bytes;

/// Thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Resident memory of the gateway, and of one child with all it started.
    pub memory: Bytes,
    /// Percent of one processor, of the same.
    pub cpu: u32,
    /// How long a threshold has to be exceeded; and undercut by a tenth, until it is over.
    pub after: Duration,
    /// Starts that make a crash loop.
    pub boots: u32,
    /// Within this time.
    pub boots_within: Duration,
}

impl Alerts {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let second = Duration::from_secs(1);
        Self {
            memory: section
                .key("memory", "of the gateway, and of each child with all it started")
                .within(Bytes::mib(400), Bytes::mib(1)..=Bytes::mib(1 << 20)),
            cpu: section
                .key("cpu", "percent of one processor, of the same")
                .within(80, 1..=100_000),
            after: section
                .key("after", "a peak is no alert; and it ends as late below nine tenths")
                .within(Duration::from_mins(5), second..=Duration::from_hours(24)),
            boots: section.key("boots", "so many starts are a crash loop").within(5, 2..=1000),
            boots_within: section
                .key("boots_within", "in this time")
                .within(Duration::from_mins(10), second..=Duration::from_hours(24)),
        }
    }
}
