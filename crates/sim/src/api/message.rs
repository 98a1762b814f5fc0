//! Send, reply, edit, card update, recall, get, history. Reference: open API, 2.2 to 2.6.

use larkline_proto::id::{ChatId, MessageId, OpenId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::content;
use super::history::object;
use super::reply::{Refusal, Reply, Result};
use crate::delivery::millis;
use crate::ledger::MessageRow;
use crate::world::{ChatKind, Message, Sender, UserIx, World};

/// Edits a message may see.
const EDITS_MAX: u32 = 20;
/// Age up to which a card may be updated.
const CARD_AGE_MS_MAX: u64 = 14 * 24 * 60 * 60 * 1000;
/// Longest idempotency key.
const UUID_CHARS_MAX: usize = 50;

/// The body of send and reply.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    receive_id: String,
    msg_type: String,
    content: String,
    uuid: Option<String>,
    reply_in_thread: Option<bool>,
}

/// `POST /open-apis/im/v1/messages`.
pub(super) fn send(cx: &mut Context<'_>) -> Result {
    let sent: Sent = cx.json()?;
    let kind = cx.call.query("receive_id_type").unwrap_or("open_id");
    let chat = receiver(cx, kind, &sent.receive_id)?;
    create(cx, chat, sent, None)
}

/// `POST /open-apis/im/v1/messages/:message_id/reply`.
pub(super) fn reply(cx: &mut Context<'_>) -> Result {
    let sent: Sent = cx.json()?;
    let target = target(cx)?.clone();
    if target.recalled {
        return Err(Refusal::new(230_011, "The message is recalled."));
    }
    create(cx, target.chat.clone(), sent, Some(target))
}

/// The chat a `receive_id` means.
fn receiver(cx: &mut Context<'_>, kind: &str, id: &str) -> std::result::Result<ChatId, Refusal> {
    if id.is_empty() {
        return Err(Refusal::invalid("invalid receive_id"));
    }
    let users = &cx.world.users;
    let position = |found: Option<usize>| found.map(UserIx);
    let user = match kind {
        "chat_id" => {
            let chat = ChatId::new(id);
            let known = cx.world.chats.contains_key(&chat);
            return known.then_some(chat).ok_or_else(|| Refusal::invalid("invalid receive_id"));
        }
        "open_id" => {
            let id = OpenId::new(id);
            if cx.world.apps.iter().any(|a| a.bot == id) {
                return Err(Refusal::invalid("this operation to bots is currently not supported"));
            }
            match cx.world.by_open_id(&id) {
                Some((_, app)) if app != cx.app => {
                    return Err(Refusal::new(99_992_361, "open_id cross app"));
                }
                known => known.map(|(user, _)| user),
            }
        }
        "union_id" => position(users.iter().position(|u| u.union_id == id)),
        "user_id" => position(users.iter().position(|u| u.user_id == id)),
        "email" => {
            position(users.iter().position(|u| id.strip_suffix("@example.com") == Some(&u.user_id)))
        }
        _ => return Err(Refusal::invalid("invalid receive_id_type")),
    };
    let unknown = || Refusal::new(99_992_351, format!("these ids not existed: [{id}]"));
    let user = user.ok_or_else(unknown)?;
    if !cx.world.user(user).available {
        return Err(Refusal::new(230_013, "Bot has NO availability to this user."));
    }
    Ok(cx.world.p2p(user, cx.app))
}

/// Whether the app may speak in the chat now.
fn may_speak(cx: &mut Context<'_>, chat: &ChatId) -> std::result::Result<(), Refusal> {
    let Some(known) = cx.world.chats.get(chat) else {
        return Err(Refusal::invalid("invalid receive_id"));
    };
    if known.dissolved {
        return Err(Refusal::new(
            232_009,
            "Your request specifies a chat which has already been dissolved.",
        ));
    }
    if !known.bots.contains(&cx.app) {
        return Err(Refusal::new(230_002, "The bot can not be outside the group."));
    }
    if known.muted {
        return Err(Refusal::new(
            230_018,
            "These operations are NOT allowed at current group settings.",
        ));
    }
    if let ChatKind::P2p { user, .. } = known.kind
        && !cx.world.user(user).available
    {
        return Err(Refusal::new(230_013, "Bot has NO availability to this user."));
    }
    Ok(())
}

