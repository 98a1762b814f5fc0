//! Dispatch: claims tasks, runs handlers, settles.
//!
//! One worker a handler, so that a slow or broken handler holds up nobody else. A worker is
//! woken by hint or by period, claims the heads of free lanes, and does the same thing after a
//! crash as on a good day. Within a lane tasks run one after the other; lanes run in parallel
//! up to the handler's cap; what does not fit waits in the store.

mod giving_up;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larkline_failpoint::failpoint;
use larkline_proto::content;
use larkline_proto::event::Event;
use larkline_proto::id::OpenId;
use larkline_store::outbox::NewOutbox;
use larkline_store::task::{ClaimedTask, TaskClaim, TaskSettlement};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::giving_up::failures;
use crate::at_work::AtWorkGuard;
use crate::callback::NEUTRAL;
use crate::clock::{ms, now_ms};
use crate::config::{Common, JOBS, RetrySettings};
use crate::grants::{Grant, Granted};
use crate::handler::retry::Next;
use crate::handler::{Answer, Handler, HandlerError, Retry, Turn};
use crate::hands::{Busy, Hand};
use crate::line::Line;
use crate::live::Live;
use crate::outgoing::{Destination, Saying};
use crate::shared::{AppRuntime, Shared};
use crate::worker;

/// Says that a task is worked on, and takes a place below the handler's cap.
type InHand = (AtWorkGuard, Busy);

/// The worker of one handler.
pub struct Dispatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// The apps, to know which bot a message mentions.
    pub apps: Arc<Vec<Arc<AppRuntime>>>,
    /// Name of the handler.
    pub name: String,
    /// The handler.
    pub handler: Arc<Handler>,
    /// How much it has in hand, with the workers of before a reload.
    pub hand: Arc<Hand>,
    /// Its cap, retry and reply settings.
    pub common: Common,
    /// Cancelled: claim nothing more, let running tasks finish.
    pub drain: CancellationToken,
    /// Cancelled: the drain's deadline has passed, end running tasks.
    pub kill: CancellationToken,
    /// Who waits while the cap is reached, and was told.
    pub line: Line,
    /// The address of late replies, when handlers may answer later.
    pub reply_base: Option<String>,
}

impl Dispatch {
    /// Works until drained.
    pub async fn run(self: Arc<Self>) {
        let claim = |_running| self.claim();
        let work = |(task, in_hand)| Arc::clone(&self).work(task, in_hand);
        tokio::select! {
            () = worker::run(&self.shared, &self.shared.dispatch, &self.drain, claim, work) => {}
            never = self.line.watch(&self.shared, &self.name) => match never {},
        }
    }

    async fn claim(&self) -> Vec<(ClaimedTask, InHand)> {
        let lease = self.shared.config.load().limits.lease;
        let moment = self.shared.at_work.moment().await;
        let now = moment.now_ms;
        if !self.shared.at_work.keep(self.shared.store.as_ref(), lease, now).await {
            return Vec::new();
        }
        let (limit, _claiming) = self.hand.room(self.common.concurrency).await;
        self.line.full(limit == 0);
        if limit == 0 {
            return Vec::new();
        }
        let claim = TaskClaim {
            handler: self.name.clone(),
            without: self.shared.stranded.clone(),
            limit,
            now_ms: now,
            until_ms: now + ms(lease),
            owner: self.shared.boot_id.clone(),
            // A job may say so itself, and jobs are few.
            once: self.common.retry.attempts == 1 || self.name == JOBS,
        };
        match self.shared.store.claim_tasks(claim).await {
            Ok(tasks) => {
                let in_hand = |task: &ClaimedTask| {
                    (self.shared.at_work.begin(task.lease, now), self.hand.take())
                };
                let guards: Vec<_> = tasks.iter().map(in_hand).collect();
                tasks.into_iter().zip(guards).collect()
            }
            Err(error) => {
                self.shared.store_health.failed("claim_tasks", &error);
                Vec::new()
            }
        }
    }

