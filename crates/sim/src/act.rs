//! What people do besides writing, and the events the apps hear of it. Open API, 5.5.

use larkline_proto::id::{AppId, ChatId, EventId, MessageId, OpenId};
use serde_json::{Value, json};

use crate::platform::PlatformError;
use crate::world::{AppIx, Reaction, Sender, TENANT, World};

const RECALL_SCOPES: &[&str] = &["im:message", "im:message:readonly"];
const REACTION_SCOPES: &[&str] = &["im:message.reactions:read", "im:message:readonly"];

impl World {
    pub(crate) fn recall_by_user(
        &mut self,
        now_ms: u64,
        message: &MessageId,
    ) -> Result<Vec<EventId>, PlatformError> {
        let known = self
            .messages
            .get_mut(message)
            .ok_or_else(|| PlatformError::unknown("message", message))?;
        known.recalled = true;
        let chat = known.chat.clone();
        let event = json!({
            "message_id": message,
            "chat_id": chat,
            "recall_time": now_ms.to_string(),
            "recall_type": "message_owner",
        });
        Ok(self.tell_chat(now_ms, &chat, "im.message.recalled_v1", RECALL_SCOPES, |_, _| {
            event.clone()
        }))
    }

    pub(crate) fn react_by_user(
        &mut self,
        now_ms: u64,
        user: &OpenId,
        message: &MessageId,
        emoji: &str,
    ) -> Result<Vec<EventId>, PlatformError> {
        let (user, _) = self.person(user)?;
        let chat = self.message(message)?.chat.clone();
        let id = self.hex(24);
        if let Some(message) = self.messages.get_mut(message) {
            let (by, emoji) = (Sender::User(user), emoji.to_owned());
            message.reactions.push(Reaction { id, by, emoji, at_ms: now_ms, row: None });
        }
        let kind = "im.message.reaction.created_v1";
        Ok(self.tell_chat(now_ms, &chat, kind, REACTION_SCOPES, |world, app| {
            json!({
                "message_id": message,
                "reaction_type": {"emoji_type": emoji},
                "operator_type": "user",
                "user_id": world.user_ids(user, app),
                "action_time": now_ms.to_string(),
            })
        }))
    }

    /// Tells an app of its own reaction, when it subscribes to reactions.
    pub(crate) fn app_reacted(
        &mut self,
        now_ms: u64,
        app: AppIx,
        message: &MessageId,
        emoji: &str,
    ) {
        let kind = "im.message.reaction.created_v1";
        let subscribed = self.app(app).spec.console.events.iter().any(|event| event == kind);
        if !subscribed || !self.app(app).may(REACTION_SCOPES) {
            return;
        }
        let event = json!({
            "message_id": message,
            "reaction_type": {"emoji_type": emoji},
            "operator_type": "app",
            "app_id": self.app_id(app),
            "action_time": now_ms.to_string(),
        });
        self.send_event(now_ms, app, kind, &event, None);
    }

    pub(crate) fn menu(
        &mut self,
        now_ms: u64,
        user: &OpenId,
        event_key: &str,
    ) -> Result<EventId, PlatformError> {
        let (ix, app) = self.person(user)?;
        let event = json!({
            "operator": {"operator_name": self.user(ix).name, "operator_id": self.user_ids(ix, app)},
            "event_key": event_key,
            "timestamp": now_ms / 1000,
        });
        Ok(self.send_event(now_ms, app, "application.bot.menu_v6", &event, None))
    }

    pub(crate) fn change_bot(
        &mut self,
        now_ms: u64,
        chat: &ChatId,
        app: &AppId,
        joins: bool,
    ) -> Result<EventId, PlatformError> {
        let app = self.app_ix(app.as_str()).ok_or_else(|| PlatformError::unknown("app", app))?;
        let known = self.chat_mut(chat)?;
        let kind =
            if joins { "im.chat.member.bot.added_v1" } else { "im.chat.member.bot.deleted_v1" };
        match joins {
            true => known.bots.insert(app),
            false => known.bots.remove(&app),
        };
        let event = self.chat_event(chat, app);
        Ok(self.send_event(now_ms, app, kind, &event, None))
    }

    pub(crate) fn dissolve(
        &mut self,
        now_ms: u64,
        chat: &ChatId,
    ) -> Result<Vec<EventId>, PlatformError> {
        self.chat_mut(chat)?.dissolved = true;
        let kind = "im.chat.disbanded_v1";
        Ok(self.tell_chat(now_ms, chat, kind, &[], |world, app| world.chat_event(chat, app)))
    }

    fn chat_event(&self, chat: &ChatId, app: AppIx) -> Value {
        let known = self.chats.get(chat);
        let operator = known.and_then(|c| c.members.first()).map(|user| self.user_ids(*user, app));
        let name = known.map_or("", |c| c.name.as_str());
        json!({
            "chat_id": chat,
            "operator_id": operator,
            "external": false,
            "operator_tenant_key": TENANT,
            "name": name,
            "i18n_names": {"zh_cn": name, "en_us": name, "ja_jp": name},
        })
    }

    /// Sends an event to every app whose bot is in the chat and that holds a scope for it.
    pub(crate) fn tell_chat(
        &mut self,
        now_ms: u64,
        chat: &ChatId,
        kind: &str,
        any_of: &[&str],
        event: impl Fn(&Self, AppIx) -> Value,
    ) -> Vec<EventId> {
        let bots: Vec<_> =
            self.chats.get(chat).map(|c| c.bots.iter().copied().collect()).unwrap_or_default();
        let mut sent = Vec::new();
        for app in bots {
            if self.app(app).may(any_of) {
                let event = event(self, app);
                sent.push(self.send_event(now_ms, app, kind, &event, None));
            }
        }
        sent
    }
}
