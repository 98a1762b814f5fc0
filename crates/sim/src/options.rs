//! What a simulated platform is started with.
//!
//! Defaults are the real platform's numbers; a test compresses the ones it wants to wait for
//! (redelivery, the patience for an ack, the `uuid` window), or all of them by the clock's speed. Faults are not options: they are
//! injected while it runs, see [`crate::Fault`].

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use larkline_proto::id::AppId;
use serde::{Deserialize, Serialize};

use crate::console::Console;

/// App id of the app in [`SimOptions::default`].
pub const DEMO_APP_ID: &str = "cli_a1b2c3d4e5f60718";
/// Its secret.
pub const DEMO_APP_SECRET: &str = "simulator-secret";

/// Everything [`crate::Sim::start`] needs.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Seed of every id and every random choice.
    pub seed: u64,
    /// How fast the platform's clock runs: 60 makes an hour of it a minute. Redelivery, windows,
    /// tokens, cards and the settings served follow; a client still has a second to ack.
    pub speed: f64,
    /// Waits before each redelivery of an event that was not acknowledged with 200.
    pub redelivery: Vec<Duration>,
    /// Patience for an ack, and for the answer to a callback.
    pub ack_timeout: Duration,
    /// The apps of the console.
    pub apps: Vec<AppSpec>,
    /// Serve https and wss when present.
    pub tls: Option<TlsFiles>,
    /// Rate and connection limits.
    pub limits: Limits,
    /// Served by discovery and in pongs.
    pub client_config: ClientConfig,
    /// How long a connection may send nothing before the platform forgets it. The real value
    /// is not known; five minutes allow two lost pings. A half-open connection takes its share
    /// of events until then, so tests with many of them shorten it.
    pub idle_timeout: Duration,
    /// How long a `uuid` replays the message it created.
    pub uuid_window: Duration,
    /// Lifetime of a fresh tenant token.
    pub token_lifetime: Duration,
    /// Largest part of an event; longer payloads travel in several frames. `None` never splits.
    pub fragment_bytes: Option<usize>,
    /// Ledger rows kept per list; the oldest go when more arrive. A test reads tens of
    /// thousands at most, a simulator left running must not grow for ever.
    pub ledger_rows_max: usize,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            speed: 1.0,
            redelivery: [15, 5 * 60, 60 * 60, 6 * 60 * 60].map(Duration::from_secs).to_vec(),
            ack_timeout: Duration::from_secs(3),
            apps: vec![AppSpec::default()],
            tls: None,
            limits: Limits::default(),
            client_config: ClientConfig::default(),
            idle_timeout: Duration::from_secs(5 * 60),
            uuid_window: Duration::from_secs(60 * 60),
            token_lifetime: Duration::from_secs(7200),
            fragment_bytes: None,
            ledger_rows_max: 200_000,
        }
    }
}

/// One app of the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppSpec {
    /// `cli_` and 16 hex digits.
    pub app_id: AppId,
    /// What discovery and the token endpoint want to see.
    pub app_secret: String,
    /// The bot's name in chats.
    pub name: String,
    /// Granted scopes; `None` grants every one.
    pub scopes: Option<Vec<String>>,
    /// Whether card callbacks are subscribed; without, a pressed button shows 200340.
    pub callbacks: bool,
    /// What else the console holds.
    pub console: Console,
}

impl Default for AppSpec {
    fn default() -> Self {
        Self {
            app_id: AppId::new(DEMO_APP_ID),
            app_secret: DEMO_APP_SECRET.to_owned(),
            name: "Larkline".to_owned(),
            scopes: None,
            callbacks: true,
            console: Console::default(),
        }
    }
}

/// Certificate chain and key, PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, leaf at the top.
    pub cert: PathBuf,
    /// The leaf's private key.
    pub key: PathBuf,
}

/// The platform's limits. [`Limits::unlimited`] switches all of them off, for throughput runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages per chat in any second, all bots together (230020).
    pub per_chat_per_s: u32,
    /// Calls per app and API in any second (99991400).
    pub per_api_per_s: u32,
    /// Calls per app and API in any minute (99991400).
    pub per_api_per_min: u32,
    /// Card updates per message in any second (230020).
    pub per_card_per_s: u32,
    /// Operations per card entity in any second (99991400).
    pub per_entity_per_s: u32,
    /// Messages to a group's hook in any second (11232).
    pub per_hook_per_s: u32,
    /// Messages to a group's hook in any minute (11232).
    pub per_hook_per_min: u32,
    /// Long connections per app (handshake 514 / 1000040350).
    pub connections: usize,
}

impl Limits {
    /// No limit at all.
    pub fn unlimited() -> Self {
        Self {
            per_chat_per_s: u32::MAX,
            per_api_per_s: u32::MAX,
            per_api_per_min: u32::MAX,
            per_card_per_s: u32::MAX,
            per_entity_per_s: u32::MAX,
            per_hook_per_s: u32::MAX,
            per_hook_per_min: u32::MAX,
            connections: usize::MAX,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_chat_per_s: 5,
            per_api_per_s: 50,
            per_api_per_min: 1000,
            per_card_per_s: 5,
            per_entity_per_s: 10,
            per_hook_per_s: 5,
            per_hook_per_min: 100,
            connections: 50,
        }
    }
}

/// The settings served to clients; times in seconds, names as on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ClientConfig {
    /// Attempts; negative means without end.
    pub reconnect_count: i64,
    /// Wait between attempts.
    pub reconnect_interval: u64,
    /// Upper bound of the jitter before the attempt that opens a series.
    pub reconnect_nonce: u64,
    /// Wait between pings.
    pub ping_interval: u64,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            reconnect_count: -1,
            reconnect_interval: 120,
            reconnect_nonce: 30,
            ping_interval: 120,
        }
    }
}
