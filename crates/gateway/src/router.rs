//! The router: an event, the configuration and the bot's identity in; a decision out. Pure.
//!
//! Routes are tried in the order of the file. The event goes to the route that accepts it,
//! and on to later routes only while accepting routes say `also = true`. When none accepts,
//! the verdict names the reason of the route that came nearest to accepting.

use larkline_proto::content;
use larkline_proto::event::{CARD_ACTION, Event, Message};
use larkline_proto::id::OpenId;
use larkline_store::task::NewTask;

use crate::card;
use crate::commands::Command;
use crate::config::{
    App, Condition, Config, DESK, Facts, Handler, Mention, Repair, Route, Senders, SessionBy, Stale,
};
use crate::proof::is_read_back;

/// The router's word on one event.
#[derive(Clone, Debug)]
pub enum Routed {
    /// To these handlers.
    Tasks(Vec<NewTask>),
    /// To none, for this reason.
    Filtered(Why),
}

/// Why an event reaches no handler, from "no route is about it" to "nearly".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No route asks for this kind of event.
    UnsupportedType,
    /// No route is about this chat, these words or this condition.
    NoRoute,
    /// The chat is denied.
    ChatNotAllowed,
    /// Another bot wrote it, and the route does not want bots.
    FromBot,
    /// Bots answered each other too often without a person in between.
    BotLoop,
    /// The sender is not allowed.
    SenderNotAllowed,
    /// The bot is not mentioned, and the route wants it.
    NotMentioned,
    /// Read back from the chat's history, and the route wants none of that.
    RepairOff,
    /// The same, and the chat is asked.
    RepairAsk,
    /// Older than the route wants.
    Stale,
    /// The same, and the sender is asked whether it still matters.
    StaleAsk,
    /// The sender is over the inbound limit.
    RateLimited,
    /// The bot's own message.
    OwnMessage,
    /// About a probe.
    Probe,
}

impl Why {
    /// The word in verdicts, metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::UnsupportedType => "unsupported_type",
            Self::NoRoute => "no_route",
            Self::ChatNotAllowed => "chat_not_allowed",
            Self::FromBot => "from_bot",
            Self::BotLoop => "bot_loop",
            Self::SenderNotAllowed => "sender_not_allowed",
            Self::NotMentioned => "not_mentioned",
            Self::RepairOff => "repair_off",
            Self::RepairAsk => "repair_ask",
            Self::Stale | Self::StaleAsk => "stale",
            Self::RateLimited => "rate_limited",
            Self::OwnMessage => "self",
            Self::Probe => "probe",
        }
    }
}

/// What a decision needs to know besides the event.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The app the event came to.
    pub app: &'a App,
    /// The bot's open id in that app.
    pub bot: &'a OpenId,
    /// When the event arrived, Unix ms: its age counts at first sight, not after our own wait.
    pub received_ms: i64,
}

/// Decides where an event goes.
pub fn route(event: &Event, ctx: Context<'_>) -> Routed {
    if is_own(event, ctx) {
        return Routed::Filtered(Why::OwnMessage);
    }
    if event.card().is_some_and(|card| card.value_of(card::OURS).is_some()) {
        // Whoever may press it is a matter of what it is about.
        return Routed::Tasks(vec![desk_task("buttons", event)]);
    }
    let mut tasks: Vec<NewTask> = Vec::new();
    let mut nearest = Why::UnsupportedType;
    for route in ctx.config.routes.iter().filter(|r| is_about(r, event, ctx)) {
        match accepts(route, event, ctx).and_then(|()| repairs(route, event)) {
            Err(why @ (Why::RepairOff | Why::RepairAsk)) => {
                // It is this route's message all the same.
                nearest = nearest.max(why);
                if !route.also {
                    break;
                }
            }
            Ok(()) => {
                // Two routes to one handler are one task: it would do the same work twice.
                if !tasks.iter().any(|t| t.handler == route.handler) {
                    tasks.push(task(route, event, ctx));
                }
                if !route.also {
                    break;
                }
            }
            Err(why) => nearest = nearest.max(why),
        }
    }
    if tasks.is_empty() { Routed::Filtered(nearest) } else { Routed::Tasks(tasks) }
}

/// Whether a route takes what was read back from a chat's history.
fn repairs(route: &Route, event: &Event) -> Result<(), Why> {
    match route.repair {
        Repair::Off if is_read_back(&event.id) => Err(Why::RepairOff),
        Repair::Ask if is_read_back(&event.id) => Err(Why::RepairAsk),
        Repair::On | Repair::Ask | Repair::Off => Ok(()),
    }
}

/// True for what the bot did itself: it would answer itself for ever.
fn is_own(event: &Event, ctx: Context<'_>) -> bool {
    event.kind != CARD_ACTION && !ctx.bot.is_empty() && event.actor() == Some(ctx.bot)
}

/// True when the route asks for this kind of event of this app.
fn is_about(route: &Route, event: &Event, ctx: Context<'_>) -> bool {
    route.app.as_ref().is_none_or(|app| *app == ctx.app.name) && route.events.contains(&event.kind)
}

/// Whether people and chats are as a handler's routes want them, for an event that was given to it
/// before: what else decided then (words, mentions, age, limits) does not change by waiting.
///
/// # Errors
/// The reason of the route that comes nearest.
pub fn admits(handler: &str, event: &Event, ctx: Context<'_>) -> Result<(), Why> {
    let mut nearest = Why::NoRoute;
    let to_it = |route: &&Route| route.handler == handler && is_about(route, event, ctx);
    for route in ctx.config.routes.iter().filter(to_it) {
        match admits_by(route, event, ctx) {
            Ok(()) => return Ok(()),
            Err(why) => nearest = nearest.max(why),
        }
    }
    Err(nearest)
}

