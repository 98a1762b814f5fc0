//! What turns of all handlers with conversations ask about themselves.

use larkline_proto::content;
use larkline_proto::event::Event;
use larkline_proto::id::{EventId, OpenId};
use larkline_store::session::{Change, SessionPatch};

use super::answer::HandlerError;
use super::conversation::Conversation;
use super::turn::Turn;
use crate::config::App;
use crate::live::Live;

/// Words by which `/model` goes back to the configured one.
const DEFAULT_MODEL: [&str; 2] = ["default", "默认"];

impl Turn {
    /// Who may answer its questions and end it: the owners, those named, and whoever began it.
    pub(super) fn people(&self, named: &[OpenId]) -> Vec<OpenId> {
        let owners = self.app_settings().map(|app| app.owners).unwrap_or_default();
        owners.into_iter().chain(named.iter().cloned()).chain(self.event.actor().cloned()).collect()
    }

    /// Whether an owner began it.
    pub(super) fn is_of_owner(&self) -> bool {
        let owners = self.app_settings().map(|app| app.owners).unwrap_or_default();
        self.event.actor().is_some_and(|actor| owners.contains(actor))
    }

    /// The message of an earlier turn, as a turn in this one's place; nothing when it is gone.
    ///
    /// # Errors
    /// [`HandlerError`] when the store refuses.
    pub(super) async fn of_last_event(
        &self,
        event: Option<&EventId>,
    ) -> Result<Option<Self>, HandlerError> {
        let (Some(live), Some(event)) = (&self.live, event) else { return Ok(None) };
        let store = &live.shared().store;
        let found = store.item_of_event(self.app.clone(), event.clone()).await;
        let Some(item) = found.map_err(HandlerError::store)? else { return Ok(None) };
        let Ok(event) = Event::parse(&item.payload) else { return Ok(None) };
        let bot = live.app().bot.borrow().clone().unwrap_or_default();
        let text = event.message().map(|m| content::readable(m, &bot)).unwrap_or_default();
        let (inbox, payload) = (item.id, item.payload);
        Ok(Some(Self { text, event, payload, inbox, ..self.clone() }))
    }

    /// The service stops in mid-turn: the chat hears it, and the next start asks again.
    pub(super) async fn cut_off(
        &self,
        live: &Live,
        conversation: &mut Conversation,
        answer: &str,
    ) -> HandlerError {
        let shared = live.shared();
        if let Err(error) = conversation.suspend("restart").await {
            shared.store_health.failed("step_session", &error);
        }
        if let Err(error) = live.restarting(self.attempt, answer).await {
            shared.store_health.failed("enqueue", &error);
        }
        HandlerError::stopped()
    }

    /// Has a model answer in the conversation from now on, or the configured one again, if it is an
    /// owner who says so; whether it is.
    ///
    /// # Errors
    /// [`HandlerError`] when the store refuses.
    pub(super) async fn choose_model(
        &self,
        conversation: &mut Conversation,
        model: String,
    ) -> Result<bool, HandlerError> {
        if !self.is_of_owner() {
            return Ok(false);
        }
        let is_default = DEFAULT_MODEL.contains(&model.as_str());
        let model = if is_default { Change::Clear } else { Change::To(model) };
        let patch = SessionPatch { model, ..SessionPatch::default() };
        conversation.patch(patch).await.map_err(HandlerError::store)?;
        Ok(true)
    }

    fn app_settings(&self) -> Option<App> {
        let config = self.live.as_ref()?.shared().config.load();
        config.apps.iter().find(|app| app.name == self.app).cloned()
    }
}
