//! The world as the page shows it.

use serde_json::{Value, json};

use crate::world::{App, Mentioned, Message, Sender, World};

/// Messages a page is given when it opens; older ones are history.
const SHOWN_MAX: usize = 400;

/// Who is there, and where they can talk.
pub(super) fn people(world: &World) -> Value {
    let mut people = world.describe();
    if let Some(chats) = people["chats"].as_array_mut() {
        for chat in chats {
            let id = chat["chat_id"].as_str().unwrap_or_default().into();
            let Some(known) = world.chats.get(&id) else { continue };
            let bots: Vec<_> = known.bots.iter().map(|app| &world.app(*app).bot).collect();
            chat["bots"] = json!(bots);
            chat["closed"] = json!(known.dissolved);
        }
    }
    people
}

/// What the platform itself has to say of its state.
pub(super) fn state(world: &World) -> Value {
    json!({
        "connections": world.conns.len(),
        "faults": world.faults.describe(),
    })
}

/// The newest messages, oldest at the front.
pub(super) fn newest(world: &World) -> Vec<Value> {
    let mut shown: Vec<_> =
        world.messages.in_order().rev().take(SHOWN_MAX).map(|m| message(world, m)).collect();
    shown.reverse();
    shown
}

/// One message, whole.
pub(super) fn message(world: &World, message: &Message) -> Value {
    let mut view = json!({
        "id": message.id,
        "chat": message.chat,
        "sender": sender(world, message.sender),
        "type": message.msg_type,
        "content": content(message),
        "mentions": mentions(world, message),
        "at": message.at_ms,
        "updated": message.updated_ms,
        "edited": message.updated && message.msg_type != "interactive",
        "recalled": message.recalled,
        "reactions": reactions(world, message),
    });
    message.write_place(&mut view);
    view
}

/// What was sent, as JSON where it is JSON.
fn content(message: &Message) -> Value {
    serde_json::from_str(&message.sent).unwrap_or_else(|_| json!({ "text": message.sent }))
}

fn sender(world: &World, sender: Sender) -> Value {
    match sender {
        Sender::App(app) => bot(world.app(app)),
        Sender::User(user) => {
            let user = world.user(user);
            json!({"kind": "user", "open_id": user.open_ids.first(), "name": user.name})
        }
    }
}

fn bot(app: &App) -> Value {
    json!({"kind": "app", "open_id": app.bot, "name": app.spec.name})
}

fn mentions(world: &World, message: &Message) -> Vec<Value> {
    let named = |(n, who): (usize, &Mentioned)| {
        let (name, open_id) = match who {
            Mentioned::Bot(app) => (&world.app(*app).spec.name, Some(&world.app(*app).bot)),
            Mentioned::User(user) => (&world.user(*user).name, world.user(*user).open_ids.first()),
        };
        json!({"key": format!("@_user_{}", n + 1), "name": name, "open_id": open_id})
    };
    message.mentions.iter().enumerate().map(named).collect()
}

fn reactions(world: &World, message: &Message) -> Vec<Value> {
    let shown = message.reactions.iter();
    shown.map(|r| json!({"emoji": r.emoji, "by": sender(world, r.by)["name"]})).collect()
}
