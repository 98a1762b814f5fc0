//! Upkeep: what has to happen by the clock and not by a message.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larkline_failpoint::failpoint;
use larkline_proto::event::Event;
use larkline_store::inbox::InboxItem;
use larkline_store::outbox::NewOutbox;
use larkline_store::record::SetBack;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::clock::{self, ms, now_ms};
use crate::config::Config;
use crate::delivery;
use crate::handler::agent::place;
use crate::handler::files;
use crate::outgoing;
use crate::shared::Shared;
use crate::words::{self, Lang};

/// The short round: late replies that never came, an ill store, a growing queue.
const ROUND: Duration = Duration::from_secs(1);
/// How often room is sought in a store that refuses writes.
const PRUNE_ILL_EVERY: Duration = Duration::from_secs(10);
/// How often old events are removed, by the wall clock: a machine that slept has as much to
/// remove as one that did not.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// A clock that is set back by more is noticed; less is what time servers do all day, and what
/// waits waits that much longer.
const SET_BACK_MIN: Duration = Duration::from_secs(2);

/// How often conversations are looked through for idle ones.
const SESSIONS_EVERY: Duration = Duration::from_hours(24);
/// Name of the fact that says when that was done last.
const SESSIONS_CLEANED: &str = "sessions_cleaned_ms";

/// Why a task died whose announced answer never came.
const NO_REPLY: &str = "no_reply";

/// The upkeep worker.
pub struct Upkeep {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Cancelled at the stop.
    pub cancel: CancellationToken,
}

impl Upkeep {
    /// Works until cancelled.
    pub async fn run(&self) {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pruned_ms: Option<i64> = None;
        let mut looked = (Instant::now(), now_ms());
        loop {
            tokio::select! {
                () = self.cancel.cancelled() => return,
                _ = rounds.tick() => {}
            }
            looked = self.clock(looked).await;
            let due =
                |every| pruned_ms.is_none_or(|at_ms| !(0..ms(every)).contains(&(looked.1 - at_ms)));
            if self.shared.store_health.is_ill() {
                self.probe().await;
                // A store that is full by its own limit heals by pruning alone.
                if due(PRUNE_ILL_EVERY) {
                    pruned_ms = Some(looked.1);
                    self.prune().await;
                }
                continue;
            }
            self.expire().await;
            self.queue_bound().await;
            self.unanswered().await;
            if due(PRUNE_EVERY) {
                pruned_ms = Some(looked.1);
                self.prune().await;
            }
        }
    }

    /// Notices a wall clock that was set back since the last look; the moment of this one, or
    /// of the last when the store could not be told.
    async fn clock(&self, (looked, looked_ms): (Instant, i64)) -> (Instant, i64) {
        let back_ms = |(now, now_ms): (Instant, i64)| {
            let back_ms = looked_ms + ms(now.duration_since(looked)) - now_ms;
            Some(back_ms).filter(|back_ms| *back_ms > ms(SET_BACK_MIN))
        };
        let now = (Instant::now(), now_ms());
        if back_ms(now).is_none() {
            return now;
        }
        // Nobody claims by the clock as it was once the rest goes by the clock as it is.
        let _nobody_claims = self.shared.at_work.clock_set_back().await;
        let now = (Instant::now(), now_ms());
        let Some(by_ms) = back_ms(now) else { return now };
        tracing::warn!(
            back_ms = by_ms,
            "the clock was set back; what waits for its time waits no longer for it"
        );
        let lease = self.shared.config.load().limits.lease.max(delivery::LEASE);
        let back = SetBack {
            by_ms,
            since_ms: now.1 - ms(now.0.duration_since(looked)),
            now_ms: now.1,
            lease_until_ms: now.1 + ms(lease),
        };
        if let Err(error) = self.shared.store.clock_set_back(back).await {
            self.shared.store_health.failed("clock_set_back", &error);
            return (looked, looked_ms);
        }
        self.shared.dispatch.notify_waiters();
        self.shared.delivery.notify_waiters();
        now
    }

