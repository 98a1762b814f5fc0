//! `larkline run`: the gateway in the foreground.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use larkline_gateway::both::Both;
use larkline_gateway::config::{Config, ConfigErrors, Flag};
use larkline_gateway::daemon::{self, RunOptions};
use larkline_gateway::{instance, log};

use super::config;
use crate::args::RunArgs;
use crate::exit::ExitStatus;
use crate::lang;

/// Runs until a signal.
///
/// # Errors
/// The configuration's problems, or why the gateway could not start or had to stop.
pub(crate) async fn run(file: Option<PathBuf>, args: RunArgs) -> Result<ExitStatus> {
    if args.end_with_parent {
        // The demo's gateway: a demo that was killed must not leave it behind.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let load = move || -> Result<Config> {
        let mut sources = config::sources(file.clone())?;
        if args.no_proxy {
            sources.flags.push(no_proxy());
        }
        Ok(Config::load(&sources)?)
    };
    let config = load()?;
    lang::refine(&config);
    // Held to the end: dropping it writes out what is still queued.
    let log = Arc::new(log::init(&config.log)?);
    let level = Arc::clone(&log);
    let reload = move || {
        let config = load().map_err(|error| match error.downcast_ref::<ConfigErrors>() {
            Some(errors) => errors.text(),
            None => Both::same(error),
        })?;
        let set = level.set_level(&config.log.level);
        set.map_err(|error| Both::each(|lang| error.said(lang)))?;
        Ok(config)
    };
    let result = daemon::run(RunOptions {
        config,
        reload: Box::new(reload),
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
    drop(log);
    Ok(ExitStatus::Ok)
}

fn no_proxy() -> Flag {
    Flag {
        flag: "--no-proxy".to_owned(),
        key: "network.proxy".to_owned(),
        value: "none".to_owned(),
    }
}
