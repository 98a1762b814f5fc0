//! The handler that asks a language model behind an OpenAI-compatible service.
//!
//! The history is the gateway's, in the store, bounded by tokens, turns and age. An answer that
//! broke off is shown as far as it came, and said to have broken off; the next attempt is a person's
//! to ask for. The bytes of the service are `larkline_agent::chat`'s business; `asked` says what the
//! model is told, `exchange` gets its answer, `ending` finds the words for the end.

mod asked;
mod ending;
mod exchange;

use larkline_agent::Usage;
use larkline_agent::chat::{self, ChatRequest, Role};
use larkline_client::NetError;
use larkline_proto::markdown;
use larkline_store::StoreError;
use larkline_store::session::{SessionPatch, Utterance};
use larkline_store::task::TaskId;
use tokio::time::Instant;

use super::answer::{Answer, HandlerError};
use super::conversation::Conversation;
use super::turn::Turn;
use super::{HttpError, Resources};
use crate::clock::{ms, now_ms};
use crate::commands::Command;
use crate::config;
use crate::live::Live;
use crate::outgoing::Saying;
use crate::words::{self, Lang};

use ending::Over;
use exchange::Exchange;

/// Asks a language model.
#[derive(Debug)]
pub struct Llm {
    settings: config::Llm,
    client: reqwest::Client,
    state_dir: std::path::PathBuf,
}

impl Llm {
    /// Makes the handler; dials nothing.
    ///
    /// # Errors
    /// [`HttpError`] when the network settings do not work.
    pub fn new(settings: config::Llm, resources: &Resources) -> Result<Self, HttpError> {
        let builder = resources.dialer.http_builder()?;
        let client = builder.build().map_err(|error| NetError::Http(error.without_url()))?;
        Ok(Self { settings, client, state_dir: resources.state_dir.clone() })
    }

