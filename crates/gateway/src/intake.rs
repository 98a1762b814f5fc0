//! Intake: delivery → durable accept → ack.
//!
//! Batches what has arrived, commits it in one transaction, and only then acks. When the store
//! refuses, nothing is acked: the platform redelivers after 15 s, 5 min, 1 h and 6 h. No user
//! code runs here; the acks of callbacks wait for their handlers in tasks of their own.
//!
//! What is surely new is decided in the same commit; the rest is left to [`crate::routing`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use larkline_client::link::{AckToken, Answer, Delivery, LinkHandle};
use larkline_failpoint::failpoint;
use larkline_proto::content;
use larkline_proto::event::Event;
use larkline_proto::header::DataKind;
use larkline_proto::id::{EventId, MessageId, OpenId};
use larkline_store::StoreError;
use larkline_store::inbox::{Accepted, AckTimes, NewEvent, event_key, message_key};
use larkline_store::job::JOB;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use crate::callback::NEUTRAL;
use crate::clock::now_ms;
use crate::judge::{self, Judge};
use crate::recent::Recent;
use crate::shared::{AppRuntime, Shared};

/// Events read before the first of them goes to the disk: few, so that reading and writing overlap;
/// what waits for the disk shares its commit all the same.
const BATCH_MAX: usize = 32;
/// Commits under way at once: while the disk has one, the next is read and waits behind it.
const COMMITS_MAX: usize = 8;
/// Deliveries that may wait between link and intake. Full, the link sheds them un-acked.
pub const DELIVERIES_MAX: usize = 1024;
/// The platform allows a callback 3 s in all; what is left is for the way.
const CALLBACK_BUDGET: Duration = Duration::from_millis(2500);
/// Pause after a refused commit, so that an ill disk is not hammered.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// The intake of one app.
pub struct Intake {
    shared: Arc<Shared>,
    app: Arc<AppRuntime>,
    judge: Arc<Judge>,
    /// Behind a lock because the worker can be made again after a panic.
    incoming: Mutex<Incoming>,
}

struct Incoming {
    deliveries: mpsc::Receiver<Delivery>,
    recent: Recent,
}

/// A batch on its way to the disk.
struct Offered {
    pending: Vec<Pending>,
    events: Arc<[NewEvent]>,
}

/// What the ack of one delivery needs to know.
struct Pending {
    token: AckToken,
    arrived: Instant,
    callback: bool,
}

impl Intake {
    /// An intake that reads from `deliveries`.
    pub fn new(
        shared: Arc<Shared>,
        app: Arc<AppRuntime>,
        judge: Arc<Judge>,
        deliveries: mpsc::Receiver<Delivery>,
    ) -> Self {
        let incoming = Mutex::new(Incoming { deliveries, recent: Recent::default() });
        Self { shared, app, judge, incoming }
    }

    /// Works until the link ends.
    pub async fn run(&self) {
        let Incoming { deliveries, recent } = &mut *self.incoming.lock().await;
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut commits = FuturesOrdered::new();
        let mut callbacks = JoinSet::new();
        let mut open = true;
        // A refused commit holds up what comes, and not the acks of those that follow it.
        let mut resume = Instant::now();
        while open || !commits.is_empty() {
            let paused = resume > Instant::now();
            tokio::select! {
                biased;
                Some((offered, outcome)) = commits.next() => {
                    if !self.committed(offered, outcome, &mut callbacks).await {
                        resume = Instant::now() + REFUSED_PAUSE;
                    }
                }
                () = sleep_until(resume), if paused => {}
                count = deliveries.recv_many(&mut batch, BATCH_MAX),
                    if open && !paused && commits.len() < COMMITS_MAX =>
                {
                    open = count > 0;
                    if let Some(offered) = self.offer(&mut batch, recent) {
                        commits.push_back(self.commit(offered));
                    }
                }
            }
            while callbacks.try_join_next().is_some() {}
        }
        // Acks still waiting are bounded by their budget.
        while callbacks.join_next().await.is_some() {}
    }

    /// Reads a batch for the journal; nothing of it when too much waits already.
    fn offer(&self, batch: &mut Vec<Delivery>, recent: &mut Recent) -> Option<Offered> {
        if batch.is_empty() {
            return None;
        }
        if self.shared.overfull.load(Ordering::Relaxed) {
            tracing::warn!(
                app = self.app.name,
                events = batch.len(),
                "queue over its bound: not acked, to be redelivered"
            );
            batch.clear();
            return None;
        }
        let previews = self.shared.config.load().log.previews;
        let bot = self.bot();
        let (pending, events): (Vec<Pending>, Vec<NewEvent>) =
            batch.drain(..).map(|d| self.read(d, previews, bot.as_ref(), recent)).unzip();
        failpoint!("event_taken");
        Some(Offered { pending, events: events.into() })
    }

