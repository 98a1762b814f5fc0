//! The handler that has a coding agent answer, in a conversation that outlives every process.
//!
//! One process for one turn: what it costs to start one is small beside what a model takes, and
//! nothing of the agent waits in memory between turns, holds a conversation open, or has to be
//! found again after a restart. A turn that a stop or a crash cut off is resumed by the agent's own
//! id of the conversation, which is on disk from the moment it is known. A process that outlived
//! the gateway would save the tool call it is in; in exchange it could not be asked, stopped or
//! limited while the gateway is gone, and a crash of the machine would still need this way.
//!
//! `prompt` says what the agent is told, `files` moves files, `run` talks to the process, `heard`
//! keeps what it said, `question` asks people, `ending` finds the words for the end, `command`
//! carries out what the chat says about the conversation.

mod command;
mod ending;
mod heard;
mod prompt;
pub(crate) mod question;
mod run;
mod talk_back;
mod wire;

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use larkline_agent::{Launch, Prompt, Session as Wanted, Usage};
use larkline_client::Secret;
use larkline_proto::content;
use larkline_proto::event::Event;
use larkline_store::session::Session;
use larkline_store::task::WaitingTask;
use tokio::time::Instant;
use uuid::Uuid;

use super::Resources;
use super::answer::{Answer, HandlerError};
use super::children::{Children, Limits};
use super::command::{inherited, turn_env};
use super::conversation::Conversation;
use super::turn::Turn;
use crate::clock::now_ms;
use crate::commands::Command;
use crate::config::{self, AgentKind, Busy};
use crate::grants::{Access, MCP_NAME};
use crate::live::Live;
use crate::outgoing::Saying;
use crate::turns::Running;
use crate::words;

use super::files::{Fetched, Folder};
use run::Ran;
use wire::Wire;

