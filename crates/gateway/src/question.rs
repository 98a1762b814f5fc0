//! A question to somebody who may never answer: a disk that hangs, and what lives on it.
//!
//! One is under way at a time. Who asks waits a moment and goes on; the answer is taken by a later
//! question, so nothing piles up behind a disk that hangs for a day.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// A question that is asked again and again.
#[derive(Debug)]
pub(crate) struct Question<T> {
    /// At most one.
    asked: JoinSet<T>,
    since: Option<Instant>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// The answer, of this question or of the one that was under way.
    Told(T),
    /// None yet, for so long.
    Silent(Duration),
}

impl<T> Default for Question<T> {
    fn default() -> Self {
        Self { asked: JoinSet::new(), since: None }
    }
}

impl<T: Send + 'static> Question<T> {
    /// Whether somebody asked before and has no answer.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Asks, unless that is under way already, and waits for the answer so long. `put` starts what
    /// answers: a task, or a thread for what blocks.
    pub(crate) async fn ask(
        &mut self,
        patience: Duration,
        put: impl FnOnce(&mut JoinSet<T>),
    ) -> Answer<T> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.asked.is_empty() {
            put(&mut self.asked);
        }
        // What it leaves at the end of patience stays in the set.
        match timeout(patience, self.asked.join_next()).await {
            Ok(Some(Ok(told))) => {
                self.since = None;
                Answer::Told(told)
            }
            // One that panicked is asked anew, and was silent all along.
            Ok(Some(Err(_)) | None) | Err(_) => Answer::Silent(since.elapsed()),
        }
    }
}

impl<T> Answer<T> {
    /// The answer, if there is one.
    pub(crate) fn told(self) -> Option<T> {
        match self {
            Self::Told(told) => Some(told),
            Self::Silent(_) => None,
        }
    }

    /// For how long there was none.
    pub(crate) fn silence(&self) -> Duration {
        match self {
            Self::Told(_) => Duration::ZERO,
            Self::Silent(silence) => *silence,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn one_that_never_answers_is_asked_one_time_and_its_late_answer_is_taken() {
        let (mut question, threads) = (Question::default(), Arc::new(AtomicUsize::new(0)));
        let (go, hung) = mpsc::channel::<()>();
        let hung = Arc::new(std::sync::Mutex::new(hung));
        let put = |set: &mut JoinSet<usize>| {
            let (threads, hung) = (Arc::clone(&threads), Arc::clone(&hung));
            set.spawn_blocking(move || {
                let nth = threads.fetch_add(1, Ordering::Relaxed);
                hung.lock().unwrap().recv().ok();
                nth
            });
        };
        let mut silence = Duration::ZERO;
        for _ in 0..50 {
            let answer = question.ask(SHORT, put).await;
            assert!(matches!(answer, Answer::Silent(_)), "{answer:?}");
            assert!(answer.silence() > silence, "it grows");
            silence = answer.silence();
        }
        go.send(()).unwrap();
        assert_eq!(question.ask(LONG, put).await, Answer::Told(0));
        assert_eq!(threads.load(Ordering::Relaxed), 1, "one thread, however often it was asked");
        go.send(()).unwrap();
        assert_eq!(question.ask(LONG, put).await.told(), Some(1), "and then a new one");
    }

    #[tokio::test]
    async fn one_that_panics_is_silent_and_asked_anew() {
        let mut question = Question::default();
        let answer: Answer<()> =
            question.ask(LONG, |set| drop(set.spawn(async { panic!() }))).await;
        assert!(matches!(answer, Answer::Silent(_)));
        let answer = question.ask(LONG, |set| drop(set.spawn(async {}))).await;
        assert_eq!(answer, Answer::Told(()));
    }
}
