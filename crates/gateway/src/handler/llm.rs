//! The handler that asks a language model behind an OpenAI-compatible service.
//!
//! The history is the gateway's, in the store, bounded by tokens, turns and age. An answer that
//! broke off is shown as far as it came, and said to have broken off; the next attempt is a person's
//! to ask for. The bytes of the service are `larkline_agent::chat`'s business.

mod exchange;

use larkline_agent::chat::{self, ChatRequest, Role};
use larkline_agent::{Image, Usage};
use larkline_client::NetError;
use larkline_store::session::{Change, SessionPatch, Utterance};
use minijinja::{Environment, context};
use tokio::time::Instant;

use super::answer::{Answer, HandlerError};
use super::conversation::Conversation;
use super::files::Folder;
use super::turn::Turn;
use super::{HttpError, Resources};
use crate::clock::{ms, now_ms};
use crate::commands::Command;
use crate::config;
use crate::live::Live;
use crate::outgoing::Saying;
use crate::words::{self, Lang};

use exchange::{Exchange, Over};

/// Name of the only template.
const SYSTEM: &str = "system";

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
                Some(again) => Box::pin(self.turn(&again, live, &mut conversation)).await,
                None => Ok(Answer::markdown(words::nothing_to_retry(live.lang()))),
            },
            Some(command) => self.command(turn, live, &mut conversation, command).await,
            None => Box::pin(self.turn(turn, live, &mut conversation)).await,
        }
    }

    async fn turn(
        &self,
        turn: &Turn,
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
        if self.settings.stream {
            live.show("", &words::thinking(lang));
        }
        let asked = self.asked(turn, live).await;
        let said = self.history(turn, conversation).await?;
        let request = self.request(turn, conversation, said, asked.clone());
        let mut exchange = Exchange::new(&self.settings, &self.client, key, live, request);
        let over = tokio::select! {
            over = exchange.run() => over,
            stop = running.stopped() => Over::Stopped(stop),
            () = turn.cancel.cancelled() => {
                return Err(self.cut_off(turn, live, conversation, &exchange).await);
            }
        };
        drop(running);
        let (answer, usage) = (exchange.answer().to_owned(), exchange.usage());
        let word = over.word();
        tracing::info!(
            handler = turn.handler,
            task = turn.task.0,
            session = conversation.session().id.0,
            outcome = word,
            detail = over.detail(),
            elapsed_ms = began.elapsed().as_millis(),
            "turn over"
        );
        if matches!(over, Over::Answered | Over::CutShort) {
            self.remember(turn, conversation, &asked, &answer).await?;
        }
        conversation.end_turn(word, usage).await.map_err(HandlerError::store)?;
        let ending = match over.sentence(lang, &turn.handler) {
            Some(sentence) => sentence,
            None if answer.trim().is_empty() => words::done_silent(lang),
            None => String::new(),
        };
        let footer = footer(lang, began.elapsed(), usage);
        Ok(Answer {
            said: vec![Saying::Answer { markdown: answer, ending, footer }],
            outcome: Some(word),
            ..Answer::default()
        })
    }

    /// What the person said, with pictures where the model takes them.
    async fn asked(&self, turn: &Turn, live: &Live) -> chat::Turn {
        let mut asked =
            chat::Turn { role: Role::User, text: turn.text.clone(), images: Vec::new() };
        let Some(message) = turn.event.message().filter(|_| self.settings.images) else {
            return asked;
        };
        let Ok(folder) = Folder::make(&self.state_dir, turn.task) else { return asked };
        let parts = (message.message_type.as_str(), message.content.as_str());
        for file in folder.fetch(live, &message.id, parts, self.settings.image_max.0).await {
            if let Some(media_type) = file.image {
                let media_type = media_type.to_owned();
                asked.images.push(Image { media_type, bytes: file.bytes.to_vec() });
            }
        }
        asked
    }

    /// What was said before, as much as the bounds allow.
    async fn history(
        &self,
        turn: &Turn,
        conversation: &Conversation,
    ) -> Result<Vec<chat::Turn>, HandlerError> {
        let bounds = &self.settings.history;
        let Some(live) = &turn.live else { return Ok(Vec::new()) };
        let store = &live.shared().store;
        let limit = bounds.turns.saturating_mul(2);
        let said = store.utterances(conversation.session().id, limit).await;
        let not_before = now_ms() - ms(bounds.age);
        let said: Vec<chat::Turn> = said
            .map_err(HandlerError::store)?
            .into_iter()
            // A second run of this turn asks again what the first one asked.
            .filter(|said| said.task != turn.task && said.at_ms >= not_before)
            .filter_map(|said| {
                let role = role_of(&said.role)?;
                Some(chat::Turn { role, text: said.text, images: Vec::new() })
            })
            .collect();
        Ok(chat::cut(&said, bounds.tokens).to_vec())
    }

    fn request(
        &self,
        turn: &Turn,
        conversation: &Conversation,
        mut turns: Vec<chat::Turn>,
        asked: chat::Turn,
    ) -> ChatRequest {
        let settings = &self.settings;
        let model = conversation.session().model.clone();
        let extra = settings.extra.as_deref().and_then(|text| serde_json::from_str(text).ok());
        turns.push(asked);
        ChatRequest {
            model: model.unwrap_or_else(|| settings.model.clone()),
            system: settings.system.as_deref().map(|template| system(template, turn)),
            turns,
            thinking: settings.thinking,
            temperature: None,
            max_tokens: None,
            extra: extra.unwrap_or_default(),
        }
    }

    /// Keeps the question and its answer; a second run of the turn keeps them in the same place.
    async fn remember(
        &self,
        turn: &Turn,
        conversation: &Conversation,
        asked: &chat::Turn,
        answer: &str,
    ) -> Result<(), HandlerError> {
        let Some(live) = &turn.live else { return Ok(()) };
        let said = |role: Role, text: &str| Utterance {
            task: turn.task,
            role: word_of(role).to_owned(),
            text: text.to_owned(),
            tokens: u32::try_from(chat::tokens(text)).unwrap_or(u32::MAX),
            at_ms: now_ms(),
        };
        let said = vec![said(Role::User, &asked.text), said(Role::Assistant, answer)];
        let id = conversation.session().id;
        live.shared().store.say_in_session(id, said).await.map_err(HandlerError::store)
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
                if let Some(model) = model {
                    if !turn.is_of_owner() {
                        return Ok(Answer::markdown(words::owners_only(lang)));
                    }
                    let patch =
                        SessionPatch { model: Change::To(model), ..SessionPatch::default() };
                    conversation.patch(patch).await.map_err(HandlerError::store)?;
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

    /// The service stops in mid-turn: the question is asked again after its start.
    async fn cut_off(
        &self,
        turn: &Turn,
        live: &Live,
        conversation: &mut Conversation,
        exchange: &Exchange<'_>,
    ) -> HandlerError {
        let shared = live.shared();
        if let Err(error) = conversation.suspend("restart").await {
            shared.store_health.failed("step_session", &error);
        }
        if let Err(error) = live.restarting(turn.attempt, exchange.answer()).await {
            shared.store_health.failed("enqueue", &error);
        }
        HandlerError::stopped()
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

/// The instructions for one turn. A template that fails is said in the log, and taken as it stands.
fn system(template: &str, turn: &Turn) -> String {
    let mut environment = Environment::new();
    environment.set_fuel(Some(100_000));
    let chat = turn.event.chat_id().map(ToString::to_string).unwrap_or_default();
    let sender = turn.event.actor().map(ToString::to_string).unwrap_or_default();
    let facts = context! {
        app => turn.app.clone(),
        chat_id => chat,
        sender_id => sender,
        chat_type => turn.event.message().map(|m| m.chat_type.as_str().to_owned()),
        now => crate::clock::local(now_ms()),
    };
    let rendered = environment
        .add_template(SYSTEM, template)
        .and_then(|()| environment.get_template(SYSTEM)?.render(facts));
    rendered.unwrap_or_else(|error| {
        tracing::warn!(
            handler = turn.handler,
            code = "template",
            "the template `system` fails: {error}"
        );
        template.to_owned()
    })
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
