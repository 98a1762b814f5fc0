//! From the configuration to the settings of those who act by it.
//!
//! They define their own types and know nothing of files; what stands here is the only place
//! where a key's name meets a field's. Handlers take their sections as they are.

use std::path::PathBuf;
use std::time::Duration;

use larkline_client::{NetOptions, ProxyEnv};
use larkline_proto::backoff::BackoffConfig;
use larkline_proto::link::LinkConfig;
use larkline_proto::rate::{InvalidRate, Rate};
use larkline_proto::settings::PingBounds;
use larkline_store::SqliteOptions;

use super::{Governor, LinkSettings, Network, StoreSettings};
use crate::governor::Rates;

impl LinkSettings {
    /// The link's settings; `tls_only` is for platforms whose own address has TLS.
    pub fn to_link_config(&self, tls_only: bool) -> LinkConfig {
        LinkConfig {
            tls_only,
            discovery_timeout: self.discovery_timeout,
            dial_timeout: self.dial_timeout,
            verify_timeout: self.verify_timeout,
            probe: self.probe,
            probe_interval: self.probe_interval,
            probe_timeout: self.probe_timeout,
            pong_timeout: self.pong_timeout,
            ping_bounds: PingBounds { min: self.ping_min, max: self.ping_max },
            backoff: BackoffConfig {
                quick: self.backoff_quick,
                min: self.backoff_first,
                max: self.backoff_max,
            },
            stable_after: self.stable_after,
            // Callbacks in hand get their answer within 2.5 s; a stop waits for that.
            drain_timeout: Duration::from_secs(3),
            ..LinkConfig::default()
        }
    }
}

impl Network {
    /// The dialer's options. Proxy variables of `.env` count beside those of the environment.
    pub fn to_net_options(&self) -> NetOptions {
        NetOptions {
            proxy: self.proxy.clone(),
            no_proxy: self.no_proxy.clone(),
            ca_files: self.ca_files.clone(),
            env: ProxyEnv::Fixed(self.proxy_variables.clone()),
        }
    }
}

impl Governor {
    /// The governor's rates.
    ///
    /// # Errors
    /// [`InvalidRate`] for a zero, which the checked configuration does not have.
    pub fn to_rates(&self) -> Result<Rates, InvalidRate> {
        let per = |limit, period| Rate::new(limit, period);
        Ok(Rates {
            app: vec![
                per(self.app_per_second, Duration::from_secs(1))?,
                per(self.app_per_minute, Duration::from_mins(1))?,
            ],
            chat: per(self.chat.points, self.chat.window)?.with_block(self.chat.block),
        })
    }
}

impl StoreSettings {
    /// The database's file, in the state directory.
    pub fn database(&self) -> PathBuf {
        self.path.join("larkline.db")
    }

    /// The database's options.
    pub fn sqlite_options(&self) -> SqliteOptions {
        SqliteOptions { bytes_max: self.size_max.map(|size| size.0) }
    }
}
