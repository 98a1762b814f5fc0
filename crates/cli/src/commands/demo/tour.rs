//! `demo --once`: a conversation with a bad day in it, checked as it goes.

mod agent;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use larkline_proto::id::{ChatId, MessageId, OpenId};
use larkline_sim::{Answer, Fault, Ledger, Platform, Said, Say};
use tokio::time::Instant;

use super::rig::{LOOK_EVERY, Rig};
use crate::commands::status::equation;
use crate::commands::story::tell;
use crate::lang::{either, padded};
use crate::{output, words};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than anybody watches a demo.
pub(super) const FOREVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Plays and checks the conversation; the transcript goes to stdout.
///
/// # Errors
/// When something did not happen that should have.
pub(super) async fn play(rig: &mut Rig) -> Result<()> {
    let tour = Tour::of(rig);
    title(either("1. 单聊：机器人复述", "1. A direct chat: the bot echoes"));
    let said = tour.say(&tour.owner, None, "hello 你好", false)?;
    tour.answered(&said, "hello 你好").await?;

    title(either("2. 群聊：机器人等待被 @", "2. In a group the bot waits to be mentioned"));
    let ignored = tour.say(&tour.guest, Some(&tour.group), "anyone here?", false)?;
    let asked = tour.say(&tour.guest, Some(&tour.group), "are you here?", true)?;
    tour.answered(&asked, "are you here?").await?;
    ensure!(
        tour.answers(&ignored.message_id).is_empty(),
        "{}",
        either("没有 @ 的消息得到了回答", "a message without a mention was answered")
    );
    tell_verdict(rig, &ignored).await?;

    title(either(
        "3. 运行程序的处理器，仅限管理员",
        "3. A handler that runs a program, for owners only",
    ));
    let said = tour.say(&tour.owner, None, "what date is it?", false)?;
    tour.answered(&said, "-").await?;

    title(either(
        "4. 平台重复推送同一条消息：被识别",
        "4. The platform delivers the same message again: it is recognised",
    ));
    let said = tour.say(&tour.owner, None, "please answer me once", false)?;
    tour.answered(&said, "please answer me once").await?;
    tour.platform
        .fault(Fault::Duplicate { event_id: said.event_id.clone(), new_event_id: true })?;
    tour.wait(either("重复事件的确认", "the duplicate's ack"), |l| {
        l.events.iter().all(|e| e.done)
    })
    .await?;

    title(either(
        "5. 连接被切断：网关发现、重连并回答",
        "5. The line is cut: the gateway notices, dials again, and answers",
    ));
    tour.platform.fault(Fault::Rst)?;
    let said = tour.say(&tour.owner, None, "said while the line was down", false)?;
    tour.answered(&said, "said while the line was down").await?;

    title(either(
        "6. 回答发出时 kill -9：以同一 uuid 重发，只说一次",
        "6. kill -9 while an answer leaves: sent again under the same uuid, said once",
    ));
    // The platform has taken the answer, and the gateway never hears so.
    let answer = Answer::Slow { ms: 60_000 };
    let (path, method) = ("/reply".to_owned(), String::new());
    tour.platform.fault(Fault::Api { path, method, answer, times: 1 })?;
    let said = tour.say(&tour.owner, None, "said before the kill", false)?;
    tour.answered(&said, "said before the kill").await?;
    rig.kill_gateway().await?;
    line(
        either("网关", "gateway"),
        either("被 -9 结束，已重新启动", "killed with -9, started again"),
    );
    rig.start_gateway().await?;

    title(either(
        "7. 不需要密钥的智能体：请求授权、用卡片回答、发送文件",
        "7. An agent without a key: it asks for leave, answers in a card, sends a file",
    ));
    agent::play(&tour).await?;

    settled(rig).await?;
    title(either(
        "kill 之前那条消息的经过",
        "The story of the message that was said before the kill",
    ));
    output::data(&tell(&rig.story(said.message_id.as_str()).await?));
    finish(rig, &tour).await
}

