//! Why a gateway could not start, or had to stop. Each ends in what to do; the command line
//! turns them into exit codes.

use std::path::PathBuf;

use crate::instance::{LockError, no_state_directory};
use crate::words::Lang;

/// The daemon could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Another instance runs, or the locks that would tell cannot be had.
    #[error(transparent)]
    Lock(LockError),
    /// The store cannot be opened.
    #[error("cannot open the store {}", path.display())]
    Store {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: larkline_store::StoreError,
    },
    /// The state directory cannot be made or used.
    #[error("cannot use the state directory {}; set `store.path` to one you may write to", path.display())]
    StateDirectory {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The network settings cannot be used.
    #[error("the network settings cannot be used")]
    Network(#[source] larkline_client::NetError),
    /// The governor's limits cannot be used.
    #[error("the governor's limits cannot be used; see `larkline config check`")]
    Governor(#[source] larkline_proto::rate::InvalidRate),
    /// The link's settings contradict each other.
    #[error("the link's settings cannot be used; see `larkline config check`")]
    Link(#[source] larkline_client::link::LinkConfigError),
    /// A handler cannot be made from its settings.
    #[error("handler {name} cannot be used; see `larkline config check`")]
    Handler {
        /// Its name.
        name: String,
        /// Why.
        source: crate::handler::HttpError,
    },
    /// A listener could not be bound.
    #[error("cannot listen on {address}; choose another address or stop what uses it")]
    Listen {
        /// Which one.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The platform refuses the app's credentials.
    #[error(
        "the platform refuses app {app}: {detail}; check app_id and app_secret in the developer console"
    )]
    Credentials {
        /// Name of the app.
        app: String,
        /// Code, message and log id.
        detail: String,
    },
    /// `--wait`: no verified link within the start-up deadline.
    #[error("no verified link within the start-up deadline: {detail}")]
    NotVerified {
        /// Stage and fault.
        detail: String,
    },
    /// The thread of the links cannot be started.
    #[error("the system gives no thread for the links; raise its limits for this user")]
    Thread(#[source] std::io::Error),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
    /// A vital worker ended.
    #[error("a vital worker ended; see the log")]
    Vital,
}

impl RunError {
    /// Who or what keeps the gateway from running, where a person has to mend it and somebody can be
    /// told: there is a configuration, and a store that remembers who was.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Credentials { app, .. } => Some(app),
            Self::Listen { address, .. } => Some(address),
            Self::Handler { name, .. } => Some(name),
            Self::NotVerified { .. } | Self::Governor(_) | Self::Link(_) | Self::Thread(_) => {
                Some("gateway")
            }
            // A new start mends what ended by itself, and many of them are a crash loop.
            Self::Vital
            // Nobody can be reached.
            | Self::Network(_)
            // Nothing would remember that it was told.
            | Self::Lock(_)
            | Self::Store { .. }
            | Self::StateDirectory { .. }
            | Self::Signals(_) => None,
        }
    }

    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.to_string(),
            Lang::Zh => self.said_in_chinese(),
        }
    }

    fn said_in_chinese(&self) -> String {
        match self {
            Self::Lock(error) => error.said(Lang::Zh),
            Self::Store { path, .. } => format!("无法打开存储 {}", path.display()),
            Self::StateDirectory { path, .. } => no_state_directory(path),
            Self::Network(_) => "无法使用网络设置".to_owned(),
            Self::Governor(_) => "无法使用限流设置；见 `larkline config check`".to_owned(),
            Self::Link(_) => "无法使用连接设置；见 `larkline config check`".to_owned(),
            Self::Handler { name, .. } => {
                format!("无法使用处理程序 {name}；见 `larkline config check`")
            }
            Self::Listen { address, .. } => {
                format!("无法监听 {address}；请换一个地址，或停止占用它的程序")
            }
            Self::Credentials { app, detail } => {
                format!("平台拒绝应用 {app}：{detail}；请在开发者后台核对 app_id 和 app_secret")
            }
            Self::NotVerified { detail } => format!("启动时限内没有已验证的连接：{detail}"),
            Self::Thread(_) => "系统没有为连接提供线程；请提高该用户的限制".to_owned(),
            Self::Signals(_) => "无法接收信号".to_owned(),
            Self::Vital => "一个关键的工作单元已结束；见日志".to_owned(),
        }
    }
}
