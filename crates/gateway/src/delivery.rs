//! Delivery: claims outbox rows, takes a permit, sends, settles.
//!
//! One worker an app. A chat has one row in flight, so its messages keep their order; the store hands
//! out the lane served longest ago, so a busy chat starves nobody. A row that has to be sent again
//! carries the same `uuid`, by which the platform recognises it for an hour; then [`crate::look`].

mod ack;
mod after;
mod call;

use std::sync::Arc;
use std::time::Duration;

pub use after::hint;
use after::{RETRY, after, log_id, nothing_to_change, put_back};
use call::Made;
pub use call::is_behind;
use larkline_client::ApiError;
use larkline_failpoint::failpoint;
use larkline_proto::id::{LogId, MessageId};
use larkline_store::outbox::{ClaimedOutbox, OutboxClaim, OutboxSettlement};
use tokio_util::sync::CancellationToken;

use crate::ack::Ack;
use crate::at_work::AtWorkGuard;
use crate::clock::{ms, now_ms};
use crate::config::UnreadableHistory;
use crate::governor::Hint;
use crate::look::{self, Seen};
use crate::outgoing::{Op, stable_uuid};
use crate::shared::{AppRuntime, Shared};
use crate::words::Lang;
use crate::worker;

/// Chats served at the same time. The platform's 50 calls a second at 200 ms a call need 10.
const IN_FLIGHT_MAX: usize = 16;
/// How long a claim holds: longer than a full window of the slowest limit plus a call.
pub const LEASE: Duration = Duration::from_secs(150);
/// How long a row in hand waits for its permit: more than a second's window, far less than
/// the claim.
const PERMIT_WAIT: Duration = Duration::from_secs(10);
/// How long a look into the chat's history may take; then the row gives its slot to another.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Time that an upload takes beside its message.
const UPLOAD: Duration = Duration::from_secs(120);

/// The sender of one app.
pub struct Delivery {
    /// What all workers share.
    pub shared: Arc<Shared>,
    /// Whose messages.
    pub app: Arc<AppRuntime>,
    /// Cancelled: claim nothing more, let calls in flight finish.
    pub drain: CancellationToken,
}

impl Delivery {
    /// Works until drained.
    pub async fn run(self: Arc<Self>) {
        let claim = |running| self.claim(running);
        let work = |item| Arc::clone(&self).work(item);
        worker::run(&self.shared, &self.shared.delivery, &self.drain, claim, work).await;
    }

    async fn claim(&self, running: usize) -> Vec<(ClaimedOutbox, AtWorkGuard)> {
        let moment = self.shared.at_work.moment().await;
        let now = moment.now_ms;
        if !self.shared.at_work.keep(self.shared.store.as_ref(), LEASE, now).await {
            return Vec::new();
        }
        let limit = IN_FLIGHT_MAX.saturating_sub(running);
        if limit == 0 {
            return Vec::new();
        }
        let claim = OutboxClaim {
            app: self.app.name.clone(),
            limit,
            now_ms: now,
            until_ms: now + ms(LEASE),
            owner: self.shared.boot_id.clone(),
        };
        match self.shared.store.claim_outbox(claim).await {
            Ok(rows) => {
                let at_work = |row: &ClaimedOutbox| self.shared.at_work.begin_row(row.lease, now);
                let guards: Vec<_> = rows.iter().map(at_work).collect();
                rows.into_iter().zip(guards).collect()
            }
            Err(error) => {
                self.shared.store_health.failed("claim_outbox", &error);
                Vec::new()
            }
        }
    }

