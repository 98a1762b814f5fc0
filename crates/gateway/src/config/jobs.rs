//! `[jobs]`: durable commands.

use std::time::Duration;

use super::retry::RetrySettings;
use super::section::Section;
use super::units::{Bytes, days};

/// Jobs at once: as a rule they are heavy, and chats shall not wait for the machine.
const CONCURRENCY: usize = 2;
/// Most at once; more would not fit into the lease keeper's round.
const CONCURRENCY_MAX: usize = 256;

/// Durable commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// How many run at once.
    pub concurrency: usize,
    /// What happens after a failed attempt.
    pub retry: RetrySettings,
    /// Longest run of one attempt.
    pub timeout: Duration,
    /// Most memory of one and all that it starts; `None` is the system's limit.
    pub memory: Option<Bytes>,
    /// Variables they inherit beside the usual few.
    pub pass_env: Vec<String>,
    /// Whether running tasks may start jobs in their chats.
    pub from_tasks: bool,
}

impl Jobs {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        Self {
            concurrency: section
                .key(
                    "concurrency",
                    "at once, in a queue of their own: no chat's turn waits for them",
                )
                .within(CONCURRENCY, 1..=CONCURRENCY_MAX),
            retry: RetrySettings::read(section.section("retry"), RetrySettings::default_policy()),
            timeout: section
                .key("timeout", "of one attempt, unless a job says otherwise")
                .within(Duration::from_hours(1), Duration::from_secs(1)..=days(30)),
            memory: section
                .key("memory", "of one and all that it starts; absent is the system's limit")
                .optional_within(Bytes::mib(4)..=Bytes::mib(1 << 20)),
            pass_env: section
                .key("pass_env", "inherited beside PATH, HOME, LANG, TZ, TMPDIR")
                .or(Vec::new()),
            from_tasks: section
                .key(
                    "from_tasks",
                    "a running command or agent may start jobs in its own chat; its sandbox and \
                    limits do not hold for them",
                )
                .or(true),
        }
    }
}
