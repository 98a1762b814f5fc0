//! What people do, and the events the apps hear of it.
//!
//! Which app hears a message depends on the chat and on its scopes (open API, 5.4): direct
//! messages, mentions in groups, or everything. A bot never hears bots.

use base64::Engine as _;
use bytes::Bytes;
use larkline_proto::id::{ChatId, EventId, MessageId, OpenId, ThreadId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::delivery::NewEvent;
use crate::platform::PlatformError;
use crate::press::Callback;
use crate::world::{
    AppIx, Chat, ChatKind, Mentioned, Message, Sender, StoredFile, TENANT, UserIx, World,
};

const P2P_SCOPES: &[&str] = &["im:message.p2p_msg:readonly", "im:message.p2p_msg"];
const AT_SCOPES: &[&str] = &[
    "im:message.group_at_msg:readonly",
    "im:message.group_at_msg",
    "im:message.group_at_msg.include_bot:readonly",
];
const ALL_SCOPES: &[&str] = &["im:message.group_msg", "im:message.group_msg:readonly"];

/// A person writes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Say {
    /// Where; empty means the person's direct chat with the app of the open id.
    pub chat: ChatId,
    /// Who.
    pub user: OpenId,
    /// The words behind the mentions.
    pub text: String,
    /// Begin with a mention of the chat's bot.
    pub mention_bot: bool,
    /// Further mentions, people or bots, in this order.
    pub mentions: Vec<OpenId>,
    /// The message this answers.
    pub reply_to: Option<MessageId>,
    /// Answer inside a thread, opening it when there is none.
    pub in_thread: bool,
    /// A message type other than text, with its content as received.
    pub raw: Option<RawContent>,
    /// How long ago it was written; the event comes now, as late as that.
    pub ago_ms: u64,
    /// An image or file instead of words.
    pub attachment: Option<Attachment>,
}

/// Content of any type, as the event carries it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawContent {
    /// For example `sticker`.
    pub message_type: String,
    /// The value that is serialised into `content`.
    pub content: Value,
}

/// A file a person sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// An image, or any other file.
    #[serde(default)]
    pub image: bool,
    /// Its bytes; from JSON, a list of numbers or a text in base64.
    #[serde(deserialize_with = "bytes_or_base64")]
    pub bytes: Vec<u8>,
}

/// A list of numbers is simplest for a script, base64 a quarter of its size for a page.
fn bytes_or_base64<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Base64(String),
        Numbers(Vec<u8>),
    }
    match Form::deserialize(from)? {
        Form::Numbers(bytes) => Ok(bytes),
        Form::Base64(text) => {
            base64::engine::general_purpose::STANDARD.decode(text).map_err(serde::de::Error::custom)
        }
    }
}

/// What came of [`Say`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The event for the app whose bot is in the chat; empty when no app may hear it.
    pub event_id: EventId,
    /// The message.
    pub message_id: MessageId,
    /// The chat.
    pub chat_id: ChatId,
    /// Its thread, when it is in one.
    pub thread_id: Option<ThreadId>,
    /// The events, one for each app that hears it.
    pub event_ids: Vec<EventId>,
}

impl Message {
    /// Writes where the message stands in replies and threads; what it has not is absent.
    pub(crate) fn write_place(&self, object: &mut Value) {
        let place = [
            ("root_id", self.root.as_ref().map(MessageId::as_str)),
            ("parent_id", self.parent.as_ref().map(MessageId::as_str)),
            ("thread_id", self.thread.as_ref().map(ThreadId::as_str)),
        ];
        for (key, id) in place {
            if let Some(id) = id {
                object[key] = json!(id);
            }
        }
    }
}

