//! What a running turn shows in its chat: one card that grows, and questions with buttons.
//!
//! The card and the questions are rows of the outbox like every message, so they arrive once and in
//! order. The growing itself is beside the outbox and may be lost at any step: at the end the whole
//! answer takes the card's place, from the outbox again. So no streaming error can lose a word of
//! it. A handler says what is to be seen ([`Live::show`]) and never waits for the platform.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larkline_client::{ApiError, ApiErrorKind};
use larkline_proto::api::Disposition;
use larkline_proto::content::Outgoing;
use larkline_proto::id::MessageId;
use larkline_proto::markdown;
use larkline_store::StoreError;
use larkline_store::outbox::OutboxStage;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::card::{self, ANSWER, STATUS};
use crate::clock::now_ms;
use crate::governor::Hint;
use crate::outgoing::{CARD, Destination, Op};
use crate::shared::{AppRuntime, Shared};
use crate::words::{self, Lang};

/// Operations on one card are so far apart: the platform takes ten a second, and people read slower.
const STREAM_EVERY: Duration = Duration::from_millis(200);
/// The same where the whole card is sent each time: the platform takes five a second, and its users
/// saw fewer arrive.
const PATCH_EVERY: Duration = Duration::from_millis(1500);
/// Streaming switches itself off after ten minutes; it is switched on again before.
const RENEW_EVERY: Duration = Duration::from_mins(9);
/// After one that was refused.
const RENEW_AGAIN: Duration = Duration::from_mins(1);
/// Failures in a row after which a plainer way is taken.
const FAILURES_MAX: u32 = 3;
/// The state of the row is looked at this often, besides being woken.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Characters of the word about the work.
const STATUS_CHARS_MAX: usize = 300;
/// Characters of the answer that a growing card shows; the end shows all of it.
const SHOWN_CHARS_MAX: usize = 8_000;

/// What a turn shows, and the way to its chat. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    app: Arc<AppRuntime>,
    to: Destination,
    lang: Lang,
    view: watch::Sender<Option<View>>,
    opened: AtomicBool,
}

/// What is to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    answer: String,
    status: String,
}

/// How a card is changed.
enum Brush {
    /// Element by element, as an entity.
    Entity(String),
    /// As a whole.
    Whole,
}

impl Live {
    /// The chat of one turn; an earlier `attempt` at it may have sent its card.
    pub fn new(shared: Arc<Shared>, app: Arc<AppRuntime>, to: Destination, attempt: u32) -> Self {
        let lang = shared.config.load().language;
        let (view, opened) = (watch::Sender::new(None), AtomicBool::new(attempt > 1));
        Self { inner: Arc::new(Inner { shared, app, to, lang, view, opened }) }
    }

    /// The language of the chat.
    pub fn lang(&self) -> Lang {
        self.inner.lang
    }

    /// The app.
    pub fn app(&self) -> &Arc<AppRuntime> {
        &self.inner.app
    }

    /// What all workers share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Shows the answer so far (Markdown) and a word about the work. The first call sends the card.
    pub fn show(&self, answer: &str, status: &str) {
        let new = View { answer: answer.to_owned(), status: status.to_owned() };
        self.inner.view.send_if_modified(|view| {
            let is_new = view.as_ref() != Some(&new);
            *view = Some(new);
            is_new
        });
    }

    /// The key of the row whose card the answer takes the place of, if it was sent; nothing when
    /// none was.
    pub fn growing(&self) -> Option<String> {
        let opened = self.inner.opened.load(Ordering::Relaxed);
        opened.then(|| self.inner.to.key(CARD))
    }

    /// Says something besides the answer, now. `part` tells it from other rows of the turn.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was said then.
    pub async fn say(&self, part: &str, message: Outgoing) -> Result<(), StoreError> {
        self.enqueue(part, &self.inner.to.op(message)).await
    }

