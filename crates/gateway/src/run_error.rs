//! Why a gateway could not start, or had to stop. Each ends in what to do; the command line
//! turns them into exit codes.

use std::path::PathBuf;

use crate::admin::SocketError;
use crate::instance::{LockError, no_state_directory};
use crate::words::Lang;

/// What kept a gateway from running, as the subject of its alert: another obstacle is another alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The platform refuses this app.
    Credentials(String),
    /// This address is taken, or not ours to take.
    Listen(String),
    /// This handler cannot be made.
    Handler(String),
    /// Not every link was verified in time.
    NotVerified,
    /// The governor's limits.
    Governor,
    /// The link's settings.
    Link,
    /// The system gives no thread.
    Thread,
}

impl Obstacle {
    /// Its name before the first slash, and whom it is about behind it.
    pub fn subject(&self) -> String {
        match self {
            Self::Credentials(app) => format!("{CREDENTIALS}/{app}"),
            Self::Listen(address) => format!("listen/{address}"),
            Self::Handler(name) => format!("handler/{name}"),
            Self::NotVerified => NOT_VERIFIED.to_owned(),
            Self::Governor => "governor".to_owned(),
            Self::Link => "link".to_owned(),
            Self::Thread => "thread".to_owned(),
        }
    }

    /// Whether it may still be there in a gateway that runs, so far as the subject tells; `connected`
    /// says which apps had a verified link in this run. Whatever else keeps a gateway from running is
    /// gone when it runs.
    pub fn may_last(subject: &str, connected: &[(&str, bool)]) -> bool {
        if subject == NOT_VERIFIED {
            return connected.iter().any(|(_, connected)| !connected);
        }
        let refused = subject.split_once('/').filter(|(kind, _)| *kind == CREDENTIALS);
        refused.is_some_and(|(_, app)| connected.contains(&(app, false)))
    }
}

const CREDENTIALS: &str = "credentials";
const NOT_VERIFIED: &str = "not_verified";

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
    /// A socket of ours could not be bound.
    #[error(transparent)]
    Socket(#[from] SocketError),
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
    /// What keeps the gateway from running, where a person has to mend it and somebody can be told:
    /// there is a configuration, and a store that remembers who was.
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::Credentials { app, .. } => Some(Obstacle::Credentials(app.clone())),
            Self::Listen { address, .. } => Some(Obstacle::Listen(address.clone())),
            Self::Socket(error) => Some(Obstacle::Listen(error.path().display().to_string())),
            Self::Handler { name, .. } => Some(Obstacle::Handler(name.clone())),
            Self::NotVerified { .. } => Some(Obstacle::NotVerified),
            Self::Governor(_) => Some(Obstacle::Governor),
            Self::Link(_) => Some(Obstacle::Link),
            Self::Thread(_) => Some(Obstacle::Thread),
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
            Self::Socket(error) => error.said(Lang::Zh),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_obstacle_has_a_subject_of_its_own_and_lasts_until_it_is_seen_to_be_gone() {
        let named = || "x".to_owned();
        let both = [("x", false), ("y", false)];
        let (x, y) = ([("x", true), ("y", false)], [("x", false), ("y", true)]);
        for (obstacle, subject, lasts) in [
            (Obstacle::Credentials(named()), "credentials/x", [true, false, true]),
            (Obstacle::Listen(named()), "listen/x", [false; 3]),
            (Obstacle::Handler(named()), "handler/x", [false; 3]),
            (Obstacle::NotVerified, "not_verified", [true; 3]),
            (Obstacle::Governor, "governor", [false; 3]),
            (Obstacle::Link, "link", [false; 3]),
            (Obstacle::Thread, "thread", [false; 3]),
        ] {
            assert_eq!(obstacle.subject(), subject);
            assert_eq!(
                [both, x, y].map(|now| Obstacle::may_last(subject, &now)),
                lasts,
                "{subject}"
            );
            assert!(!Obstacle::may_last(subject, &[("x", true), ("y", true)]), "{subject}");
        }
        assert!(!Obstacle::may_last("credentials/gone", &both), "no app of this name");
    }
}
