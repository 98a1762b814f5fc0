//! The handler that has a coding agent answer, in a conversation that outlives every process.
//!
//! One process for one turn: what it costs to start one is small beside what a model takes, and
//! nothing of the agent waits in memory between turns, holds a conversation open, or has to be
//! found again after a restart. A turn that a stop or a crash cut off is resumed by the agent's own
//! id of the conversation, which is on disk from the moment it is known. A process that outlived
//! the gateway would save the tool call it is in; in exchange it could not be asked, stopped or
//! limited while the gateway is gone, and a crash of the machine would still need this way.
//!
//! `place` knows where the conversation works, `messages` gathers what belongs to a turn, `prompt`
//! puts it into words, `run` talks to the process, `heard` keeps what it said, `question` asks people
//! and `leaves` remembers what they said for good, `spent` knows what was used before, `ending` finds
//! the words for the end, `command` carries out what the chat says about the conversation.

mod command;
mod ending;
mod heard;
mod leaves;
mod messages;
pub(crate) mod place;
mod prompt;
pub(crate) mod question;
mod run;
mod spent;
mod talk_back;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;

use larkline_agent::{Launch, Prompt, Session as Wanted, Usage};
use larkline_client::Secret;
use larkline_store::session::Session;
use tokio::time::Instant;
use uuid::Uuid;

use super::Resources;
use super::answer::{Answer, HandlerError};
use super::children::{Children, Limits};
use super::command::{inherited, turn_env};
use super::conversation::Conversation;
use super::turn::Turn;
use crate::commands::Command;
use crate::config::{self, AgentKind};
use crate::grants::{Access, MCP_NAME};
use crate::live::Live;
use crate::outgoing::Saying;
use crate::turns::{Running, Stop};
use crate::words;

use super::files::{self, Folder, task_folder};
use run::Ran;
use wire::Wire;

/// Processes that one turn may take: the resumed one, and a fresh one where that is refused.
const STARTS_MAX: usize = 3;
/// Where the agent leaves files for the chat.
const OUT: &str = "LARKLINE_OUT";

/// Has a coding agent answer.
#[derive(Debug)]
pub struct Agent {
    settings: config::Agent,
    env: BTreeMap<String, Secret>,
    limits: Limits,
    children: Children,
    state_dir: PathBuf,
}

impl Agent {
    /// Makes the handler; starts nothing.
    pub fn new(settings: config::Agent, resources: &Resources) -> Self {
        let mut env = inherited(&settings.pass_env, &resources.env);
        let fixed = Wire::env(settings.agent).into_iter();
        env.extend(fixed.map(|(name, value)| (name.to_owned(), value.into())));
        env.extend(settings.env.clone());
        let path = env.get("PATH").map(Secret::expose).unwrap_or_default();
        if settings.agent != AgentKind::Codex && config::can_scrub(path) {
            env.entry(config::SCRUB.to_owned()).or_insert_with(|| "1".into());
        }
        let limits = Limits {
            wall: settings.limits.wall,
            idle: Some(settings.limits.idle),
            grace: resources.kill_grace,
            output_bytes: usize::try_from(settings.limits.output.0).unwrap_or(usize::MAX),
            memory_tree: settings.limits.memory.map(|memory| memory.0),
            processes: settings.limits.processes,
            cpu_percent: settings.limits.cpu,
            memory_bytes: None,
            file_bytes: None,
        };
        let (children, state_dir) = (resources.children.clone(), resources.state_dir.clone());
        Self { settings, env, limits, children, state_dir }
    }

