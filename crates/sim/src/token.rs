//! Tenant access tokens: the same one while half an hour is left, then a second beside it.
//!
//! Reference: open API, 1.3. Early revocation, which the platform does not document but does,
//! is a fault.

use std::collections::{HashMap, VecDeque};

use crate::world::AppIx;

/// A token with less than this left is replaced by the next request for one.
const RENEW_BELOW_MS: u64 = 30 * 60 * 1000;
/// Tokens remembered; each app has two at most, the rest are expired ones.
const TOKENS_MAX: usize = 1_000;

/// The tokens issued.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    issued: HashMap<String, (AppIx, u64)>,
    order: VecDeque<String>,
    current: HashMap<AppIx, String>,
}

impl Tokens {
    /// The app's token and the seconds it has left; `fresh` makes a new one.
    pub(crate) fn issue(
        &mut self,
        app: AppIx,
        now_ms: u64,
        lifetime_ms: u64,
        fresh: impl FnOnce() -> String,
    ) -> (String, u64) {
        // A lifetime below half an hour, set to see renewals soon, scales the margin with it.
        let margin_ms = RENEW_BELOW_MS.min(lifetime_ms / 4);
        if let Some(token) = self.current.get(&app)
            && let Some((_, until)) = self.issued.get(token)
            && *until >= now_ms + margin_ms
        {
            return (token.clone(), (until - now_ms) / 1000);
        }
        let token = fresh();
        if self.order.len() >= TOKENS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.issued.remove(&oldest);
        }
        self.order.push_back(token.clone());
        self.issued.insert(token.clone(), (app, now_ms + lifetime_ms));
        self.current.insert(app, token.clone());
        (token, lifetime_ms / 1000)
    }

    /// The app a token belongs to, while it is valid.
    pub(crate) fn owner(&self, token: &str, now_ms: u64) -> Option<AppIx> {
        self.issued.get(token).filter(|(_, until)| *until > now_ms).map(|(app, _)| *app)
    }

    /// Forgets all of them.
    pub(crate) fn revoke_all(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_token_until_half_an_hour_is_left_then_two_are_valid() {
        let (app, life) = (AppIx(0), 7_200_000);
        let mut tokens = Tokens::default();
        assert_eq!(tokens.issue(app, 0, life, || "t-1".into()), ("t-1".into(), 7200));
        assert_eq!(tokens.issue(app, 5_400_000, life, || "t-2".into()), ("t-1".into(), 1800));
        assert_eq!(tokens.issue(app, 5_400_001, life, || "t-2".into()), ("t-2".into(), 7200));
        assert_eq!(tokens.owner("t-1", 7_199_999), Some(app));
        assert_eq!(tokens.owner("t-1", 7_200_000), None);
        assert_eq!(tokens.owner("t-2", 7_200_000), Some(app));
    }
}