/// Waits until all that was said is acked and has its verdict.
///
/// # Errors
/// When that takes longer than anything should.
pub(super) async fn all_settled(rig: &Rig) -> Result<()> {
    let acked = rig.sim.platform().wait_for(|l| l.events.iter().all(|e| e.done), PATIENCE).await;
    acked.with_context(|| say!(zh: "有消息没有被确认", en: "a message was not acked"))?;
    settled(rig).await
}

/// Waits until no message waits: an answer is in the chat a moment before that is noted.
async fn settled(rig: &Rig) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while rig.status().await?.tally.iter().any(|t| t.verdict == "waiting" && t.count > 0) {
        ensure!(
            Instant::now() < deadline,
            "{}",
            either(
                "仍有消息在等待；见 `larkline status`",
                "messages still wait; see `larkline status`"
            )
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Nothing was answered twice, and the equation closes.
async fn finish(rig: &Rig, tour: &Tour) -> Result<()> {
    for event in tour.platform.ledger().events.iter() {
        // An agent's question, answer and file are three.
        let of_agent = |id: &MessageId| tour.answers(id).len() == agent::MESSAGES;
        if let Some(message) = event.message_id.as_ref().filter(|id| !of_agent(id)) {
            ensure!(
                tour.answers(message).len() <= 1,
                "{}",
                say!(zh: "消息 {message} 被回答了两次", en: "message {message} was answered twice")
            );
        }
    }
    let status = rig.status().await?;
    title(either("每个事件都有结果", "Every event has a verdict"));
    output::data(&equation(&status.tally));
    Ok(())
}

async fn tell_verdict(rig: &Rig, said: &Said) -> Result<()> {
    let story = rig.story(said.message_id.as_str()).await?;
    let verdict = format!("{} ({})", words::outcome(&story.verdict), story.why);
    line(either("结果", "verdict"), &verdict);
    Ok(())
}

/// What the conversation needs of the rig, apart from the gateway's process.
struct Tour {
    platform: Arc<Platform>,
    owner: OpenId,
    guest: OpenId,
    group: ChatId,
}

impl Tour {
    fn of(rig: &Rig) -> Self {
        Self {
            platform: Arc::clone(rig.sim.platform()),
            owner: rig.owner.clone(),
            guest: rig.guest.clone(),
            group: rig.group.clone(),
        }
    }

    fn say(
        &self,
        user: &OpenId,
        chat: Option<&ChatId>,
        text: &str,
        mention_bot: bool,
    ) -> Result<Said> {
        let who = match *user == self.owner {
            true => either("管理员", "owner"),
            false => either("访客", "guest"),
        };
        let to = if mention_bot { format!("@bot {text}") } else { text.to_owned() };
        line(who, &to);
        Ok(self.platform.say(Say {
            chat: chat.cloned().unwrap_or_default(),
            user: user.clone(),
            text: text.to_owned(),
            mention_bot,
            ..Say::default()
        })?)
    }

    /// Waits for the one answer to a message and prints it.
    async fn answered(&self, said: &Said, part: &str) -> Result<()> {
        let id = said.message_id.clone();
        let what = say!(zh: "对 {part:?} 的回答", en: "an answer to {part:?}");
        self.wait(&what, |l| l.replies_to(&id).next().is_some()).await?;
        let answers = self.answers(&said.message_id);
        let text =
            answers.first().with_context(|| say!(zh: "回答不见了", en: "the answer has gone"))?;
        ensure!(
            text.contains(part),
            "{}",
            say!(zh: "回答 {text:?} 中没有 {part:?}", en: "the answer {text:?} does not hold {part:?}")
        );
        line(either("机器人", "bot"), text);
        Ok(())
    }

    async fn wait(&self, what: &str, done: impl FnMut(&Ledger) -> bool) -> Result<()> {
        let waited = self.platform.wait_for(done, PATIENCE).await;
        waited.with_context(|| say!(zh: "{what}没有到来", en: "{what} did not come"))
    }

    fn answers(&self, message: &MessageId) -> Vec<String> {
        self.platform
            .read(|l| l.replies_to(message).map(|m| m.text.clone().unwrap_or_default()).collect())
    }
}

fn title(text: &str) {
    output::data(&format!("\n{text}"));
}

fn line(who: &str, text: &str) {
    output::data(&format!("  {}{text}", padded(who, 8)));
}
