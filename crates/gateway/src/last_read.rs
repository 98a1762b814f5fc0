//! What reports read from the store again and again. A store that hangs or cannot be read takes no
//! report away: what was read last is shown, and since when it is that.

use std::time::Duration;

use larkline_store::StoreError;
use tokio::task::JoinSet;

use crate::clock::now_ms;
use crate::question::{Answer, Question};

/// A report waits so long for a store that answered last time. One under load takes its time.
const PATIENCE: Duration = Duration::from_secs(2);
/// And so long for one that did not: people who look while it hangs are not to wait each time.
const PATIENCE_LEFT: Duration = Duration::from_millis(100);

/// The newest of something that is read from the store.
#[derive(Debug, Default)]
pub(crate) struct LastRead<T> {
    question: Question<Result<T, StoreError>>,
    newest: T,
    /// When that was read, Unix ms; 0 for what was never read.
    read_ms: i64,
    /// Whether the last question has no answer.
    is_ill: bool,
}

impl<T: Clone + Send + 'static> LastRead<T> {
    /// Reads anew, by the task that `put` starts. Beside what is known: since when, Unix ms, if it
    /// is not of now.
    pub(crate) async fn read(
        &mut self,
        put: impl Fn(&mut JoinSet<Result<T, StoreError>>),
    ) -> (T, Option<i64>) {
        let patience = if self.is_ill { PATIENCE_LEFT } else { PATIENCE };
        self.read_within(patience, put).await
    }

    async fn read_within(
        &mut self,
        patience: Duration,
        put: impl Fn(&mut JoinSet<Result<T, StoreError>>),
    ) -> (T, Option<i64>) {
        let is_late = self.question.is_under_way();
        let mut answer = self.question.ask(patience, &put).await;
        if is_late && matches!(answer, Answer::Told(_)) {
            // That was asked by somebody before.
            answer = self.question.ask(patience, put).await;
        }
        self.is_ill = !matches!(answer, Answer::Told(Ok(_)));
        match answer {
            Answer::Told(Ok(newest)) => (self.newest, self.read_ms) = (newest, now_ms()),
            Answer::Told(Err(error)) => {
                tracing::debug!(code = error.code(), "the store cannot be read for a report");
            }
            Answer::Silent(_) => {}
        }
        (self.newest.clone(), self.is_ill.then_some(self.read_ms))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    fn told<const N: usize>(set: &mut JoinSet<Result<usize, StoreError>>) {
        set.spawn(async { Ok(N) });
    }

    #[tokio::test]
    async fn what_was_read_last_is_shown_while_the_store_does_not_answer() {
        let (mut last, go) = (LastRead::<usize>::default(), Arc::new(Notify::new()));
        let asked = Arc::new(AtomicUsize::new(0));
        let hangs = |set: &mut JoinSet<_>| {
            let (go, nth) = (Arc::clone(&go), asked.fetch_add(1, Ordering::Relaxed));
            set.spawn(async move {
                go.notified().await;
                Ok(nth)
            });
        };
        assert_eq!(last.read_within(SHORT, hangs).await, (0, Some(0)), "never read");
        go.notify_one();
        assert_eq!(last.read(told::<7>).await, (7, None));
        let read_ms = last.read_ms;
        assert_eq!(last.read_within(SHORT, hangs).await, (7, Some(read_ms)));
        assert_eq!(last.read_within(SHORT, hangs).await, (7, Some(read_ms)));
        assert_eq!(asked.load(Ordering::Relaxed), 2, "one at a time");
    }

    #[tokio::test]
    async fn an_answer_to_somebody_who_has_gone_is_not_taken_for_the_present() {
        let (mut last, go) = (LastRead::<usize>::default(), Arc::new(Notify::new()));
        let hangs = |set: &mut JoinSet<_>| {
            let go = Arc::clone(&go);
            set.spawn(async move {
                go.notified().await;
                Ok(1)
            });
        };
        assert!(last.read_within(SHORT, hangs).await.1.is_some());
        go.notify_one();
        assert_eq!(last.read(told::<2>).await, (2, None));
    }

    #[tokio::test]
    async fn one_that_cannot_be_read_is_stale_too() {
        let mut last = LastRead::<usize>::default();
        assert_eq!(last.read(told::<7>).await, (7, None));
        let (seven, stale) =
            last.read(|set| drop(set.spawn(async { Err(StoreError::Closed) }))).await;
        assert!(seven == 7 && stale.is_some());
    }
}