    /// Answers one message.
    ///
    /// # Errors
    /// [`HandlerError`] when the agent cannot be started, the store refuses, or a stop of the
    /// service cuts the turn off.
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
            Some(Command::Retry) => {
                let Some(again) = turn.of_last_event(conversation.last_event()).await? else {
                    return Ok(Answer::markdown(words::nothing_to_retry(live.lang())));
                };
                Box::pin(self.turn(&again, live, &mut conversation)).await
            }
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
        let began = Instant::now();
        let lang = live.lang();
        let people = turn.people(&self.settings.approvers);
        let mut running = live.shared().turns.begin(&turn.session, turn.task, people);
        let after_restart = conversation.was_cut_off_in(turn.task);
        conversation.begin_turn(turn).await.map_err(HandlerError::store)?;
        if self.settings.stream {
            let status = if after_restart { words::resumed(lang) } else { words::thinking(lang) };
            live.show("", &status);
        }
        let folder = Folder::make(&self.state_dir, turn.task)
            .map_err(|error| HandlerError::new("spawn", format!("the task's folder: {error}")))?;
        // Files may take minutes to fetch: whoever stops the turn does not wait for them.
        let prompt = tokio::select! {
            prompt = self.prompt(turn, live, &folder, after_restart) => prompt?,
            stop = running.stopped() => {
                return Ok(stopped_early(live, conversation, &stop).await);
            }
            () = turn.cancel.cancelled() => {
                return Err(turn.cut_off(live, conversation, "").await);
            }
        };
        let (ran, fresh) = match self.start(turn, live, conversation, &mut running, &prompt).await {
            Ok(ran) => ran,
            Err(error) => {
                conversation
                    .end_turn("not_started", Usage::default())
                    .await
                    .map_err(HandlerError::store)?;
                let program = self.settings.argv.first().map_or("", String::as_str);
                return Err(HandlerError::new(
                    "spawn",
                    format!(
                        "{program:?} cannot be started: {error}; check argv and cwd of the handler"
                    ),
                ));
            }
        };
        if ran.cut_off {
            return Err(turn.cut_off(live, conversation, &ran.heard.answer()).await);
        }
        let ending = self.ending(lang, &turn.handler, &ran);
        tracing::info!(
            handler = turn.handler,
            task = turn.task.0,
            session = conversation.session().id.0,
            outcome = ending.word,
            detail = ran.done.detail,
            elapsed_ms = began.elapsed().as_millis(),
            "turn over"
        );
        // The answer is there, whatever the store or the operator thinks of the conversation.
        if let Err(error) = conversation.end_turn(ending.word, ran.heard.usage).await {
            live.shared().store_health.failed("step_session", &error);
        }
        let markdown = match ran.heard.answer() {
            text if text.is_empty() => ran.done.text.clone(),
            text => text,
        };
        let sentences: Vec<String> =
            fresh.then(|| words::fresh_session(lang)).into_iter().chain(ending.sentence).collect();
        let mut said = vec![Saying::Answer {
            markdown,
            ending: sentences.join("\n"),
            footer: ran.heard.footer(began.elapsed()),
        }];
        said.extend(folder.left().await);
        Ok(Answer { said, outcome: Some(ending.word), ..Answer::default() })
    }

    /// Runs the agent, in a fresh conversation where it does not know the one to be resumed;
    /// whether that was so.
    async fn start(
        &self,
        turn: &Turn,
        live: &Live,
        conversation: &mut Conversation,
        running: &mut Running,
        prompt: &Prompt,
    ) -> std::io::Result<(Ran, bool)> {
        let mut wanted = match &conversation.session().agent_session {
            Some(id) => Wanted::Resume(id.clone()),
            None => Wanted::New(fresh_id()),
        };
        let mut fresh = false;
        let mut starts = 0;
        loop {
            starts += 1;
            let session = conversation.session();
            let cwd = self.settle(live, session).await?;
            let launch = self.launch(turn, session, cwd, wanted.clone())?;
            let ran = Box::pin(self.run(turn, conversation, running, &launch, prompt)).await?;
            let may_go_on = starts < STARTS_MAX && ran.stop.is_none() && !ran.cut_off;
            wanted = match &wanted {
                Wanted::New(id) if ran.done.session_exists && may_go_on => {
                    Wanted::Resume(id.clone())
                }
                Wanted::Resume(id) if ran.done.unknown_session && may_go_on => {
                    tracing::warn!(
                        handler = turn.handler,
                        task = turn.task.0,
                        agent_session = id,
                        "the agent does not know its conversation any more: {}",
                        ran.done.detail
                    );
                    conversation.forget_agent().await.map_err(std::io::Error::other)?;
                    fresh = true;
                    Wanted::New(fresh_id())
                }
                Wanted::New(_) | Wanted::Resume(_) => {
                    if matches!(wanted, Wanted::Resume(_)) {
                        live.shared().metrics.resume(&turn.handler, "ok");
                    } else if fresh {
                        live.shared().metrics.resume(&turn.handler, "unknown");
                    }
                    return Ok((ran, fresh));
                }
            };
        }
    }

    fn launch(
        &self,
        turn: &Turn,
        session: &Session,
        cwd: PathBuf,
        wanted: Wanted,
    ) -> std::io::Result<Launch> {
        let settings = &self.settings;
        let mcp = self.mcp(turn)?;
        // What it reaches is the chat that it answers anyway.
        let own = mcp.iter().map(|_| format!("mcp__{MCP_NAME}"));
        Ok(Launch {
            program: settings.argv.clone(),
            extra: settings.extra_args.clone(),
            cwd,
            session: wanted,
            model: session.model.clone().or_else(|| settings.model.clone()),
            system: settings.system.clone(),
            permission: settings.permission,
            allowed_tools: settings.allowed_tools.iter().cloned().chain(own).collect(),
            denied_tools: settings.denied_tools.clone(),
            turns_max: settings.turns_max,
            budget_usd: settings.budget.clone(),
            mcp,
            // Its own folder; those of other chats' tasks are none of its business.
            add_dirs: vec![task_folder(&self.state_dir, turn.task)],
            project_settings: settings.project_settings,
        })
    }

    fn env(&self, turn: &Turn, session: &Session) -> BTreeMap<String, String> {
        let own = self.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let out = task_folder(&self.state_dir, turn.task).join(files::OUT);
        let mut env: BTreeMap<String, String> = own.chain(turn_env(turn)).collect();
        env.extend(turn.access.iter().flat_map(Access::env));
        env.insert(OUT.to_owned(), out.display().to_string());
        env.insert("LARKLINE_SESSION_ID".to_owned(), session.id.0.to_string());
        env
    }
}

/// The answer of a turn that was ended before its agent began.
async fn stopped_early(live: &Live, conversation: &mut Conversation, stop: &Stop) -> Answer {
    let ending::Ending { word, sentence } = ending::of_stop(live.lang(), stop);
    if let Err(error) = conversation.end_turn(word, Usage::default()).await {
        live.shared().store_health.failed("step_session", &error);
    }
    let (markdown, footer) = (String::new(), String::new());
    let said = Saying::Answer { markdown, ending: sentence.unwrap_or_default(), footer };
    Answer { said: vec![said], outcome: Some(word), ..Answer::default() }
}

/// An id for a new conversation.
fn fresh_id() -> String {
    Uuid::now_v7().to_string()
}
