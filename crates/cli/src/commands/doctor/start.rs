//! What `larkline run` will ask of this machine: the store, the listeners, the file of the log.
//!
//! Tried only where no gateway runs, which has them all. Nothing is left behind, and what is there stays
//! as it is.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use larkline_gateway::admin;
use larkline_gateway::config::Config;
use larkline_gateway::log::LogError;
use larkline_gateway::run_error::RunError;
use larkline_store::SqliteStore;

use super::report::{Check, Report};
use crate::exit::Class;
use crate::lang::either;
use crate::output;

/// What a trial write writes: more than a page, so that quotas and full disks show.
const TRIAL_BYTES: usize = 64 << 10;

/// Tries each.
pub(super) async fn check(report: &mut Report, config: &Config) {
    report.add(store(&config.store.database()));
    report.add(listeners(config).await);
    if let Some(file) = &config.log.file {
        report.add(log(file));
    }
}

fn store(file: &Path) -> Check {
    const NAME: &str = "store";
    let at = file.display();
    match SqliteStore::examine(file) {
        Ok(()) if file.exists() => {
            Check::pass(NAME, say!(zh: "{at} 可以打开", en: "{at} can be opened"))
        }
        Ok(()) => Check::pass(
            NAME,
            say!(zh: "{at} 尚不存在；`larkline run` 会创建它", en: "{at} is not there yet; `larkline run` makes it"),
        ),
        Err(error) => {
            let why = output::said(&error);
            let what =
                say!(zh: "无法打开存储 {at}：{why}", en: "cannot open the store {at}: {why}");
            Check::fail_as(NAME, Class::LocalFault, &what).or_next(either(
                "请把它移走或修复，使运行 larkline 的用户可以读写它",
                "move it away or mend it, so that the user who runs larkline can read and write it",
            ))
        }
    }
}

async fn listeners(config: &Config) -> Check {
    const NAME: &str = "listeners";
    let server = &config.server;
    let mut free = Vec::new();
    for socket in [&server.socket, &server.task_socket] {
        if let Err(error) = admin::left_behind(socket).await {
            return refused(NAME, &RunError::from(error));
        }
        // Its folder is made on need, where that is allowed.
        let folder = existing(socket.parent().unwrap_or(socket));
        if let Err(error) = trial_write(folder) {
            let folder = folder.display();
            let what = say!(
                zh: "无法在 {folder} 中创建套接字：{error}",
                en: "no socket can be made in {folder}: {error}"
            );
            return Check::fail(NAME, Class::LocalFault, what).next(either(
                "请在 `[server]` 中换一个路径，或修复此目录",
                "name another path in `[server]`, or mend that directory",
            ));
        }
        free.push(socket.display().to_string());
    }
    if let Some(address) = server.http {
        if let Err(source) = admin::bind_http(address).await {
            return refused(NAME, &RunError::Listen { address: address.to_string(), source });
        }
        free.push(address.to_string());
    }
    let free = free.join(", ");
    Check::pass(NAME, say!(zh: "可以使用：{free}", en: "free: {free}"))
}

fn log(file: &Path) -> Check {
    const NAME: &str = "log";
    let tried = match file.metadata() {
        // Opening a pipe waits for its reader.
        Ok(found) if !found.is_file() && !found.is_dir() => Ok(()),
        Ok(_) => OpenOptions::new().append(true).open(file).map(drop),
        Err(_) => trial_write(existing(file.parent().unwrap_or(file))),
    };
    match tried {
        Ok(()) => {
            Check::pass(NAME, say!(zh: "{at} 可写", en: "{at} takes lines", at = file.display()))
        }
        Err(source) => refused(NAME, &LogError::File { path: file.to_owned(), source }),
    }
}

/// The words of the error that ends `larkline run`, with what the system says of it.
fn refused(name: &'static str, error: &(dyn std::error::Error + 'static)) -> Check {
    let check = Check::fail_as(name, Class::LocalFault, &output::said(error));
    match error.source() {
        Some(cause) => check.notes(vec![output::said(cause)]),
        None => check,
    }
}

/// The nearest directory above that is there.
pub(super) fn existing(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir)
}

/// Writes into a directory, under no name.
///
/// # Errors
/// What the system says.
pub(super) fn trial_write(dir: &Path) -> io::Result<()> {
    let mut trial = tempfile::tempfile_in(dir)?;
    trial.write_all(&[0; TRIAL_BYTES])?;
    trial.sync_all()
}
