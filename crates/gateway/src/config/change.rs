//! What a changed configuration can do without a restart.
//!
//! Routes, handlers, owners, the token of callers, the limit on one person and the log level are read
//! where they are used and change with a reload. What a socket, a file or a thread was made from needs a restart.

use super::{App, Config};

/// Sections, and single keys, whose values are used once, at start.
const AT_START: [&str; 18] = [
    "app.",
    "link.",
    "network.",
    "store.path",
    "store.size_max",
    "server.socket",
    "server.task_socket",
    "server.http",
    "server.dashboard",
    "server.public_url",
    "limits.kill_grace",
    "limits.lease",
    "log.file",
    "log.format",
    "log.rotate",
    "log.keep",
    "governor.app_per",
    "governor.chat",
];

/// Whether a key's value is used once, at start, so that a change of it needs a restart.
pub(super) fn is_used_at_start(path: &str) -> bool {
    // Who owns an app is asked at each message.
    let owners = path.starts_with("app.") && path.ends_with(".owners");
    !owners && AT_START.iter().any(|prefix| path.starts_with(prefix))
}

impl Config {
    /// The keys whose change from `self` to `new` takes effect after a restart only, in the
    /// order of the new configuration; empty when a reload is enough.
    pub fn needs_restart(&self, new: &Self) -> Vec<String> {
        let mut changed: Vec<String> = Vec::new();
        for (from, to) in [(self, new), (new, self)] {
            for setting in to.settings.iter().filter(|setting| is_used_at_start(&setting.path)) {
                let before =
                    from.settings.iter().find(|s| s.path == setting.path).map(|s| &s.value);
                if before != Some(&setting.value) && !changed.contains(&setting.path) {
                    changed.push(setting.path.clone());
                }
            }
        }
        for app in &new.apps {
            let differs = |old: &App| {
                old.name == app.name && old.app_secret.expose() != app.app_secret.expose()
            };
            if self.apps.iter().any(differs) {
                changed.push(format!("app.{}.app_secret", app.name));
            }
        }
        changed
    }
}
