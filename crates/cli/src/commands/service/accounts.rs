//! The users of this machine.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::process::Command;

use crate::exit::Yours;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: PathBuf,
}

impl Account {
    /// Whom this process runs as.
    pub(super) async fn own() -> Result<Self> {
        find(&rustix::process::geteuid().as_raw().to_string()).await
    }

    /// Whom a service of the machine runs as: who was named, else who called `sudo`, else whose
    /// configuration it is.
    pub(super) async fn of_service(named: Option<&str>, config: Option<&Path>) -> Result<Self> {
        let caller = std::env::var("SUDO_USER").ok().filter(|name| name != "root");
        if let Some(name) = named.map(str::to_owned).or(caller) {
            return find(&name).await;
        }
        let owner = config.and_then(|file| std::fs::metadata(file).ok()).map(|meta| meta.uid());
        find(&owner.unwrap_or(0).to_string()).await
    }

    /// Whether it is whoever installs.
    pub(super) fn is_own(&self) -> bool {
        self.uid == rustix::process::geteuid().as_raw()
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// By name or number: `getent` knows directory services too, the file is what else there is.
async fn find(key: &str) -> Result<Account> {
    let asked = Command::new("getent").args(["passwd", key]).output().await;
    let told = match asked {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into(),
        Ok(_) | Err(_) => std::fs::read_to_string("/etc/passwd").unwrap_or_default(),
    };
    let account = told
        .lines()
        .filter_map(account)
        .find(|account| account.name == key || key.parse() == Ok(account.uid));
    account.ok_or_else(|| {
        Yours(say!(
            zh: "这台机器上没有用户 {key}；请用 `useradd --system` 创建，或用 --run-as 指定另一个",
            en: "there is no user {key} on this machine; make it with `useradd --system`, or name another with --run-as"
        ))
        .into()
    })
}

fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    let home = fields.nth(1)?;
    // A system user without a home has one that leads nowhere.
    let home = PathBuf::from(if home.is_empty() { "/nonexistent" } else { home });
    Some(Account { name, uid, gid, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_and_a_broken_line_is_none() {
        let read = account("bot:x:998:997:A bot,,,:/var/lib/bot:/usr/sbin/nologin").unwrap();
        assert_eq!((read.name.as_str(), read.uid, read.gid), ("bot", 998, 997));
        assert_eq!(read.home, Path::new("/var/lib/bot"));
        for broken in ["", "bot", "bot:x:one:2:::", "bot:x:1"] {
            assert_eq!(account(broken), None, "{broken}");
        }
    }
}
