//! The worker that asks for proofs when they are due, says what fails, and acts on it.

use std::sync::Arc;
use std::time::Duration;

use larkline_client::ApiErrorKind;
use larkline_client::link::LinkStatus;
use larkline_store::record::ChatRecord;
use tokio::time::{Instant, sleep_until};

use super::history::{self, CHATS_MAX, Stretch};
use super::repair::Taken;
use super::rhythm::{EVENTS_READ, Rhythm};
use super::schedule::{LOSS_MIN, Reason, Schedule};
use super::{Proof, Standing, Told};
use crate::both::{Both, both};
use crate::causes;
use crate::clock::now_ms;
use crate::shared::{AppRuntime, Shared};

/// A message younger than this may still be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(60);
/// What a clock of ours and one of theirs may differ.
const CLOCKS_MS: i64 = 5_000;
/// Said of a history that was not compared.
const OTHERS: Both = Both::of(
    "另一个实例已连接：没有到这里的消息可能在它手里",
    "another instance is connected: what did not come here may be in its hands",
);

/// Watches whether the link of one app hears.
#[derive(Clone)]
pub struct ProofWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Whose link.
    pub app: Arc<AppRuntime>,
}

impl ProofWatch {
    /// Watches until its owner drops it.
    pub async fn run(self) {
        let epoch = Instant::now();
        let quiet = self.shared.config.load().link.suspect_after;
        let mut schedule = Schedule::new(quiet);
        let (mut rhythm, mut newest) = (Rhythm::default(), None);
        self.learn(&mut rhythm, &mut schedule).await;
        let mut link = self.app.link.status();
        let (mut connects, mut zeros) = (0, 0);
        loop {
            let status = link.borrow_and_update().clone();
            if let Some(event) = status.last_event_at_ms {
                if newest.replace(event) != Some(event) {
                    self.learn(&mut rhythm, &mut schedule).await;
                }
                schedule.heard(epoch.elapsed().saturating_sub(age(event)));
            }
            if !status.is_verified() {
                schedule.lost();
            } else if std::mem::replace(&mut connects, status.counters.connects)
                != status.counters.connects
            {
                let lost = status.recovery_ms.map(Duration::from_millis);
                schedule.verified(epoch.elapsed(), lost);
                self.look_back(&status).await;
            }
            match schedule.due() {
                Some((at, reason)) if at <= epoch.elapsed() => {
                    let held = self.ask(&status, reason, quiet, &mut zeros).await;
                    schedule.asked(epoch.elapsed(), reason, held);
                }
                due => tokio::select! {
                    changed = link.changed() => if changed.is_err() {
                        // The link has ended; whoever owns it knows.
                        return std::future::pending().await;
                    },
                    () = until(due.map(|(at, _)| epoch + at)) => {}
                },
            }
        }
    }

    /// Hears what the journal has, and lets the next suspicion follow the habits. An event wakes nobody
    /// here, so the last one alone would make a silence of each time without a look.
    async fn learn(&self, rhythm: &mut Rhythm, schedule: &mut Schedule) {
        match self.shared.store.arrivals(self.app.name.clone(), EVENTS_READ).await {
            Ok(arrivals) => arrivals.into_iter().for_each(|at_ms| rhythm.heard(at_ms)),
            // What it was is learnt anew.
            Err(error) => self.shared.store_health.failed("arrivals", &error),
        }
        let learnt = rhythm.unusual();
        schedule.suspect_after(learnt);
        self.app.proofs.set(|told: &mut Told| {
            told.unusual = schedule.suspect();
            told.is_learnt = learnt.is_some();
        });
    }

    /// Asks for the count, and on suspicion for a history; true when neither fails.
    async fn ask(
        &self,
        status: &LinkStatus,
        reason: Reason,
        quiet: Duration,
        zeros: &mut u32,
    ) -> bool {
        let (count, others) = self.count(zeros).await;
        // A count of nothing is asked again before it is believed.
        let doubted = *zeros > 0;
        let standing = count.standing;
        self.app.proofs.set(|told: &mut Told| told.count = Some(count));
        let mut held = standing != Standing::Fails;
        if held && reason != Reason::Start {
            let history = match others {
                // What did not come here may be in its hands, and an agent takes minutes.
                true => Proof::new("history", Standing::Unknown, Some(now_ms()), OTHERS),
                false => self.history(status, quiet).await,
            };
            held = history.standing != Standing::Fails;
            self.app.proofs.set(|told: &mut Told| told.history = Some(history));
        }
        if !held {
            tracing::error!(
                app = self.app.name,
                "the link is verified and does not hear; it is replaced; see `larkline doctor`"
            );
            self.app.link.redial();
        }
        held && !doubted
    }

