//! The smaller sections that are there once: governor, store, server, limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use larkline_client::Secret;
use url::Url;

use super::field::choices;
use super::section::Section;
use super::units::{Bytes, days, secs};
use crate::both::Both;
use crate::words::Lang;

/// `[governor]`: limits of what goes out, and of what one person may send in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governor {
    /// Calls an app may make in any second.
    pub app_per_second: u32,
    /// Calls an app may make in any minute.
    pub app_per_minute: u32,
    /// Messages a chat may get.
    pub chat: ChatRate,
    /// Messages one person may send in any minute; `None` is no limit.
    pub user_per_minute: Option<u32>,
}

/// Messages one chat may get: so many `points` in any `window`, and, once they are used up,
/// none for `block`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatRate {
    /// Messages.
    pub points: u32,
    /// In any period of this length.
    pub window: Duration,
    /// Silence after the limit was reached; zero is none beyond the window itself.
    pub block: Duration,
}

impl Governor {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let app_per_second =
            section.key("app_per_second", "the platform's limit for an app").within(50, 1..=10_000);
        let app_per_minute = section
            .key("app_per_minute", "the platform's limit for an app")
            .within(1_000, 1..=600_000);
        let per_second = section
            .key("chat_per_second", "the platform's limit for a chat, shared by all bots in it")
            .within(5, 1..=100);
        let user_per_minute = section
            .key("user_per_minute", "messages one person may send in; absent is no limit")
            .optional_within(1..=10_000);
        let chat = read_chat_rate(&mut section, per_second);
        Self { app_per_second, app_per_minute, chat, user_per_minute }
    }
}

/// Two spellings of one limit; giving both would leave open which one holds.
fn read_chat_rate(section: &mut Section<'_>, per_second: u32) -> ChatRate {
    let mut table = section.section("chat");
    let points = table
        .key("points", "the same limit in another spelling: so many messages")
        .within(per_second, 1..=100_000);
    let window = table.key("window", "in any period this long").within(secs(1), secs(1)..=days(1));
    let block = table
        .key("block", "and none for so long once the limit was reached")
        .within(Duration::ZERO, Duration::ZERO..=days(1));
    if table.is_present() && section.has("chat_per_second") {
        section.refuse(
            "chat",
            Both::of(
                "chat 和 chat_per_second 是同一个限制的两种写法",
                "chat and chat_per_second are two spellings of one limit",
            ),
            Both::of("删除其中一个", "remove one"),
        );
    }
    ChatRate { points, window, block }
}

/// `[store]`: where state lives and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The state directory: database, instance lock, records of running children.
    pub path: PathBuf,
    /// How long finished events, their stories and the keys that recognise redeliveries stay.
    pub retention: Duration,
    /// How large the database may grow; then nothing is acknowledged until there is room.
    /// `None` is the disk.
    pub size_max: Option<Bytes>,
}

impl StoreSettings {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let state_dir = section.state_dir();
        let path = section
            .key(
                "path",
                "state directory: `$STATE_DIRECTORY` (systemd), else \
                `$XDG_STATE_HOME/larkline`, else this",
            )
            .or(state_dir);
        // Below a day a redelivery, which the platform sends for hours, would pass as new.
        let retention = section
            .key(
                "retention",
                "finished events and the keys that recognise a redelivery; at least a \
                day, since the platform repeats for hours",
            )
            .within(days(7), days(1)..=days(3650));
        let size_max = section
            .key(
                "size_max",
                "how large the database may grow; beyond it nothing is acknowledged \
                until there is room",
            )
            .optional_within(Bytes::mib(1)..=Bytes::mib(1 << 20));
        Self { path, retention, size_max }
    }
}

/// `[server]`: where status, commands and later answers come in.
#[derive(Clone, Debug)]
pub struct Server {
    /// The Unix socket of the admin API.
    pub socket: PathBuf,
    /// The Unix socket of running tasks.
    pub task_socket: PathBuf,
    /// An HTTP listener beside it; `None` is none.
    pub http: Option<SocketAddr>,
    /// Whether the HTTP listener serves the dashboard.
    pub dashboard: bool,
    /// What a caller of the HTTP listener must show; needed beyond loopback.
    pub token: Option<Secret>,
    /// The base of reply URLs given to handlers, when it is not the listener's own address.
    pub public_url: Option<Url>,
}

