//! The gateway's own desk: chat commands that are carried out at once, and the buttons of its cards.
//!
//! Commands that change a conversation wait in its lane and are the business of the handler that has
//! it. What a word means is `commands`'s, what a button answers `ask`'s business.

use std::sync::Arc;
use std::time::Duration;

use larkline_proto::event::CardAction;
use larkline_proto::id::{MessageId, OpenId};
use larkline_store::job::JobQuery;
use larkline_store::session::Session;
use larkline_store::task::TaskId;
use serde_json::{Value, json};

use super::answer::{Answer, HandlerError};
use super::turn::Turn;
use crate::ask::Pressed;
use crate::card;
use crate::clock;
use crate::commands::Command;
use crate::jobs::{self, JobState, JobView};
use crate::proof;
use crate::router;
use crate::shared::Shared;
use crate::turns::Stop;
use crate::words::{self, Lang};

/// Jobs that `/jobs` lists.
const JOBS_SHOWN: usize = 10;

/// The desk.
pub struct Desk {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// The desk of a gateway.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Carries out a command or a pressed button.
    ///
    /// # Errors
    /// [`HandlerError`] when the store refuses.
    pub async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        let lang = self.shared.config.load().language;
        if let Some(card) = turn.event.card() {
            let value = card.value_of(card::OURS).unwrap_or_default();
            let callback = match proof::wanted(&value) {
                Some(messages) => self.repair(lang, turn, &messages).await?,
                None => self.pressed(lang, card, &value),
            };
            return Ok(Answer { callback: Some(callback), ..Answer::default() });
        }
        let Some(command) = Command::parse(&turn.text) else { return Ok(Answer::default()) };
        Ok(match command {
            Command::Help => Answer::markdown(words::help(lang)),
            Command::Stop => self.stop(lang, turn),
            Command::Status => Answer::markdown(self.status(lang, turn).await?),
            Command::Jobs => Answer::markdown(self.jobs(lang, turn).await?),
            // They wait in their lane, and never come here.
            Command::New
            | Command::Resume(_)
            | Command::Retry
            | Command::Cd(_)
            | Command::Model(_) => Answer::default(),
        })
    }

    /// Has messages handled that were written while the link was down: whoever is in their chat may
    /// want that, as he may write them again.
    async fn repair(
        &self,
        lang: Lang,
        turn: &Turn,
        messages: &[MessageId],
    ) -> Result<Value, HandlerError> {
        let chat = turn.event.chat_id().cloned().unwrap_or_default();
        let handled = proof::handle(&self.shared, &turn.app, &chat, messages)
            .await
            .map_err(HandlerError::store)?;
        let (look, words) = match handled {
            0 => ("info", words::repair_over(lang)),
            count => ("success", words::repair_begun(lang, count)),
        };
        let mut answer = toast(look, &words);
        let title = words::repair_question(lang, messages.len());
        answer["card"] = json!({ "type": "raw", "data": card::settled(&title, None, &words) });
        Ok(answer)
    }

    /// The answer that travels in the ack of a pressed button.
    fn pressed(&self, lang: Lang, card: &CardAction, value: &Value) -> Value {
        let by = &card.operator;
        if let Some(task) = value["stop"].as_i64() {
            return match self.shared.turns.stop_task(TaskId(task), by) {
                Some(true) => toast("success", &words::stopping(lang)),
                Some(false) => toast("error", &words::ask_not_yours(lang)),
                None => toast("info", &words::nothing_runs(lang)),
            };
        }
        let (Some(ask), Some(choice)) = (value["ask"].as_str(), value["choose"].as_u64()) else {
            return toast("info", &words::ask_over(lang));
        };
        match self.shared.asks.press(ask, usize::try_from(choice).unwrap_or(usize::MAX), by) {
            Pressed::Taken(card, _) => {
                let mut answer = toast("success", &words::ask_taken(lang));
                answer["card"] = json!({ "type": "raw", "data": card });
                answer
            }
            Pressed::NotYours => toast("error", &words::ask_not_yours(lang)),
            Pressed::Over => toast("info", &words::ask_over(lang)),
        }
    }

    fn stop(&self, lang: Lang, turn: &Turn) -> Answer {
        let by = turn.event.actor().cloned().unwrap_or_else(OpenId::default);
        let key = self.session_key(turn);
        if key.is_some_and(|key| self.shared.turns.stop(&key, Stop::By(by))) {
            // The turn itself says that it was ended, and by whom.
            return Answer::default();
        }
        Answer::markdown(words::nothing_runs(lang))
    }

    /// The conversation that the message's route leads to.
    fn session_key(&self, turn: &Turn) -> Option<String> {
        let config = self.shared.config.load();
        let route = config.routes.iter().find(|route| route.name == turn.route)?;
        Some(router::session_of(&config, &route.handler, &turn.app, &turn.event))
    }

    async fn status(&self, lang: Lang, turn: &Turn) -> Result<String, HandlerError> {
        let Some(key) = self.session_key(turn) else { return Ok(words::no_session(lang)) };
        let mut lines = Vec::new();
        if let Some(time) = self.shared.turns.running_for(&key) {
            lines.push(words::running_for(lang, &words::duration(lang, time)));
        }
        let session = self.shared.store.session(key).await.map_err(HandlerError::store)?;
        match session {
            Some(session) => lines.extend(describe(lang, &session)),
            None => lines.push(words::no_session(lang)),
        }
        Ok(lines.join("\n"))
    }

    /// The jobs of the chat, newest first.
    async fn jobs(&self, lang: Lang, turn: &Turn) -> Result<String, HandlerError> {
        let query = JobQuery {
            chat: turn.event.chat_id().map(ToString::to_string),
            app: Some(turn.app.clone()),
            limit: JOBS_SHOWN,
            ..JobQuery::default()
        };
        let jobs = jobs::list(&self.shared, query)
            .await
            .map_err(|error| HandlerError::new("store", error.to_string()))?;
        if jobs.is_empty() {
            return Ok(words::no_jobs(lang));
        }
        let lines: Vec<String> = jobs.iter().map(|job| line(lang, job)).collect();
        Ok(format!("{}\n{}", words::jobs_title(lang), lines.join("\n")))
    }
}

