//! One file a command.

mod alerts;
mod ask;
mod config;
mod demo;
mod doctor;
mod job;
mod lists;
mod mcp;
mod probe;
mod run;
mod scripted_agent;
mod send;
mod sessions;
mod sim;
mod status;
mod task;
mod version;

use anyhow::Result;
use clap::CommandFactory;

use crate::args::{Args, Command};
use crate::exit::ExitStatus;

/// Runs the command.
///
/// # Errors
/// What went wrong; [`ExitStatus::of`] gives its exit code.
pub(crate) async fn dispatch(args: Args) -> Result<ExitStatus> {
    let Args { config, format, command } = args;
    match command {
        Command::Run(run) => run::run(config, run).await,
        Command::Demo(demo) => demo::run(demo).await,
        Command::Sim(sim) => sim::run(sim).await,
        Command::Doctor(doctor) => Box::pin(doctor::run(config, format, doctor)).await,
        Command::Probe(probe) => probe::run(config, format, probe).await,
        Command::Status { check } => status::run(config, format, check).await,
        Command::Alerts { action } => alerts::run(config, format, action).await,
        Command::Messages(messages) => lists::messages(config, format, messages).await,
        Command::Chats => lists::chats(config, format).await,
        Command::Dead { action } => lists::dead(config, format, action).await,
        Command::Explain { key } => lists::explain(config, format, key).await,
        Command::Sessions(sessions) => sessions::run(config, format, sessions).await,
        Command::Send(send) => send::run(config, format, send).await,
        Command::Job { action } => job::run(config, format, action).await,
        Command::Mcp => mcp::run().await,
        Command::Reload => send::reload(config).await,
        Command::Config { action } => config::run(config, format, &action),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Args::command(),
                "larkline",
                &mut std::io::stdout(),
            );
            Ok(ExitStatus::Ok)
        }
        Command::ScriptedAgent { arguments } => Ok(scripted_agent::run(&arguments)),
        Command::Version => version::run(format),
    }
}