    /// Puts a card in the place of the one that [`Self::say`] sent as `part`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn say_instead(&self, part: &str, message: Outgoing) -> Result<(), StoreError> {
        let to = &self.inner.to;
        let op =
            Op::Update { row: to.key(part), chat_id: to.chat_id.clone(), message, otherwise: None };
        self.enqueue(&format!("{part}/after"), &op).await
    }

    /// Says that the service restarts, and whether the turn goes on afterwards.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn restarting(&self, attempt: u32, answer: &str) -> Result<(), StoreError> {
        let Inner { shared, to, lang, .. } = &*self.inner;
        let config = shared.config.load();
        let handler = config.handlers.get(&to.handler);
        let only_once = handler.is_some_and(|h| h.common().retry.attempts == 1);
        let say = if only_once { words::cut_short_for_good } else { words::restarting };
        let words = say(*lang);
        let part = format!("restart/{attempt}");
        if self.growing().is_none() {
            let op = to.op(Outgoing::text(&words)).while_up(&shared.boot_id);
            return self.enqueue(&part, &op).await;
        }
        let answer = markdown::growing(answer, SHOWN_CHARS_MAX);
        let op = Op::Update {
            row: to.key(CARD),
            chat_id: to.chat_id.clone(),
            message: card::grown(*lang, to.task.0, &answer, &words),
            otherwise: Some(Box::new(to.op(Outgoing::text(&words)))),
        };
        // The next run goes on with the card, and this must not come over what it shows.
        self.enqueue(&part, &op.while_up(&shared.boot_id)).await
    }

    async fn enqueue(&self, part: &str, op: &Op) -> Result<(), StoreError> {
        let Inner { shared, to, .. } = &*self.inner;
        let previews = shared.config.load().log.previews;
        shared.store.enqueue(vec![to.row(part, op, previews, now_ms())]).await?;
        shared.delivery.notify_waiters();
        Ok(())
    }

    /// Keeps the card as [`Self::show`] says, until it is dropped.
    pub async fn paint(&self) -> Infallible {
        let mut view = self.inner.view.subscribe();
        // The sender lives in `self`.
        drop(view.wait_for(Option::is_some).await);
        let card = card::growing(self.inner.lang, self.inner.to.task.0);
        // Before it is: a handler that is through meanwhile ends this where it stands.
        self.inner.opened.store(true, Ordering::Relaxed);
        while let Err(error) = self.say(CARD, card.clone()).await {
            self.inner.shared.store_health.failed("enqueue", &error);
            sleep(LOOK_EVERY).await;
        }
        if let Some(message) = self.sent().await {
            self.grow(&message, view).await;
        }
        std::future::pending().await
    }

    /// The message that shows the card, as soon as it is sent; nothing when it never will be.
    async fn sent(&self) -> Option<MessageId> {
        let shared = &self.inner.shared;
        loop {
            // Registered before the look, so that a delivery in between is not missed.
            let delivered = shared.delivered.notified();
            if let Ok(Some(row)) = shared.store.outbox_by_key(self.inner.to.key(CARD)).await {
                match row.stage {
                    OutboxStage::Queued => {}
                    OutboxStage::Delivered => return row.message_id.map(MessageId::new),
                    OutboxStage::Dead | OutboxStage::Dropped => return None,
                }
            }
            // A period will do where nobody woke us.
            drop(timeout(LOOK_EVERY, delivered).await);
        }
    }

    async fn grow(&self, message: &MessageId, mut view: watch::Receiver<Option<View>>) {
        let mut brush = self.brush(message).await;
        let status = words::thinking(self.inner.lang);
        let (mut shown, mut failures) = (View { answer: String::new(), status }, 0);
        let mut renew_at = Instant::now() + RENEW_EVERY;
        loop {
            if Instant::now() >= renew_at {
                // One that is refused is asked for again in a minute, not at every stroke.
                let next =
                    if self.renew(message, &brush).await { RENEW_EVERY } else { RENEW_AGAIN };
                renew_at = Instant::now() + next;
            }
            let wanted = view.borrow_and_update().clone().unwrap_or_default();
            let painted = self.stroke(message, &brush, &mut shown, &wanted).await;
            let every = if matches!(brush, Brush::Entity(_)) { STREAM_EVERY } else { PATCH_EVERY };
            let next = Instant::now() + every;
            match painted {
                Ok(()) => failures = 0,
                Err(error) if streaming_is_off(&error) => {
                    if !self.renew(message, &brush).await {
                        failures += 1;
                    }
                }
                Err(error) if crate::delivery::is_behind(&error) => {
                    self.inner.shared.cards.is_behind(message);
                }
                // The newest text goes next time.
                Err(error) if matches!(error.disposition(), Disposition::Retry { .. }) => {}
                Err(error) => {
                    failures += 1;
                    tracing::debug!(message_id = %message, code = %error.code(), "the card does not grow: {error}");
                }
            }
            match (&brush, failures >= FAILURES_MAX) {
                (Brush::Entity(_), true) => (brush, failures) = (Brush::Whole, 0),
                (Brush::Whole, true) => return,
                (Brush::Entity(_) | Brush::Whole, false) => {}
            }
            sleep_until(next).await;
            if failures == 0 && shown == wanted {
                let until_renewal = renew_at.saturating_duration_since(Instant::now());
                drop(timeout(until_renewal, view.changed()).await);
            }
        }
    }

    /// As an entity where the platform lets us.
    async fn brush(&self, message: &MessageId) -> Brush {
        let Inner { shared, app, .. } = &*self.inner;
        if let Some(card) = shared.cards.card(message) {
            return Brush::Entity(card);
        }
        match app.api.card_id(message).await {
            Ok(answer) => {
                shared.cards.learned(message, &answer.data);
                Brush::Entity(answer.data)
            }
            Err(error) => {
                tracing::info!(app = app.name, message_id = %message, code = %error.code(),
                    "answers cannot grow piece by piece (scope cardkit:card:write), whole cards are sent: {error}");
                Brush::Whole
            }
        }
    }

    /// Brings one difference nearer.
    async fn stroke(
        &self,
        message: &MessageId,
        brush: &Brush,
        shown: &mut View,
        wanted: &View,
    ) -> Result<(), ApiError> {
        let Inner { shared, app, .. } = &*self.inner;
        if shown == wanted {
            return Ok(());
        }
        // Replies go first: without a place in the app's windows this frame is left out.
        let Some(permit) = app.governor.try_operation() else { return Ok(()) };
        let answer = markdown::growing(&wanted.answer, SHOWN_CHARS_MAX);
        // A tool's name and what it is about are the model's words.
        let status = markdown::growing(&wanted.status, STATUS_CHARS_MAX);
        let result = match brush {
            Brush::Whole => {
                let card = card::grown(self.inner.lang, self.inner.to.task.0, &answer, &status);
                app.api.patch_card(message, &card.content).await
            }
            Brush::Entity(id) => {
                let (element, words) = if shown.answer == wanted.answer || answer.is_empty() {
                    (STATUS, filled(&status))
                } else {
                    (ANSWER, answer.as_str())
                };
                let sequence = shared.cards.next_sequence(message);
                app.api.card_text(id, element, words, sequence).await
            }
        };
        match result {
            Ok(_) => {
                permit.complete(Hint::Fine);
                if matches!(brush, Brush::Whole) || shown.answer == wanted.answer {
                    *shown = wanted.clone();
                } else {
                    shown.answer.clone_from(&wanted.answer);
                }
                Ok(())
            }
            Err(error) => {
                permit.complete(crate::delivery::hint(&error));
                Err(error)
            }
        }
    }

    /// Switches streaming on again.
    async fn renew(&self, message: &MessageId, brush: &Brush) -> bool {
        let Brush::Entity(card) = brush else { return true };
        let Some(permit) = self.inner.app.governor.try_operation() else { return false };
        let settings = json!({ "config": { "streaming_mode": true } }).to_string();
        let sequence = self.inner.shared.cards.next_sequence(message);
        let renewed = self.inner.app.api.card_settings(card, &settings, sequence).await;
        permit.complete(renewed.as_ref().map_or_else(crate::delivery::hint, |_| Hint::Fine));
        renewed.is_ok()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("task", &self.inner.to.task).finish_non_exhaustive()
    }
}

/// An element has to hold something.
fn filled(words: &str) -> &str {
    if words.is_empty() { " " } else { words }
}

fn streaming_is_off(error: &ApiError) -> bool {
    /// "Streaming mode is off", "streaming timed out".
    const OFF: [i64; 2] = [300_309, 200_850];
    matches!(&error.kind, ApiErrorKind::Platform { failure, .. } if OFF.contains(&failure.code))
}
