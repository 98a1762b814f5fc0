//! `larkline demo`: simulator and gateway with one command, no account needed.
//!
//! The gateway is this same binary as a process of its own, with a configuration file and a
//! state directory like any other: what one sees here is the whole real path, and it can be
//! killed. The chat page is the simulator's; what it asks of the gateway, `behind` answers.

mod behind;
mod rig;
mod showcase;
mod talk;
mod tour;

use anyhow::Result;

use crate::args::DemoArgs;
use crate::exit::ExitStatus;

/// Plays one conversation (`--once`), or lets one be typed.
///
/// # Errors
/// When simulator or gateway cannot be started, or, with `--once`, something did not happen
/// that should have.
pub(crate) async fn run(args: DemoArgs) -> Result<ExitStatus> {
    if args.handler {
        showcase::answer_stdin()?;
        return Ok(ExitStatus::Ok);
    }
    let mut rig = rig::Rig::start(args.port).await?;
    if args.once {
        tour::play(&mut rig).await?;
    } else {
        talk::talk(&mut rig).await?;
    }
    rig.stop().await;
    Ok(ExitStatus::Ok)
}
