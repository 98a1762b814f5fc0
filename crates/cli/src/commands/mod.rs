//! One file a command.

mod alerts;
mod ask;
mod config;
mod credentials;
mod demo;
mod doctor;
mod explain;
mod init;
mod job;
mod lists;
mod mcp;
mod probe;
mod register;
mod restart;
mod run;
mod scripted_agent;
mod send;
mod service;
mod sessions;
mod sim;
mod status;
mod story;
mod task;
mod version;
mod watch;

use anyhow::Result;

use crate::args::{Args, Command};
use crate::exit::ExitStatus;
use crate::help;
use crate::output;

/// Runs the command.
///
/// # Errors
/// What went wrong; [`ExitStatus::of`] gives its exit code.
pub(crate) async fn dispatch(args: Args) -> Result<ExitStatus> {
    let Args { config, format, command } = args;
    match command {
        Command::Run(run) => run::run(config, run).await,
        Command::Init(init) => Box::pin(init::run(config, format, *init)).await,
        Command::Demo(demo) => demo::run(demo).await,
        Command::Sim(sim) => sim::run(sim).await,
        Command::Doctor(doctor) => Box::pin(doctor::run(config, format, doctor)).await,
        Command::Probe(probe) => probe::run(config, format, probe).await,
        Command::Alerts { action } => alerts::run(config, format, action).await,
        Command::Status { watch: true, every, .. } => watch::run(config, format, every).await,
        Command::Status { check, .. } => status::run(config, format, check).await,
        Command::Messages(messages) => lists::messages(config, format, messages).await,
        Command::Chats => lists::chats(config, format).await,
        Command::Dead { action } => lists::dead(config, format, action).await,
        Command::Explain { text } => explain::run(config, format, text).await,
        Command::Sessions(sessions) => sessions::run(config, format, sessions).await,
        Command::Send(send) => send::run(config, format, send).await,
        Command::Job { action } => job::run(config, format, action).await,
        Command::Mcp => mcp::run().await,
        Command::Reload { socket } => send::reload(config, socket).await,
        Command::Restart { timeout } => restart::run(config, timeout).await,
        Command::Service { action } => Box::pin(service::run(config, action)).await,
        Command::Config { action } => config::run(config, format, &action),
        Command::Completions { shell } => {
            // It panics on a reader that has gone, but not on a buffer.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut help::command(), "larkline", &mut script);
            output::data(&String::from_utf8(script)?);
            Ok(ExitStatus::Ok)
        }
        Command::ScriptedAgent { arguments } => Ok(scripted_agent::run(&arguments)),
        Command::Version => version::run(format),
    }
}
