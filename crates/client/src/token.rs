//! The tenant token: cached, one fetch in flight, fetched when a call needs it and never on
//! a timer.
//!
//! A token the platform refuses is dropped and fetched anew (see `api::ApiClient`), so an
//! early revocation costs one call, not every call until a restart. How a token is fetched
//! is not here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api_error::ApiError;
use crate::secret::Secret;

/// A token with less than this left is replaced: well under the 30 min below which the
/// platform hands out a new one, well over any clock error.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// After a failed refresh of a token that still lives, it is used for this long before the
/// next try, so that an ill token endpoint does not slow every call down.
const HOLD_OFF: Duration = Duration::from_secs(30);

/// A fetched token.
pub(crate) struct Fetched {
    pub(crate) token: Secret,
    pub(crate) expires_in: Duration,
}

/// The token of one app.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    /// Held across a fetch: whoever waits here shares its result.
    state: Mutex<State>,
    /// Fetches that ended, well or not.
    fetches: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    cached: Option<Cached>,
    /// How the last fetch failed, when it did.
    failure: Option<ApiError>,
}

#[derive(Debug)]
struct Cached {
    token: Secret,
    /// When to fetch the next.
    due: Instant,
    /// When the platform stops taking it.
    ends: Instant,
}

impl TokenCache {
    /// The token, from the cache or by `fetch`. Callers that arrive during a fetch wait for
    /// it and get its result, failure included.
    pub(crate) async fn get(
        &self,
        fetch: impl AsyncFnOnce() -> Result<Fetched, ApiError>,
    ) -> Result<Secret, ApiError> {
        let before = self.fetches.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(cached) = state.cached.as_ref().filter(|cached| Instant::now() < cached.due) {
            return Ok(cached.token.clone());
        }
        if self.fetches.load(Ordering::Acquire) != before
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        let fetched = fetch().await;
        self.fetches.fetch_add(1, Ordering::AcqRel);
        state.settle(fetched)
    }

    /// Stores what a caller fetched by itself.
    pub(crate) async fn put(&self, fetched: Fetched) {
        self.state.lock().await.store(fetched);
    }

    /// Forgets a token the platform refused, unless it has been replaced already.
    pub(crate) async fn invalidate(&self, refused: &Secret) {
        let mut state = self.state.lock().await;
        if state.cached.as_ref().is_some_and(|it| it.token.expose() == refused.expose()) {
            state.cached = None;
        }
    }
}

impl State {
    fn settle(&mut self, fetched: Result<Fetched, ApiError>) -> Result<Secret, ApiError> {
        match fetched {
            Ok(fetched) => Ok(self.store(fetched)),
            Err(error) => {
                let now = Instant::now();
                self.failure = Some(error.clone());
                match self.cached.as_mut().filter(|cached| now < cached.ends) {
                    Some(cached) => {
                        tracing::warn!(%error, "the token could not be renewed; the old one still holds");
                        cached.due = now + HOLD_OFF;
                        Ok(cached.token.clone())
                    }
                    None => Err(error),
                }
            }
        }
    }

    fn store(&mut self, fetched: Fetched) -> Secret {
        let Fetched { token, expires_in } = fetched;
        let now = Instant::now();
        // A token that lives shorter than twice the margin is used for half its life.
        let use_for = expires_in.saturating_sub(MARGIN).max(expires_in / 2);
        self.failure = None;
        self.cached =
            Some(Cached { token: token.clone(), due: now + use_for, ends: now + expires_in });
        token
    }
}