    async fn commit(&self, offered: Offered) -> (Offered, Result<Vec<Accepted>, StoreError>) {
        let outcome = self.shared.store.accept(Arc::clone(&offered.events)).await;
        (offered, outcome)
    }

    /// Acks what is on disk, and nothing else; `false` when it was refused.
    async fn committed(
        &self,
        Offered { pending, events }: Offered,
        outcome: Result<Vec<Accepted>, StoreError>,
        callbacks: &mut JoinSet<()>,
    ) -> bool {
        match outcome {
            Ok(accepted) => {
                failpoint!("accepted");
                self.shared.store_health.recovered();
                let acked = self.ack(pending, &accepted, now_ms(), callbacks);
                failpoint!("ack_queued");
                events.iter().zip(&accepted).for_each(|(e, a)| log(&self.app.name, e, a));
                self.hand_on(&events, &accepted);
                crate::recall::heard(&self.shared, &self.app.name, &events).await;
                mark_acked(&self.shared, acked).await;
                failpoint!("ack_marked");
                true
            }
            Err(error) => {
                self.shared.store_health.failed("accept", &error);
                tracing::warn!(
                    app = self.app.name,
                    events = pending.len(),
                    "not acked, to be redelivered"
                );
                false
            }
        }
    }

    /// The bot, when events can be judged now: it is known who it is, none but perhaps single events
    /// wait for a decision, and the disk is well, so that what is decided will be kept.
    fn bot(&self) -> Option<OpenId> {
        let waits = self.shared.store_health.is_ill() || self.app.undecided.load(Ordering::Relaxed);
        if waits { None } else { self.app.bot.borrow().clone() }
    }

    /// Wakes those who go on with what was committed.
    fn hand_on(&self, events: &[NewEvent], accepted: &[Accepted]) {
        let newest = accepted.iter().map(|accepted| accepted.id().0);
        self.shared.cards.heard(events);
        self.app.announced.fetch_max(newest.max().unwrap_or(0), Ordering::Relaxed);
        let is_held = |accepted: &Accepted| matches!(accepted, Accepted::Undecided(_));
        if accepted.iter().any(is_held) || events.iter().any(|event| event.ruling.is_none()) {
            self.shared.routing.notify_waiters();
        }
        self.shared.wake_after(events.iter().filter_map(|event| event.ruling.as_ref()));
    }

    /// Reads what the journal needs to know; a payload that does not parse is kept verbatim.
    fn read(
        &self,
        delivery: Delivery,
        previews: bool,
        bot: Option<&OpenId>,
        recent: &mut Recent,
    ) -> (Pending, NewEvent) {
        let mut new = NewEvent {
            app: self.app.name.clone(),
            received_ms: delivery.received_ms,
            boot_id: self.shared.boot_id.clone(),
            ..NewEvent::default()
        };
        let event = Event::parse(&delivery.payload);
        match &event {
            Ok(event) => describe(&mut new, event, previews),
            Err(error) => {
                tracing::warn!(
                    app = self.app.name,
                    code = "event_unreadable",
                    bytes = delivery.payload.len(),
                    "{error}; kept verbatim"
                );
                new.kind = delivery.kind.as_str().to_owned();
            }
        }
        if new.kind == JOB {
            // Jobs are of our own making: nobody on the line can have anything run.
            new.kind = format!("foreign:{JOB}");
        }
        if delivery.kind == DataKind::Card {
            tracing::warn!(
                app = self.app.name,
                code = "old_card_callback",
                "an old-style card callback arrived: the console's callback configuration is wrong or unpublished"
            );
        }
        if new.event_id.is_empty() {
            new.event_id =
                stand_in(new.message_id.as_ref(), &delivery.frame_message_id, &delivery.payload);
        }
        if new.keys.is_empty() {
            new.keys.push(event_key(new.event_id.as_str()));
        }
        let callback = event.as_ref().is_ok_and(Event::is_callback);
        // A callback's ack has to be waiting before any handler can answer it.
        if recent.is_first(&new.keys) && !callback {
            new.ruling = bot.map(|bot| self.judge.rule(event.as_ref(), bot, new.received_ms));
        }
        new.payload = delivery.payload.into();
        (Pending { token: delivery.ack, arrived: Instant::now(), callback }, new)
    }

