//! What a service of this configuration needs: worked out as the service will read it, with its own
//! environment and user, so that what is missing there is said here.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use larkline_gateway::config::{Config, Handler, Sources};
use larkline_gateway::{drain, instance};

use super::accounts::Account;
use super::place::{Kind, Place};
use super::state;
use crate::args::InstallArgs;
use crate::commands::config;
use crate::exit::Yours;
use crate::lang::{self, either};
use crate::output;

/// What one turn of an agent is given that has no limit of its own: they take 300 MB and more.
const AGENT_ROOM: u64 = 1 << 30;
/// Variables of the installing shell that a service goes on with: where programs are found, in
/// which language people read, how the network is reached. No secret is among them.
const CARRIED: [&str; 13] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];
/// The variable that says where the locks of apps are.
const LOCKS: &str = "LARKLINE_LOCK_DIR";
/// What `ProtectHome=` hides,
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
/// and what a service with `PrivateTmp=` has for itself.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// All that a unit says.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) system: bool,
    pub(super) binary: PathBuf,
    pub(super) config: Option<PathBuf>,
    pub(super) cwd: PathBuf,
    pub(super) account: Account,
    pub(super) env: BTreeMap<String, String>,
    /// Of the gateway and all its programs.
    pub(super) memory: u64,
    /// The longest that a stop takes.
    pub(super) stop: Duration,
    pub(super) state: PathBuf,
    pub(super) socket: PathBuf,
    /// Where its log can be read, when the manager keeps none.
    pub(super) log: Option<PathBuf>,
    /// Where its manager puts what it says on stderr; nothing where that has a journal.
    pub(super) stderr: Option<PathBuf>,
    /// What it may write.
    pub(super) writable: Vec<PathBuf>,
    /// Files with secrets that the manager hands over.
    pub(super) credentials: Vec<PathBuf>,
    /// Whether it needs something below the homes of people,
    pub(super) needs_homes: bool,
    /// or in the temporary directories.
    pub(super) needs_tmp: bool,
    /// What the operator should know.
    pub(super) notes: Vec<String>,
}

impl Plan {
    pub(super) async fn make(
        file: Option<PathBuf>,
        args: &InstallArgs,
        place: &Place,
    ) -> Result<Self> {
        let sources = config::sources(file)?;
        let account = match place.system {
            true => Account::of_service(args.run_as.as_deref(), sources.file.as_deref()).await?,
            false => Account::own().await?,
        };
        let (env, mut notes) = environment(&account, place, &sources.env);
        let cwd = sources.cwd.clone();
        let config = as_the_service(&sources, env.clone())?;
        state::check(&sources, &config, &account, place)?;
        let at = config.file.as_deref().and_then(Path::parent).unwrap_or(&cwd).to_owned();
        readable(&account, config.file.as_deref(), &at)?;
        let binary = std::env::current_exe().context("cannot find this binary")?;
        notes.extend(warnings(&account, place));
        let mut writable = writable(&config, &account);
        for more in &args.write {
            writable.push(std::path::absolute(more)?);
        }
        writable.sort();
        writable.dedup();
        let needed: Vec<PathBuf> =
            needed(&config).chain([binary.clone(), at.clone()]).chain(writable.clone()).collect();
        let below = |roots: &[&str]| needed.iter().any(|p| roots.iter().any(|r| p.starts_with(r)));
        Ok(Self {
            name: place.name.clone(),
            label: place.unit(),
            system: place.system,
            binary,
            config: config.file.clone(),
            cwd: at,
            env,
            memory: args.memory.saturating_add(room(&config)),
            stop: drain::longest(&config.limits),
            state: config.store.path.clone(),
            socket: std::path::absolute(&config.server.socket)?,
            log: config.log.file.clone().or_else(|| own_log(place, &account)),
            stderr: own_log(place, &account),
            credentials: if place.system { config.secret_files.clone() } else { Vec::new() },
            needs_homes: below(&HOMES),
            needs_tmp: below(&TEMPORARY),
            writable,
            account,
            notes,
        })
    }