impl World {
    pub(crate) fn say(&mut self, now_ms: u64, say: Say) -> Result<Said, PlatformError> {
        let (user, app) = self.person(&say.user)?;
        let chat = if say.chat.is_empty() { self.p2p(user, app) } else { say.chat.clone() };
        if !self.chat_mut(&chat)?.members.contains(&user) {
            return Err(PlatformError::Refused(format!("{} is not a member of {chat}", say.user)));
        }
        let parent = match &say.reply_to {
            None => None,
            Some(id) => Some(self.message(id)?.clone()),
        };
        let mentions = self.mentions(&say, &chat)?;
        let id = self.message_id();
        let (msg_type, received) = self.spoken(&say, mentions.len());
        let thread = self.thread(&chat, parent.as_ref(), say.in_thread);
        let at_ms = now_ms.saturating_sub(say.ago_ms);
        let message = Message {
            id: id.clone(),
            chat: chat.clone(),
            sender: Sender::User(user),
            msg_type,
            sent: received.clone(),
            received,
            mentions,
            root: parent.as_ref().map(|p| p.root.clone().unwrap_or_else(|| p.id.clone())),
            parent: parent.map(|p| p.id),
            thread: thread.clone(),
            at_ms,
            updated_ms: at_ms,
            updated: false,
            edits: 0,
            recalled: false,
            reactions: Vec::new(),
            read_by: Vec::new(),
            card: None,
            row: None,
        };
        self.keep_message(message.clone());
        let mut event_ids = Vec::new();
        for app in self.hearers(&message) {
            let event = self.receive_event(&message, user, app);
            let id = self.send_event_about(
                now_ms,
                app,
                "im.message.receive_v1",
                &event,
                Some((id.clone(), at_ms)),
                None,
            );
            event_ids.push(id);
        }
        let event_id = event_ids.first().cloned().unwrap_or_default();
        Ok(Said { event_id, message_id: id, chat_id: chat, thread_id: thread, event_ids })
    }

    fn mentions(&self, say: &Say, chat: &ChatId) -> Result<Vec<Mentioned>, PlatformError> {
        let bot = self.chats.get(chat).and_then(|c| c.bots.first()).filter(|_| say.mention_bot);
        let mut mentions: Vec<_> = bot.map(|app| Mentioned::Bot(*app)).into_iter().collect();
        for id in &say.mentions {
            let bot = self.apps.iter().position(|a| &a.bot == id).map(|n| Mentioned::Bot(AppIx(n)));
            let user = self.by_open_id(id).map(|(user, _)| Mentioned::User(user));
            mentions.push(bot.or(user).ok_or_else(|| PlatformError::unknown("user", id))?);
        }
        Ok(mentions)
    }

    /// The message type and the content as received.
    fn spoken(&mut self, say: &Say, mentions: usize) -> (String, String) {
        if let Some(raw) = &say.raw {
            return (raw.message_type.clone(), raw.content.to_string());
        }
        if let Some(file) = &say.attachment {
            let kind = if file.image { "img_v3_" } else { "file_v3_" };
            let key = format!("{kind}{}", self.uuid());
            let stored = StoredFile {
                owner: None,
                image: file.image,
                name: file.name.clone(),
                bytes: Bytes::from(file.bytes.clone()),
            };
            self.files.insert(key.clone(), stored);
            return match file.image {
                true => ("image".to_owned(), json!({ "image_key": key }).to_string()),
                false => (
                    "file".to_owned(),
                    json!({ "file_key": key, "file_name": file.name }).to_string(),
                ),
            };
        }
        let mut text: String = (1..=mentions).map(|n| format!("@_user_{n} ")).collect();
        text.push_str(&say.text);
        ("text".to_owned(), json!({ "text": text }).to_string())
    }

    /// The thread of an answer: the parent's, or a new one when asked for; in a topic group every
    /// other message begins one.
    pub(crate) fn thread(
        &mut self,
        chat: &ChatId,
        parent: Option<&Message>,
        open: bool,
    ) -> Option<ThreadId> {
        let Some(parent) = parent else {
            let topics = self.chats.get(chat).is_some_and(|c| c.topics);
            return topics.then(|| ThreadId::new(format!("omt_{}", self.hex(16))));
        };
        if parent.thread.is_some() {
            return parent.thread.clone();
        }
        let thread = open.then(|| ThreadId::new(format!("omt_{}", self.hex(16))))?;
        let root = parent.root.clone().unwrap_or_else(|| parent.id.clone());
        if let Some(root) = self.messages.get_mut(&root) {
            root.thread = Some(thread.clone());
        }
        Some(thread)
    }

