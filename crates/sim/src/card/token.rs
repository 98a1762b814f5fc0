//! Update tokens of card callbacks, and the lock while a callback is not answered yet.
//!
//! Reference: open API, 3.4: 30 minutes, two uses, after the answer.

use std::collections::{HashMap, VecDeque};

use larkline_proto::id::MessageId;

use super::CardError;
use crate::world::AppIx;

/// How long a token is good.
const LIFE_MS: u64 = 30 * 60 * 1000;
/// How often it can be used.
const USES_MAX: u32 = 2;
/// Tokens kept; the oldest goes. Half an hour of five presses a second is 9 000.
const TOKENS_MAX: usize = 10_000;

struct Token {
    app: AppIx,
    message: Option<MessageId>,
    at_ms: u64,
    uses: u32,
    answered: bool,
}

/// The tokens given out.
#[derive(Default)]
pub(crate) struct CardTokens {
    tokens: HashMap<String, Token>,
    order: VecDeque<String>,
    /// Callbacks of a message's card that wait for their answer.
    unanswered: HashMap<MessageId, u32>,
}

impl CardTokens {
    /// Gives a token out with a callback.
    pub(crate) fn give(&mut self, token: &str, app: AppIx, message: Option<MessageId>, at_ms: u64) {
        if self.order.len() >= TOKENS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.answered(&oldest);
            self.tokens.remove(&oldest);
        }
        if let Some(message) = &message {
            *self.unanswered.entry(message.clone()).or_default() += 1;
        }
        self.order.push_back(token.to_owned());
        let given = Token { app, message, at_ms, uses: 0, answered: false };
        self.tokens.insert(token.to_owned(), given);
    }

    /// The callback of a token has its answer, or nobody waits for one any more.
    pub(crate) fn answered(&mut self, token: &str) {
        let Some(token) = self.tokens.get_mut(token).filter(|t| !t.answered) else { return };
        token.answered = true;
        let Some(message) = &token.message else { return };
        if let Some(waiting) = self.unanswered.get_mut(message) {
            *waiting -= 1;
            if *waiting == 0 {
                self.unanswered.remove(message);
            }
        }
    }

    /// Whether a callback of this message's card waits for its answer.
    pub(crate) fn in_interaction(&self, message: &MessageId) -> bool {
        self.unanswered.contains_key(message)
    }

    /// The message a token may change now.
    pub(crate) fn message(
        &self,
        token: &str,
        app: AppIx,
        now_ms: u64,
    ) -> Result<MessageId, CardError> {
        let format = || CardError::new(300_020, "the token is not one of a card callback");
        let known = self.tokens.get(token).ok_or_else(format)?;
        if known.app != app {
            return Err(CardError::new(200_310, "the card is another app's"));
        }
        if known.at_ms + LIFE_MS <= now_ms {
            return Err(CardError::new(300_030, "the token has expired"));
        }
        if known.uses >= USES_MAX {
            return Err(CardError::new(300_040, "the token is used up"));
        }
        if !known.answered {
            return Err(CardError::new(200_810, "the callback is not answered yet"));
        }
        known.message.clone().ok_or_else(format)
    }

    /// Counts one use.
    pub(crate) fn used(&mut self, token: &str) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.uses += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_after_the_answer_for_half_an_hour_and_two_times() {
        let (app, message) = (AppIx(0), MessageId::from("om_1"));
        let mut tokens = CardTokens::default();
        tokens.give("c-1", app, Some(message.clone()), 0);
        let code =
            |tokens: &CardTokens, app, now| tokens.message("c-1", app, now).map_err(|e| e.code);
        assert!(tokens.in_interaction(&message));
        assert_eq!(code(&tokens, app, 0), Err(200_810));
        tokens.answered("c-1");
        tokens.answered("c-1");
        assert!(!tokens.in_interaction(&message));
        assert_eq!(code(&tokens, app, LIFE_MS - 1), Ok(message));
        assert_eq!(code(&tokens, app, LIFE_MS), Err(300_030));
        assert_eq!(code(&tokens, AppIx(1), 0), Err(200_310));
        tokens.used("c-1");
        tokens.used("c-1");
        assert_eq!(code(&tokens, app, 0), Err(300_040));
        assert_eq!(tokens.message("c-2", app, 0).map_err(|e| e.code), Err(300_020));
    }
}
