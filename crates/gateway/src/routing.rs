//! Routing: events that were journaled without a decision get it, in order of acceptance.
//!
//! Most events have theirs from intake, committed with them. Left to this worker are those that
//! may be repetitions, callbacks, and what came before the platform had told who the bot is:
//! without that no mention can be judged. One worker an app. It takes what the journal holds, so a
//! crash before the decision loses nothing, and a second decision for the same event changes
//! nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use larkline_failpoint::failpoint;
use larkline_proto::event::Event;
use larkline_proto::id::OpenId;
use larkline_store::inbox::{Decision, InboxItem, RouteDecision};
use larkline_store::job::JOB;
use tokio::time::Instant;

use crate::callback::NEUTRAL;
use crate::jobs;
use crate::judge::{self, Judge};
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
    judge: Arc<Judge>,
}

impl Routing {
    /// A worker for `app`.
    pub fn new(shared: Arc<Shared>, app: Arc<AppRuntime>, judge: Arc<Judge>) -> Self {
        Self { shared, app, judge }
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
            self.app.undecided.store(false, Ordering::Relaxed);
            return Some(0);
        }
        let decisions: Vec<_> = items.iter().map(|item| self.decide(item, bot)).collect();
        failpoint!("decided");
        // Decided one time: a person that was counted and told is not to be so again.
        while let Err(error) = self.shared.store.route(decisions.clone()).await {
            self.shared.store_health.failed("route", &error);
            tokio::time::sleep(STORE_PAUSE).await;
        }
        failpoint!("routed");
        if decisions.len() < BATCH_MAX {
            self.app.undecided.store(false, Ordering::Relaxed);
        }
        self.shared.wake_after(decisions.iter().map(|decision| &decision.ruling));
        Some(decisions.len())
    }

    /// Committed events are visible before intake has logged them and registered their acks; jobs
    /// never came by it.
    fn is_announced(&self, item: &InboxItem) -> bool {
        item.id.0 <= self.app.announced.load(Ordering::Relaxed)
            || item.boot_id != self.shared.boot_id
            || item.kind == JOB
    }

    fn decide(&self, item: &InboxItem, bot: &OpenId) -> RouteDecision {
        let ruling = if item.kind == JOB {
            jobs::ruling(item.event_id.as_str())
        } else {
            let event = Event::parse(&item.payload);
            self.judge.rule(event.as_ref(), bot, item.received_ms)
        };
        judge::announce(&self.app.name, &item.event_id, item.id, &item.kind, &ruling.decision);
        if !matches!(ruling.decision, Decision::Queue(_)) {
            // No handler will answer a callback's ack.
            self.shared.callbacks.answer(item.id, Bytes::from_static(NEUTRAL));
        }
        RouteDecision { inbox: item.id, ruling }
    }
}
