//! Routing: journaled events get their decision, in order of acceptance.
//!
//! One worker an app. It takes what the journal holds without a decision, so a crash between
//! ack and decision loses nothing, and a second decision for the same event changes nothing.
//! It waits until the platform has told who the bot is: without that no mention can be judged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use larkline_proto::content::Outgoing;
use larkline_proto::event::Event;
use larkline_proto::id::OpenId;
use larkline_proto::rate::{Rate, Ready, Window, nanos};
use larkline_store::inbox::{Decision, InboxItem, RouteDecision};
use larkline_store::outbox::NewOutbox;
use tokio::time::Instant;

use crate::clock::now_ms;
use crate::config::Config;
use crate::outgoing::{Op, stable_uuid};
use crate::router::{self, Context, Routed, Why};
use crate::shared::{AppRuntime, Shared};

/// Events decided in one transaction at most.
const BATCH_MAX: usize = 256;
/// The worker looks at the store at least this often.
const PERIOD: Duration = Duration::from_secs(5);
/// Pause while the store refuses.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// Senders remembered by the inbound limit before idle ones are swept.
const SENDERS_SWEEP: usize = 4096;

/// The routing worker of one app.
pub struct Routing {
    shared: Arc<Shared>,
    app: Arc<AppRuntime>,
    inbound: Mutex<Inbound>,
}

/// Who wrote how much lately.
struct Inbound {
    epoch: Instant,
    senders: HashMap<OpenId, Sender>,
}

struct Sender {
    window: Window,
    told: bool,
}

impl Routing {
    /// A worker for `app`.
    pub fn new(shared: Arc<Shared>, app: Arc<AppRuntime>) -> Self {
        let inbound = Inbound { epoch: Instant::now(), senders: HashMap::new() };
        Self { shared, app, inbound: Mutex::new(inbound) }
    }

    /// Works until aborted by its owner; every step is safe to be cut off.
    pub async fn run(&self) {
        let bot = self.bot().await;
        loop {
            // Registered before the look, so that a hint in between is not missed.
            let woken = self.shared.routing.notified();
            match self.round(&bot).await {
                Some(0) => {
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
            Ok(items) => items,
            Err(error) => {
                self.shared.store_health.failed("unrouted", &error);
                return None;
            }
        };
        if items.is_empty() {
            return Some(0);
        }
        let config = self.shared.config.load_full();
        let mut notices = Vec::new();
        let decisions: Vec<RouteDecision> =
            items.iter().map(|item| self.decide(item, &config, bot, &mut notices)).collect();
        let count = decisions.len();
        if let Err(error) = self.shared.store.route(decisions).await {
            self.shared.store_health.failed("route", &error);
            return None;
        }
        self.shared.dispatch.notify_waiters();
        if !notices.is_empty() {
            match self.shared.store.enqueue(notices).await {
                Ok(_) => self.shared.delivery.notify_waiters(),
                Err(error) => self.shared.store_health.failed("enqueue", &error),
            }
        }
        Some(count)
    }

    fn decide(
        &self,
        item: &InboxItem,
        config: &Config,
        bot: &OpenId,
        notices: &mut Vec<NewOutbox>,
    ) -> RouteDecision {
        let at_ms = now_ms();
        let decision = match Event::parse(&item.payload) {
            Err(error) => {
                verdict_line(&self.app.name, item, "failed", "decode");
                Decision::Failed { why: "decode", detail: error.to_string() }
            }
            Ok(event) => match self.routed(&event, config, bot, at_ms) {
                Routed::Filtered(why) => {
                    verdict_line(&self.app.name, item, "filtered", why.word());
                    notices.extend(self.notice(&event, why));
                    Decision::Filtered { why: why.word() }
                }
                Routed::Tasks(tasks) => {
                    let handlers: Vec<&str> = tasks.iter().map(|t| t.handler.as_str()).collect();
                    tracing::info!(app = self.app.name, event_id = %item.event_id, inbox_id = item.id.0,
                        handlers = handlers.join(","), "routed");
                    Decision::Queue(tasks)
                }
            },
        };
        RouteDecision { inbox: item.id, at_ms, decision }
    }

    fn routed(&self, event: &Event, config: &Config, bot: &OpenId, now_ms: i64) -> Routed {
        let Some(app) = config.apps.iter().find(|a| a.name == self.app.name) else {
            return Routed::Filtered(Why::NoRoute);
        };
        let routed = router::route(event, Context { config, app, bot, now_ms });
        match (&routed, event.message().and_then(|_| event.actor())) {
            (Routed::Tasks(_), Some(sender)) if !self.within_limit(sender, config) => {
                Routed::Filtered(Why::RateLimited)
            }
            (Routed::Tasks(_) | Routed::Filtered(_), Some(_) | None) => routed,
        }
    }

    /// Counts a message of `sender`; `false` when it is over the inbound limit.
    fn within_limit(&self, sender: &OpenId, config: &Config) -> bool {
        let Some(rate) = config
            .governor
            .user_per_minute
            .and_then(|n| Rate::new(n, Duration::from_secs(60)).ok())
        else {
            return true;
        };
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        let now = nanos(inbound.epoch.elapsed());
        if inbound.senders.len() >= SENDERS_SWEEP {
            inbound.senders.retain(|_, s| !s.window.is_idle(now));
        }
        let sender = inbound
            .senders
            .entry(sender.clone())
            .or_insert_with(|| Sender { window: Window::new(rate), told: false });
        let within = sender.window.ready(now) == Ready::Now;
        if within {
            sender.window.take(now);
            sender.window.complete(now);
            sender.told = false;
        }
        within
    }

    /// The notice that goes with a refusal, when there is one: once while it lasts.
    fn notice(&self, event: &Event, why: Why) -> Option<NewOutbox> {
        let message = event.message()?;
        let text = match why {
            Why::RateLimited if self.tell(event.actor()?) => {
                "⏳ 消息太快了，请稍后再发。Too many messages, please wait a minute."
            }
            Why::Stale => {
                "⏳ 这条消息送达得太晚，没有处理；需要的话请重发。This message arrived too late and was not handled; send it again if it still matters."
            }
            Why::RateLimited
            | Why::UnsupportedType
            | Why::NoRoute
            | Why::ChatNotAllowed
            | Why::FromBot
            | Why::SenderNotAllowed
            | Why::NotMentioned
            | Why::OwnMessage => return None,
        };
        let op = Op::Reply {
            message_id: message.id.clone(),
            chat_id: message.chat_id.clone(),
            in_thread: message.thread_id.is_some(),
            message: Outgoing::text(text),
        };
        let key = format!("{}/{}/{}", self.app.name, event.id, why.word());
        Some(NewOutbox {
            app: self.app.name.clone(),
            inbox: None,
            task: None,
            uuid: stable_uuid(&key),
            key,
            lane: op.lane().to_owned(),
            priority: -1,
            preview: op.message().preview(),
            body: op.to_body(),
            created_ms: now_ms(),
        })
    }

    /// True the first time a sender is over the limit in this window.
    fn tell(&self, sender: &OpenId) -> bool {
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        inbound.senders.get_mut(sender).is_some_and(|s| !std::mem::replace(&mut s.told, true))
    }
}

fn verdict_line(app: &str, item: &InboxItem, verdict: &str, why: &str) {
    tracing::info!(app, event_id = %item.event_id, inbox_id = item.id.0, kind = item.kind, verdict, why, "verdict");
}