impl Server {
    pub(super) fn read(mut section: Section<'_>, store: &StoreSettings) -> Self {
        let server = Self {
            socket: section
                .key("socket", "in `store.path`; the commands talk to it, its owner alone may")
                .or(store.path.join("larkline.sock")),
            task_socket: section
                .key("task_socket", "the same for running tasks, which show a token of their own")
                .or(store.path.join("task.sock")),
            http: section
                .key(
                    "http",
                    "HTTP beside it, for probes, metrics, later replies and the dashboard; \
                    nothing listens unless asked",
                )
                .optional(),
            dashboard: section
                .key("dashboard", "`false`: the HTTP listener has no pages for people")
                .or(true),
            token: section
                .key("token", "callers of the HTTP listener show it; needed beyond loopback")
                .optional(),
            public_url: section
                .key(
                    "public_url",
                    "base of reply URLs when a handler reaches the listener by another \
                    address",
                )
                .optional(),
        };
        if server.is_open(server.http) {
            let message = Both::of(
                "能访问这个地址的任何人都可以控制网关",
                "anyone who reaches this address could steer the gateway",
            );
            let hint =
                Both::of("监听 127.0.0.1，或设置 `token`", "listen on 127.0.0.1, or set `token`");
            section.refuse("http", message, hint);
        }
        let can_be_shown = |token: &Secret| token.expose().bytes().all(|b| b.is_ascii_graphic());
        if !server.token.as_ref().is_none_or(can_be_shown) {
            let message = Both::of(
                "`Authorization: Bearer …` 只能携带可见的 ASCII 字符",
                "`Authorization: Bearer …` carries visible ASCII characters alone",
            );
            let hint = Both::of(
                "换一个令牌，例如 `openssl rand -hex 32` 的输出",
                "take another token, for example what `openssl rand -hex 32` prints",
            );
            section.refuse("token", message, hint);
        }
        server
    }

    /// Whether anybody who reaches a listener at this address is let in.
    pub(crate) fn is_open(&self, http: Option<SocketAddr>) -> bool {
        self.token.is_none() && http.is_some_and(|address| !address.ip().is_loopback())
    }
}

/// `[limits]`: bounds of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events that may wait; beyond it nothing is acknowledged, and the platform redelivers.
    pub queue_max: usize,
    /// How long a stop waits for running work.
    pub drain: Duration,
    /// How long a child has between the request to end and its end by force.
    pub kill_grace: Duration,
    /// How long a claimed item is ours without a sign of life.
    pub lease: Duration,
    /// How long a message waits for a handler at its cap before its chat is told its position.
    pub tell_position_after: Duration,
    /// How long the platform makes one message of all attempts under one `uuid`.
    pub uuid_window: Duration,
    /// What to do when that time is over and the chat's history cannot be read.
    pub unreadable_history: UnreadableHistory,
}

/// What becomes of a message that may have been sent, where nobody can look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadableHistory {
    /// It is sent again.
    Send,
    /// It is a dead letter, for a person to decide.
    Hold,
}

choices!(Lang, "zh or en", {
    "zh" => Self::Zh,
    "en" => Self::En,
});

choices!(UnreadableHistory, "send or hold", {
    "send" => Self::Send,
    "hold" => Self::Hold,
});

impl Limits {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        Self {
            queue_max: section
                .key(
                    "queue_max",
                    "waiting events; beyond it nothing is acknowledged and the platform \
                    redelivers",
                )
                .within(100_000, 1..=10_000_000),
            drain: section
                .key("drain", "how long a stop waits for running work")
                .within(secs(30), Duration::ZERO..=Duration::from_hours(1)),
            kill_grace: section
                .key("kill_grace", "from the request to end to the end by force")
                .within(secs(5), Duration::ZERO..=Duration::from_mins(5)),
            lease: section
                .key("lease", "a claimed item without a sign of life is free again after this")
                .within(secs(60), secs(5)..=Duration::from_hours(1)),
            tell_position_after: section
                .key(
                    "tell_position_after",
                    "while a handler is at its `concurrency`, a chat that waits so long is told \
                    its position, one time a message",
                )
                .within(secs(10), secs(1)..=Duration::from_hours(24)),
            uuid_window: section
                .key(
                    "uuid_window",
                    "the platform's; a send that has to be repeated after it is first looked for \
                    in the chat's history",
                )
                .within(Duration::from_hours(1), secs(1)..=Duration::from_hours(24)),
            unreadable_history: section
                .key(
                    "unreadable_history",
                    "where the scope for that is missing: `send` it again, since a message twice \
                    is a nuisance and one that never comes a broken promise, or `hold` it as a \
                    dead letter",
                )
                .or(UnreadableHistory::Send),
        }
    }
}