    /// Makes the folders of state and log for its user: what is not there cannot be opened for writing.
    pub(super) fn make_folders(&self) -> Result<()> {
        self.make_folder(&self.state)?;
        self.log.as_deref().and_then(Path::parent).map_or(Ok(()), |folder| self.make_folder(folder))
    }

    fn make_folder(&self, folder: &Path) -> Result<()> {
        let shown = folder.display();
        let failed = || say!(zh: "无法创建目录 {shown}", en: "cannot make the directory {shown}");
        if folder.is_dir() {
            return Ok(());
        }
        let mut made: Vec<&Path> = folder.ancestors().take_while(|dir| !dir.exists()).collect();
        made.reverse();
        for dir in made {
            std::fs::DirBuilder::new().mode(0o700).create(dir).with_context(failed)?;
            if rustix::process::geteuid().is_root() && !self.account.is_root() {
                let owner = Some(rustix::fs::Uid::from_raw(self.account.uid));
                let group = Some(rustix::fs::Gid::from_raw(self.account.gid));
                // In a folder of theirs others could put a link in its place meanwhile.
                let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(rustix::fs::CWD, dir, owner, group, flags)
                    .with_context(failed)?;
            }
        }
        Ok(())
    }
}

/// The environment of the service, and what of the shell's is left behind.
fn environment(
    account: &Account,
    place: &Place,
    shell: &BTreeMap<String, String>,
) -> (BTreeMap<String, String>, Vec<String>) {
    let mut env = BTreeMap::new();
    let mut notes = Vec::new();
    // Commands of the same user find state and locks where the service has them.
    let own = state::OF_A_USER.into_iter().chain([LOCKS]).filter(|_| account.is_own());
    for name in CARRIED.into_iter().chain(own) {
        let Some(value) = shell.get(name).filter(|value| !value.is_empty()) else { continue };
        // A unit can be read by everybody.
        if name.to_ascii_lowercase().ends_with("_proxy") && value.contains('@') {
            notes.push(say!(
                zh: "{name} 含有密码，因此没有写入单元；请把它写进配置旁的 .env",
                en: "{name} holds a password and is not in the unit; put it into .env beside the configuration"
            ));
            continue;
        }
        env.insert(name.to_owned(), value.clone());
    }
    env.insert("HOME".to_owned(), account.home.display().to_string());
    if place.kind == Kind::Systemd && place.system {
        // The temporary directory, where they are by default, is the service's own.
        let locks = instance::service_lock_dir(account.uid);
        env.insert(LOCKS.to_owned(), locks.display().to_string());
    }
    (env, notes)
}

/// The configuration as the service will find it.
fn as_the_service(shell: &Sources, env: BTreeMap<String, String>) -> Result<Config> {
    match Config::load(&Sources { env, ..shell.clone() }) {
        Ok(config) => {
            lang::refine(&config);
            Ok(config)
        }
        Err(errors) => {
            if Config::load(shell).is_ok() {
                output::note(either(
                    "在这个 shell 中配置有效，但服务没有它的环境变量；请把它们写进配置旁的 .env（chmod 600），或写成 { file = \"…\" }",
                    "in this shell the configuration is fine, but a service has none of its variables; put them into .env beside the configuration (chmod 600), or write { file = \"…\" }",
                ));
            }
            Err(errors.into())
        }
    }
}

/// Refuses what the service's user could not read.
fn readable(account: &Account, config: Option<&Path>, folder: &Path) -> Result<()> {
    let dotenv = folder.join(".env");
    for file in config.into_iter().chain([dotenv.as_path()]) {
        let Ok(meta) = std::fs::metadata(file) else { continue };
        let bits = match (meta.uid() == account.uid, meta.gid() == account.gid) {
            (true, _) => 0o400,
            (false, true) => 0o040,
            (false, false) => 0o004,
        };
        if !account.is_root() && meta.mode() & bits == 0 {
            return Err(Yours(say!(
                zh: "用户 {user} 无法读取 {file}；请运行 chown {user} {file}，或用 --run-as 指定另一个用户",
                en: "the user {user} cannot read {file}; chown {user} {file}, or name another user with --run-as",
                user = account.name, file = file.display()
            ))
            .into());
        }
    }
    Ok(())
}

