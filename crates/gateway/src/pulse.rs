//! What each minute of the last day was like for a link: the strip of the dashboard.
//!
//! One mark a minute, stored with each look that changed something and at a stop: a kill loses the
//! seconds since. It is looked at by the clock, and the link's own counters tell what happened
//! between two looks.

mod record;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_client::link::LinkStatus;
use larkline_proto::link::State;
use tokio::sync::Notify;

use crate::clock::now_ms;
use crate::proof::weakest_failing;
use crate::shared::{AppRuntime, Shared};
use record::Record;

/// A day.
pub const MINUTES: usize = 24 * 60;
/// How often a link is looked at; what is shorter shows in its counters.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A link that has just been started is not down yet.
const STARTING_MS: i64 = 30_000;
/// A minute in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// The worst of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nobody looked: before the first start, or the machine slept.
    Off,
    /// The link was verified.
    Verified,
    /// Something spoke against it: a ping unanswered, a proof that failed.
    Suspect,
    /// The gateway did not run, not for all of the minute.
    Away,
    /// There was no verified link.
    Down,
}

/// Minutes in a row with one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What they were like.
    pub mark: Mark,
    /// The first of them, counted from the beginning of the day that is shown.
    pub first: usize,
    /// How many.
    pub minutes: usize,
}

/// The marks of one app's link.
#[derive(Debug, Default)]
pub struct Pulse {
    state: Mutex<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    record: Record,
    /// The link's counters at the last look.
    connects: u64,
    misses: u64,
    /// What the store holds; none before it was read.
    kept: Option<String>,
}

impl Pulse {
    /// Notes how a link is now, and what its counters say of the time since the last look.
    pub fn look(&self, link: &LinkStatus, doubted: bool, started_ms: i64, now_ms: i64) {
        let mut marks = self.lock();
        let counters = &link.counters;
        let lost = marks.connects > 0 && counters.connects > marks.connects;
        let missed = counters.misses > marks.misses;
        (marks.connects, marks.misses) = (counters.connects, counters.misses);
        let starting = counters.connects == 0 && now_ms - started_ms < STARTING_MS;
        let mark = match link.state {
            State::Verified if lost => Mark::Down,
            State::Verified if doubted || missed => Mark::Suspect,
            State::Verified => Mark::Verified,
            State::Stale => Mark::Suspect,
            State::Resolving | State::Dialing | State::Upgraded | State::Backoff => {
                match starting {
                    true => Mark::Off,
                    false => Mark::Down,
                }
            }
            // Only a stop closes it for good.
            State::Closing | State::Stopped => Mark::Away,
        };
        marks.record.put(now_ms / MINUTE_MS, mark);
    }

    /// The day up to now, from its beginning to its end without a hole.
    pub fn runs(&self, now_ms: i64) -> Vec<Run> {
        self.lock().record.runs(now_ms / MINUTE_MS)
    }

    /// Takes up what the run before has stored, and stores what is new.
    pub async fn keep(&self, shared: &Shared, app: &str) {
        let name = format!("pulse:{app}");
        if self.lock().kept.is_none() {
            match shared.store.fact(name.clone()).await {
                Ok(stored) => self.take_up(stored.unwrap_or_default(), app, shared.started_ms),
                // Nothing is stored before: it would forget what was.
                Err(error) => return shared.store_health.failed("fact", &error),
            }
        }
        let text = {
            let marks = self.lock();
            let text = marks.record.to_stored();
            if marks.kept.as_ref() == Some(&text) {
                return;
            }
            text
        };
        match shared.store.put_fact(name, text.clone()).await {
            Ok(()) => self.lock().kept = Some(text),
            Err(error) => shared.store_health.failed("put_fact", &error),
        }
    }

    fn take_up(&self, stored: String, app: &str, started_ms: i64) {
        let mut marks = self.lock();
        match Record::of_stored(&stored) {
            Ok(record) => marks.record.take_up(record, started_ms / MINUTE_MS),
            Err(_) if stored.is_empty() => {}
            Err(error) => tracing::warn!(
                app,
                code = "strip_unreadable",
                "the dashboard's last 24 hours begin anew, what was stored of them cannot be read: \
                 {error}; nothing else depends on it"
            ),
        }
        marks.kept = Some(stored);
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the link of one app by the clock.
#[derive(Clone)]
pub struct PulseWatch {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Whose link.
    pub app: Arc<AppRuntime>,
}

impl PulseWatch {
    /// Watches until its owner drops it.
    pub async fn run(self) {
        let look = || self.app.look_at_pulse(self.shared.started_ms);
        let keep = || self.app.pulse.keep(&self.shared, &self.app.name);
        rounds(LOOK_EVERY, look, keep).await;
    }
}

/// Looks by the clock, and has what was seen kept beside it, one write at a time: where the disk
/// hangs the looks go on, and what they saw is kept when it answers.
async fn rounds<Keep>(every: Duration, look: impl Fn(), keep: impl Fn() -> Keep)
where
    Keep: Future<Output = ()>,
{
    let looked = Notify::new();
    let looks = async {
        loop {
            look();
            looked.notify_one();
            tokio::time::sleep(every).await;
        }
    };
    let keeps = async {
        loop {
            looked.notified().await;
            keep().await;
        }
    };
    tokio::join!(looks, keeps);
}

impl AppRuntime {
    /// Notes how the link is now.
    pub fn look_at_pulse(&self, started_ms: i64) {
        let link = self.link.status().borrow().clone();
        let doubted = weakest_failing(&self.proofs.list(&link)).is_some();
        self.pulse.look(&link, doubted, started_ms, now_ms());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Until it has been looked often enough.
    async fn looked(looks: &Cell<usize>) {
        while looks.get() < 5 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_disk_that_hangs_keeps_nobody_from_looking_and_is_asked_once() {
        let (looks, asked) = (Cell::new(0), Cell::new(0));
        let hangs = || {
            asked.set(asked.get() + 1);
            std::future::pending()
        };
        tokio::select! {
            () = rounds(Duration::ZERO, || looks.set(looks.get() + 1), hangs) => {}
            () = looked(&looks) => {}
        }
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test]
    async fn what_was_seen_is_kept_after_each_look() {
        let (looks, kept) = (Cell::new(0), Cell::new(0));
        let keep = || {
            kept.set(looks.get());
            std::future::ready(())
        };
        tokio::select! {
            () = rounds(Duration::ZERO, || looks.set(looks.get() + 1), keep) => {}
            () = looked(&kept) => {}
        }
    }
}