/// Processes that one turn may take: the resumed one, and a fresh one where that is refused.
const STARTS_MAX: usize = 3;
/// Messages that one turn takes in.
const MERGED_MAX: usize = 20;
/// Name of the folder below the state directory with a directory for each conversation.
const CONVERSATIONS: &str = "conversations";
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
        if settings.agent != AgentKind::Codex && wire::can_scrub(env.get("PATH")) {
            env.insert("CLAUDE_CODE_SUBPROCESS_ENV_SCRUB".to_owned(), "1".into());
        }
        env.extend(settings.env.clone());
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
        let prompt = self.prompt(turn, live, &folder, after_restart).await?;
        let (ran, fresh) = match self.start(turn, conversation, &mut running, &prompt).await {
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
            return Err(self.cut_off(turn, live, conversation, &ran).await);
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
        conversation.end_turn(ending.word, ran.heard.usage).await.map_err(HandlerError::store)?;
        let mut paragraphs = Vec::new();
        paragraphs.extend(fresh.then(|| words::fresh_session(lang)));
        paragraphs.push(match ran.heard.answer() {
            text if text.is_empty() => ran.done.text.clone(),
            text => text,
        });
        paragraphs.extend(ending.sentence);
        paragraphs.retain(|paragraph| !paragraph.is_empty());
        let mut said = vec![Saying::Answer {
            markdown: paragraphs.join("\n\n"),
            footer: ran.heard.footer(began.elapsed()),
        }];
        said.extend(folder.left());
        Ok(Answer { said, outcome: Some(ending.word), ..Answer::default() })
    }

    /// Runs the agent, in a fresh conversation where it does not know the one to be resumed;
    /// whether that was so.
    async fn start(
        &self,
        turn: &Turn,
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
            let launch = self.launch(turn, conversation.session(), wanted.clone())?;
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
                    turn.live.as_ref().inspect(|live| {
                        if matches!(wanted, Wanted::Resume(_)) {
                            live.shared().metrics.resume(&turn.handler, "ok");
                        } else if fresh {
                            live.shared().metrics.resume(&turn.handler, "unknown");
                        }
                    });
                    return Ok((ran, fresh));
                }
            };
        }
    }

    /// The service stops in mid-turn: the chat hears it, and the next start goes on.
    async fn cut_off(
        &self,
        turn: &Turn,
        live: &Live,
        conversation: &mut Conversation,
        ran: &Ran,
    ) -> HandlerError {
        let shared = live.shared();
        if let Err(error) = conversation.suspend("restart").await {
            shared.store_health.failed("step_session", &error);
        }
        if let Err(error) = live.restarting(turn.attempt, &ran.heard.answer()).await {
            shared.store_health.failed("enqueue", &error);
        }
        HandlerError::stopped()
    }

    /// What the agent is told: the message with all that belongs to it, and those merged with it.
    async fn prompt(
        &self,
        turn: &Turn,
        live: &Live,
        folder: &Folder,
        after_restart: bool,
    ) -> Result<Prompt, HandlerError> {
        let merged = self.merged(turn, live).await?;
        let events: Vec<Event> =
            merged.iter().filter_map(|task| Event::parse(&task.item.payload).ok()).collect();
        let bot = live.app().bot.borrow().clone().unwrap_or_default();
        let messages: Vec<_> = std::iter::once(&turn.event)
            .chain(&events)
            .filter_map(Event::message)
            .map(|message| (message, content::readable(message, &bot)))
            .collect();
        let bytes_max = self.settings.file_max.0;
        let mut files: Vec<Fetched> = Vec::new();
        for (message, _) in &messages {
            let content = (message.message_type.as_str(), message.content.as_str());
            files.extend(folder.fetch(live, &message.id, content, bytes_max).await);
        }
        let mut quoted = None;
        if let Some(parent) = messages.last().and_then(|(message, _)| message.parent_id.as_ref()) {
            match live.app().api.get(parent).await {
                Ok(answer) => {
                    if let Some(found) = answer.data.into_iter().next() {
                        let content = (found.msg_type.as_str(), found.content.as_str());
                        files.extend(folder.fetch(live, parent, content, bytes_max).await);
                        quoted = Some(prompt::quoted(&found.msg_type, &found.content));
                    }
                }
                Err(error) => tracing::info!(message_id = %parent, code = %error.code(),
                    "the quoted message cannot be read: {error}"),
            }
        }
        let told: Vec<_> =
            messages.iter().map(|(message, text)| prompt::told(message, text)).collect();
        Ok(prompt::prompt(&told, quoted.as_deref(), &files, &folder.outgoing(), after_restart))
    }

    /// Messages that came while this one waited, taken into its turn where that is the policy.
    async fn merged(&self, turn: &Turn, live: &Live) -> Result<Vec<WaitingTask>, HandlerError> {
        if self.settings.busy != Busy::Merge || turn.lease.task != turn.task {
            return Ok(Vec::new());
        }
        let store = &live.shared().store;
        let before = store.merged_into(turn.task).await.map_err(HandlerError::store)?;
        let (handler, lane) = (turn.handler.clone(), turn.session.clone());
        let waiting = store.tasks_behind(handler, lane, turn.task, MERGED_MAX).await;
        let mut waiting = waiting.map_err(HandlerError::store)?;
        // A command has to be carried out by itself, and what comes after it stays after it.
        let bot = live.app().bot.borrow().clone().unwrap_or_default();
        let is_command = |task: &WaitingTask| {
            let event = Event::parse(&task.item.payload).ok();
            event.is_none_or(|event| crate::router::command(&event, &bot).is_some())
        };
        if let Some(first) = waiting.iter().position(is_command) {
            waiting.truncate(first);
        }
        if !waiting.is_empty() {
            let tasks = waiting.iter().map(|task| task.task).collect();
            let merged = store.merge_tasks(turn.lease, tasks, now_ms()).await;
            let merged = merged.map_err(HandlerError::store)?;
            waiting.retain(|task| merged.contains(&task.task));
        }
        Ok(before.into_iter().chain(waiting).collect())
    }

    /// Resolves when a newer message of the conversation shall take the turn's place.
    async fn newer_message(&self, turn: &Turn) {
        let (Busy::Steer, Some(live)) = (self.settings.busy, &turn.live) else {
            return std::future::pending().await;
        };
        let shared = live.shared();
        loop {
            let woken = shared.dispatch.notified();
            let (handler, lane) = (turn.handler.clone(), turn.session.clone());
            let behind = shared.store.tasks_behind(handler, lane, turn.task, 1);
            if behind.await.is_ok_and(|tasks| !tasks.is_empty()) {
                return;
            }
            woken.await;
        }
    }

    fn launch(&self, turn: &Turn, session: &Session, wanted: Wanted) -> std::io::Result<Launch> {
        let settings = &self.settings;
        let mcp = self.mcp(turn)?;
        // What it reaches is the chat that it answers anyway.
        let own = mcp.iter().map(|_| format!("mcp__{MCP_NAME}"));
        Ok(Launch {
            program: settings.argv.clone(),
            extra: settings.extra_args.clone(),
            cwd: self.directory(session)?,
            session: wanted,
            model: session.model.clone().or_else(|| settings.model.clone()),
            system: settings.system.clone(),
            permission: settings.permission,
            allowed_tools: settings.allowed_tools.iter().cloned().chain(own).collect(),
            denied_tools: settings.denied_tools.clone(),
            turns_max: settings.turns_max,
            budget_usd: settings.budget.clone(),
            mcp,
            add_dirs: vec![self.state_dir.join("tasks")],
        })
    }

    /// Where the conversation works: chosen by `/cd`, configured, or its own.
    fn directory(&self, session: &Session) -> std::io::Result<PathBuf> {
        let chosen = session.cwd.as_ref().map(PathBuf::from).or_else(|| self.settings.cwd.clone());
        if let Some(chosen) = chosen {
            return Ok(chosen);
        }
        let own = self.state_dir.join(CONVERSATIONS).join(session.id.0.to_string());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&own)?;
        own.canonicalize()
    }

    fn env(&self, turn: &Turn, session: &Session) -> BTreeMap<String, String> {
        let own = self.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let out = self.state_dir.join("tasks").join(turn.task.0.to_string()).join("out");
        let mut env: BTreeMap<String, String> = own.chain(turn_env(turn)).collect();
        env.extend(turn.access.iter().flat_map(Access::env));
        env.insert(OUT.to_owned(), out.display().to_string());
        env.insert("LARKLINE_SESSION_ID".to_owned(), session.id.0.to_string());
        env
    }
}

/// An id for a new conversation.
fn fresh_id() -> String {
    Uuid::now_v7().to_string()
}
