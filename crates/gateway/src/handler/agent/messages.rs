//! What belongs to a turn: its message with files and quotation, and others that came meanwhile.
//!
//! How it is put into words for the agent is `prompt`'s business.

use larkline_agent::Prompt;
use larkline_proto::content;
use larkline_proto::event::Event;
use larkline_proto::id::MessageId;
use larkline_store::task::WaitingTask;

use super::{Agent, prompt};
use crate::clock::now_ms;
use crate::config::Busy;
use crate::handler::answer::HandlerError;
use crate::handler::files::{Fetched, Folder};
use crate::handler::turn::Turn;
use crate::live::Live;
use crate::router;

/// Messages that one turn takes in.
const MERGED_MAX: usize = 20;

impl Agent {
    /// What the agent is told: the message with all that belongs to it, and those merged with it.
    pub(super) async fn prompt(
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
        let mut files: Vec<Fetched> = Vec::new();
        let mut told = Vec::with_capacity(messages.len());
        for (message, text) in &messages {
            let content = (message.message_type.as_str(), message.content.as_str());
            files.extend(self.fetch(folder, live, &message.id, content).await);
            let quoted = match &message.parent_id {
                Some(parent) => self.quoted(folder, live, parent, &mut files).await,
                None => None,
            };
            told.push(prompt::told(message, text, quoted));
        }
        Ok(prompt::prompt(&told, &files, &folder.outgoing(), after_restart))
    }

    /// What a message answers, with its files; nothing when it cannot be read.
    async fn quoted(
        &self,
        folder: &Folder,
        live: &Live,
        parent: &MessageId,
        files: &mut Vec<Fetched>,
    ) -> Option<String> {
        match live.app().api.get(parent).await {
            Ok(answer) => {
                let found = answer.data.into_iter().next()?;
                let content = (found.msg_type.as_str(), found.content.as_str());
                files.extend(self.fetch(folder, live, parent, content).await);
                Some(prompt::quoted(&found.msg_type, &found.content))
            }
            Err(error) => {
                tracing::info!(message_id = %parent, code = %error.code(),
                    "the quoted message cannot be read: {error}");
                None
            }
        }
    }

    async fn fetch(
        &self,
        folder: &Folder,
        live: &Live,
        message: &MessageId,
        content: (&str, &str),
    ) -> Vec<Fetched> {
        folder.fetch(live, message, content, self.settings.file_max.0).await
    }

    /// Messages that came while this one waited, taken into its turn where that is the policy.
    async fn merged(&self, turn: &Turn, live: &Live) -> Result<Vec<WaitingTask>, HandlerError> {
        let store = &live.shared().store;
        // Merged by an earlier attempt or what `/retry` repeats, whatever the policy is by now.
        let before = store
            .merged_into(turn.inbox, turn.handler.clone())
            .await
            .map_err(HandlerError::store)?;
        // What waits already when a turn begins that a newer message would end is a part of it.
        if self.settings.busy == Busy::Queue {
            return Ok(before);
        }
        let (handler, lane) = (turn.handler.clone(), turn.session.clone());
        let waiting = store.tasks_behind(handler, lane, turn.task, MERGED_MAX).await;
        let mut waiting = waiting.map_err(HandlerError::store)?;
        // A command has to be carried out by itself, and what comes after it stays after it.
        if let Some(first) = waiting.iter().position(|task| !is_message(live, task)) {
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
    pub(super) async fn newer_message(&self, turn: &Turn, has_heard: bool) {
        let (Busy::Steer, Some(live), true) = (self.settings.busy, &turn.live, has_heard) else {
            return std::future::pending().await;
        };
        let shared = live.shared();
        loop {
            let woken = shared.dispatch.notified();
            let (handler, lane) = (turn.handler.clone(), turn.session.clone());
            let behind = shared.store.tasks_behind(handler, lane, turn.task, MERGED_MAX).await;
            // A command waits for its turn, as it does everywhere.
            if behind.is_ok_and(|tasks| tasks.iter().any(|task| is_message(live, task))) {
                return;
            }
            woken.await;
        }
    }
}

/// Whether a waiting task is something for the agent, and no command about the conversation.
fn is_message(live: &Live, task: &WaitingTask) -> bool {
    let bot = live.app().bot.borrow().clone().unwrap_or_default();
    let event = Event::parse(&task.item.payload).ok();
    event.is_some_and(|event| event.message().is_some() && router::command(&event, &bot).is_none())
}
