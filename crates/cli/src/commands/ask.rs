//! Where answers come from: the running gateway by its socket, or the store it left behind.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use larkline_gateway::admin::client::{ClientError, Payload, Peer};
use larkline_gateway::closed::Closed;
use larkline_gateway::config::Config;
use larkline_store::SqliteStore;
use larkline_store::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exit::Yours;
use crate::lang;

/// Reads the configuration for a command that needs it.
///
/// # Errors
/// The configuration's problems.
pub(crate) fn load(file: Option<PathBuf>) -> Result<Config> {
    let sources = super::config::sources(file)?;
    let config = Config::load(&sources)?;
    lang::refine(&config);
    Ok(config)
}

/// A running gateway.
pub(crate) struct Gateway {
    peer: Peer,
}

impl Gateway {
    /// The gateway of this configuration, and of no other.
    pub(crate) fn of(config: &Config) -> Self {
        Self { peer: Peer::of(config) }
    }

    /// The gateway that listens there.
    pub(crate) fn at(socket: &Path) -> Self {
        Self { peer: Peer::operator(socket) }
    }

    /// The same for calls of another kind.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Asks with a query.
    ///
    /// # Errors
    /// [`ClientError`] when nothing listens or it refuses.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &(impl Serialize + Sync + ?Sized),
    ) -> Result<T> {
        self.call(Method::GET, &with_query(path, query)?).await
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// [`ClientError`] when nothing listens or it refuses.
    pub(crate) async fn upload<T: DeserializeOwned>(&self, path: &str, bytes: Bytes) -> Result<T> {
        let peer = self.peer.patient(super::task::UPLOAD);
        Ok(peer.call(Method::POST, path, Payload::Bytes(bytes)).await?)
    }

    /// Asks without a body.
    ///
    /// # Errors
    /// [`ClientError`] when nothing listens or it refuses.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T> {
        Ok(self.peer.call(method, path, Payload::None).await?)
    }

    /// Asks with a body.
    ///
    /// # Errors
    /// [`ClientError`] when nothing listens or it refuses.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        Ok(self.peer.call(Method::POST, path, Payload::json(body)?).await?)
    }
}

/// A path whose parts a person named: whatever they hold stays in its part.
pub(crate) fn with_parts(base: &str, parts: &[&str]) -> String {
    // As the standard has them for a path, with a `/` and a `%` for ordinary characters.
    let coded = |part: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:@".contains(&byte);
        part.bytes().fold(String::from("/"), |mut path, byte| {
            match plain(byte) {
                true => path.push(char::from(byte)),
                false => path.push_str(&format!("%{byte:02X}")),
            }
            path
        })
    };
    parts.iter().map(coded).fold(base.to_owned(), |path, part| path + &part)
}

/// A path with the query of a flat object or list of pairs.
///
/// # Errors
/// When it is no such thing.
pub(crate) fn with_query(path: &str, query: &(impl Serialize + ?Sized)) -> Result<String> {
    let query = encode(&serde_json::to_value(query)?);
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

/// Where a list comes from.
pub(crate) enum Source {
    /// The running gateway.
    Gateway(Gateway),
    /// No gateway runs; this is what it left.
    Store(Arc<dyn Store>),
}

impl Source {
    /// The running gateway, for what only it may do.
    ///
    /// # Errors
    /// None runs.
    pub(crate) fn running(self) -> Result<Gateway> {
        match self {
            Self::Gateway(gateway) => Ok(gateway),
            Self::Store(_) => {
                let words = say!(
                    zh: "没有网关在运行；请先用 `larkline run` 启动，再重试",
                    en: "no gateway runs; start one with `larkline run`, then try again"
                );
                Err(Yours(words).into())
            }
        }
    }

    /// Prefers the running gateway.
    ///
    /// # Errors
    /// When there is neither a gateway nor a store.
    pub(crate) async fn open(file: Option<PathBuf>) -> Result<Self> {
        let config = load(file)?;
        let gateway = Gateway::of(&config);
        match gateway.call::<serde_json::Value>(Method::GET, "/v1/chats").await {
            Ok(_) => Ok(Self::Gateway(gateway)),
            Err(error) if matches!(error.downcast_ref(), Some(ClientError::NotRunning { .. })) => {
                let path = config.store.database();
                let there = path.try_exists();
                if there.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
                    return Err(ClientError::Closed(Closed::on_the_way_to(&path)).into());
                }
                if !there.unwrap_or(false) {
                    let text = say!(
                        zh: "没有网关在运行，{path} 处也没有存储；请用 `larkline run` 启动",
                        en: "no gateway runs and there is no store at {path}; start one with `larkline run`",
                        path = path.display()
                    );
                    return Err(Yours(text).into());
                }
                let store = SqliteStore::open(&path, config.store.sqlite_options());
                let store =
                    store.with_context(|| say!(zh: "无法打开存储 {path}", en: "cannot open the store {path}", path = path.display()))?;
                Ok(Self::Store(Arc::new(store)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Query text of a flat object or list of pairs; absent values are left out.
fn encode(query: &serde_json::Value) -> String {
    let text = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let pairs: Vec<(String, String)> = match query {
        serde_json::Value::Object(map) => {
            map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), text(v))).collect()
        }
        serde_json::Value::Array(list) => {
            list.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => Vec::new(),
    };
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
