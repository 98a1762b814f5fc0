//! Chats that write for the first time: their names, and a line to paste into a route.
//!
//! A group's name is asked of the platform once, when the group is first seen; a direct chat has
//! none and is named after its person. A name that cannot be had (no scope) is done without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larkline_proto::event::Event;
use larkline_proto::id::{ChatId, OpenId};
use larkline_store::StoreError;
use tokio::sync::Notify;

use crate::say_in;
use crate::shared::{AppRuntime, Shared};
use crate::words::Lang;

/// Chats remembered as seen by this run; beyond it they are looked up again.
const SEEN_MAX: usize = 10_000;

/// What the stored name of a direct chat begins with; its person follows.
const DIRECT: &str = "direct chat with ";

/// A stored name as somebody reads it.
pub fn name_said(lang: Lang, name: &str) -> String {
    match name.strip_prefix(DIRECT) {
        Some(person) => say_in!(lang, zh: "与 {person} 的单聊", en: "{DIRECT}{person}"),
        None => name.to_owned(),
    }
}

/// Chats that were seen in this run, and those to be looked up.
#[derive(Debug, Default)]
pub struct SeenChats {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    seen: BTreeSet<ChatId>,
    fresh: BTreeMap<ChatId, Option<OpenId>>,
}

impl SeenChats {
    /// Notes the chat of an event.
    pub fn see(&self, event: &Event) {
        let Some(chat) = event.chat_id().filter(|chat| !chat.is_empty()) else { return };
        let mut state = self.state();
        if state.seen.contains(chat) {
            return;
        }
        if state.seen.len() >= SEEN_MAX {
            state.seen.clear();
        }
        state.seen.insert(chat.clone());
        let direct = event.message().is_some_and(|message| message.chat_type.is_direct());
        let person = event.actor().filter(|_| direct).cloned();
        state.fresh.insert(chat.clone(), person);
        drop(state);
        self.news.notify_one();
    }

    fn take(&self) -> BTreeMap<ChatId, Option<OpenId>> {
        std::mem::take(&mut self.state().fresh)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names the chats of one app.
#[derive(Clone)]
pub struct ChatWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Whose chats.
    pub app: Arc<AppRuntime>,
}

impl ChatWatch {
    /// Watches until its owner drops it.
    pub async fn run(self) {
        loop {
            self.app.chats.news.notified().await;
            let fresh = self.app.chats.take();
            if let Err(error) = self.name(fresh).await {
                self.shared.store_health.failed("name_chat", &error);
            }
        }
    }

    async fn name(&self, fresh: BTreeMap<ChatId, Option<OpenId>>) -> Result<(), StoreError> {
        let known: BTreeSet<String> = self
            .shared
            .store
            .chats()
            .await?
            .into_iter()
            .filter(|chat| chat.app == self.app.name && !chat.name.is_empty())
            .map(|chat| chat.chat_id)
            .collect();
        for (chat, person) in fresh.into_iter().filter(|(c, _)| !known.contains(c.as_str())) {
            let name = match &person {
                Some(person) => format!("{DIRECT}{person}"),
                None => self.ask(&chat).await,
            };
            let shown = if self.shared.config.load().log.previews { name.as_str() } else { "" };
            tracing::info!(
                app = self.app.name,
                chat_id = %chat,
                name = shown,
                "a chat is seen for the first time; a route for it alone has: chats = [\"{chat}\"]"
            );
            if !name.is_empty() {
                let (app, chat) = (self.app.name.clone(), chat.to_string());
                self.shared.store.name_chat(app, chat, name).await?;
            }
        }
        Ok(())
    }

    /// The platform's name of a group; empty when it does not tell.
    async fn ask(&self, chat: &ChatId) -> String {
        match self.app.api.chat(chat).await {
            Ok(answer) => answer.data.name,
            Err(error) => {
                tracing::debug!(app = self.app.name, chat_id = %chat, code = %error.code(), "no name: {error}");
                String::new()
            }
        }
    }
}