fn create(cx: &mut Context<'_>, chat: ChatId, mut sent: Sent, parent: Option<Message>) -> Result {
    may_speak(cx, &chat)?;
    if sent.uuid.as_ref().is_some_and(|u| u.chars().count() > UUID_CHARS_MAX) {
        return Err(Refusal::new(
            99_992_402,
            "field validation failed: uuid is longer than 50 characters",
        ));
    }
    let uuid = sent.uuid.clone().filter(|u| !u.is_empty());
    if let Some(uuid) = &uuid
        && let Some(earlier) = replayed(cx, uuid)
    {
        return Ok(Reply::Data(object(cx, &earlier, false)));
    }
    let card = entity_of(&sent);
    if let Some(id) = &card {
        let json = cx.world.card_to_send(cx.now_ms, cx.app, id);
        sent.content = json.map_err(|e| content::bad_card(e.code, &e.msg))?;
    }
    let body = content::read(cx.world, cx.app, &sent.msg_type, &sent.content)?;
    owns_resources(cx, &sent)?;
    let per_s = cx.world.options.limits.per_chat_per_s;
    let windows = [(1_000, per_s)];
    cx.world.windows.chat.admit(chat.clone(), cx.now_ms, &windows).map_err(|_| frequency())?;
    let message = Message {
        id: cx.world.message_id(),
        thread: cx.world.thread(&chat, parent.as_ref(), sent.reply_in_thread.unwrap_or_default()),
        chat,
        sender: Sender::App(cx.app),
        msg_type: sent.msg_type,
        sent: sent.content,
        received: body.received,
        mentions: body.mentions,
        root: parent.as_ref().map(|p| p.root.clone().unwrap_or_else(|| p.id.clone())),
        parent: parent.map(|p| p.id),
        at_ms: cx.now_ms,
        updated_ms: cx.now_ms,
        updated: false,
        edits: 0,
        recalled: false,
        reactions: Vec::new(),
        read_by: Vec::new(),
        card,
        row: None,
    };
    let message = keep(cx, message, uuid, body.text);
    if let Some(id) = &message.card {
        cx.world.card_is_sent(id, &message.id);
    }
    if let Some(parent) = &message.parent {
        cx.world.load_replied(cx.now_ms, parent);
    }
    Ok(Reply::Data(object(cx, &message, false)))
}

/// The card entity a message is sent by.
fn entity_of(sent: &Sent) -> Option<String> {
    let card: Value = serde_json::from_str(&sent.content).ok()?;
    let by_id = sent.msg_type == "interactive" && card.get("type")? == "card";
    let id = card.pointer("/data/card_id").filter(|_| by_id)?;
    id.as_str().map(str::to_owned)
}

/// Writes a new message down everywhere it belongs.
fn keep(
    cx: &mut Context<'_>,
    mut message: Message,
    uuid: Option<String>,
    text: Option<String>,
) -> Message {
    let row = MessageRow {
        message_id: message.id.clone(),
        app_id: cx.world.app_id(cx.app),
        chat_id: message.chat.clone(),
        thread_id: message.thread.clone(),
        msg_type: message.msg_type.clone(),
        card_id: message.card.clone(),
        content: message.sent.clone(),
        text,
        uuid: uuid.clone(),
        reply_to: message.parent.clone(),
        at_ms: cx.now_ms,
        recalled: false,
        edits: Vec::new(),
        replays: 0,
    };
    let rows_max = cx.world.options.ledger_rows_max;
    message.row = Some(cx.world.ledger.messages.push(row, rows_max));
    if let Some(uuid) = uuid {
        let window_ms = millis(cx.world.options.uuid_window);
        let key = (cx.app, uuid);
        cx.world.sent_once.put(key, message.id.clone(), cx.now_ms, window_ms, rows_max);
    }
    cx.world.keep_message(message.clone());
    message
}

/// The message this `uuid` created inside the window.
fn replayed(cx: &mut Context<'_>, uuid: &str) -> Option<Message> {
    let window_ms = millis(cx.world.options.uuid_window);
    let known = cx.world.sent_once.get(&(cx.app, uuid.to_owned()), cx.now_ms, window_ms)?;
    let message = cx.world.messages.get(known)?.clone();
    if let Some(row) = message.row.and_then(|row| cx.world.ledger.messages.get_mut(row)) {
        row.replays += 1;
    }
    Some(message)
}

/// An app sends what it uploaded itself (stickers it has received are let through).
fn owns_resources(cx: &Context<'_>, sent: &Sent) -> std::result::Result<(), Refusal> {
    let (field, ext) = match sent.msg_type.as_str() {
        "image" => ("image_key", "invalid image_key"),
        "file" | "audio" | "media" => ("file_key", "invalid file_key"),
        _ => return Ok(()),
    };
    let value: Value = serde_json::from_str(&sent.content).unwrap_or_default();
    let key = value.get(field).and_then(Value::as_str).unwrap_or_default();
    match cx.world.files.get(key) {
        None => Err(Refusal::invalid(ext)),
        Some(file) if file.owner != Some(cx.app) => {
            Err(Refusal::new(230_017, "Bot is NOT the owner of the resource."))
        }
        Some(_) => Ok(()),
    }
}

fn frequency() -> Refusal {
    Refusal::new(230_020, "This operation triggers the frequency limit.")
}

pub(super) fn target<'a>(cx: &'a Context<'_>) -> std::result::Result<&'a Message, Refusal> {
    let id = cx.param("message_id");
    if !id.starts_with("om_") {
        return Err(Refusal::invalid("invalid message_id"));
    }
    let message = cx.world.messages.get(&MessageId::new(id));
    message.ok_or_else(|| Refusal::new(99_992_354, "message_id does not exist"))
}

