//! A service and the commands for it meet in one state directory, at one socket. By default both are in
//! a home, which is another one for each user, so what is not the same for all has to be written down.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use larkline_gateway::config::{Config, Sources};

use super::accounts::Account;
use super::place::{Kind, Place};
use crate::exit::Yours;

/// What decides where `~` and the state directory are.
pub(super) const OF_A_USER: [&str; 3] = ["HOME", "XDG_STATE_HOME", "STATE_DIRECTORY"];
/// Below it systemd makes the state directory, and gives it to the unit's user.
const SYSTEMD_STATE: &str = "/var/lib";
/// The same for a machine with another manager, which makes none.
const LAUNCHD_STATE: &str = "/usr/local/var";

/// Refuses a service that the commands for it would not find; `config` is as the service reads it, and
/// `shell` what is read here.
pub(super) fn check(
    shell: &Sources,
    config: &Config,
    account: &Account,
    place: &Place,
) -> Result<()> {
    let own = account.is_own();
    let asked = match own {
        true => read(shell),
        // Whoever types a command, with whatever variables.
        false => read(&without_a_user(shell)),
    };
    let file = config
        .file
        .as_deref()
        .map_or_else(|| "larkline.toml".to_owned(), |file| file.display().to_string());
    for (key, of) in [("store.path", state as Of), ("server.socket", socket)] {
        let (service, here) = (of(config), of(&asked));
        if service == here {
            continue;
        }
        let fixed = match (key, own) {
            (_, true) => here.to_owned(),
            ("store.path", false) => usual(place),
            (_, false) => config.store.path.join("larkline.sock"),
        };
        let lines = lines(key, &fixed);
        let (service, here, user) = (service.display(), here.display(), &account.name);
        return Err(Yours(match own {
            true => say!(
                zh: "`{key}` 对服务是 {service}，对这个 shell 中的命令是 {here}；请在 {file} 中写明：\n\n{lines}",
                en: "`{key}` is {service} for the service, and {here} for commands in this shell; write it into {file}:\n\n{lines}"
            ),
            false => say!(
                zh: "服务以用户 {user} 运行，它的 `{key}` 是 {service}，而其他用户（包括 root）的命令会到别处去找；请在 {file} 中写明，例如：\n\n{lines}",
                en: "the service runs as {user} and has its `{key}` at {service}, where commands of others, root's too, do not look; write one for all into {file}, for example:\n\n{lines}"
            ),
        })
        .into());
    }
    owned(&config.store.path, account, place)
}

type Of = fn(&Config) -> &Path;

fn state(config: &Config) -> &Path {
    &config.store.path
}

fn socket(config: &Config) -> &Path {
    &config.server.socket
}

/// The configuration, or what is right of it: this shell may lack what the service has.
fn read(sources: &Sources) -> Config {
    Config::load(sources).unwrap_or_else(|errors| errors.rest().clone())
}

fn without_a_user(shell: &Sources) -> Sources {
    let mut sources = shell.clone();
    sources.env.retain(|name, _| !OF_A_USER.contains(&name.as_str()));
    sources
}

fn usual(place: &Place) -> PathBuf {
    let below = match place.kind {
        Kind::Systemd => SYSTEMD_STATE,
        Kind::Launchd => LAUNCHD_STATE,
    };
    Path::new(below).join(&place.name)
}

/// A key and its value as the file has them; a path in quotes is the same in JSON and in TOML.
fn lines(key: &str, path: &Path) -> String {
    let (section, key) = key.split_once('.').unwrap_or_default();
    let path = serde_json::Value::from(path.display().to_string());
    format!("[{section}]\n{key} = {path}\n")
}

/// The name below `/var/lib` of a directory that systemd makes.
pub(super) fn by_systemd(state: &Path) -> Option<&Path> {
    state.strip_prefix(SYSTEMD_STATE).ok().filter(|below| below.components().count() > 0)
}

/// Refuses a directory of somebody else, which nobody will give to the account.
fn owned(state: &Path, account: &Account, place: &Place) -> Result<()> {
    let given = place.kind == Kind::Systemd && place.system && by_systemd(state).is_some();
    let Ok(found) = std::fs::metadata(state) else { return Ok(()) };
    if given || account.is_root() || found.uid() == account.uid {
        return Ok(());
    }
    let (user, state) = (&account.name, state.display());
    Err(Yours(say!(
        zh: "状态目录 {state} 不属于用户 {user}；请运行 chown -R {user} {state}，或把 `store.path` 设为别处",
        en: "the state directory {state} is not of the user {user}; chown -R {user} {state}, or set `store.path` elsewhere"
    ))
    .into())
}
