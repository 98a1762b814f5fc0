//! `larkline`: the binary. Data goes to stdout, everything else to stderr.

#[macro_use]
mod lang;

mod args;
mod commands;
#[cfg(test)]
mod documented;
mod exit;
mod explain;
mod help;
mod output;
mod qr;
mod usage;
mod words;

use clap::FromArgMatches;

use crate::args::{Args, Command};
use crate::exit::ExitStatus;

fn main() -> std::process::ExitCode {
    // Two providers in one tree would make rustls panic; there is one, installed before any use.
    // A second installation is refused, which is as good: it is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    lang::begin();
    let read = help::command().try_get_matches();
    let args = match read.and_then(|read| Args::from_arg_matches(&read)) {
        Ok(args) => args,
        Err(error) => return usage::told(&error),
    };
    lang::written_as(args.format);
    if matches!(args.command, Command::Run(_))
        && let Err(error) = larkline_gateway::signals::hold()
    {
        output::note(&say!(
            zh: "信号的发送者不会写入日志：{error}",
            en: "signals will be logged without their sender: {error}"
        ));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let what = say!(zh: "无法启动异步运行时", en: "cannot start the async runtime");
            output::error(&anyhow::Error::new(error).context(what));
            return ExitStatus::Ours.into();
        }
    };
    let status = runtime.block_on(commands::dispatch(args)).unwrap_or_else(|error| {
        output::error(&error);
        ExitStatus::of(&error)
    });
    // Reads of stdin cannot be cancelled; a process that ends need not wait for them.
    runtime.shutdown_background();
    // A command is not done whose answer is lost.
    if output::is_complete() { status.into() } else { ExitStatus::Yours.into() }
}
