//! The demo's agent: a question with buttons, a card that grows, a file.

use anyhow::{Context, Result, ensure};
use larkline_gateway::words::{allow, deny};
use larkline_sim::{Ledger, MessageRow, Press};
use serde_json::Value;

use super::{Tour, line};
use crate::lang::{either, lang};

/// What the agent says to one message: its card, its question, its file.
pub(super) const MESSAGES: usize = 3;

/// Plays one turn with the agent.
///
/// # Errors
/// When something did not happen that should have.
pub(super) async fn play(tour: &Tour) -> Result<()> {
    let said = tour.say(&tour.owner, None, "write a report, please", false)?;
    let id = &said.message_id;
    let asked = |l: &Ledger| l.replies_to(id).find_map(question);
    tour.wait(either("智能体的提问", "the agent's question"), |l| asked(l).is_some()).await?;
    let (title, press) = tour
        .platform
        .read(asked)
        .with_context(|| say!(zh: "提问不见了", en: "the question has gone"))?;
    let (bot, owner) = (either("机器人", "bot"), either("管理员", "owner"));
    let (allow, deny) = (allow(lang()), deny(lang()));
    line(bot, &format!("{title}  [{allow}] [{deny}]"));
    line(owner, &say!(zh: "按下“{allow}”", en: "presses {allow}"));
    let pressed = tour.platform.press(Press { user: tour.owner.clone(), ..press }).await?;
    ensure!(
        pressed.code == 0,
        "{}",
        say!(zh: "按钮显示错误：{pressed:?}", en: "the button showed an error: {pressed:?}")
    );
    let is_file = |row: &&MessageRow| row.msg_type == "file";
    tour.wait(either("智能体的文件", "the agent's file"), |l| {
        l.replies_to(id).any(|row| is_file(&row))
    })
    .await?;
    let answers = tour.answers(id);
    let report = answers.iter().find(|text| text.contains("Report"));
    let report =
        report.with_context(|| say!(zh: "回答中没有报告", en: "the answer holds no report"))?;
    line(
        bot,
        report
            .lines()
            .find(|line| line.contains("Report"))
            .unwrap_or_default()
            .trim_start_matches("# "),
    );
    line(bot, either("[文件：report.md]", "[file: report.md]"));
    ensure!(
        answers.len() == MESSAGES,
        "{}",
        say!(zh: "智能体说了 {answers:?}", en: "the agent said {answers:?}")
    );
    Ok(())
}

/// The title of a question with buttons, and how its leave is given.
fn question(row: &MessageRow) -> Option<(String, Press)> {
    let card: Value = serde_json::from_str(&row.content).ok()?;
    let title = card["header"]["title"]["content"].as_str()?.to_owned();
    let buttons = card["body"]["elements"].as_array()?.iter();
    let leave = buttons.clone().find(|button| button["text"]["content"] == allow(lang()))?;
    let press = Press {
        chat: row.chat_id.clone(),
        message: Some(row.message_id.clone()),
        value: leave["behaviors"][0]["value"].clone(),
        ..Press::default()
    };
    Some((title, press))
}
