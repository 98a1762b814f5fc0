//! What people do besides writing, and the events the apps hear of it. Open API, 5.5.

use larkline_proto::id::{AppId, ChatId, EventId, MessageId, OpenId};
use serde_json::{Value, json};

use crate::platform::PlatformError;
use crate::world::{AppIx, ChatKind, Reaction, Sender, TENANT, UserIx, World};

const RECALL_SCOPES: &[&str] = &["im:message", "im:message:readonly"];
const REACTION_SCOPES: &[&str] = &["im:message.reactions:read", "im:message:readonly"];
const MEMBER_SCOPES: &[&str] =
    &["im:chat", "im:chat:readonly", "im:chat:read", "im:chat.members:read"];
const CREATED: &str = "im.message.reaction.created_v1";
const DELETED: &str = "im.message.reaction.deleted_v1";

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
        Ok(self.tell_reaction(now_ms, &chat, CREATED, user, message, emoji))
    }

    pub(crate) fn unreact_by_user(
        &mut self,
        now_ms: u64,
        user: &OpenId,
        message: &MessageId,
        emoji: &str,
    ) -> Result<Vec<EventId>, PlatformError> {
        let (user, _) = self.person(user)?;
        let chat = self.message(message)?.chat.clone();
        if let Some(message) = self.messages.get_mut(message) {
            message.reactions.retain(|r| r.by != Sender::User(user) || r.emoji != emoji);
        }
        Ok(self.tell_reaction(now_ms, &chat, DELETED, user, message, emoji))
    }

    fn tell_reaction(
        &mut self,
        now_ms: u64,
        chat: &ChatId,
        kind: &str,
        user: UserIx,
        message: &MessageId,
        emoji: &str,
    ) -> Vec<EventId> {
        self.tell_chat(now_ms, chat, kind, REACTION_SCOPES, |world, app| {
            json!({
                "message_id": message,
                "reaction_type": {"emoji_type": emoji},
                "operator_type": "user",
                "user_id": world.user_ids(user, app),
                "action_time": now_ms.to_string(),
            })
        })
    }

    /// A person reads a message; the app that sent it to them alone hears of it.
    pub(crate) fn read_by_user(
        &mut self,
        now_ms: u64,
        user: &OpenId,
        message: &MessageId,
    ) -> Result<Vec<EventId>, PlatformError> {
        let (ix, _) = self.person(user)?;
        let (chat, sender) = {
            let known = self.message(message)?;
            (known.chat.clone(), known.sender)
        };
        if let Some(known) = self.messages.get_mut(message)
            && known.read_by.iter().all(|(reader, _)| *reader != ix)
        {
            known.read_by.push((ix, now_ms));
        }
        let Sender::App(app) = sender else { return Ok(Vec::new()) };
        let alone = self.chats.get(&chat).is_some_and(|c| matches!(c.kind, ChatKind::P2p { .. }));
        if !alone || !self.app(app).may(RECALL_SCOPES) {
            return Ok(Vec::new());
        }
        let event = json!({
            "reader": {
                "reader_id": self.user_ids(ix, app),
                "read_time": now_ms.to_string(),
                "tenant_key": TENANT,
            },
            "message_id_list": [message],
        });
        Ok(vec![self.send_event(now_ms, app, "im.message.message_read_v1", &event, None)])
    }

    /// A person opens the direct chat.
    pub(crate) fn enter(
        &mut self,
        now_ms: u64,
        user: &OpenId,
    ) -> Result<Vec<EventId>, PlatformError> {
        let (ix, app) = self.person(user)?;
        let chat = self.p2p(ix, app);
        let last = self.history(&chat).last().map(|m| (m.id.clone(), m.at_ms));
        let mut event = json!({"chat_id": chat, "operator_id": self.user_ids(ix, app)});
        if let Some((id, at_ms)) = last {
            event["last_message_id"] = json!(id);
            event["last_message_create_time"] = json!(at_ms.to_string());
        }
        let kind = "im.chat.access_event.bot_p2p_chat_entered_v1";
        Ok(vec![self.send_event(now_ms, app, kind, &event, None)])
    }

    /// A person comes into a group, or leaves it.
    pub(crate) fn change_member(
        &mut self,
        now_ms: u64,
        chat: &ChatId,
        user: &OpenId,
        joins: bool,
    ) -> Result<Vec<EventId>, PlatformError> {
        let (ix, _) = self.person(user)?;
        let known = self.chat_mut(chat)?;
        known.members.retain(|member| *member != ix);
        if joins {
            known.members.push(ix);
        }
        let kind =
            if joins { "im.chat.member.user.added_v1" } else { "im.chat.member.user.deleted_v1" };
        Ok(self.tell_chat(now_ms, chat, kind, MEMBER_SCOPES, |world, app| {
            let mut event = world.chat_event(chat, app);
            let name = &world.user(ix).name;
            event["users"] =
                json!([{"name": name, "tenant_key": TENANT, "user_id": world.user_ids(ix, app)}]);
            event
        }))
    }

    /// A group gets another name.
    pub(crate) fn rename(
        &mut self,
        now_ms: u64,
        chat: &ChatId,
        name: &str,
    ) -> Result<Vec<EventId>, PlatformError> {
        let known = self.chat_mut(chat)?;
        let before = std::mem::replace(&mut known.name, name.to_owned());
        let kind = "im.chat.updated_v1";
        Ok(self.tell_chat(now_ms, chat, kind, MEMBER_SCOPES, |world, app| {
            let mut event = world.chat_event(chat, app);
            event["before_change"] = json!({ "name": before });
            event["after_change"] = json!({ "name": name });
            event
        }))
    }

    /// Tells an app of its own reaction, when it subscribes to reactions.
    pub(crate) fn app_reacted(
        &mut self,
        now_ms: u64,
        app: AppIx,
        message: &MessageId,
        emoji: &str,
        added: bool,
    ) {
        let kind = if added { CREATED } else { DELETED };
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