    /// The platform's count, and whether it counts others than us.
    async fn count(&self, zeros: &mut u32) -> (Proof, bool) {
        let at = Some(now_ms());
        let proof = |standing, seen: Both| (Proof::new("count", standing, at, seen), false);
        let answer = self.app.api.connection_count().await;
        self.shared.answered(&self.app.name, "connection_count", &answer);
        let online = match answer {
            Ok(answer) => answer.data,
            // Older deployments do not know the call.
            Err(error) => {
                let error = Both::each(|lang| causes::api(lang, &error));
                let seen = both!(
                    zh: "平台没有告知：{error}",
                    en: "the platform does not tell: {error}";
                    error = error
                );
                return proof(Standing::Unknown, seen);
            }
        };
        *zeros = if online == 0 { *zeros + 1 } else { 0 };
        match online {
            0 if *zeros > 1 => {
                let seen = Both::of(
                    "平台没有统计到此应用的任何连接",
                    "the platform counts no connection of this app",
                );
                proof(Standing::Fails, seen)
            }
            0 => {
                let seen = Both::of(
                    "平台没有统计到连接，将再次询问",
                    "the platform counted none, and is asked again",
                );
                proof(Standing::Unknown, seen)
            }
            1 => {
                let seen = Both::of("平台统计到一条连接", "the platform counts one connection");
                proof(Standing::Holds, seen)
            }
            _ => {
                tracing::warn!(
                    app = self.app.name,
                    online,
                    "the platform counts other connections of this app: another instance takes part of the events; stop it, or wait a minute if this one was just restarted"
                );
                let seen = both!(
                    zh: "平台统计到 {online} 条连接：另一个实例分走了一部分事件",
                    en: "the platform counts {online} connections: another instance takes part of the events"
                );
                (proof(Standing::Holds, seen).0, true)
            }
        }
    }

    /// Compares the chat that was active last with the journal.
    async fn history(&self, status: &LinkStatus, quiet: Duration) -> Proof {
        let at = Some(now_ms());
        let proof = |standing, seen: Both| Proof::new("history", standing, at, seen);
        let chats = history::chats(&self.shared, &self.app).await;
        let direct = chats.iter().find(|c| c.chat_type == "p2p");
        let Some(chat) = direct.or_else(|| chats.first()) else {
            return proof(Standing::Unknown, Both::of("还不知道任何会话", "no chat is known yet"));
        };
        let on_its_way = i64::try_from(ON_ITS_WAY.min(quiet).as_millis()).unwrap_or(0);
        let stretch = Stretch { from_ms: status.since_ms, until_ms: now_ms() - on_its_way };
        match history::missing(&self.shared, &self.app, chat, stretch).await {
            Err(error) => {
                let error = Both::each(|lang| causes::api(lang, &error));
                let seen = both!(
                    zh: "无法读取会话历史：{error}",
                    en: "the history cannot be read: {error}";
                    error = error
                );
                proof(Standing::Unknown, seen)
            }
            Ok(missing) if missing.is_empty() => {
                let seen = both!(
                    zh: "会话 {chat} 的消息都在记录中",
                    en: "all of {chat} is in the journal",
                    chat = chat.chat_id
                );
                proof(Standing::Holds, seen)
            }
            Ok(missing) => {
                let taken = history::take_in(&self.shared, &self.app, chat, &missing).await;
                let seen = both!(
                    zh: "会话 {chat} 有 {n} 条消息没有到达；已从历史中取回，其中 {handled} 条会处理",
                    en: "{n} message(s) in {chat} never arrived; they were taken from its history, {handled} of them are handled",
                    n = missing.len(), chat = chat.chat_id, handled = taken.repaired
                );
                tracing::error!(app = self.app.name, chat_id = chat.chat_id, "{}", seen.en);
                proof(Standing::Fails, seen)
            }
        }
    }

    /// Fetches what was written while the link was down, when that was long enough to matter.
    async fn look_back(&self, status: &LinkStatus) {
        let lost = Duration::from_millis(status.recovery_ms.unwrap_or(0));
        if status.recoveries == 0
            || lost < LOSS_MIN.min(self.shared.config.load().link.suspect_after)
        {
            return;
        }
        let lost_ms = i64::try_from(lost.as_millis()).unwrap_or(0);
        let stretch = Stretch {
            from_ms: status.since_ms - lost_ms - CLOCKS_MS,
            until_ms: status.since_ms + CLOCKS_MS,
        };
        let mut all = Taken::default();
        for chat in history::chats(&self.shared, &self.app).await.iter().take(CHATS_MAX) {
            match self.look_back_in(chat, stretch).await {
                Ok(taken) => all.add(taken),
                Err(error) => {
                    tracing::info!(app = self.app.name, chat_id = chat.chat_id, code = %error.code(),
                        "what was written here while the link was down cannot be read back: {error}");
                    // A refusal is this chat's own: groups need a scope that direct chats do not.
                    if !matches!(error.kind, ApiErrorKind::Platform { .. }) {
                        break;
                    }
                }
            }
        }
        tracing::info!(
            app = self.app.name,
            lost_ms,
            found = all.new,
            repaired = all.repaired,
            asked = all.asked.len(),
            kept = all.kept,
            "looked back into the chats for what was written while the link was down"
        );
    }

    async fn look_back_in(
        &self,
        chat: &ChatRecord,
        stretch: Stretch,
    ) -> Result<Taken, larkline_client::ApiError> {
        let missing = history::missing(&self.shared, &self.app, chat, stretch).await?;
        Ok(history::take_in(&self.shared, &self.app, chat, &missing).await)
    }
}

fn age(at_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms() - at_ms).unwrap_or(0))
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
