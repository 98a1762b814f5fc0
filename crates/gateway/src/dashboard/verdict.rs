//! Is it well? One word, one sentence, and what else there is to say.

use serde::Serialize;

use super::look::Look;
use super::words::Words;
use crate::alert::Rule;
use crate::clock::local_exact;
use crate::say_in;
use crate::words::Lang;

/// Sends held up longer than this are worth a look, in milliseconds.
const HELD_UP_MS: u64 = 30_000;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tone {
    /// Nothing to do.
    Well,
    /// Something waits for a person, or is in doubt.
    Attention,
    /// Messages are not heard, not kept, or not answered.
    Ill,
}

/// What stands at the top of the page.
#[derive(Serialize)]
pub(super) struct Verdict {
    tone: Tone,
    word: &'static str,
    sentence: String,
    /// Everything else that is not as it should be.
    more: Vec<String>,
}

impl Look {
    /// How it is, in a word.
    pub(super) fn tone(&self) -> Tone {
        let doubted_only = |look: &Self| {
            let apps = &look.status.apps;
            let is_stale = |state: &str| state == "stale";
            apps.iter().all(|app| app.link.verified || is_stale(&app.link.state))
                && apps.iter().any(|app| is_stale(&app.link.state))
                && look.status.not_ready.len()
                    == apps.iter().filter(|app| is_stale(&app.link.state)).count()
        };
        match (self.status.ready, self.cares(Lang::En).is_empty()) {
            (true, true) => Tone::Well,
            (true, false) => Tone::Attention,
            // A ping unanswered: the probe will tell within seconds.
            (false, _) if doubted_only(self) => Tone::Attention,
            (false, _) => Tone::Ill,
        }
    }

    /// The verdict.
    pub(super) fn verdict(&self, words: &Words, lang: Lang) -> Verdict {
        let tone = self.tone();
        let mut all = self.status.reasons(lang);
        all.extend(self.cares(lang));
        let sentence = match all.is_empty() {
            true => words.all_well.to_owned(),
            false => all.remove(0),
        };
        let word = match tone {
            Tone::Well => words.well,
            Tone::Attention => words.attention,
            Tone::Ill => words.ill,
        };
        Verdict { tone, word, sentence: sentence_of(&sentence, lang), more: all }
    }

    /// What a person should see to although everything runs.
    fn cares(&self, lang: Lang) -> Vec<String> {
        let (late, dead) = (self.status.unanswered.len(), self.status.depths.dead);
        let either = |zh: &str, en: &str| lang.either(zh, en).to_owned();
        let mut cares = Vec::new();
        if let Some(stale_ms) = self.stale_ms {
            cares.push(stale(lang, stale_ms));
        }
        match late {
            0 => {}
            1 => cares.push(either(
                "1 条消息等待太久，还没有回答",
                "1 message waits longer than it should",
            )),
            _ => cares.push(say_in!(lang,
                zh: "{late} 条消息等待太久，还没有回答",
                en: "{late} messages wait longer than they should"
            )),
        }
        match dead {
            0 => {}
            1 => cares.push(either(
                "1 条死信等待处理：请重试或关闭",
                "1 dead letter waits for a decision: retry or drop it",
            )),
            _ => cares.push(say_in!(lang,
                zh: "{dead} 条死信等待处理：请重试或关闭",
                en: "{dead} dead letters wait for a decision: retry or drop them"
            )),
        }
        let fires = self.alerts.firing.iter().filter(|alert| !is_said_elsewhere(alert.rule));
        cares.extend(fires.map(|alert| alert.what.text(lang).to_owned()));
        let held = self.status.apps.iter().filter(|app| app.governor.wait_ms > HELD_UP_MS);
        cares.extend(held.map(|app| {
            let (name, seconds) = (&app.name, app.governor.wait_ms / 1000);
            say_in!(lang,
                zh: "应用 {name}：平台的频率限制使发送推迟约 {seconds} 秒",
                en: "app {name}: the platform's limits hold up what is sent by about {seconds} s"
            )
        }));
        cares
    }
}

/// What is shown of the store is not of now.
fn stale(lang: Lang, stale_ms: i64) -> String {
    if stale_ms == 0 {
        let (zh, en) = (
            "存储没有响应：还没有读到任何消息",
            "the store does not answer: no message was read yet",
        );
        return lang.either(zh, en).to_owned();
    }
    let at = local_exact(stale_ms);
    say_in!(lang,
        zh: "存储没有响应：所显示的消息和数字截至 {at}",
        en: "the store does not answer: messages and figures are those of {at}"
    )
}

/// Alerts about what the verdict says already, or will say again by itself.
fn is_said_elsewhere(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::LinkDown
            | Rule::ReconnectsFailing
            | Rule::Deaf
            | Rule::Unanswered
            | Rule::QueueFull
            | Rule::DeadLetters
            | Rule::StoreRefuses
    )
}

/// With a capital and a full stop.
fn sentence_of(text: &str, lang: Lang) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = lang.either("。", ".");
    let ended = text.ends_with(['.', '。', '!', '！']);
    format!("{first}{}{}", letters.as_str(), if ended { "" } else { stop })
}
