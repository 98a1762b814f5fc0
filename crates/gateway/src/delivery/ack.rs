//! The calls that acknowledge a message: a reaction to it, and its end. Neither is worth a place that
//! an answer wants, a dead letter, or a wait in anybody's chat.

use std::time::Duration;

use larkline_client::{ApiError, ApiErrorKind};
use larkline_failpoint::failpoint;
use larkline_proto::api::Disposition;
use larkline_proto::id::{EventId, MessageId};
use larkline_store::StoreError;
use larkline_store::outbox::{ClaimedOutbox, OutboxSettlement};

use super::Delivery;
use super::after::{RETRY, hint, log_id, nothing_to_change, put_back};
use crate::ack::{Ack, Added};
use crate::clock::{ms, now_ms};
use crate::governor::Hint;
use crate::outgoing;

/// How often one is tried; later it would say nothing new.
const ATTEMPTS_MAX: u32 = 3;
/// The same for its end: a reaction that stays says what is not true.
const REMOVALS_MAX: u32 = 10;
/// While the app's windows are full of what is said for good.
const CROWDED: Duration = Duration::from_millis(300);

impl Delivery {
    /// One attempt at a row that acknowledges.
    pub(super) async fn acknowledge(&self, row: &ClaimedOutbox, ack: &Ack) -> OutboxSettlement {
        match ack {
            Ack::Add { event_id, message_id, handler, emoji } => {
                // One that was cut off may be there, and nobody would take it away.
                let is_first = row.attempt == 1;
                match self.is_needless(event_id, handler).await.map(|it| it && is_first) {
                    Ok(false) => self.react(row, event_id, message_id, emoji).await,
                    Ok(true) => nothing_to_change(),
                    Err(error) => {
                        self.shared.store_health.failed("ack", &error);
                        put_back("store", RETRY.0)
                    }
                }
            }
            Ack::Remove { message_id, reaction_id } => {
                self.unreact(row, message_id, reaction_id).await
            }
        }
    }

    /// Whether its message has a card by now, or its verdict.
    async fn is_needless(&self, event: &EventId, handler: &str) -> Result<bool, StoreError> {
        let (app, store) = (&self.app.name, self.shared.store.as_ref());
        if self.app.reactions.are_recent() || !self.shared.acks.has_room() {
            return Ok(true);
        }
        let card = outgoing::key(app, event, handler, outgoing::CARD);
        if store.outbox_by_key(card).await?.is_some() {
            return Ok(true);
        }
        match store.item_of_event(app.clone(), event.clone()).await? {
            Some(item) => store.is_over(item.id).await,
            None => Ok(true),
        }
    }

    async fn react(
        &self,
        row: &ClaimedOutbox,
        event: &EventId,
        message: &MessageId,
        emoji: &str,
    ) -> OutboxSettlement {
        let Some(permit) = self.app.governor.try_operation() else {
            return put_back("governed", CROWDED);
        };
        let made = self.app.api.add_reaction(message, emoji).await;
        failpoint!("reaction_added");
        permit.complete(made.as_ref().map_or_else(hint, |_| Hint::Fine));
        self.shared.answered(&self.app.name, "add_reaction", &made);
        match made {
            Ok(made) => {
                let log_id = log_id(made.log_id.as_ref());
                tracing::debug!(app = self.app.name, event_id = %event, message_id = %message, log_id, "acknowledged by a reaction");
                self.remember(event, message, &made.data).await;
                OutboxSettlement::Delivered { at_ms: now_ms(), message_id: made.data, log_id }
            }
            Err(error) => {
                if meets_all(&error) && self.app.reactions.refused() {
                    tracing::warn!(app = self.app.name, code = %error.code(),
                        "messages cannot be acknowledged by reactions: {error}; grant im:message.reactions:write_only, \
                         or set `reaction` of the handler to a known emoji or \"none\"");
                }
                again(row, &error, ATTEMPTS_MAX)
            }
        }
    }

    /// It is to be taken away when the message has its verdict.
    async fn remember(&self, event: &EventId, message: &MessageId, reaction_id: &str) {
        let (app, store) = (self.app.name.clone(), self.shared.store.as_ref());
        let Ok(Some(item)) = store.item_of_event(app.clone(), event.clone()).await else { return };
        let (event_id, message_id) = (event.clone(), message.clone());
        let added = Added { app, event_id, message_id, reaction_id: reaction_id.to_owned() };
        self.shared.acks.added(item.id, added);
        // A verdict that came since the look before the call was not told of it.
        if store.is_over(item.id).await.unwrap_or(false) {
            let over = self.shared.acks.over(item.id).map(Added::remove);
            self.shared.say(over.into_iter().collect()).await;
        }
    }

    async fn unreact(
        &self,
        row: &ClaimedOutbox,
        message: &MessageId,
        reaction: &str,
    ) -> OutboxSettlement {
        let Some(permit) = self.app.governor.try_operation() else {
            return put_back("governed", CROWDED);
        };
        let made = self.app.api.remove_reaction(message, reaction).await;
        permit.complete(made.as_ref().map_or_else(hint, |_| Hint::Fine));
        self.shared.answered(&self.app.name, "remove_reaction", &made);
        match made {
            Ok(_) => nothing_to_change(),
            Err(error) => again(row, &error, REMOVALS_MAX),
        }
    }
}

/// Another attempt, while it may help; nobody misses it otherwise.
fn again(row: &ClaimedOutbox, error: &ApiError, attempts_max: u32) -> OutboxSettlement {
    let code = error.code().into_owned();
    tracing::debug!(lane = row.lane, attempt = row.attempt, code, "reaction: {error}");
    let wait = match error.disposition() {
        Disposition::Retry { after, .. } => after.unwrap_or(RETRY.0 * row.attempt),
        Disposition::Reauthenticate => RETRY.0,
        Disposition::Permanent
        | Disposition::Fatal
        | Disposition::MessageGone
        | Disposition::Simplify
        | Disposition::TooLong => return nothing_to_change(),
    };
    if row.attempt >= attempts_max {
        return nothing_to_change();
    }
    let at_ms = now_ms();
    OutboxSettlement::Retry {
        at_ms,
        due_ms: at_ms + ms(wait),
        code,
        error: error.to_string(),
        log_id: log_id(error.log_id.as_ref()),
        counts: true,
    }
}

/// Whether every reaction would be refused alike: a scope is missing, or there is no such emoji.
fn meets_all(error: &ApiError) -> bool {
    /// "The reaction type is invalid."
    const NO_SUCH_EMOJI: i64 = 231_001;
    error.disposition() == Disposition::Fatal
        || matches!(&error.kind, ApiErrorKind::Platform { failure, .. } if failure.code == NO_SUCH_EMOJI)
}
