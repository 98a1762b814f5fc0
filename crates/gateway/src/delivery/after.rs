//! What follows a call that was refused or failed: another attempt, a plainer form, or the end. Pure
//! but for the clock and the dice.

use std::time::Duration;

use larkline_client::{ApiError, ApiErrorKind};
use larkline_proto::api::{Disposition, RetryReason};
use larkline_proto::id::LogId;
use larkline_store::outbox::{ClaimedOutbox, OutboxSettlement};

use crate::clock::{ms, now_ms};
use crate::governor::Hint;
use crate::outgoing::{Op, stable_uuid};
use crate::words::Lang;

/// Waits between attempts when the platform gives no hint: doubling between these.
pub(super) const RETRY: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(60));
/// Attempts that count (not throttled, not stopped) before a row is given up. With the waits
/// above this is about a day of an unreachable platform.
const ATTEMPTS_MAX: u32 = 1500;
/// Attempts after which a file or a card's change is said in a plainer form.
const PLAINER_AFTER: u32 = 5;

/// What to do about a refused or failed call.
pub(super) fn after(
    row: &ClaimedOutbox,
    op: &Op,
    error: &ApiError,
    lang: Lang,
) -> OutboxSettlement {
    let (at_ms, code, log_id) =
        (now_ms(), error.code().into_owned(), log_id(error.log_id.as_ref()));
    // The chat hears the name of a file; where it lies is told by the story.
    let text = match op.path() {
        Some(path) => format!("{}: {error}", path.display()),
        None => error.to_string(),
    };
    let retry = |wait: Duration, counts: bool| OutboxSettlement::Retry {
        at_ms,
        due_ms: at_ms + ms(wait),
        code: code.clone(),
        error: text.clone(),
        log_id: log_id.clone(),
        counts,
    };
    let replace = |op: Op, form: &str| OutboxSettlement::Replace {
        at_ms,
        code: code.clone(),
        error: text.clone(),
        log_id: log_id.clone(),
        body: op.to_body(),
        uuid: stable_uuid(&format!("{}/{form}", row.uuid)),
    };
    let disposition = error.disposition();
    if !holds_its_chat(disposition, row.attempt)
        && (op.is_update() || matches!(op, Op::File { .. }))
    {
        return match op.simpler(lang) {
            // The card to be changed stays as it is, and what it was to say is said beside it; of a
            // file the chat hears that it could not be sent.
            Some(simpler) => replace(simpler, "beside"),
            None if op.is_update() => nothing_to_change(),
            None => OutboxSettlement::Dead { at_ms, code, error: text, log_id },
        };
    }
    match disposition {
        Disposition::Retry { reason: RetryReason::RateLimited, after } => {
            retry(after.unwrap_or_else(|| backoff(row.attempt)), false)
        }
        Disposition::Retry { after, .. } if row.attempt < ATTEMPTS_MAX => {
            retry(after.unwrap_or_else(|| backoff(row.attempt)), true)
        }
        // An operator has to act; the words wait for it.
        Disposition::Reauthenticate | Disposition::Fatal if row.attempt < ATTEMPTS_MAX => {
            retry(RETRY.1, true)
        }
        Disposition::MessageGone if let Some(op) = op.unquoted() => replace(op, "unquoted"),
        Disposition::Simplify | Disposition::TooLong if let Some(op) = op.simpler(lang) => {
            replace(op, "simpler")
        }
        Disposition::Retry { .. }
        | Disposition::Reauthenticate
        | Disposition::Fatal
        | Disposition::MessageGone
        | Disposition::Simplify
        | Disposition::TooLong
        | Disposition::Permanent => OutboxSettlement::Dead { at_ms, code, error: text, log_id },
    }
}

/// Whether a file or a card's change goes on holding up what its chat is to hear after it: while the
/// platform asks to wait, and for some attempts while it fails. Words are worth more patience.
fn holds_its_chat(disposition: Disposition, attempt: u32) -> bool {
    match disposition {
        Disposition::Retry { reason: RetryReason::RateLimited, .. } => true,
        Disposition::Retry { .. } | Disposition::Reauthenticate => attempt < PLAINER_AFTER,
        Disposition::Permanent
        | Disposition::Fatal
        | Disposition::MessageGone
        | Disposition::Simplify
        | Disposition::TooLong => false,
    }
}

/// A card that was only to be changed, and is not there any more: nobody misses the change.
pub(super) fn nothing_to_change() -> OutboxSettlement {
    OutboxSettlement::Delivered {
        at_ms: now_ms(),
        message_id: String::new(),
        log_id: String::new(),
    }
}

/// Put back by a stop or a limit of our own; nothing was sent.
pub(super) fn put_back(code: &str, wait: Duration) -> OutboxSettlement {
    let at_ms = now_ms();
    OutboxSettlement::Retry {
        at_ms,
        due_ms: at_ms + ms(wait),
        code: code.to_owned(),
        error: "put back before the call".to_owned(),
        log_id: String::new(),
        counts: false,
    }
}

/// What the governor learns from a refusal.
pub fn hint(error: &ApiError) -> Hint {
    match error.disposition() {
        Disposition::Retry { reason: RetryReason::RateLimited, after } => {
            let wait = after.unwrap_or(RETRY.0);
            if is_chat_limit(error) { Hint::Chat(wait) } else { Hint::App(wait) }
        }
        Disposition::Retry { .. }
        | Disposition::Reauthenticate
        | Disposition::Permanent
        | Disposition::Fatal
        | Disposition::MessageGone
        | Disposition::Simplify
        | Disposition::TooLong => Hint::Fine,
    }
}

/// True for the limit of one chat or person; any other is the app's.
fn is_chat_limit(error: &ApiError) -> bool {
    /// "This operation triggers the frequency limit."
    const CHAT_LIMIT: i64 = 230_020;
    matches!(&error.kind, ApiErrorKind::Platform { failure, .. } if failure.code == CHAT_LIMIT)
}

pub(super) fn log_id(id: Option<&LogId>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}

/// Full jitter over a doubling bound.
fn backoff(attempt: u32) -> Duration {
    let bound = RETRY.0.saturating_mul(2_u32.saturating_pow(attempt.min(16))).min(RETRY.1);
    RETRY.0 + bound.mul_f64(fastrand::f64())
}
