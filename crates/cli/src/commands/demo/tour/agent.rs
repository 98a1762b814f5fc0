//! The demo's agent: a question with buttons, a card that grows, a file.

use anyhow::{Context, Result, ensure};
use larkline_sim::{Ledger, MessageRow, Press};
use serde_json::Value;

use super::{Tour, line};

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
    tour.wait("the agent's question", |l| asked(l).is_some()).await?;
    let (title, press) = tour.platform.read(asked).context("the question has gone")?;
    line("bot", &format!("{title}  [Allow] [Deny]"));
    line("owner", "presses Allow");
    let pressed = tour.platform.press(Press { user: tour.owner.clone(), ..press }).await?;
    ensure!(pressed.code == 0, "the button showed an error: {pressed:?}");
    let is_file = |row: &&MessageRow| row.msg_type == "file";
    tour.wait("the agent's file", |l| l.replies_to(id).any(|row| is_file(&row))).await?;
    let answers = tour.answers(id);
    let report = answers.iter().find(|text| text.contains("Report"));
    let report = report.context("the answer holds no report")?;
    line(
        "bot",
        report
            .lines()
            .find(|line| line.contains("Report"))
            .unwrap_or_default()
            .trim_start_matches("# "),
    );
    line("bot", "[file: report.md]");
    ensure!(answers.len() == MESSAGES, "the agent said {answers:?}");
    Ok(())
}

/// The title of a question with buttons, and how its "Allow" is pressed.
fn question(row: &MessageRow) -> Option<(String, Press)> {
    let card: Value = serde_json::from_str(&row.content).ok()?;
    let title = card["header"]["title"]["content"].as_str()?.to_owned();
    let buttons = card["body"]["elements"].as_array()?.iter();
    let allow = buttons.clone().find(|button| button["text"]["content"] == "Allow")?;
    let press = Press {
        chat: row.chat_id.clone(),
        message: Some(row.message_id.clone()),
        value: allow["behaviors"][0]["value"].clone(),
        ..Press::default()
    };
    Some((title, press))
}