    /// Answers one message.
    ///
    /// # Errors
    /// [`HandlerError`] when the store refuses or a stop of the service cuts the turn off; what the
    /// model's service does wrong is said in the chat.
    pub async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        // Reactions and the like are no turns.
        let Some(live) = &turn.live else { return Ok(Answer::default()) };
        if turn.cancel.is_cancelled() {
            return Err(HandlerError::stopped());
        }
        let store = &live.shared().store;
        let mut conversation =
            Conversation::open(store, turn).await.map_err(HandlerError::store)?;
        match Command::parse(&turn.text) {
            Some(Command::Retry) => match turn.of_last_event(conversation.last_event()).await? {
                Some(again) => {
                    // Its new answer stands in the history where the old one stood.
                    let place = conversation.session().task.unwrap_or(turn.task);
                    Box::pin(self.turn(&again, place, live, &mut conversation)).await
                }
                None => Ok(Answer::markdown(words::nothing_to_retry(live.lang()))),
            },
            Some(command) => self.command(turn, live, &mut conversation, command).await,
            None => Box::pin(self.turn(turn, turn.task, live, &mut conversation)).await,
        }
    }

    /// One turn. `place` is the task under which the history keeps it.
    async fn turn(
        &self,
        turn: &Turn,
        place: TaskId,
        live: &Live,
        conversation: &mut Conversation,
    ) -> Result<Answer, HandlerError> {
        let lang = live.lang();
        let Some(key) = &self.settings.api_key else {
            return Ok(Answer {
                outcome: Some("auth"),
                ..Answer::markdown(words::no_key(lang, &turn.handler))
            });
        };
        let began = Instant::now();
        let people = turn.people(&[]);
        let mut running = live.shared().turns.begin(&turn.session, turn.task, people);
        conversation.begin_turn(turn).await.map_err(HandlerError::store)?;
        let patch = SessionPatch { task: Some(place), ..SessionPatch::default() };
        conversation.patch(patch).await.map_err(HandlerError::store)?;
        if self.settings.stream {
            live.show("", &words::thinking(lang));
        }
        let asked = self.asked(turn, live).await;
        let said = self.history(live, place, conversation).await?;
        let request = self.request(turn, conversation, said, asked.clone());
        let mut exchange = Exchange::new(&self.settings, &self.client, key, live, request);
        let over = tokio::select! {
            over = exchange.run() => over,
            stop = running.stopped() => Over::Stopped(stop),
            () = turn.cancel.cancelled() => {
                return Err(turn.cut_off(live, conversation, exchange.answer()).await);
            }
        };
        drop(running);
        let (answer, usage) = (exchange.answer().trim(), exchange.usage());
        tracing::info!(
            handler = turn.handler,
            task = turn.task.0,
            session = conversation.session().id.0,
            outcome = over.word(),
            detail = over.detail(),
            elapsed_ms = began.elapsed().as_millis(),
            "turn over"
        );
        if over.is_kept() && !answer.is_empty() {
            let remembered = self.remember(live, place, conversation, &asked, answer).await;
            forgiven(live, "say_in_session", remembered);
        }
        // The answer is there, whatever the store or the operator thinks of the conversation.
        forgiven(live, "step_session", conversation.end_turn(over.word(), usage).await);
        Ok(Answer {
            said: vec![spoken(turn, lang, &over, answer, footer(lang, began.elapsed(), usage))],
            outcome: Some(over.word()),
            ..Answer::default()
        })
    }

    /// What was said before, as much as the bounds allow, without what this turn said when it was
    /// asked first.
    async fn history(
        &self,
        live: &Live,
        place: TaskId,
        conversation: &Conversation,
    ) -> Result<Vec<chat::Turn>, HandlerError> {
        let bounds = &self.settings.history;
        let messages = bounds.turns.saturating_mul(2);
        let limit = messages.saturating_add(2);
        let said = live.shared().store.utterances(conversation.session().id, limit).await;
        let not_before = now_ms() - ms(bounds.age);
        let mut said: Vec<chat::Turn> = said
            .map_err(HandlerError::store)?
            .into_iter()
            .filter(|said| said.task != place && said.at_ms >= not_before)
            .filter_map(|said| {
                let role = role_of(&said.role)?;
                Some(chat::Turn { role, text: said.text, images: Vec::new() })
            })
            .collect();
        said.drain(..said.len().saturating_sub(messages));
        Ok(chat::cut(&said, bounds.tokens).to_vec())
    }

    fn request(
        &self,
        turn: &Turn,
        conversation: &Conversation,
        mut turns: Vec<chat::Turn>,
        question: chat::Turn,
    ) -> ChatRequest {
        let settings = &self.settings;
        let model = conversation.session().model.clone();
        let extra = settings.extra.as_deref().and_then(|text| serde_json::from_str(text).ok());
        turns.push(question);
        ChatRequest {
            model: model.unwrap_or_else(|| settings.model.clone()),
            system: settings.system.as_deref().map(|template| asked::system(template, turn)),
            turns,
            thinking: settings.thinking,
            temperature: None,
            max_tokens: None,
            extra: extra.unwrap_or_default(),
        }
    }

    /// Keeps the question and its answer; another run of the turn keeps them in the same place.
    async fn remember(
        &self,
        live: &Live,
        place: TaskId,
        conversation: &Conversation,
        asked: &chat::Turn,
        answer: &str,
    ) -> Result<(), StoreError> {
        let said = |role: Role, text: &str| Utterance {
            task: place,
            role: word_of(role).to_owned(),
            text: text.to_owned(),
            tokens: u32::try_from(chat::tokens(text)).unwrap_or(u32::MAX),
            at_ms: now_ms(),
        };
        let said = vec![said(Role::User, &asked.text), said(Role::Assistant, answer)];
        let id = conversation.session().id;
        live.shared().store.say_in_session(id, said).await
    }

    async fn command(
        &self,
        turn: &Turn,
        live: &Live,
        conversation: &mut Conversation,
        command: Command,
    ) -> Result<Answer, HandlerError> {
        let lang = live.lang();
        match command {
            Command::New => {
                conversation.renew(turn).await.map_err(HandlerError::store)?;
                Ok(Answer::markdown(words::new_session(lang)))
            }
            Command::Resume(id) => conversation.resume(lang, id).await,
            Command::Model(model) => {
                if let Some(model) = model
                    && !turn.choose_model(conversation, model).await?
                {
                    return Ok(Answer::markdown(words::owners_only(lang)));
                }
                let model = conversation.session().model.as_ref().unwrap_or(&self.settings.model);
                Ok(Answer::markdown(words::model_is(lang, model)))
            }
            Command::Cd(_) => Ok(Answer::markdown(words::no_directories(lang))),
            // The desk carries these out, and a retry is a turn.
            Command::Help | Command::Stop | Command::Status | Command::Jobs | Command::Retry => {
                Ok(Answer::default())
            }
        }
    }
}

/// What is kept of a turn beside its answer is worth a line in the log, and not the answer.
fn forgiven(live: &Live, during: &'static str, kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        live.shared().store_health.failed(during, &error);
    }
}

/// The word that is kept for a role.
fn word_of(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn role_of(word: &str) -> Option<Role> {
    [Role::User, Role::Assistant].into_iter().find(|role| word_of(*role) == word)
}

/// The answer as far as it came, and what is to be said of its end.
fn spoken(turn: &Turn, lang: Lang, over: &Over, answer: &str, footer: String) -> Saying {
    let sentence = over.sentence(lang, &turn.handler, !answer.is_empty());
    let ending = match sentence {
        Some(sentence) => sentence,
        // A card has to hold something that is seen.
        None if markdown::parts(answer).is_empty() => words::done_silent(lang),
        None => String::new(),
    };
    Saying::Answer { markdown: answer.to_owned(), ending, footer }
}

fn footer(lang: Lang, took: std::time::Duration, usage: Usage) -> String {
    let Usage { tokens_in, tokens_out, .. } = usage;
    let time = format!("⏱ {}", words::duration(lang, took));
    if tokens_in + tokens_out == 0 {
        time
    } else {
        format!("{time} · ↑{tokens_in} ↓{tokens_out}")
    }
}
