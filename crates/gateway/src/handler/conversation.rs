//! A turn's hold on its conversation: the session's states, its agent's id, what it used.
//!
//! Every step is in the store before anything depends on it, so that a crash finds the session where
//! it was. Which agent or model speaks in it is not here.

use std::sync::Arc;

use larkline_agent::Usage;
use larkline_proto::id::EventId;
use larkline_store::session::{
    Change, NewSession, Session, SessionId, SessionMove, SessionPatch, SessionQuery, SessionState,
};
use larkline_store::task::TaskId;
use larkline_store::{Store, StoreError};

use super::answer::{Answer, HandlerError};
use super::turn::Turn;
use crate::clock::{local, now_ms};
use crate::words::{self, Lang};

/// Conversations that `/resume` lists.
const LISTED: usize = 10;

/// A conversation in hand.
pub(super) struct Conversation {
    store: Arc<dyn Store>,
    session: Session,
    /// What the agent told, and the store could not take at once.
    untold: Option<(TaskId, String)>,
}

impl Conversation {
    /// The current conversation of a turn's lane, begun if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn open(store: &Arc<dyn Store>, turn: &Turn) -> Result<Self, StoreError> {
        let new = NewSession {
            key: turn.session.clone(),
            handler: turn.handler.clone(),
            cwd: None,
            model: None,
            at_ms: now_ms(),
            cause: "message".to_owned(),
        };
        let session = store.begin_session(new).await?;
        Ok(Self { store: Arc::clone(store), session, untold: None })
    }

    /// The session as it is now.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether a run of this task was cut off after the agent had heard it.
    pub(super) fn was_cut_off_in(&self, task: TaskId) -> bool {
        self.session.task == Some(task) && self.session.agent_session.is_some()
    }

    /// A turn begins.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn begin_turn(&mut self, turn: &Turn) -> Result<(), StoreError> {
        let resumed = match self.session.state {
            SessionState::New => {
                self.step(SessionState::Active, "message", SessionPatch::default()).await?;
                false
            }
            // Left by a turn of this process that never said how it ended.
            SessionState::Processing => {
                self.step(SessionState::Suspended, "cut_off", SessionPatch::default()).await?;
                true
            }
            SessionState::Suspended => true,
            SessionState::Active | SessionState::Completed | SessionState::Terminated => false,
        };
        let event = Some(turn.event.id.clone()).filter(|id| !id.is_empty());
        let patch = SessionPatch { event, ..SessionPatch::default() };
        self.step(SessionState::Processing, if resumed { "resume" } else { "message" }, patch).await
    }

    /// The agent told its id: from here on it has heard the task.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn heard(&mut self, task: TaskId, agent_id: &str) -> Result<(), StoreError> {
        let known = self.session.agent_session.as_deref() == Some(agent_id);
        let agent_session = if known { Change::Keep } else { Change::To(agent_id.to_owned()) };
        let patch = SessionPatch { agent_session, task: Some(task), ..SessionPatch::default() };
        let kept = self.patch(patch).await;
        // The id is told one time: what is not kept now is kept with the end of the turn.
        self.untold = kept.is_err().then(|| (task, agent_id.to_owned()));
        kept
    }

    /// The agent does not know its id any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn forget_agent(&mut self) -> Result<(), StoreError> {
        self.patch(SessionPatch { agent_session: Change::Clear, ..SessionPatch::default() }).await
    }

    /// The turn is over, whatever came of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn end_turn(&mut self, cause: &str, used: Usage) -> Result<(), StoreError> {
        let dollars = used.cost_usd.unwrap_or_default().clamp(0.0, 1e9);
        let untold = self.untold.take();
        let patch = SessionPatch {
            task: untold.as_ref().map(|(task, _)| *task),
            agent_session: untold.map_or(Change::Keep, |(_, id)| Change::To(id)),
            turns: 1,
            cost_microusd: micro(dollars),
            tokens_in: used.tokens_in,
            tokens_out: used.tokens_out,
            ..SessionPatch::default()
        };
        self.step(SessionState::Active, cause, patch).await
    }

    /// The turn is cut off by a stop of the service, and goes on after its start.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn suspend(&mut self, cause: &str) -> Result<(), StoreError> {
        self.step(SessionState::Suspended, cause, SessionPatch::default()).await
    }

    /// Changes what is kept with the session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn patch(&mut self, patch: SessionPatch) -> Result<(), StoreError> {
        self.session = self.store.patch_session(self.session.id, patch, now_ms()).await?;
        Ok(())
    }

    /// `/new`: completes this conversation and begins another, with the same directory and model.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn renew(&mut self, turn: &Turn) -> Result<(), StoreError> {
        let (cwd, model) = (self.session.cwd.clone(), self.session.model.clone());
        self.put_aside("new").await?;
        let new = NewSession {
            key: turn.session.clone(),
            handler: turn.handler.clone(),
            cwd,
            model,
            at_ms: now_ms(),
            cause: "new".to_owned(),
        };
        self.session = self.store.begin_session(new).await?;
        Ok(())
    }

    /// `/resume`: lists the conversations of the lane, or goes back to one.
    ///
    /// # Errors
    /// [`HandlerError`] when the store refuses.
    pub(super) async fn resume(
        &mut self,
        lang: Lang,
        wanted: Option<i64>,
    ) -> Result<Answer, HandlerError> {
        let Some(id) = wanted else { return self.list(lang).await };
        let found = self.store.session_by_id(SessionId(id)).await.map_err(HandlerError::store)?;
        let Some(found) = found.filter(|session| session.key == self.session.key) else {
            return Ok(Answer::markdown(words::no_such_session(lang)));
        };
        if found.id != self.session.id {
            if found.state != SessionState::Completed {
                return Ok(Answer::markdown(words::no_such_session(lang)));
            }
            if self.session.state == SessionState::Processing {
                // A turn that died without a word left it so.
                self.step(SessionState::Active, "resume", SessionPatch::default())
                    .await
                    .map_err(HandlerError::store)?;
            }
            // The store completes the current one with this step.
            self.session = found;
            self.step(SessionState::Active, "resume", SessionPatch::default())
                .await
                .map_err(HandlerError::store)?;
        }
        Ok(Answer::markdown(words::session_resumed(lang, id)))
    }

    async fn list(&self, lang: Lang) -> Result<Answer, HandlerError> {
        let query = SessionQuery {
            key: Some(self.session.key.clone()),
            limit: LISTED,
            ..SessionQuery::default()
        };
        let sessions = self.store.sessions(query).await.map_err(HandlerError::store)?;
        let line = |session: &Session| {
            let state = words::session_state(lang, session.state);
            let used = local(session.used_ms);
            words::session_line(lang, session.id.0, &state, session.turns, &used)
        };
        let lines: Vec<String> = sessions.iter().map(line).collect();
        Ok(Answer::markdown(format!("{}\n{}", words::sessions_title(lang), lines.join("\n"))))
    }

    /// The event of the last turn, for `/retry`.
    pub(super) fn last_event(&self) -> Option<&EventId> {
        self.session.event.as_ref()
    }

    async fn put_aside(&mut self, cause: &str) -> Result<(), StoreError> {
        if self.session.state == SessionState::Processing {
            self.step(SessionState::Active, cause, SessionPatch::default()).await?;
        }
        self.step(SessionState::Completed, cause, SessionPatch::default()).await
    }

    async fn step(
        &mut self,
        to: SessionState,
        cause: &str,
        patch: SessionPatch,
    ) -> Result<(), StoreError> {
        let step = SessionMove {
            to,
            cause: cause.to_owned(),
            detail: String::new(),
            at_ms: now_ms(),
            patch,
        };
        self.session = self.store.step_session(self.session.id, step).await?;
        Ok(())
    }
}

/// Dollars, at most a billion, in millionths.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn micro(dollars: f64) -> u64 {
    (dollars * 1e6).round() as u64
}
