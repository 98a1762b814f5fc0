//! Load: many events at a steady pace, or as many as are answered; what came back, and when.
//!
//! For measuring a bot. The events are messages in direct chats and look like those of
//! [`Platform::say`], but a run keeps no rows of them in the ledger and never redelivers:
//! what is not answered by the end of the run is `missing` in its report.

mod run;

use std::time::Duration;

use larkline_proto::id::AppId;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout};

use crate::platform::{Platform, PlatformError};
pub(crate) use run::Run;

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// For which app; empty means the one listed at the front.
    pub app: AppId,
    /// How many events.
    pub events: usize,
    /// How many may wait for their answer. At a pace this bound does not apply.
    pub outstanding: usize,
    /// Events a second; 0 means the next as soon as one is answered.
    pub per_second: f64,
    /// In how many direct chats, one after the other.
    pub chats: usize,
    /// Whether a message in reply is what counts as the answer, or the ack.
    pub replies: bool,
    /// What every message says.
    pub text: String,
    /// When a run without progress ends.
    pub patience_ms: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            app: AppId::default(),
            events: 10_000,
            outstanding: 256,
            per_second: 0.0,
            chats: 16,
            replies: false,
            text: "load".to_owned(),
            patience_ms: 10_000,
        }
    }
}

/// What came of a [`Load`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Events pushed.
    pub pushed: usize,
    /// Acks with code 200.
    pub acked: usize,
    /// Acks with another code.
    pub refused: usize,
    /// Messages in reply, a second one to the same event left out.
    pub replied: usize,
    /// Second replies.
    pub doubled: usize,
    /// Replies that overtook one to an earlier event of the same chat.
    pub overtaken: usize,
    /// Events without the answer that was asked for.
    pub missing: usize,
    /// From the push of the earliest event to the last answer.
    pub elapsed_ms: f64,
    /// Answers a second.
    pub per_second: f64,
    /// Push to ack.
    pub ack_us: Spread,
    /// Push to reply.
    pub reply_us: Spread,
}

/// A distribution, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half are no longer.
    pub p50: u64,
    /// Of a hundred, 99 are no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Spread {
    fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let at = |percent: usize| {
            let place = (micros.len() * percent).div_ceil(100).saturating_sub(1);
            micros.get(place).copied().unwrap_or(0)
        };
        Self { p50: at(50), p99: at(99), max: micros.last().copied().unwrap_or(0) }
    }
}

impl Platform {
    /// Pushes events and waits for their answers. One run at a time.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for an app that is not there, [`PlatformError::Refused`] for
    /// a run that makes no sense, without a connection, or beside another.
    pub async fn load(&self, load: Load) -> Result<LoadReport, PlatformError> {
        let patience = Duration::from_millis(load.patience_ms.max(1));
        let (events, paced) = (load.events, load.per_second > 0.0);
        let (pace, fill) = (load.per_second, load.outstanding.min(events));
        let progress = self.with(|world, now| world.begin_load(now, load))?;
        if paced {
            let began = Instant::now();
            for n in 0..events {
                #[expect(clippy::cast_precision_loss, reason = "far below 2^52 events")]
                let due = began + Duration::from_secs_f64(n as f64 / pace);
                if due > Instant::now() {
                    sleep_until(due).await;
                }
                self.with(|world, now| world.push_load(now));
            }
        } else {
            self.with(|world, now| (0..fill).for_each(|_| world.push_load(now)));
        }
        let answered = || self.with(|world, _| world.load_answered());
        loop {
            let before = answered();
            if before >= events {
                break;
            }
            // A slow bot is waited for as long as it answers at all.
            if timeout(patience, progress.notified()).await.is_err() && answered() == before {
                break;
            }
        }
        let run = self.with(|world, _| world.load.take());
        Ok(run.map(|run| run.finish()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_takes_the_places_its_names_promise() {
        let spread = Spread::of((1..=1000).rev().collect());
        assert_eq!(spread, Spread { p50: 500, p99: 990, max: 1000 });
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        assert_eq!(Spread::of(vec![7]), Spread { p50: 7, p99: 7, max: 7 });
    }
}