fn warnings(account: &Account, place: &Place) -> Vec<String> {
    let mut notes = Vec::new();
    let user = &account.name;
    if place.system && account.is_root() {
        notes.push(
            either(
                "服务将以 root 运行，它的程序也是；请用 --run-as 指定一个普通用户",
                "the service runs as root, and so do its programs; name an ordinary user with --run-as",
            )
            .to_owned(),
        );
    }
    let lingers = Path::new("/var/lib/systemd/linger").join(user).exists();
    if place.kind == Kind::Systemd && !place.system && !lingers {
        notes.push(say!(
            zh: "用户注销后服务会停止，开机时也不会启动；`loginctl enable-linger {user}` 可改变这一点",
            en: "it ends when the user logs out, and does not start with the machine; `loginctl enable-linger {user}` changes that"
        ));
    }
    notes
}

/// What programs may use by their own limits, all that may run at once.
fn room(config: &Config) -> u64 {
    let many = |bytes: u64, n: usize| bytes.saturating_mul(u64::try_from(n).unwrap_or(u64::MAX));
    let of = |handler: &Handler| match handler {
        Handler::Agent(agent) => {
            let each = agent.limits.memory.map_or(AGENT_ROOM, |bytes| bytes.0);
            many(each, agent.common.concurrency)
        }
        Handler::Command(command) => {
            command.memory.map_or(0, |bytes| many(bytes.0, command.common.concurrency))
        }
        Handler::Echo(_) | Handler::Http(_) | Handler::Llm(_) | _ => 0,
    };
    let handlers = config.handlers.values().map(of).fold(0_u64, u64::saturating_add);
    let jobs = config.jobs.memory.map_or(0, |bytes| many(bytes.0, config.jobs.concurrency));
    handlers.saturating_add(jobs)
}

/// What the gateway and its programs write. An agent keeps its login and its conversations in its
/// home.
fn writable(config: &Config, account: &Account) -> Vec<PathBuf> {
    let mut all = vec![config.store.path.clone()];
    all.extend(config.log.file.as_deref().and_then(Path::parent).map(Path::to_owned));
    for handler in config.handlers.values() {
        match handler {
            Handler::Agent(agent) => {
                all.extend(agent.cwd.iter().chain(&agent.cd_roots).cloned());
                all.push(account.home.clone());
            }
            Handler::Command(command) => all.extend(command.cwd.clone()),
            Handler::Echo(_) | Handler::Http(_) | Handler::Llm(_) | _ => {}
        }
    }
    all.retain(|path| path.is_absolute());
    all
}

/// What has to be seen besides.
fn needed(config: &Config) -> impl Iterator<Item = PathBuf> {
    let programs = config.handlers.values().flat_map(|handler| match handler {
        Handler::Agent(agent) => agent.argv.clone(),
        Handler::Command(command) => command.argv.clone(),
        Handler::Echo(_) | Handler::Http(_) | Handler::Llm(_) | _ => Vec::new(),
    });
    let paths = programs.map(PathBuf::from).chain(config.network.ca_files.clone());
    let sockets = [config.server.socket.clone(), config.server.task_socket.clone()];
    paths.chain(sockets).chain(config.secret_files.clone())
}

/// Where the log goes when the manager keeps none.
fn own_log(place: &Place, account: &Account) -> Option<PathBuf> {
    let file = format!("{}.log", place.name);
    (place.kind == Kind::Launchd).then(|| match place.system {
        true => Path::new("/Library/Logs").join(file),
        false => account.home.join("Library/Logs").join(file),
    })
}
