//! `larkline run`: the gateway in the foreground.

use std::path::PathBuf;

use anyhow::Result;
use larkline_gateway::config::{Config, Flag};
use larkline_gateway::daemon::{self, RunOptions};
use larkline_gateway::{instance, log};

use super::config;
use crate::args::RunArgs;
use crate::exit::{ExitStatus, Yours};

/// Runs until a signal.
///
/// # Errors
/// The configuration's problems, or why the gateway could not start or had to stop.
pub(crate) async fn run(file: Option<PathBuf>, args: RunArgs) -> Result<ExitStatus> {
    let load = move || {
        let mut sources = config::sources(file.clone()).map_err(|e| e.to_string())?;
        if args.no_proxy {
            sources.flags.push(no_proxy());
        }
        Config::load(&sources).map_err(|problems| problems.to_string())
    };
    let config = load().map_err(Yours)?;
    // Lives to the end: dropping it writes out what is still queued.
    let _log = log::init(&config.log)?;
    let result = daemon::run(RunOptions {
        config,
        reload: Box::new(load),
        takeover: args.takeover,
        keep_going: args.keep_going,
        wait: args.wait,
        lock_dir: instance::lock_dir(|name| std::env::var(name).ok()),
    })
    .await;
    if let Err(error) = &result {
        tracing::error!("{error}");
    }
    result?;
    Ok(ExitStatus::Ok)
}

fn no_proxy() -> Flag {
    Flag {
        flag: "--no-proxy".to_owned(),
        key: "network.proxy".to_owned(),
        value: "none".to_owned(),
    }
}