    fn hearers(&self, message: &Message) -> Vec<AppIx> {
        let Some(chat) = self.chats.get(&message.chat) else { return Vec::new() };
        let hears = |app: &AppIx| {
            let mentioned = message.mentions.contains(&Mentioned::Bot(*app));
            let app = self.app(*app);
            match chat.kind {
                ChatKind::P2p { .. } => app.may(P2P_SCOPES),
                ChatKind::Group => app.may(ALL_SCOPES) || (mentioned && app.may(AT_SCOPES)),
            }
        };
        chat.bots.iter().copied().filter(hears).collect()
    }

    fn receive_event(&self, message: &Message, user: UserIx, app: AppIx) -> Value {
        let chat_type = self.chats.get(&message.chat).map_or("group", Chat::event_type);
        let mut body = json!({
            "message_id": message.id,
            "create_time": message.at_ms.to_string(),
            "update_time": message.updated_ms.to_string(),
            "chat_id": message.chat,
            "chat_type": chat_type,
            "message_type": message.msg_type,
            "content": message.received,
        });
        message.write_place(&mut body);
        if !message.mentions.is_empty() {
            let entries = message.mentions.iter().enumerate();
            body["mentions"] = entries.map(|(n, who)| self.event_mention(n, *who, app)).collect();
        }
        json!({
            "sender": {"sender_id": self.user_ids(user, app), "sender_type": "user", "tenant_key": TENANT},
            "message": body,
        })
    }

    fn event_mention(&self, n: usize, who: Mentioned, app: AppIx) -> Value {
        let (id, name, kind) = match who {
            Mentioned::Bot(bot) => {
                let bot = self.app(bot);
                (json!({"union_id": "", "user_id": "", "open_id": bot.bot}), &bot.spec.name, "bot")
            }
            Mentioned::User(user) => (self.user_ids(user, app), &self.user(user).name, "user"),
        };
        json!({
            "key": format!("@_user_{}", n + 1),
            "id": id,
            "mentioned_type": kind,
            "name": name,
            "tenant_key": TENANT,
        })
    }

    pub(crate) fn send_event(
        &mut self,
        now_ms: u64,
        app: AppIx,
        event_type: &str,
        event: &Value,
        callback: Option<Callback>,
    ) -> EventId {
        self.send_event_about(now_ms, app, event_type, event, None, callback)
    }

    fn send_event_about(
        &mut self,
        now_ms: u64,
        app: AppIx,
        event_type: &str,
        event: &Value,
        about: Option<(MessageId, u64)>,
        callback: Option<Callback>,
    ) -> EventId {
        let event_id = EventId::new(self.hex(32));
        // Callbacks carry microseconds there (open API, 5.6).
        let (message_id, at_ms) = about.unzip();
        let at_ms = at_ms.unwrap_or(now_ms);
        let create_time = if callback.is_some() { at_ms * 1000 } else { at_ms };
        let envelope = json!({
            "schema": "2.0",
            "header": {
                "event_id": event_id,
                "token": "",
                "create_time": create_time.to_string(),
                "event_type": event_type,
                "tenant_key": TENANT,
                "app_id": self.app_id(app),
            },
            "event": event,
        });
        let payload = envelope.to_string().into();
        let kind = event_type.to_owned();
        self.publish(
            now_ms,
            NewEvent { app, event_id: event_id.clone(), kind, message_id, payload, callback },
        );
        event_id
    }

    pub(crate) fn person(&self, id: &OpenId) -> Result<(UserIx, AppIx), PlatformError> {
        self.by_open_id(id).ok_or_else(|| PlatformError::unknown("user", id))
    }

    pub(crate) fn message(&self, id: &MessageId) -> Result<&Message, PlatformError> {
        self.messages.get(id).ok_or_else(|| PlatformError::unknown("message", id))
    }

    pub(crate) fn chat_mut(&mut self, id: &ChatId) -> Result<&mut Chat, PlatformError> {
        self.chats.get_mut(id).ok_or_else(|| PlatformError::unknown("chat", id))
    }

    /// A fresh message id.
    pub(crate) fn message_id(&mut self) -> MessageId {
        MessageId::new(format!("om_{}", self.hex(32)))
    }
}