    /// Acks what is committed; callbacks ack themselves when their handlers have answered.
    fn ack(
        &self,
        pending: Vec<Pending>,
        accepted: &[Accepted],
        journaled_ms: i64,
        callbacks: &mut JoinSet<()>,
    ) -> Vec<AckTimes> {
        let mut answers = Vec::with_capacity(pending.len());
        let mut acked = Vec::with_capacity(pending.len());
        for (pending, accepted) in pending.into_iter().zip(accepted) {
            self.shared.metrics.ack_seconds.observe(pending.arrived.elapsed().as_secs_f64());
            let waiting = match accepted {
                Accepted::New(id) if pending.callback => self.shared.callbacks.wait_for(*id),
                Accepted::New(_) | Accepted::Undecided(_) | Accepted::Duplicate { .. } => None,
            };
            match (waiting, accepted) {
                (Some(answer), accepted) => {
                    let shared = Arc::clone(&self.shared);
                    let link = self.app.link.clone();
                    let times =
                        AckTimes { inbox: accepted.id(), journaled_ms, acked_ms: journaled_ms };
                    callbacks.spawn(answer_callback(shared, link, pending, answer, times));
                    continue;
                }
                (None, Accepted::New(id) | Accepted::Undecided(id)) => {
                    acked.push(AckTimes { inbox: *id, journaled_ms, acked_ms: journaled_ms });
                }
                (None, Accepted::Duplicate { .. }) => {}
            }
            let answer = if pending.callback {
                Answer::with_data(Bytes::from_static(NEUTRAL))
            } else {
                Answer::ok()
            };
            answers.push((pending.token, answer));
        }
        self.app.link.answer(answers);
        let acked_ms = now_ms();
        acked.into_iter().map(|times| AckTimes { acked_ms, ..times }).collect()
    }
}

async fn mark_acked(shared: &Shared, acked: Vec<AckTimes>) {
    if let Err(error) = shared.store.mark_acked(acked).await {
        shared.store_health.failed("mark_acked", &error);
    }
}

/// An id for an event that has none: what its redeliveries share, and no other event has.
fn stand_in(message: Option<&MessageId>, frame: &str, payload: &[u8]) -> EventId {
    match message {
        Some(message) => format!("message-{message}"),
        None if !frame.is_empty() => format!("frame-{frame}"),
        None => format!("payload-{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, payload)),
    }
    .into()
}

async fn answer_callback(
    shared: Arc<Shared>,
    link: LinkHandle,
    pending: Pending,
    answer: tokio::sync::oneshot::Receiver<Bytes>,
    times: AckTimes,
) {
    let deadline = pending.arrived + CALLBACK_BUDGET;
    let answer = match timeout_at(deadline, answer).await {
        Ok(Ok(data)) => Answer::with_data(data),
        Ok(Err(_)) | Err(_) => Answer::with_data(Bytes::from_static(NEUTRAL)),
    };
    link.answer(vec![(pending.token, answer)]);
    mark_acked(&shared, vec![AckTimes { acked_ms: now_ms(), ..times }]).await;
}

/// Fills in what the journal wants to know of an event.
pub(crate) fn describe(new: &mut NewEvent, event: &Event, previews: bool) {
    new.event_id = event.id.clone();
    // The platform replays messages under new event ids: both ids recognise a redelivery.
    let event_id = Some(&event.id).filter(|id| !id.is_empty()).map(|id| event_key(id.as_str()));
    let message_id = event.received_message().map(|id| message_key(id.as_str()));
    new.keys = event_id.into_iter().chain(message_id).collect();
    new.kind.clone_from(&event.kind);
    new.message_id = event.message_id().cloned();
    new.chat_id = event.chat_id().cloned();
    new.sender = event.actor().cloned();
    new.created_ms = event.created_ms;
    if let Some(message) = event.message() {
        new.chat_type = Some(message.chat_type.as_str().to_owned());
        if previews {
            new.preview = content::preview(&content::readable(message, &OpenId::default()));
        }
    }
}

/// The line that every delivery gets, as if no filter had looked at it yet, and the one that says
/// what was decided, when that was so already.
fn log(app: &str, event: &NewEvent, accepted: &Accepted) {
    tracing::info!(
        app,
        event_id = event.event_id.as_str(),
        kind = event.kind,
        message_id = event.message_id.as_ref().map_or("", |id| id.as_str()),
        chat_id = event.chat_id.as_ref().map_or("", |id| id.as_str()),
        sender = event.sender.as_ref().map_or("", |id| id.as_str()),
        bytes = event.payload.len(),
        redelivery = matches!(accepted, Accepted::Duplicate { .. }),
        preview = event.preview,
        "event received"
    );
    match (accepted, &event.ruling) {
        (Accepted::Duplicate { of, times }, _) => tracing::info!(
            app,
            event_id = event.event_id.as_str(),
            inbox_id = of.0,
            times,
            verdict = "filtered",
            why = "duplicate",
            "verdict"
        ),
        (Accepted::New(id), Some(ruling)) => {
            judge::announce(app, &event.event_id, *id, &event.kind, &ruling.decision);
        }
        (Accepted::New(_) | Accepted::Undecided(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_without_an_id_are_told_apart_and_their_redeliveries_are_not() {
        let message = MessageId::new("om_1");
        let ids = [
            stand_in(Some(&message), "f1", b"a"),
            stand_in(None, "f1", b"a"),
            stand_in(None, "f2", b"a"),
            stand_in(None, "", b"a"),
            stand_in(None, "", b"b"),
        ];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert_eq!(ids[3], stand_in(None, "", b"a"));
        assert_eq!(ids[0], stand_in(Some(&message), "another frame", b"a"));
    }
}
