//! Routing: journaled events get their decision, in order of acceptance.
//!
//! One worker an app. It takes what the journal holds without a decision, so a crash between
//! ack and decision loses nothing, and a second decision for the same event changes nothing.
//! It waits until the platform has told who the bot is: without that no mention can be judged.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use larkline_failpoint::failpoint;
use larkline_proto::event::Event;
use larkline_proto::id::OpenId;
use larkline_proto::rate::nanos;
use larkline_store::inbox::{Decision, InboxItem, RouteDecision};
use larkline_store::outbox::NewOutbox;
use tokio::time::Instant;

use crate::callback::NEUTRAL;
use crate::clock::now_ms;
use crate::config::Config;
use crate::inbound::Inbound;
use crate::outgoing;
use crate::router::{self, Context, Routed, Why};
use crate::shared::{AppRuntime, Shared};

/// Events decided in one transaction at most.
const BATCH_MAX: usize = 256;
/// The worker looks at the store at least this often.
const PERIOD: Duration = Duration::from_secs(5);
/// Rounds are at least so far apart while events keep coming: each costs the same few changes of
/// threads, for one event or for many. An event that comes alone does not wait.
const ROUND: Duration = Duration::from_millis(4);
/// Pause while the store refuses.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// The routing worker of one app.
pub struct Routing {
    shared: Arc<Shared>,
    app: Arc<AppRuntime>,
    epoch: Instant,
    inbound: Mutex<Inbound>,
}

impl Routing {
    /// A worker for `app`.
    pub fn new(shared: Arc<Shared>, app: Arc<AppRuntime>) -> Self {
        Self { shared, app, epoch: Instant::now(), inbound: Mutex::default() }
    }

    /// Works until aborted by its owner; every step is safe to be cut off.
    pub async fn run(&self) {
        let bot = self.bot().await;
        loop {
            // Registered before the look, so that a hint in between is not missed.
            let woken = self.shared.routing.notified();
            let began = Instant::now();
            match self.round(&bot).await {
                // Less than a whole batch was all there is.
                Some(count) if count < BATCH_MAX => {
                    tokio::time::sleep_until(began + ROUND).await;
                    tokio::select! {
                        () = woken => {}
                        () = tokio::time::sleep(PERIOD) => {}
                    }
                }
                Some(_) => {}
                None => tokio::time::sleep(STORE_PAUSE).await,
            }
        }
    }

    /// The bot's open id, as soon as it is known.
    async fn bot(&self) -> OpenId {
        let mut known = self.app.bot.subscribe();
        loop {
            if let Some(bot) = known.borrow_and_update().clone() {
                return bot;
            }
            if known.changed().await.is_err() {
                // The sender lives in `self.app`, so it cannot go before we do.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Decides one batch; how many, or `None` when the store refused.
    async fn round(&self, bot: &OpenId) -> Option<usize> {
        let items = match self.shared.store.unrouted(self.app.name.clone(), BATCH_MAX).await {
            Ok(items) => items.into_iter().filter(|i| self.is_announced(i)).collect::<Vec<_>>(),
            Err(error) => {
                self.shared.store_health.failed("unrouted", &error);
                return None;
            }
        };
        if items.is_empty() {
            return Some(0);
        }
        let config = self.shared.config.load_full();
        let decisions: Vec<RouteDecision> =
            items.iter().map(|item| self.decide(item, &config, bot)).collect();
        failpoint!("decided");
        // Decided one time: a person that was counted and told is not to be so again.
        while let Err(error) = self.shared.store.route(decisions.clone()).await {
            self.shared.store_health.failed("route", &error);
            tokio::time::sleep(STORE_PAUSE).await;
        }
        failpoint!("routed");
        if decisions.iter().any(|it| matches!(it.decision, Decision::Queue(_))) {
            self.shared.dispatch.notify_waiters();
        }
        if decisions.iter().any(|decision| decision.notice.is_some()) {
            self.shared.delivery.notify_waiters();
        }
        Some(decisions.len())
    }

    /// Committed events are visible before intake has logged them and registered their acks.
    fn is_announced(&self, item: &InboxItem) -> bool {
        item.id.0 <= self.app.announced.load(Ordering::Relaxed)
            || item.boot_id != self.shared.boot_id
    }

    fn decide(&self, item: &InboxItem, config: &Config, bot: &OpenId) -> RouteDecision {
        let at_ms = now_ms();
        let mut notice = None;
        let decision = match Event::parse(&item.payload) {
            Err(error) => {
                verdict_line(&self.app.name, item, "failed", "decode");
                Decision::Failed { why: "decode", detail: error.to_string() }
            }
            Ok(event) => {
                self.app.chats.see(&event);
                match self.routed(&event, config, bot, item.received_ms) {
                    Routed::Filtered(why) => {
                        verdict_line(&self.app.name, item, "filtered", why.word());
                        notice = self.notice(&event, why);
                        notice = notice.map(|n| NewOutbox { inbox: Some(item.id), ..n });
                        Decision::Filtered { why: why.word() }
                    }
                    Routed::Tasks(tasks) => {
                        let handlers: Vec<&str> =
                            tasks.iter().map(|t| t.handler.as_str()).collect();
                        tracing::info!(app = self.app.name, event_id = %item.event_id, inbox_id = item.id.0,
                        handlers = handlers.join(","), "routed");
                        notice = self.crowd_notice(&event);
                        Decision::Queue(tasks)
                    }
                }
            }
        };
        if !matches!(decision, Decision::Queue(_)) {
            // No handler will answer a callback's ack.
            self.shared.callbacks.answer(item.id, Bytes::from_static(NEUTRAL));
        }
        RouteDecision { inbox: item.id, at_ms, decision, notice }
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
        let text = match why {
            Why::RateLimited if self.tell(event.actor()?) => {
                "⏳ 消息太快了，请稍后再发。Too many messages, please wait a minute."
            }
            Why::Stale => {
                "⏳ 这条消息送达得太晚，没有处理。This message arrived too late and was not handled."
            }
            Why::StaleAsk => {
                "⏳ 这条消息送达得很晚，还需要处理吗？需要的话请重发。This message arrived late: does it still matter? Then please send it again."
            }
            Why::RateLimited
            | Why::UnsupportedType
            | Why::NoRoute
            | Why::ChatNotAllowed
            | Why::FromBot
            | Why::BotLoop
            | Why::SenderNotAllowed
            | Why::NotMentioned
            | Why::OwnMessage
            | Why::Probe => return None,
        };
        outgoing::notice(&self.app.name, event, why.word(), text, now_ms())
    }

    /// What a chat hears whose message was taken but has to wait behind many others.
    fn crowd_notice(&self, event: &Event) -> Option<NewOutbox> {
        let waiting = self.shared.crowd.load(Ordering::Relaxed);
        let chat = &event.message()?.chat_id;
        if waiting == 0 || !self.inbound().tell_crowd(chat, nanos(self.epoch.elapsed())) {
            return None;
        }
        let text = format!(
            "⏳ 已收到，前面还有约 {waiting} 条消息在排队。Received; about {waiting} messages are waiting before yours."
        );
        outgoing::notice(&self.app.name, event, "crowded", &text, now_ms())
    }

    /// True when a sender over the limit is to be told.
    fn tell(&self, sender: &OpenId) -> bool {
        self.inbound().tell(sender, nanos(self.epoch.elapsed()))
    }
}

fn verdict_line(app: &str, item: &InboxItem, verdict: &str, why: &str) {
    tracing::info!(app, event_id = %item.event_id, inbox_id = item.id.0, kind = item.kind, verdict, why, "verdict");
}