    /// One attempt, from claim to settlement.
    async fn work(self: Arc<Self>, task: ClaimedTask, in_hand: InHand) {
        failpoint!("tasks_claimed");
        let started = Instant::now();
        let (lease, inbox, attempt) = (task.lease, task.item.id, task.attempt);
        let event_id = task.item.event_id.clone();
        self.shared.metrics.handler_wait_seconds.observe(seconds_since(task.item.received_ms));
        let turn = self.bot(&task.item.app).await.map(|bot| self.turn(&task, &bot));
        let used_up = turn.as_ref().and_then(|turn| self.used_up(&task, turn.as_ref().ok()?));
        let settlement = match turn {
            Some(Err(error)) => self.given_up(&task, None, &error),
            Some(Ok(turn)) if let Err(why) = self.admitted(&task, &turn) => {
                self.turned_away(&task, why)
            }
            Some(Ok(turn)) if let Some(error) = used_up => {
                self.given_up(&task, Some(&turn), &error)
            }
            Some(Ok(_)) if let Some(later) = self.steps_aside(&task) => later,
            // Ended before it began: the attempt does not count.
            Some(Ok(_)) if self.kill.is_cancelled() => TaskSettlement::Release,
            None => TaskSettlement::Release,
            Some(Ok(mut turn)) => {
                tracing::debug!(handler = self.name, event_id = %event_id, inbox_id = inbox.0, attempt, "attempt");
                failpoint!("handler_begins");
                // Over before its settlement: what its programs say later is said by nobody.
                let granted = self.grant(&task, &turn);
                turn.access = granted.as_ref().map(Granted::access);
                let result = self.handle(&turn).await;
                drop(granted);
                failpoint!("handler_done");
                let word = match &result {
                    Ok(answer) if answer.later => "later",
                    Ok(answer) => answer.outcome.unwrap_or("ok"),
                    Err(error) => error.code,
                };
                self.shared.metrics.attempt(&self.name, word, started.elapsed());
                self.shared.health.attempt(&self.name, word, now_ms());
                tracing::info!(
                    handler = self.name, event_id = %event_id, inbox_id = inbox.0, attempt, result = word,
                    elapsed_ms = started.elapsed().as_millis(), "handled"
                );
                self.settlement(&task, &turn, result)
            }
        };
        let write = || self.shared.store.settle_task(lease, settlement.clone());
        worker::settle(&self.shared, "settle_task", &self.kill, write).await;
        failpoint!("task_settled");
        self.shared.delivery.notify_waiters();
        drop(in_hand);
        if self.drain.is_cancelled() {
            // What waits behind it is another worker's since a reload, which did not see it end.
            self.shared.dispatch.notify_waiters();
        }
    }

    /// Runs the handler, and beside it what its turn shows in the chat.
    async fn handle(&self, turn: &Turn) -> Result<Answer, HandlerError> {
        let Some(live) = &turn.live else { return self.handler.handle(turn).await };
        tokio::select! {
            result = self.handler.handle(turn) => result,
            never = live.paint() => match never {},
        }
    }

    /// The way to the chat of a message whose handler converses.
    fn live(&self, task: &ClaimedTask, event: &Event) -> Option<Live> {
        event.message().filter(|_| self.handler.converses())?;
        let app = self.apps.iter().find(|app| app.name == task.item.app)?;
        let to = Destination::of(&task.item, task.lease.task, &self.name, event, &self.common)?;
        Some(Live::new(Arc::clone(&self.shared), Arc::clone(app), to, task.attempt))
    }

    /// What the turn's programs may do in its chat while it runs.
    fn grant(&self, task: &ClaimedTask, turn: &Turn) -> Option<Granted> {
        if !self.handler.talks_back() {
            return None;
        }
        let app = self.apps.iter().find(|app| app.name == task.item.app)?;
        let to =
            Destination::of(&task.item, task.lease.task, &self.name, &turn.event, &self.common)?;
        let new = || Live::new(Arc::clone(&self.shared), Arc::clone(app), to.clone(), task.attempt);
        let live = turn.live.clone().unwrap_or_else(new);
        let config = self.shared.config.load();
        let owners = config.apps.iter().filter(|app| app.name == task.item.app);
        let people = owners
            .flat_map(|app| app.owners.iter())
            .chain(self.handler.approvers())
            .chain(turn.event.actor())
            .cloned()
            .collect();
        // A job that starts jobs would have no end.
        let may_start_jobs = config.jobs.from_tasks && self.name != JOBS;
        let by = turn.event.actor().cloned();
        self.shared.grants.open(Grant::new(live, to, people, by, may_start_jobs))
    }

    /// How often a turn is tried.
    fn retry(&self, turn: &Turn) -> RetrySettings {
        let retry = self.common.retry;
        let attempts = self.handler.attempts(turn).unwrap_or(retry.attempts);
        RetrySettings { attempts, ..retry }
    }