    /// One attempt, from claim to settlement.
    async fn work(self: Arc<Self>, (row, _at_work): (ClaimedOutbox, AtWorkGuard)) {
        failpoint!("rows_claimed");
        let settlement = match Op::from_body(&row.body) {
            Ok(Op::WhileUp { boot_id, .. }) if boot_id != self.shared.boot_id => {
                tracing::debug!(outbox_id = row.lease.row.0, boot_id, "true no more, not said");
                nothing_to_change()
            }
            Ok(op) => self.send(&row, &op).await,
            Err(error) if let Ok(ack) = Ack::from_body(&row.body) => {
                tracing::trace!(outbox_id = row.lease.row.0, "no message: {error}");
                self.acknowledge(&row, &ack).await
            }
            Err(error) => OutboxSettlement::Dead {
                at_ms: now_ms(),
                code: "body_unreadable".to_owned(),
                error: error.to_string(),
                log_id: String::new(),
            },
        };
        let write = || self.shared.store.settle_outbox(row.lease, settlement.clone());
        worker::settle(&self.shared, "settle_outbox", &self.drain, write).await;
        self.shared.delivered.notify_waiters();
        failpoint!("row_settled");
    }

    async fn send(&self, row: &ClaimedOutbox, op: &Op) -> OutboxSettlement {
        // A card in place of another may be put there again.
        if !op.is_update() && self.window_is_over(row, op) {
            return self.look(row, op).await;
        }
        let permit = tokio::select! {
            permit = self.app.governor.acquire(&row.lane) => permit,
            () = self.drain.cancelled() => return put_back("stopped", Duration::ZERO),
            // A long wait gives its slot to another chat, and its claim back before it lapses.
            () = tokio::time::sleep(PERMIT_WAIT) => {
                return put_back("governed", self.app.governor.wait_for(&row.lane));
            }
        };
        failpoint!("permit_taken");
        // Boxed: an upload and a card's update are several calls each.
        let made = Box::pin(self.make(row, op)).await;
        failpoint!("call_answered");
        match made {
            Made::Sent { endpoint, message_id, log_id } => {
                permit.complete(Hint::Fine);
                self.delivered(row, endpoint, &message_id, log_id.as_ref())
            }
            Made::Refused { endpoint, error } => {
                permit.complete(hint(&error));
                self.refused(row, op, endpoint, &error)
            }
            Made::Later => {
                drop(permit);
                put_back("store", RETRY.0)
            }
            Made::Impossible { code, detail } => {
                drop(permit);
                self.impossible(row, op, code, detail)
            }
        }
    }

    fn lang(&self) -> Lang {
        self.shared.config.load().language
    }

    /// Whether the platform may have forgotten the row's `uuid` before a call made now arrives.
    fn window_is_over(&self, row: &ClaimedOutbox, op: &Op) -> bool {
        let config = self.shared.config.load();
        let window = config.limits.uuid_window;
        let upload = if matches!(op, Op::File { .. }) { UPLOAD } else { Duration::ZERO };
        let margin = (PERMIT_WAIT + config.network.request_timeout + upload).min(window / 10);
        now_ms() - row.first_attempt_ms >= ms(window - margin)
    }

    /// Looks for an earlier attempt instead of sending blindly.
    async fn look(&self, row: &ClaimedOutbox, op: &Op) -> OutboxSettlement {
        let look = look::look(&self.shared, &self.app, row, op);
        let Ok(seen) = tokio::time::timeout(LOOK_MAX, look).await else {
            return put_back("look_timeout", RETRY.1);
        };
        tracing::info!(
            app = self.app.name,
            outbox_id = row.lease.row.0,
            inbox_id = row.inbox.map(|i| i.0),
            chat_id = row.lane,
            attempt = row.attempt,
            "the uuid of the first attempt is forgotten by now, looked in the chat: {seen:?}"
        );
        let at_ms = now_ms();
        let looked = |found, code: String, detail: &str, log_id| OutboxSettlement::Looked {
            at_ms,
            found,
            uuid: stable_uuid(&format!("{}/after/{}", row.uuid, row.attempt)),
            code,
            detail: detail.to_owned(),
            log_id,
        };
        let hold = self.shared.config.load().limits.unreadable_history == UnreadableHistory::Hold;
        match seen {
            Seen::Found { message_id, log_id } => {
                let detail = format!("an earlier attempt is there as {message_id}");
                looked(Some(message_id), "found".to_owned(), &detail, log_id)
            }
            Seen::Absent { log_id } => {
                looked(None, "absent".to_owned(), "no earlier attempt is there: sent again", log_id)
            }
            Seen::Later(error) => after(row, op, &error, self.lang()),
            Seen::Closed { code, detail, log_id } if hold => OutboxSettlement::Dead {
                at_ms,
                code: "history_unreadable".to_owned(),
                error: format!("it may be there already; nobody can look ({code}): {detail}"),
                log_id,
            },
            Seen::Closed { code, detail, log_id } => {
                let detail = format!("the history cannot be read, so it is sent again: {detail}");
                looked(None, code, &detail, log_id)
            }
        }
    }