    /// Finds out whether an ill store has healed, also when no event arrives to try it.
    async fn probe(&self) {
        match self.shared.store.probe().await {
            Ok(()) => {
                self.shared.store_health.recovered();
                self.shared.routing.notify_waiters();
                self.shared.dispatch.notify_waiters();
                self.shared.delivery.notify_waiters();
            }
            Err(error) => tracing::debug!(code = error.code(), "still ill: {error}"),
        }
    }

    async fn expire(&self) {
        let notice = match self.shared.config.load().language {
            Lang::Zh => no_reply_zh,
            Lang::En => no_reply_en,
        };
        match self.shared.store.expire_awaiting(now_ms(), notice).await {
            Ok(items) => {
                for item in &items {
                    tracing::error!(app = item.app, event_id = %item.event_id, inbox_id = item.id.0,
                        verdict = "failed", why = NO_REPLY, "the handler's later answer never came; see `larkline dead`");
                }
                if !items.is_empty() {
                    failpoint!("awaiting_expired");
                    self.shared.delivery.notify_waiters();
                }
            }
            Err(error) => self.shared.store_health.failed("expire_awaiting", &error),
        }
    }

    async fn unanswered(&self) {
        let (shared, config) = (&self.shared, self.shared.config.load_full());
        if let Err(error) = shared.unanswered.look(shared.store.as_ref(), &config, now_ms()).await {
            shared.store_health.failed("oldest_waiting", &error);
        }
    }

    /// Says once when the queue passes its bound, and once when it is back at half of it.
    async fn queue_bound(&self) {
        let bound = u64::try_from(self.shared.config.load().limits.queue_max).unwrap_or(u64::MAX);
        let Ok(depths) = self.shared.store.depths().await else { return };
        let waiting = depths.unrouted + depths.tasks + depths.outbox;
        let crowd = if waiting > bound / 2 { waiting } else { 0 };
        self.shared.crowd.store(crowd, Ordering::Relaxed);
        let overfull = &self.shared.overfull;
        if waiting > bound && !overfull.swap(true, Ordering::Relaxed) {
            tracing::error!(
                waiting,
                bound,
                "more messages wait than the bound allows; nothing more is acked, the platform redelivers; see which handler is slow or down"
            );
        } else if waiting <= bound / 2 && overfull.swap(false, Ordering::Relaxed) {
            tracing::info!(waiting, bound, "the queue is back below its bound");
        }
    }

    /// Completes conversations that nobody uses any more, once a day, restarts or not: a start clears
    /// nothing by itself.
    async fn idle_sessions(&self) {
        let (store, now) = (&self.shared.store, now_ms());
        let config = self.shared.config.load_full();
        let last = store.fact(SESSIONS_CLEANED.to_owned()).await.ok().flatten();
        let last: Option<i64> = last.and_then(|text| text.parse().ok());
        if let Some(at) = last.filter(|at| (0..ms(SESSIONS_EVERY)).contains(&(now - at))) {
            tracing::info!(
                last_run = clock::local_exact(at),
                next_due = clock::local_exact(at + ms(SESSIONS_EVERY)),
                "idle conversations are not looked through now"
            );
            return;
        }
        let retention = config.store.retention;
        let idle = match store.idle_handlers(now - ms(retention)).await {
            Ok(idle) => idle,
            Err(error) => return self.shared.store_health.failed("idle_handlers", &error),
        };
        for (name, keep) in kept(&config, idle) {
            match store.end_sessions_idle(name.clone(), now - ms(keep), now).await {
                Ok(0) => {}
                Ok(sessions) => {
                    tracing::info!(handler = name, sessions, "idle conversations completed")
                }
                Err(error) => return self.shared.store_health.failed("end_sessions_idle", &error),
            }
        }
        if let Err(error) = store.put_fact(SESSIONS_CLEANED.to_owned(), now.to_string()).await {
            return self.shared.store_health.failed("put_fact", &error);
        }
        let next_due = clock::local_exact(now + ms(SESSIONS_EVERY));
        tracing::info!(next_due, "idle conversations were looked through");
    }