/// A job in a line.
fn line(lang: Lang, job: &JobView) -> String {
    let at = |ms: Option<i64>| clock::local(ms.unwrap_or(job.created_ms));
    let state = match job.state {
        JobState::Queued => words::job_queued(lang),
        JobState::Running => {
            let ms = clock::now_ms() - job.began_ms.unwrap_or(job.created_ms);
            let time = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
            words::job_running(lang, &words::duration(lang, time))
        }
        JobState::Retrying => words::job_retrying(lang, job.attempt),
        JobState::Done => words::job_over(lang, &at(job.ended_ms)),
        JobState::Failed => words::job_given_up(lang, &job.code, &at(job.ended_ms)),
    };
    words::job_line(lang, &job.id, &job.name, &state)
}

/// A session in lines.
fn describe(lang: Lang, session: &Session) -> Vec<String> {
    let cost = match session.cost_microusd {
        0 => String::new(),
        micro => format!(" · ${}.{:04}", micro / 1_000_000, micro % 1_000_000 / 100),
    };
    let mut lines = vec![
        words::session_line(
            lang,
            session.id.0,
            &words::session_state(lang, session.state),
            session.turns,
            &clock::local(session.used_ms),
        ),
        words::used(lang, session.tokens_in, session.tokens_out, &cost),
    ];
    lines.extend(session.cwd.iter().map(|cwd| words::cwd_is(lang, cwd)));
    lines.extend(session.model.iter().map(|model| words::model_is(lang, model)));
    lines
}

fn toast(kind: &str, words: &str) -> Value {
    json!({ "toast": { "type": kind, "content": words } })
}