    fn turn(&self, task: &ClaimedTask, bot: &OpenId) -> Result<Turn, HandlerError> {
        let event = Event::parse(&task.item.payload).map_err(|e| HandlerError {
            code: "event_unreadable",
            detail: e.to_string(),
            retry: Retry::Never,
            said: String::new(),
        })?;
        let message = event.message();
        Ok(Turn {
            app: task.item.app.clone(),
            route: task.route.clone(),
            handler: task.handler.clone(),
            session: task.lane.clone(),
            inbox: task.item.id,
            task: task.lease.task,
            attempt: task.attempt,
            text: message.map(|m| content::readable(m, bot)).unwrap_or_default(),
            mentioned: message.is_some_and(|m| m.mentions_bot(bot)),
            payload: task.item.payload.clone(),
            reply_url: self
                .reply_base
                .as_ref()
                .map(|base| format!("{base}/v1/replies/{}", task.lease.task.0)),
            cancel: self.kill.child_token(),
            lease: task.lease,
            live: self.live(task, &event),
            access: None,
            event,
        })
    }

    /// The bot, whom the message may mention. Tasks of an earlier run are here before the
    /// platform has told it to this one; `None` when a stop comes sooner.
    async fn bot(&self, app: &str) -> Option<OpenId> {
        let Some(app) = self.apps.iter().find(|a| a.name == app) else {
            return Some(OpenId::default());
        };
        let mut known = app.bot.subscribe();
        tokio::select! {
            biased;
            bot = known.wait_for(Option::is_some) => bot.ok().and_then(|bot| bot.clone()),
            () = self.drain.cancelled() => None,
        }
    }

    fn settlement(
        &self,
        task: &ClaimedTask,
        turn: &Turn,
        result: Result<Answer, HandlerError>,
    ) -> TaskSettlement {
        let at_ms = now_ms();
        match result {
            Ok(answer) => {
                if turn.event.is_callback() {
                    let data = answer
                        .callback
                        .as_ref()
                        .map_or_else(|| "{}".to_owned(), ToString::to_string);
                    self.shared.callbacks.answer(task.item.id, Bytes::from(data));
                    failpoint!("callback_answered");
                }
                let replies = self.rows(task, Some(turn), "a", answer.sayings());
                match self.handler.reply_within() {
                    Some(within) if answer.later => {
                        TaskSettlement::Await { replies, at_ms, until_ms: at_ms + ms(within) }
                    }
                    Some(_) | None => TaskSettlement::Done { replies, at_ms },
                }
            }
            Err(error) => {
                if turn.event.is_callback() {
                    self.shared.callbacks.answer(task.item.id, Bytes::from_static(NEUTRAL));
                }
                match self.retry(turn).next(failures(task) + 1, error.retry, fastrand::u64(..)) {
                    // Cut off by a stop after it began: it may have had its effects, so the
                    // next run has to know that it is not the first.
                    Next::Release => TaskSettlement::Stopped {
                        at_ms,
                        code: error.code.to_owned(),
                        error: error.detail,
                    },
                    Next::Again(wait) => {
                        tracing::warn!(handler = self.name, event_id = %task.item.event_id, attempt = task.attempt,
                        code = error.code, wait_ms = wait.as_millis(), "handler failed, to be tried again: {error}");
                        TaskSettlement::Retry {
                            at_ms,
                            due_ms: at_ms + ms(wait),
                            code: error.code.to_owned(),
                            error: error.detail,
                        }
                    }
                    Next::GiveUp => self.given_up(task, Some(turn), &error),
                }
            }
        }
    }

    fn rows(
        &self,
        task: &ClaimedTask,
        turn: Option<&Turn>,
        part: &str,
        sayings: Vec<Saying>,
    ) -> Vec<NewOutbox> {
        let Some(turn) = turn else { return Vec::new() };
        let event = &turn.event;
        let to = Destination::of(&task.item, task.lease.task, &self.name, event, &self.common);
        let previews = self.shared.config.load().log.previews;
        let growing = turn.live.as_ref().and_then(Live::growing);
        match to {
            Some(to) => to.rows(part, sayings, growing.as_deref(), previews, now_ms()),
            None if sayings.is_empty() => Vec::new(),
            None => {
                tracing::warn!(handler = self.name, event_id = %event.id, "an answer to an event without a chat is dropped");
                Vec::new()
            }
        }
    }
}

fn seconds_since(at_ms: i64) -> f64 {
    let elapsed = u64::try_from(now_ms() - at_ms).unwrap_or(0);
    Duration::from_millis(elapsed).as_secs_f64()
}
