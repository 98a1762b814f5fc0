//! The interactive demo: what is typed is said by the owner to the bot.

use anyhow::{Context, Result};
use larkline_sim::{Platform, Say};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::rig::Rig;
use crate::commands::status::equation;
use crate::output;

/// Longest line taken from the terminal.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reads lines until the end of the input or Ctrl-C.
///
/// # Errors
/// When the input cannot be read or the simulator refuses the message.
pub(super) async fn talk(rig: &mut Rig) -> Result<()> {
    output::note("simulator and gateway run; the link is verified.");
    output::note(
        "Type a message to the bot (try `date`). `!kill` kills the gateway with -9 and starts it again,",
    );
    output::note("`!cut` cuts the line, `!status` shows the verdicts; Ctrl-D ends.");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut shown = 0;
    loop {
        let seen = shown;
        let platform = std::sync::Arc::clone(rig.sim.platform());
        tokio::select! {
            line = lines.next_line() => match line.context("cannot read the input")? {
                None => {
                    super::tour::all_settled(rig).await?;
                    show(&platform, seen);
                    return Ok(());
                }
                Some(line) => take(rig, line.get(..LINE_BYTES_MAX).unwrap_or(&line)).await?,
            },
            news = platform.wait_for(|l| l.messages.len() > seen, super::tour::FOREVER) => {
                // Nobody waits that long; either way the list is looked at again.
                drop(news);
                shown = show(&platform, seen);
            }
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Prints what the bot has said since the first `seen` messages; how many there are now.
fn show(platform: &Platform, seen: usize) -> usize {
    platform.read(|l| {
        l.messages.iter().skip(seen).for_each(|m| {
            output::data(&format!("bot → {}", m.text.as_deref().unwrap_or(&m.msg_type)));
        });
        l.messages.len()
    })
}

async fn take(rig: &mut Rig, line: &str) -> Result<()> {
    match line.trim() {
        "" => {}
        "!kill" => {
            rig.kill_gateway().await?;
            output::note("killed; starting again");
            rig.start_gateway().await?;
            output::note("ready");
        }
        "!cut" => {
            rig.sim.platform().fault(larkline_sim::Fault::Rst)?;
            output::note("the line was reset");
        }
        "!status" => output::note(&equation(&rig.status().await?.tally)),
        text => {
            let user = rig.owner.clone();
            rig.sim.platform().say(Say { user, text: text.to_owned(), ..Say::default() })?;
        }
    }
    Ok(())
}