/// The app's own message that is still there.
fn own(cx: &Context<'_>) -> std::result::Result<Message, Refusal> {
    let message = target(cx)?;
    if message.recalled {
        return Err(Refusal::new(230_110, "Action unavailable as the message has been deleted."));
    }
    match message.sender == Sender::App(cx.app) {
        true => Ok(message.clone()),
        false => Err(Refusal::invalid("bot or user is not the message`s sender")),
    }
}

/// `PUT /open-apis/im/v1/messages/:message_id`: texts and posts, twenty times.
pub(super) fn edit(cx: &mut Context<'_>) -> Result {
    let sent: Sent = cx.json()?;
    let message = own(cx)?;
    if !matches!(message.msg_type.as_str(), "text" | "post")
        || !matches!(sent.msg_type.as_str(), "text" | "post")
    {
        return Err(Refusal::invalid("invalid msg_type"));
    }
    if message.edits >= EDITS_MAX {
        return Err(Refusal::new(
            230_072,
            "The message has reached the number of times it can be edited.",
        ));
    }
    let body = content::read(cx.world, cx.app, &sent.msg_type, &sent.content)?;
    let edited = change(cx, message, sent.msg_type, sent.content, body);
    Ok(Reply::Data(object(cx, &edited, false)))
}

/// `PATCH /open-apis/im/v1/messages/:message_id`: cards, five times a second.
pub(super) fn patch_card(cx: &mut Context<'_>) -> Result {
    let sent: Sent = cx.json()?;
    let message = own(cx)?;
    if message.msg_type != "interactive" {
        return Err(Refusal::invalid("This message is NOT a card"));
    }
    if message.at_ms + CARD_AGE_MS_MAX < cx.now_ms {
        return Err(Refusal::new(
            230_031,
            "Message can only be modified within 14 days after sending.",
        ));
    }
    if message.card.is_some() {
        return Err(content::bad_card(11_310, "a card entity is updated through CardKit"));
    }
    if cx.world.card_tokens.in_interaction(&message.id) {
        return Err(content::bad_card(11_310, "card action is lock"));
    }
    let body = content::read(cx.world, cx.app, "interactive", &sent.content)?;
    let windows = [(1_000, cx.world.options.limits.per_card_per_s)];
    cx.world
        .windows
        .card
        .admit(message.id.clone(), cx.now_ms, &windows)
        .map_err(|_| frequency())?;
    change(cx, message, "interactive".to_owned(), sent.content, body);
    Ok(Reply::Raw(json!({"code": 0, "msg": "ok", "data": {}})))
}

fn change(
    cx: &mut Context<'_>,
    mut message: Message,
    msg_type: String,
    sent: String,
    body: content::Body,
) -> Message {
    message.msg_type = msg_type;
    message.sent = sent;
    message.received = body.received;
    message.mentions = body.mentions;
    message.updated = true;
    message.updated_ms = cx.now_ms;
    message.edits += 1;
    if let Some(row) = message.row.and_then(|row| cx.world.ledger.messages.get_mut(row)) {
        row.msg_type.clone_from(&message.msg_type);
        row.edited(cx.now_ms, message.sent.clone(), body.text);
    }
    cx.world.messages.insert(message.id.clone(), message.clone());
    message
}

/// `DELETE /open-apis/im/v1/messages/:message_id`.
pub(super) fn recall(cx: &mut Context<'_>) -> Result {
    let message = target(cx)?.clone();
    if message.recalled {
        return Err(Refusal::new(230_110, "Action unavailable as the message has been deleted."));
    }
    if message.sender != Sender::App(cx.app) {
        return Err(Refusal::new(230_026, "No permission to recall this message."));
    }
    if let Some(row) = message.row.and_then(|row| cx.world.ledger.messages.get_mut(row)) {
        row.recalled = true;
    }
    if let Some(known) = cx.world.messages.get_mut(&message.id) {
        known.recalled = true;
    }
    Ok(Reply::Data(json!({})))
}

impl World {
    /// Gives a card message another content, whichever way that came.
    pub(crate) fn show_in_message(
        &mut self,
        now_ms: u64,
        id: &MessageId,
        content: String,
        edited: bool,
    ) {
        let Some(message) = self.messages.get(id) else { return };
        let app = match message.sender {
            Sender::App(app) => app,
            Sender::User(_) => return,
        };
        let body = content::read(self, app, "interactive", &content).ok();
        let (received, text) = body.map_or_else(Default::default, |b| (b.received, b.text));
        let Some(message) = self.messages.get_mut(id) else { return };
        message.sent.clone_from(&content);
        message.received = received;
        message.updated_ms = now_ms;
        message.updated |= edited;
        let Some(row) = message.row.and_then(|row| self.ledger.messages.get_mut(row)) else {
            return;
        };
        if edited {
            row.edited(now_ms, content, text);
        } else {
            row.content = content;
        }
    }
}