fn accepts(route: &Route, event: &Event, ctx: Context<'_>) -> Result<(), Why> {
    admits_by(route, event, ctx)?;
    match event.message() {
        Some(message) => accepts_message(route, message, event, ctx),
        None => Ok(()),
    }
}

fn admits_by(route: &Route, event: &Event, ctx: Context<'_>) -> Result<(), Why> {
    let chat = event.chat_id();
    if let Some(chats) = &route.chats
        && !chat.is_some_and(|c| chats.contains(c))
    {
        return Err(Why::NoRoute);
    }
    if chat.is_some_and(|c| route.deny_chats.contains(c)) {
        return Err(Why::ChatNotAllowed);
    }
    if !hears(&route.senders, event.actor(), ctx.app)
        || event.actor().is_some_and(|a| route.deny_senders.contains(a))
    {
        return Err(Why::SenderNotAllowed);
    }
    Ok(())
}

/// Owners and lists name people: an event without an actor is nobody's.
fn hears(senders: &Senders, actor: Option<&OpenId>, app: &App) -> bool {
    match senders {
        Senders::Everyone => true,
        Senders::Owners => actor.is_some_and(|a| app.owners.contains(a)),
        Senders::Only(people) => actor.is_some_and(|a| people.contains(a)),
    }
}

fn accepts_message(
    route: &Route,
    message: &Message,
    event: &Event,
    ctx: Context<'_>,
) -> Result<(), Why> {
    if message.from_bot() && !route.bots {
        return Err(Why::FromBot);
    }
    let text = content::readable(message, ctx.bot);
    if route.matcher.as_ref().is_some_and(|m| !m.finds(&text)) {
        return Err(Why::NoRoute);
    }
    if route.when.as_ref().is_some_and(|w| !holds(w, route, message, event, &text, ctx)) {
        return Err(Why::NoRoute);
    }
    let needs_mention = match route.mention {
        Mention::Never => false,
        Mention::Always | Mention::Auto => !message.chat_type.is_direct(),
    };
    if needs_mention && !message.mentions_bot(ctx.bot) {
        return Err(Why::NotMentioned);
    }
    let age_ms = ctx.received_ms - message.created_ms;
    match (route.stale_after, route.stale) {
        (None, _) | (Some(_), Stale::Process) => Ok(()),
        (Some(limit), _) if message.created_ms == 0 || age_ms <= crate::clock::ms(limit) => Ok(()),
        (Some(_), Stale::Ask) => Err(Why::StaleAsk),
        (Some(_), Stale::Skip) => Err(Why::Stale),
    }
}

/// A condition that cannot be evaluated does not hold, and says so.
fn holds(
    when: &Condition,
    route: &Route,
    message: &Message,
    event: &Event,
    text: &str,
    ctx: Context<'_>,
) -> bool {
    let facts = Facts {
        app: &ctx.app.name,
        event_type: &event.kind,
        chat_id: message.chat_id.as_str(),
        chat_type: message.chat_type.as_str(),
        thread_id: message.thread_id.as_ref().map_or("", |t| t.as_str()),
        sender_id: message.sender.open_id.as_str(),
        sender_type: &message.sender.kind,
        message_type: &message.message_type,
        text,
        mentioned: message.mentions_bot(ctx.bot),
    };
    when.holds(&facts).unwrap_or_else(|error| {
        tracing::warn!(route = route.name, event_id = %event.id, "the route's `when` failed: {error}");
        false
    })
}

fn task(route: &Route, event: &Event, ctx: Context<'_>) -> NewTask {
    let handler = ctx.config.handlers.get(&route.handler);
    if handler.is_some_and(Handler::converses)
        && command(event, ctx.bot).is_some_and(|command| command.is_immediate())
    {
        return desk_task(&route.name, event);
    }
    let lane = if handler.is_some_and(Handler::is_background) {
        format!("{}/{}", route.handler, event.id)
    } else {
        session_of(ctx.config, &route.handler, &ctx.app.name, event)
    };
    NewTask { route: route.name.clone(), handler: route.handler.clone(), lane, due_ms: 0 }
}

/// The chat command that a message is.
pub fn command(event: &Event, bot: &OpenId) -> Option<Command> {
    Command::parse(&content::readable(event.message()?, bot))
}

/// A task of the gateway's own desk, which waits for nobody.
fn desk_task(route: &str, event: &Event) -> NewTask {
    NewTask {
        route: route.to_owned(),
        handler: DESK.to_owned(),
        lane: format!("{DESK}/{}", event.id),
        due_ms: 0,
    }
}

/// The conversation with a handler that an event of an app belongs to; events of one session are
/// handled in order.
pub fn session_of(config: &Config, handler: &str, app: &str, event: &Event) -> String {
    let by = config.handlers.get(handler).map_or(SessionBy::Chat, |h| h.common().session);
    session_key(handler, by, app, event)
}

fn session_key(handler: &str, by: SessionBy, app: &str, event: &Event) -> String {
    let chat = event.chat_id().map_or("-", |c| c.as_str());
    match by {
        SessionBy::Chat => format!("{handler}/{app}/{chat}"),
        SessionBy::Thread => {
            let thread =
                event.message().and_then(|m| m.thread_id.as_ref()).map_or("-", |t| t.as_str());
            format!("{handler}/{app}/{chat}/{thread}")
        }
        SessionBy::Sender => {
            let sender = event.actor().map_or("-", |a| a.as_str());
            format!("{handler}/{app}/{chat}/{sender}")
        }
    }
}
