//! The sockets of the gateway, bound before anything that could receive an event: a taken address is
//! found while the platform knows of no connection.

use tokio::net::{TcpListener, UnixListener};

use crate::admin;
use crate::config::Config;
use crate::run_error::RunError;
use crate::shared::Shared;

pub(super) struct Listeners {
    pub(super) admin: UnixListener,
    pub(super) tasks: UnixListener,
    pub(super) http: Option<TcpListener>,
}

impl Listeners {
    /// Binds all of them; they are served later.
    ///
    /// # Errors
    /// [`RunError`] for the first that cannot be bound.
    pub(super) async fn bind(shared: &Shared, config: &Config) -> Result<Self, RunError> {
        let http = match config.server.http {
            None => None,
            Some(address) => Some(
                admin::bind_http(address)
                    .await
                    .map_err(|source| RunError::Listen { address: address.to_string(), source })?,
            ),
        };
        Ok(Self {
            admin: admin::bind_socket(&config.server.socket).await?,
            tasks: admin::bind_socket(shared.grants.socket()).await?,
            http,
        })
    }
}
