//! The judge of one app: what becomes of an event, with all that a decision needs to remember.
//!
//! Intake asks it about an event that is surely new, so that the decision is committed with the
//! event; routing about the others, from the journal. An event is asked about once, so that nobody is
//! counted or told twice, with three exceptions that count a message again: the disk refused it, it
//! was taken for new and is a repetition from long ago, or an older event of its chat was still
//! undecided. Which route accepts what is [`crate::router`].

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larkline_proto::event::{Event, EventError};
use larkline_proto::id::{EventId, OpenId};
use larkline_proto::rate::nanos;
use larkline_store::inbox::{Decision, InboxId, Ruling};
use larkline_store::outbox::NewOutbox;
use larkline_store::task::NewTask;
use tokio::time::Instant;

use crate::ack;
use crate::clock::now_ms;
use crate::config::Config;
use crate::inbound::Inbound;
use crate::outgoing;
use crate::router::{self, Context, Routed, Why};
use crate::shared::{AppRuntime, Shared};
use crate::words;

/// The judge of one app.
pub struct Judge {
    shared: Arc<Shared>,
    app: Arc<AppRuntime>,
    epoch: Instant,
    inbound: Mutex<Inbound>,
}

impl Judge {
    /// A judge for `app`.
    pub fn new(shared: Arc<Shared>, app: Arc<AppRuntime>) -> Self {
        Self { shared, app, epoch: Instant::now(), inbound: Mutex::default() }
    }

    /// Decides about an event, or about a payload that could not be read as one.
    pub fn rule(
        &self,
        event: Result<&Event, &EventError>,
        bot: &OpenId,
        received_ms: i64,
    ) -> Ruling {
        let at_ms = now_ms();
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                let decision = Decision::Failed { why: "decode", detail: error.to_string() };
                return Ruling { at_ms, decision, notice: None };
            }
        };
        self.app.chats.see(event);
        match self.routed(event, &self.shared.config.load(), bot, received_ms) {
            Routed::Filtered(why) => {
                let decision = Decision::Filtered { why: why.word() };
                Ruling { at_ms, decision, notice: self.notice(event, why) }
            }
            Routed::Tasks(tasks) => {
                // Who hears in words that his message waits needs no sign of it.
                let notice = self.crowd_notice(event).or_else(|| self.ack(event, &tasks));
                Ruling { at_ms, decision: Decision::Queue(tasks), notice }
            }
        }
    }

    fn routed(&self, event: &Event, config: &Config, bot: &OpenId, received_ms: i64) -> Routed {
        let Some(app) = config.apps.iter().find(|a| a.name == self.app.name) else {
            return Routed::Filtered(Why::NoRoute);
        };
        if self.shared.probes.recognise(event, received_ms) {
            return Routed::Filtered(Why::Probe);
        }
        let routed = router::route(event, Context { config, app, bot, received_ms });
        let Some(message) = event.message() else { return routed };
        self.app.groups.count(message, bot);
        let (mut inbound, now) = (self.inbound(), nanos(self.epoch.elapsed()));
        if !message.from_bot() {
            inbound.person_spoke(&message.chat_id);
        }
        match (routed, event.actor()) {
            (Routed::Tasks(_), _)
                if message.from_bot() && !inbound.bot_may_speak(&message.chat_id, now) =>
            {
                Routed::Filtered(Why::BotLoop)
            }
            (Routed::Tasks(_), Some(sender))
                if !inbound.within(sender, config.governor.user_per_minute, now) =>
            {
                Routed::Filtered(Why::RateLimited)
            }
            (routed, _) => routed,
        }
    }

    fn inbound(&self) -> MutexGuard<'_, Inbound> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notice that goes with a refusal, when there is one: once while it lasts.
    fn notice(&self, event: &Event, why: Why) -> Option<NewOutbox> {
        let lang = self.shared.config.load().language;
        let text = match why {
            Why::RateLimited if self.tell(event.actor()?) => words::too_many(lang),
            Why::Stale => words::too_late(lang),
            Why::StaleAsk => words::still_wanted(lang),
            Why::RateLimited
            | Why::UnsupportedType
            | Why::NoRoute
            | Why::ChatNotAllowed
            | Why::FromBot
            | Why::BotLoop
            | Why::SenderNotAllowed
            | Why::NotMentioned
            | Why::OwnMessage
            | Why::RepairOff
            | Why::RepairAsk
            | Why::Probe => return None,
        };
        outgoing::notice(&self.app.name, event, why.word(), &text, now_ms())
    }

    /// What a chat hears whose message was taken but has to wait behind many others.
    fn crowd_notice(&self, event: &Event) -> Option<NewOutbox> {
        let waiting = self.shared.crowd.load(Ordering::Relaxed);
        let chat = &event.message()?.chat_id;
        if waiting == 0 || !self.inbound().tell_crowd(chat, nanos(self.epoch.elapsed())) {
            return None;
        }
        let text = words::crowded(self.shared.config.load().language, waiting);
        outgoing::notice(&self.app.name, event, "crowded", &text, now_ms())
    }

    /// The sign that a message was heard, where its handler gives one.
    fn ack(&self, event: &Event, tasks: &[NewTask]) -> Option<NewOutbox> {
        let config = self.shared.config.load();
        let (handler, emoji) = tasks.iter().find_map(|task| {
            let emoji = config.handlers.get(&task.handler)?.common().reaction.as_ref()?;
            Some((&task.handler, emoji))
        })?;
        ack::add(&self.app.name, event, handler, emoji).filter(|_| !self.app.reactions.are_recent())
    }

    /// True when a sender over the limit is to be told.
    fn tell(&self, sender: &OpenId) -> bool {
        self.inbound().tell(sender, nanos(self.epoch.elapsed()))
    }
}

/// The line that says what was decided about an event.
pub fn announce(app: &str, event_id: &EventId, id: InboxId, kind: &str, decision: &Decision) {
    let (verdict, why) = match decision {
        Decision::Queue(tasks) => {
            let handlers: Vec<&str> = tasks.iter().map(|task| task.handler.as_str()).collect();
            let handlers = handlers.join(",");
            tracing::info!(app, %event_id, inbox_id = id.0, handlers, "routed");
            return;
        }
        Decision::Filtered { why } => ("filtered", *why),
        Decision::Failed { why, .. } => ("failed", *why),
    };
    tracing::info!(app, %event_id, inbox_id = id.0, kind, verdict, why, "verdict");
}