    /// Removes folders of tasks that are over as long as events are kept, and those of conversations
    /// that are forgotten.
    async fn sweep_folders(&self) {
        let config = self.shared.config.load_full();
        let (state_dir, retention) = (config.store.path.clone(), config.store.retention);
        let in_hand = self.shared.at_work.tasks();
        let sweep = move || files::sweep(&state_dir, retention, clock::now(), &in_hand);
        if let Err(error) = tokio::task::spawn_blocking(sweep).await {
            tracing::warn!("folders of old tasks could not be looked through: {error}");
        }
        let (shared, state_dir) = (&self.shared, &config.store.path);
        match place::sweep(&*shared.store, state_dir, retention, clock::now()).await {
            Ok(0) => {}
            Ok(folders) => tracing::info!(folders, "folders of forgotten conversations removed"),
            Err(error) => shared.store_health.failed("session_by_id", &error),
        }
    }

    async fn prune(&self) {
        self.idle_sessions().await;
        self.sweep_folders().await;
        let retention = self.shared.config.load().store.retention;
        match self.shared.store.prune(now_ms() - ms(retention)).await {
            Ok(pruned) => tracing::info!(
                events = pruned.events,
                outbox = pruned.outbox,
                keys = pruned.keys,
                next_in_s = PRUNE_EVERY.as_secs(),
                "old events removed"
            ),
            Err(error) => self.shared.store_health.failed("prune", &error),
        }
    }
}

/// How long each handler keeps idle conversations; those with a handler that is not configured any
/// more, or keeps none now, as long as the store keeps events.
fn kept(config: &Config, idle: Vec<String>) -> Vec<(String, Duration)> {
    let keeps = |name: &String| config.handlers.get(name)?.keeps_conversations();
    let left = idle.into_iter().filter(|name| keeps(name).is_none());
    let left: Vec<_> = left.map(|name| (name, config.store.retention)).collect();
    let known = config.handlers.keys().filter_map(|name| Some((name.clone(), keeps(name)?)));
    known.chain(left).collect()
}

fn no_reply_zh(item: &InboxItem, now_ms: i64) -> Option<NewOutbox> {
    no_reply(Lang::Zh, item, now_ms)
}

fn no_reply_en(item: &InboxItem, now_ms: i64) -> Option<NewOutbox> {
    no_reply(Lang::En, item, now_ms)
}

fn no_reply(lang: Lang, item: &InboxItem, now_ms: i64) -> Option<NewOutbox> {
    let event = Event::parse(&item.payload).ok()?;
    outgoing::notice(&item.app, &event, NO_REPLY, &words::no_reply(lang), now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn conversations_with_handlers_that_are_gone_are_kept_as_long_as_events() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("larkline.toml");
        let text = "store = { retention = \"3d\" }\n[app.main]\napp_id = \"cli_a1b2c3d4e5f6a7b8\"\napp_secret = \"s\"\n\
            [handler.model]\nkind = \"llm\"\nprovider = \"qwen\"\nmodel = \"m\"\napi_key = \"k\"\nhistory = { age = \"9d\" }\n\
            [handler.echo]\nkind = \"echo\"\n";
        std::fs::write(&file, text).unwrap();
        let env = [("HOME".to_owned(), "/h".to_owned())].into();
        let sources = Sources { file: Some(file), env, ..Sources::default() };
        let config = Config::load(&sources).unwrap_or_else(|errors| panic!("{errors}"));
        let idle = ["model", "echo", "gone"].map(str::to_owned).to_vec();
        let days = |days: u64| Duration::from_hours(24 * days);
        let expected = [("model", days(9)), ("echo", days(3)), ("gone", days(3))];
        assert_eq!(kept(&config, idle), expected.map(|(name, keep)| (name.to_owned(), keep)));
    }
}
