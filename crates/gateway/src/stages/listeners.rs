//! The sockets of the gateway, bound before anything that could receive an event: a taken address is
//! found while the platform knows of no connection.

use std::path::Path;

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
    /// [`RunError::Listen`] for the first that cannot be bound.
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
            admin: socket(&config.server.socket)?,
            tasks: socket(shared.grants.socket())?,
            http,
        })
    }
}

fn socket(path: &Path) -> Result<UnixListener, RunError> {
    let address = || path.display().to_string();
    admin::bind_socket(path).map_err(|source| RunError::Listen { address: address(), source })
}
