//! The interactive demo: what is typed here is said by the owner to the bot, and a chat page
//! shows all of it.

use std::sync::Arc;

use anyhow::{Context, Result};
use larkline_sim::{Platform, Say};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::behind::Behind;
use super::rig::{Rig, Turn};
use crate::commands::status::equation;
use crate::lang::either;
use crate::output;

/// Longest line taken from the terminal.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reads lines until the end of the input or Ctrl-C, and starts the gateway again whenever it
/// ends.
///
/// # Errors
/// When the input cannot be read or the simulator refuses the message.
pub(super) async fn talk(rig: &mut Rig) -> Result<()> {
    // One order at a time: a second press while the first is carried out says so.
    let (kills, mut ordered) = mpsc::channel(1);
    let platform = Arc::clone(rig.sim.platform());
    platform.set_gateway(Arc::new(Behind::new(rig.socket(), rig.dashboard(), kills)));
    greet(rig);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut terminated = signal(SignalKind::terminate())
        .with_context(|| say!(zh: "无法接收信号", en: "cannot receive signals"))?;
    let mut shown = 0;
    loop {
        let seen = shown;
        tokio::select! {
            line = lines.next_line() => match line.with_context(|| say!(zh: "无法读取输入", en: "cannot read the input"))? {
                None => {
                    rig.ensure_gateway().await?;
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
            Some(()) = ordered.recv() => rig.shoot_gateway()?,
            turn = rig.turn() => match turn? {
                Turn::Ended(status) => {
                    output::note(&say!(zh: "网关已结束（{status}）", en: "the gateway ended ({status})"));
                },
                Turn::Started => {
                    output::note(either("网关已重新启动", "the gateway was started again"));
                },
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        }
    }
}

fn greet(rig: &Rig) {
    let page = rig.sim.url();
    output::note(either(
        "模拟器和网关已运行；连接已验证。",
        "simulator and gateway run; the link is verified.",
    ));
    output::note(&say!(zh: "聊天页面：{page}", en: "chat page: {page}"));
    let dashboard = rig.dashboard();
    output::note(&say!(zh: "控制台：{dashboard}", en: "dashboard: {dashboard}"));
    output::note(either(
        "请打开它们，或在这里给机器人输入消息（试试 `date`、`/card`、`/stream`）。",
        "Open them, or type a message to the bot here (try `date`, `/card`, `/stream`).",
    ));
    output::note(either(
        "`!kill` 以 -9 结束网关，`!cut` 切断连接，`!status` 显示结果；",
        "`!kill` kills the gateway with -9, `!cut` cuts the line, `!status` shows the verdicts;",
    ));
    output::note(either("按 Ctrl-D 结束。", "Ctrl-D ends."));
}

/// Prints what the bot has said since the first `seen` messages; how many there are now.
fn show(platform: &Platform, seen: usize) -> usize {
    platform.read(|l| {
        l.messages.iter().skip(seen).for_each(|m| {
            let text = m.text.as_deref().unwrap_or(&m.msg_type);
            output::data(&say!(zh: "机器人 → {text}", en: "bot → {text}"));
        });
        l.messages.len()
    })
}

async fn take(rig: &mut Rig, line: &str) -> Result<()> {
    match line.trim() {
        "" => {}
        "!kill" => rig.shoot_gateway()?,
        "!cut" => {
            rig.sim.platform().fault(larkline_sim::Fault::Rst)?;
            output::note(either("连接已被重置", "the line was reset"));
        }
        "!status" => match rig.status().await {
            Ok(status) => output::note(&equation(&status.tally)),
            Err(error) => output::note(&format!("{error:#}")),
        },
        text => {
            let user = rig.owner.clone();
            rig.sim.platform().say(Say { user, text: text.to_owned(), ..Say::default() })?;
        }
    }
    Ok(())
}