    fn delivered(
        &self,
        row: &ClaimedOutbox,
        endpoint: &str,
        message_id: &MessageId,
        platform_log: Option<&LogId>,
    ) -> OutboxSettlement {
        self.shared.called(&self.app.name, endpoint, "0");
        let (message_id, log_id) = (message_id.to_string(), log_id(platform_log));
        tracing::info!(
            app = self.app.name,
            outbox_id = row.lease.row.0,
            inbox_id = row.inbox.map(|i| i.0),
            message_id,
            attempt = row.attempt,
            log_id,
            "delivered"
        );
        OutboxSettlement::Delivered { at_ms: now_ms(), message_id, log_id }
    }

    /// What cannot be done here at all: said in a plainer form, or given up.
    fn impossible(
        &self,
        row: &ClaimedOutbox,
        op: &Op,
        code: &'static str,
        error: String,
    ) -> OutboxSettlement {
        let at_ms = now_ms();
        tracing::warn!(
            app = self.app.name,
            outbox_id = row.lease.row.0,
            code,
            "not sent as it is: {error}"
        );
        match op.simpler(self.lang()) {
            Some(simpler) => OutboxSettlement::Replace {
                at_ms,
                code: code.to_owned(),
                error,
                log_id: String::new(),
                body: simpler.to_body(),
                uuid: stable_uuid(&format!("{}/{code}", row.uuid)),
            },
            None if op.is_update() => nothing_to_change(),
            None => OutboxSettlement::Dead {
                at_ms,
                code: code.to_owned(),
                error,
                log_id: String::new(),
            },
        }
    }

    /// Says that a call was refused or failed, and what follows.
    fn refused(
        &self,
        row: &ClaimedOutbox,
        op: &Op,
        endpoint: &str,
        error: &ApiError,
    ) -> OutboxSettlement {
        let code = error.code();
        self.shared.called(&self.app.name, endpoint, &code);
        let settlement = after(row, op, error, self.lang());
        let wait_ms = match &settlement {
            OutboxSettlement::Retry { at_ms, due_ms, .. } => Some(due_ms - at_ms),
            OutboxSettlement::Delivered { .. }
            | OutboxSettlement::Looked { .. }
            | OutboxSettlement::Replace { .. }
            | OutboxSettlement::Dead { .. } => None,
        };
        tracing::warn!(
            app = self.app.name,
            outbox_id = row.lease.row.0,
            inbox_id = row.inbox.map(|i| i.0),
            chat_id = row.lane,
            attempt = row.attempt,
            status = error.status(),
            code = %code,
            log_id = error.log_id.as_ref().map(tracing::field::display),
            wait_ms,
            path = op.path().map(|path| tracing::field::display(path.display())),
            "send failed: {error}"
        );
        if matches!(settlement, OutboxSettlement::Dead { .. }) {
            tracing::error!(
                app = self.app.name,
                outbox_id = row.lease.row.0,
                inbox_id = row.inbox.map(|i| i.0),
                chat_id = row.lane,
                code = %code,
                log_id = error.log_id.as_ref().map(tracing::field::display),
                "message not delivered, see `larkline dead`"
            );
        }
        settlement
    }
}
