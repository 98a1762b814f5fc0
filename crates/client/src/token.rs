//! The tenant token: cached, one fetch in flight, fetched when a call needs it and never on
//! a timer.
//!
//! A token the platform refuses is dropped and fetched anew (see `api::ApiClient`), so an
//! early revocation costs one call, not every call until a restart. How a token is fetched
//! is not here, and neither is a clock: callers say when it is.

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
    /// it and get its result, failure included. `now` is when the caller began, so a slow
    /// fetch shortens the token's time here and never lengthens it.
    pub(crate) async fn get(
        &self,
        now: Instant,
        fetch: impl AsyncFnOnce() -> Result<Fetched, ApiError>,
    ) -> Result<Secret, ApiError> {
        let before = self.fetches.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(cached) = state.cached.as_ref().filter(|cached| now < cached.due) {
            return Ok(cached.token.clone());
        }
        if self.fetches.load(Ordering::Acquire) != before
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        let fetched = fetch().await;
        self.fetches.fetch_add(1, Ordering::AcqRel);
        state.settle(now, fetched)
    }

    /// Stores what a caller fetched by itself.
    pub(crate) async fn put(&self, now: Instant, fetched: Fetched) {
        self.state.lock().await.store(now, fetched);
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
    fn settle(
        &mut self,
        now: Instant,
        fetched: Result<Fetched, ApiError>,
    ) -> Result<Secret, ApiError> {
        match fetched {
            Ok(fetched) => Ok(self.store(now, fetched)),
            Err(error) => {
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

    fn store(&mut self, now: Instant, fetched: Fetched) -> Secret {
        let Fetched { token, expires_in } = fetched;
        // A token that lives shorter than twice the margin is used for half its life.
        let use_for = expires_in.saturating_sub(MARGIN).max(expires_in / 2);
        self.failure = None;
        self.cached =
            Some(Cached { token: token.clone(), due: now + use_for, ends: now + expires_in });
        token
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use larkline_proto::api::Endpoint;

    use super::*;
    use crate::api_error::ApiErrorKind;

    const HOUR: Duration = Duration::from_secs(3600);

    fn start() -> Instant {
        Instant::now()
    }

    fn fetched(token: &str, expires_in: Duration) -> Result<Fetched, ApiError> {
        Ok(Fetched { token: Secret::new(token), expires_in })
    }

    fn refused() -> Result<Fetched, ApiError> {
        Err(ApiError::new(Endpoint::Token, ApiErrorKind::Http { status: 502 }))
    }

    async fn get(
        cache: &TokenCache,
        now: Instant,
        fetch: Result<Fetched, ApiError>,
    ) -> Result<String, ApiError> {
        cache.get(now, async || fetch).await.map(|token| token.expose().to_owned())
    }

    #[tokio::test]
    async fn a_token_serves_until_the_margin_and_is_then_replaced() {
        let (cache, t0) = (TokenCache::default(), start());
        assert_eq!(get(&cache, t0, fetched("a", 2 * HOUR)).await.unwrap(), "a");
        let before = t0 + 2 * HOUR - MARGIN - Duration::from_secs(1);
        assert_eq!(get(&cache, before, fetched("b", HOUR)).await.unwrap(), "a");
        assert_eq!(get(&cache, t0 + 2 * HOUR - MARGIN, fetched("b", HOUR)).await.unwrap(), "b");
    }

    #[tokio::test]
    async fn a_token_shorter_than_the_margin_still_serves_half_its_life() {
        let (cache, t0) = (TokenCache::default(), start());
        let short = Duration::from_secs(60);
        assert_eq!(get(&cache, t0, fetched("a", short)).await.unwrap(), "a");
        assert_eq!(get(&cache, t0 + short / 3, fetched("b", HOUR)).await.unwrap(), "a");
        assert_eq!(get(&cache, t0 + short / 2, fetched("b", HOUR)).await.unwrap(), "b");
    }

    #[tokio::test]
    async fn a_failed_renewal_keeps_the_living_token_and_holds_off() {
        let (cache, t0) = (TokenCache::default(), start());
        get(&cache, t0, fetched("a", 2 * HOUR)).await.unwrap();
        let due = t0 + 2 * HOUR - MARGIN;
        assert_eq!(get(&cache, due, refused()).await.unwrap(), "a");
        assert_eq!(get(&cache, due + HOLD_OFF / 2, fetched("b", HOUR)).await.unwrap(), "a");
        assert_eq!(get(&cache, due + HOLD_OFF, fetched("b", HOUR)).await.unwrap(), "b");
    }

    #[tokio::test]
    async fn an_ended_token_is_not_used_when_the_renewal_fails() {
        let (cache, t0) = (TokenCache::default(), start());
        get(&cache, t0, fetched("a", HOUR)).await.unwrap();
        assert!(get(&cache, t0 + HOUR, refused()).await.is_err());
    }

    #[tokio::test]
    async fn refusing_an_old_token_keeps_the_new_one() {
        let (cache, t0) = (TokenCache::default(), start());
        get(&cache, t0, fetched("new", HOUR)).await.unwrap();
        cache.invalidate(&Secret::new("old")).await;
        assert_eq!(get(&cache, t0, refused()).await.unwrap(), "new");
        cache.invalidate(&Secret::new("new")).await;
        assert_eq!(get(&cache, t0, fetched("newer", HOUR)).await.unwrap(), "newer");
    }

    #[tokio::test]
    async fn callers_that_waited_for_a_failed_fetch_share_its_failure() {
        let (cache, t0, fetches) = (TokenCache::default(), start(), Cell::new(0));
        let ask = || {
            cache.get(t0, async || {
                fetches.set(fetches.get() + 1);
                tokio::task::yield_now().await;
                refused()
            })
        };
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        assert!(one.is_err() && two.is_err() && three.is_err());
        assert_eq!(fetches.get(), 1);
        assert!(ask().await.is_err());
        assert_eq!(fetches.get(), 2, "a later caller tries again");
    }
}
